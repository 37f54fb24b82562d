"""MADRegistration in Slicer: the scene on one side, the backend's process on the other."""
