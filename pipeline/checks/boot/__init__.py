"""What must hold of boot configuration: GRUB's menus, Boot Loader Specification entries, lists of Heads."""
