"""Names the first structure in which two artifacts differ: `difference.first_difference` is the way in."""
