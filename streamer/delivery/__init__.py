"""The delivery core: a state machine without I/O. Facts in, commands out."""
