"""Entries in other modules of Slicer, and PyTorch from the extension of that name."""
