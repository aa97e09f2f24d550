"""What must hold of BusyBox init's inittab."""
