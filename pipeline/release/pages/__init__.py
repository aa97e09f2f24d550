"""Pages for people: what a release is, and how its run went."""
