"""What must hold of an initramfs."""
