"""How much one source may send, in events and in bytes: a token bucket each."""

import threading
from typing import NamedTuple


class TokenBucket:
    """`per_second` tokens flow in, at most `burst` are kept. Time is seconds of a clock that the caller reads."""

    __slots__ = ("_burst", "_level", "_lock", "_per_second", "_since")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._level = burst
        self._since: float | None = None
        self._lock = threading.Lock()

    def take(self, now: float, cost: float = 1.0) -> float:
        """0 where they were there and are taken, else the seconds until they will be; `cost` is at most `burst`."""
        with self._lock:
            if self._since is not None:
                self._level = min(self._burst, self._level + max(0.0, now - self._since) * self._per_second)
            self._since = now
            if self._level < cost:
                return (cost - self._level) / self._per_second
            self._level -= cost
            return 0.0


class Limit(NamedTuple):
    """So many events, and so many bytes of them."""

    events: int
    bytes: int


class Buckets:
    """One bucket a source. Sources are those that proved a registered key, so there are never many.

    An event costs one token, or what its bytes are worth where that is more: so neither `events` nor `bytes` a second
    are exceeded, and whoever is refused has paid neither. `burst` is how many of either may come at once.
    """

    def __init__(self, per_second: Limit, burst: Limit) -> None:
        self._per_second = per_second.events
        self._per_byte = per_second.events / per_second.bytes
        self._burst = max(per_second.events, burst.events, burst.bytes * self._per_byte)
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, source: str, size: int, now: float) -> float:
        """0 where an event of so many bytes may pass, else the seconds until it may."""
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets.setdefault(source, TokenBucket(self._per_second, self._burst))
        return bucket.take(now, max(1.0, size * self._per_byte))
