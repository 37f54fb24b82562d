"""The panel without Qt: its controllers, and what its buttons do."""
