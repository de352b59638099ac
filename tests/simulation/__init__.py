"""A simulated world around the delivery core: a day of faults in a second, from a seed."""
