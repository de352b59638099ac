"""What does an expression of the configuration mean, and how is it asked about an event?"""
