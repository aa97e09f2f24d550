"""What must hold of disk images in the formats of hypervisors and clouds, and the disk that is in them."""
