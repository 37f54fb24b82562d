"""Work that the worker does: registration, assessment, edges, checkerboard, pairs of files."""
