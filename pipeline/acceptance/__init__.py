"""Proves installations in virtual machines: from power-on to the running appliance, and what goes wrong.

| `verdict` | which stories run, and what is said of them |
"""
