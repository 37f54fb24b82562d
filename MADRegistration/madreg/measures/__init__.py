"""Image distances with one interface; see :class:`madreg.measures.base.Measure`."""
