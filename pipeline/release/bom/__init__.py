"""What is in an image: its parts, whose they are and under which licence, as bills of materials."""
