"""Registering many: volumes of the scene, or pairs of files."""
