"""The way from a node's web processes to its counting process: one datagram a look-up, which may get lost."""

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from services.verify.districts import Address

NAME = "scans.sock"
_LONGEST = 128


class ScanSender:
    """Tells the counting process of a look-up. It never waits and never fails: nobody's answer depends on a count."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def tell(self, code: str, address: Address | None) -> bool:
        """Whether the datagram is on its way; a look-up whose client nobody can tell is not counted."""
        if address is None:
            return False
        try:
            with _named(self._folder) as path:
                self._socket.sendto(f"{code} {address}".encode("ascii"), path)
        except OSError:
            return False  # nobody counts here, or cannot keep up
        return True

    def close(self) -> None:
        self._socket.close()


class ScanReceiver:
    """The other end, readable and writable for this user alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        (folder / NAME).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        before = os.umask(0o177)
        try:
            with _named(folder) as path:
                self._socket.bind(path)
        finally:
            os.umask(before)

    def receive(self, seconds: float) -> tuple[str, Address] | None:
        """The next (code, client's address) within so many seconds; None where there is none, or it is unreadable."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            code, _, address = self._socket.recv(_LONGEST).decode("ascii").partition(" ")
            return code, ipaddress.ip_address(address)
        except (TimeoutError, UnicodeDecodeError, ValueError):
            return None
        except OSError as error:
            if error.errno == errno.EINTR:
                return None
            raise

    def rest(self) -> Iterator[tuple[str, Address]]:
        """What had come and was not received yet. From now on nobody counts here."""
        (self._folder / NAME).unlink(missing_ok=True)
        while (told := self.receive(0)) is not None:
            yield told

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink()


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[str]:
    """A path of the socket that is short enough (108 bytes), whatever its folder is called."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
