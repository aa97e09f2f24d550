"""From a recipe to steps: what is made of what, as data."""
