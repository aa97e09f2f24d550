"""What must hold of a FAT volume."""
