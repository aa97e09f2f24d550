"""What lies on a medium, an ISO or a disk, and what firmware starts from it."""
