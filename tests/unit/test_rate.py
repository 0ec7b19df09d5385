"""The token bucket: what flows in, what is kept, how long to wait."""

import pytest

from services.events.rate import Buckets, TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(per_second=2, burst=3)
    assert [bucket.take(0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(0.25) == pytest.approx(0.25)
    assert bucket.take(0.5) == 0
    assert bucket.take(100.0) == 0
    assert [bucket.take(100.0) for _ in range(3)] == [0, 0, 0.5]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(per_second=1, burst=1)
    assert bucket.take(10.0) == 0
    assert bucket.take(5.0) == 1


def test_sources_do_not_pay_for_each_other() -> None:
    buckets = Buckets(per_second=1, burst=1)
    assert buckets.take("a", 0.0) == 0
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("b", 0.0) == 0
