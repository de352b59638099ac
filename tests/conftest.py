"""What holds for all tests: how many examples hypothesis draws where a test names no number, and
that no example fails for having taken long, as it may on a busy machine."""

from hypothesis import HealthCheck, settings

from tests.effort import examples

settings.register_profile(
    "share",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("share")
