"""Virtual machines: firmware, disks, screen, keys and serial line."""
