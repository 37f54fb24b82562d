"""What a registration or an assessment leaves in the scene, what it says, and how it is taken back."""
