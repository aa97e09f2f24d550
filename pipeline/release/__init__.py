"""What is given to people: an image with all that explains and proves it."""
