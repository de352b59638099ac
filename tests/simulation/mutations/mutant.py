"""What is a mutant?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    room: str
    """The folder in which `old` stands, once."""
    old: str
    new: str
