"""What does an app see of the automation platform? An emulator to develop and test against.

`platform` decides (no clock, no I/O), `faults` says what goes wrong, `server` speaks HTTP, `ledger`
remembers what was accepted. Nothing here knows the program that it tests.
"""
