"""Looking at the two volumes: blending, colors, edges, checkerboard, error map, plot."""
