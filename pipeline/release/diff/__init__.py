"""How two versions of a release, an image or a revision differ."""
