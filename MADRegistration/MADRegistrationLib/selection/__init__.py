"""What the user chooses in the panel."""
