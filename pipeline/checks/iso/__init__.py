"""What must hold of an ISO 9660 image."""
