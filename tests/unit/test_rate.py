"""The token bucket: what flows in, what is kept, how long to wait."""

import pytest

from services.events.rate import Buckets, Limit, TokenBucket


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


def test_an_event_costs_one_or_what_its_bytes_are_worth() -> None:
    """Ten events and a thousand bytes a second; a burst of twenty, or of four thousand bytes."""
    buckets = Buckets(Limit(10, 1000), burst=Limit(20, 4000))
    sizes = (1, 100, 101, 400, 4000)
    assert [sum(buckets.take(str(s), s, 0.0) == 0 for _ in range(100)) for s in sizes] == [40, 40, 39, 10, 1]
    assert buckets.take("4000", 500, 0.0) == pytest.approx(0.5)
    assert buckets.take("4000", 1, 0.0) == pytest.approx(0.1), "what was refused has cost nothing"


def test_sources_do_not_pay_for_each_other() -> None:
    buckets = Buckets(Limit(1, 1), burst=Limit(1, 1))
    assert buckets.take("a", 1, 0.0) == 0
    assert buckets.take("a", 1, 0.0) > 0
    assert buckets.take("b", 1, 0.0) == 0
