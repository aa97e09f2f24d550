"""A virtual machine: its firmware, devices, serial console, screen and keys, and the scenarios that use it.

Runs inside the boot container. Must not know steps, checks, recipes or Docker.
"""
