"""What must hold of a root file system."""
