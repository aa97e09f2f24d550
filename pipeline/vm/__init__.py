"""Any virtual machine: what it is made of, how it runs, what it shows, and disks before and after it."""
