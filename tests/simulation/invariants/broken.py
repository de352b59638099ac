"""What is raised when a world shows that a promise does not hold?"""


class Broken(AssertionError):
    """An invariant does not hold. Says when, and what was found."""
