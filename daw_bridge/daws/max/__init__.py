"""Max and Max for Live: a device and an abstraction."""
