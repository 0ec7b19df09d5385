"""Whose address a request comes from: a proxy's word counts where the settings trust that proxy, nobody else's does."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(environ: Mapping[str, Any], proxies: Sequence[Network]) -> Address | None:
    """The client's address; None where nobody believable tells it.

    Of what a trusted proxy says (`X-Forwarded-For`) the last address counts that is not itself such a proxy. Whatever
    stands before it, the client may have made up.
    """
    found = _address(str(environ.get("REMOTE_ADDR", "")))
    said = str(environ.get("HTTP_X_FORWARDED_FOR", ""))[-400:].split(",")
    while found is not None and _is_in(found, proxies) and said:
        before = _address(said.pop())
        if before is None:
            break
        found = before
    return found


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address as servers and proxies write it, with a port or without."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
