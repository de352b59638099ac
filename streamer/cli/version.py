"""`streamer version`: which version is this?"""

import platform

from streamer import __version__


def version() -> None:
    """Print the version of streamer, and of the Python that runs it."""
    print(f"streamer {__version__} (Python {platform.python_version()})")
