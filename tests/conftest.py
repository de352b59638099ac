"""What holds for all tests: how many examples hypothesis draws where a test names no number."""

from hypothesis import settings

from tests.effort import examples

settings.register_profile("share", max_examples=examples(100))
settings.load_profile("share")
