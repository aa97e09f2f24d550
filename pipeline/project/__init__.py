"""What a checkout says: recipes, manifest, locks."""
