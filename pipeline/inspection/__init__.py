"""`./doit inspect`: says of any boot image whether it will boot, and why not."""
