"""Nodes of the scene: volumes, transforms, masks, segmentations and tables, and what this module writes on them."""
