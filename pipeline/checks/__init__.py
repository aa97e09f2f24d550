"""What must hold of a finished artifact: one module a kind, one function a rule."""
