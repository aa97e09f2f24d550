"""What must hold of PE images: UKIs and other EFI programs."""
