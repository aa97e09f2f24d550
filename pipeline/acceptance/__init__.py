"""Proves installations in virtual machines: from power-on to the running appliance, and what goes wrong.

| module | owns |
| --- | --- |
| `guest` | what the machine is made of, as QEMU's command line |
| `terminal` | what a person at the serial console sees |
| `play` | a machine that runs: what is pressed, what is waited for |
| `media` | disks and sticks, before and after |
| `steps` | what a person does, from Welcome to the appliance's answer |
| `stage` | where stories happen, and what must hold of an installed disk |
| `film`, `quiet`, `sheet` | what the screen shows while a machine starts: taken, judged, shown to people |
| `care` | what comes after: tools, a reinstallation, damaged data |
| `choice` | what is not written to: what is installed, and whatever turns up late |
| `faults` | what can be wrong with a machine |
| `power`, `write_log`, `bench_machine` | power cuts: recorded, replayed, finished |
| `scenarios` | each thing that must hold, as a story |
| `verdict` | which stories run, and what is said of them |
"""
