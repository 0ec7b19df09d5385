"""How much one source may send: a token bucket each."""

import threading


class TokenBucket:
    """`per_second` tokens flow in, at most `burst` are kept. Time is seconds of a clock that the caller reads."""

    __slots__ = ("_burst", "_level", "_lock", "_per_second", "_since")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._level = burst
        self._since: float | None = None
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """0 where a token was there and is taken, else the seconds until one will be."""
        with self._lock:
            if self._since is not None:
                self._level = min(self._burst, self._level + max(0.0, now - self._since) * self._per_second)
            self._since = now
            if self._level < 1:
                return (1 - self._level) / self._per_second
            self._level -= 1
            return 0.0


class Buckets:
    """One bucket a source. Sources are those that proved a registered key, so there are never many."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, source: str, now: float) -> float:
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets.setdefault(source, TokenBucket(self._per_second, self._burst))
        return bucket.take(now)
