"""Which reports does an event make, and what is in each of them?"""
