"""The slice views and plots: layers, layout, colors, zoom, crosshair, and what they showed before."""
