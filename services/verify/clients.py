"""Who asks, as far as that has to be known: a neighbourhood of addresses, hashed, in memory, for an hour at most."""

import hashlib
import ipaddress
import math
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.client_address import Address, Network, client_address
from services.domain.errors import TooManyRequests
from services.events.rate import TokenBucket

ROTATES_S = 3600.0
"""Seconds after which the salt changes: nobody can say any more who a hash was, this process included."""

MOST = 50_000
"""Clients that are told apart in an hour. More are an attack, or a day on which a limit does not help."""

_V4_BITS, _V6_BITS = 24, 48


class AskedTooOften(TooManyRequests):
    slug = "asked-too-often"
    title = "Your network has asked more often than this node allows at present"
    zh = "来自您所在网络的查询过于频繁，超过了目前的限额"

    def __init__(self, wait: float) -> None:
        super().__init__("this is limited for each client", hint="wait as Retry-After says; numbers have more room")
        self.retry_after = max(1, math.ceil(wait))


class Clients:
    """Knows a client only by the salted hash of his address's prefix (/24, /48), and forgets all of them every hour.

    `proxies` are the networks whose word about the client is believed.
    """

    def __init__(self, proxies: Sequence[Network], monotonic: Callable[[], float]) -> None:
        self._proxies = proxies
        self._monotonic = monotonic
        self._salt = secrets.token_bytes(16)
        self._since = monotonic()
        self._buckets: dict[tuple[str, bytes], TokenBucket] = {}
        self._lock = threading.Lock()

    def address(self, environ: Mapping[str, Any]) -> Address | None:
        """The client's address; None where nobody believable tells it."""
        return client_address(environ, self._proxies)

    def key(self, address: Address) -> bytes:
        """What stands for a client until the salt changes."""
        self._turn()
        bits = _V4_BITS if address.version == 4 else _V6_BITS
        prefix = ipaddress.ip_network((address, bits), strict=False).network_address.packed
        return hashlib.blake2b(prefix, key=self._salt, digest_size=8).digest()

    def wait(self, environ: Mapping[str, Any], what: str, per_minute: float, burst: float) -> float | None:
        """0 where this client may do it now, else the seconds until he may; None where nobody can tell who he is."""
        address = self.address(environ)
        if address is None:
            return None
        key = what, self.key(address)
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                if len(self._buckets) >= MOST:
                    return None
                bucket = self._buckets[key] = TokenBucket(per_minute / 60, burst)
        return bucket.take(self._monotonic())

    def _turn(self) -> None:
        with self._lock:
            if self._monotonic() - self._since >= ROTATES_S:
                self._salt, self._since = secrets.token_bytes(16), self._monotonic()
                self._buckets.clear()


def must_wait(wait: float | None) -> None:
    """For what can be done without: a client that is over his limit, or that nobody can tell, is refused.

    Raises:
        AskedTooOften: see above.
    """
    if wait is None or wait > 0:
        raise AskedTooOften(60.0 if wait is None else wait)


def may_pass(wait: float | None) -> None:
    """For look-ups, which nobody shall be kept from: only a client that is known and over his limit is refused.

    Raises:
        AskedTooOften: see above.
    """
    if wait:
        raise AskedTooOften(wait)
