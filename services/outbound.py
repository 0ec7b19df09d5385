"""One POST to an address that somebody else chose: to the open internet alone, once, and within its time."""

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from services.domain.errors import BadRequest

SECONDS = 10.0
"""For everything: the name, the connection, the request and the head of the answer."""

LARGEST_HEAD = 16 << 10
_PRINTABLE = re.compile(r"[!-~]{1,1000}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |$)")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a POST goes. `within` says that it may lead to this machine or its network, as in a demonstration."""

    scheme: str
    host: str
    port: int
    path: str
    within: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The status of an answer, and for how many seconds it asks to be left alone, where it says so."""

    status: int
    retry_after: int | None


class NotDelivered(Exception):
    """No answer came, or the address may not be reached. The text is short, and holds nothing of what was sent."""


def target_of(url: str, *, within: bool) -> Target:
    """The address taken apart, refused where its form alone shows that it must not be reached.

    Raises:
        BadRequest: not https:// (http:// only to this machine, where `within`), with a user's name, a fragment or
            characters that an address does not have, or by number to a network that is not the open internet.
    """
    if not _PRINTABLE.fullmatch(url):
        raise BadRequest("an address has up to 1,000 printable ASCII characters", pointer="/url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest(f"the address cannot be read: {error}", pointer="/url") from None
    host = (parts.hostname or "").rstrip(".")
    literal = _address(host)
    if parts.scheme not in ("https", "http") or not (literal or _NAME.fullmatch(host)):
        raise BadRequest("an address begins with https:// and a host", pointer="/url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadRequest("an address holds neither a user's name nor a fragment", pointer="/url")
    here = host == "localhost" or (literal is not None and literal.is_loopback)
    if parts.scheme == "http" and not (within and here):
        raise BadRequest("deliveries go by https", pointer="/url", hint="http:// only to this machine, for trying out")
    if not within and (host == "localhost" or (literal is not None and not is_open(host))):
        raise BadRequest(f"{host} is not on the open internet", pointer="/url")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path, within)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


_INSIDE = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "5f00::/16",
        "fec0::/10",
    )
]
"""What `is_global` of this or an older Python lets pass and no webhook lies in (IANA special-purpose registries)."""


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_open(text: str) -> bool:
    """Whether an IP address is one of the open internet, and so is the IPv4 address that may be inside it."""
    address = _address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_open(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.sixtofour is not None:
            return False  # out of use (RFC 7526), and Python versions differ on whether it is global
        if address.ipv4_mapped is not None:
            return is_open(str(address.ipv4_mapped))
    if address is None or not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _INSIDE if network.version == address.version)


def post(target: Target, body: bytes, headers: Mapping[str, str], seconds: float = SECONDS) -> Answered:
    """Send it, read the head of the answer, and hang up. No redirect is followed, no proxy is asked, nothing is kept.

    The name is resolved once, and the connection goes to an address that was looked at: a name that changes
    meanwhile leads nowhere else.

    Raises:
        NotDelivered: in any other case than an answer with a status.
    """
    deadline = time.monotonic() + seconds
    try:
        with _connected(target, _resolved(target), deadline) as line:
            head = [f"POST {target.path} HTTP/1.1", f"Host: {_host(target)}", "Connection: close"]
            head += [f"{name}: {value}" for name, value in headers.items()]
            head += [f"Content-Length: {len(body)}", "", ""]
            for start in range(0, len(sending := "\r\n".join(head).encode("ascii") + body), 1 << 16):
                line.settimeout(_left(deadline))
                line.sendall(sending[start : start + (1 << 16)])
            return _answer(line, deadline)
    except ssl.SSLError as error:
        raise NotDelivered(f"TLS: {error.reason or type(error).__name__}") from None
    except TimeoutError:
        raise NotDelivered(f"no answer within {seconds:g} s") from None
    except OSError as error:
        raise NotDelivered(error.strerror or type(error).__name__) from None


def _resolved(target: Target) -> list[str]:
    """The addresses of the host, all of which may be reached: one that may not spoils the name."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotDelivered("the host's name has no address") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not target.within and not all(is_open(address) for address in addresses):
        raise NotDelivered("the host's name leads to an address that is not on the open internet")
    return addresses


def _connected(target: Target, addresses: list[str], deadline: float) -> socket.socket:
    error: OSError = OSError("the host's name has no address")
    for address in addresses:
        try:
            line = socket.create_connection((address, target.port), timeout=_left(deadline))
        except TimeoutError:
            raise
        except OSError as failed:
            error = failed
            continue
        if target.scheme == "http":
            return line
        try:
            line.settimeout(_left(deadline))
            return _tls().wrap_socket(line, server_hostname=target.host)
        except BaseException:
            line.close()
            raise
    raise error


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _answer(line: socket.socket, deadline: float) -> Answered:
    received = b""
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        if end:
            status = _STATUS.match(head.partition(b"\r\n")[0])
            if status is None:
                raise NotDelivered("the answer is not HTTP/1.1")
            if not status[1].startswith(b"1"):
                return Answered(int(status[1]), _retry_after(head))
            received = rest  # «continue» and its like come before the answer
            continue
        if len(received) > LARGEST_HEAD:
            raise NotDelivered(f"the head of the answer is longer than {LARGEST_HEAD} bytes")
        line.settimeout(_left(deadline))
        piece = line.recv(4096)
        if not piece:
            raise NotDelivered("the line was closed before an answer")
        received += piece


def _retry_after(head: bytes) -> int | None:
    found = re.search(rb"(?im)^retry-after:[ \t]*(\d{1,6})[ \t]*\r?$", head)
    return int(found[1]) if found else None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _host(target: Target) -> str:
    name = f"[{target.host}]" if ":" in target.host else target.host
    usual = 443 if target.scheme == "https" else 80
    return name if target.port == usual else f"{name}:{target.port}"
