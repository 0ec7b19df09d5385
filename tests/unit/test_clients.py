"""Who asks: an address's neighbourhood, hashed, for an hour; and whose word about it counts."""

import ipaddress

import pytest

from services.verify import clients
from services.verify.clients import AskedTooOften, Clients, may_pass, must_wait


class Hand:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def environ(peer: str, forwarded: str | None = None) -> dict[str, str]:
    return {"REMOTE_ADDR": peer} | ({"HTTP_X_FORWARDED_FOR": forwarded} if forwarded is not None else {})


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9:40312", None, "203.0.113.9"),
        ("[2001:db8::1]:443", None, "2001:db8::1"),
        ("::ffff:203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),  # not a proxy of ours: his word does not count
        ("10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # what the client wrote himself stands before
        ("10.0.0.2", "198.51.100.7, 10.1.1.1", "198.51.100.7"),  # two proxies of ours
        ("10.0.0.2", "198.51.100.7, nonsense", "10.0.0.2"),
        ("10.0.0.2", None, "10.0.0.2"),
        ("", None, None),
        ("unix:", None, None),
    ],
)
def test_whose_address_counts(peer: str, forwarded: str | None, expected: str | None) -> None:
    found = Clients(PROXIES, Hand()).address(environ(peer, forwarded))
    assert (str(found) if found else None) == expected


def test_neighbours_are_one_client_and_strangers_are_not() -> None:
    known = Clients((), Hand())
    one, near, far = (ipaddress.ip_address(text) for text in ("203.0.113.9", "203.0.113.200", "203.0.114.9"))
    assert known.key(one) == known.key(near) != known.key(far)
    six, beside, other = (ipaddress.ip_address(t) for t in ("2001:db8:1:2::1", "2001:db8:1:ff::9", "2001:db8:2::1"))
    assert known.key(six) == known.key(beside) != known.key(other)
    assert b"203" not in known.key(one)


def test_after_an_hour_nobody_is_known_any_more() -> None:
    hand = Hand()
    known = Clients((), hand)
    address = ipaddress.ip_address("203.0.113.9")
    before = known.key(address)
    hand.now += clients.ROTATES_S - 1
    assert known.key(address) == before
    hand.now += 1
    assert known.key(address) != before
    assert Clients((), hand).key(address) != known.key(address)  # nor by another process


def test_a_limit_is_each_clients_own_and_each_things_own() -> None:
    hand = Hand()
    known = Clients((), hand)
    waits = [known.wait(environ("203.0.113.9"), "search", 60, 2) for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert waits[2] == pytest.approx(1)
    assert known.wait(environ("198.51.100.7"), "search", 60, 2) == 0
    assert known.wait(environ("203.0.113.9"), "picture", 60, 2) == 0
    hand.now += 1
    assert known.wait(environ("203.0.113.9"), "search", 60, 2) == 0


def test_with_too_many_to_tell_apart_searches_stop_and_look_ups_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "MOST", 3)
    known = Clients((), Hand())
    waits = [known.wait(environ(f"203.0.{n}.9"), "search", 60, 2) for n in range(4)]
    assert waits == [0, 0, 0, None]
    may_pass(waits[-1])
    with pytest.raises(AskedTooOften):
        must_wait(waits[-1])
    with pytest.raises(AskedTooOften) as refused:
        may_pass(2.5)
    assert refused.value.retry_after == 3
