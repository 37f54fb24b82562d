"""MADRegistration's backend: register two scans of any contrast, from any pose, without Slicer."""

__version__ = "0.1.0"
