"""Turns pinned inputs into a bootable UEFI installer ISO: recipe, manifest and locks become steps."""
