"""How far a medium comes: steps of the boot container that start it each way, or attach a person to it."""
