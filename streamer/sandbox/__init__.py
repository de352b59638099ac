"""What does an app see of the automation platform? An emulator to develop and test against.

`platform` and `bulk` decide (no clock, no I/O), `quota` counts, `faults` says what goes wrong,
`server` speaks HTTP, `ledger` remembers what was accepted and `journal` what came lately. Nothing
here knows the program that it tests.
"""
