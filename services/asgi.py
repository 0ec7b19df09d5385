"""Lets a WSGI application answer under an ASGI server, so that streams can stay open beside its one thread.

The application is asked in one thread, as it would be by a WSGI server with one. A request is taken in whole before it
is asked, and its answer given out when it has been made whole: who sends or reads slowly holds up nobody. An answer
that goes on for as long as its reader likes leaves a `Continuation` in its environ, and costs no thread at all.
"""

import asyncio
import contextlib
import io
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Any, Protocol

from werkzeug.wsgi import FileWrapper

from services import telemetry

CONTINUES = "certmark.continues"
"""Where in its environ an application leaves the `Continuation` of its answer; under other servers it is not there."""

IN_MEMORY = 1 << 20
"""Bytes of a request or an answer that are held in memory; what is longer waits in a file."""

PIECE = 256 << 10
DRAINED = 64 << 20
"""Bytes that are still read of a request that was too long, so that its sender sees the answer."""

PATIENCE = 30.0
"""Seconds that the reader of a stream may take for one piece of it, and the sender of a body for each MiB."""

TOO_SLOW = "certmark.too-slow"
"""In the environ of a request whose body has not come in time: the application refuses it."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Continuation(Protocol):
    """What follows after the head of an answer, for as long as its reader stays."""

    def pieces(self) -> AsyncGenerator[bytes]:
        """The pieces, as they come."""

    def close(self) -> None:
        """Called once at the end, however it came, also where no piece was ever asked for."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer: its whole body, or else what gives out its pieces, each of which may wait for a disk."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None = None
    pieces: Iterator[bytes] | None = None
    goes_on: Continuation | None = None
    close: Callable[[], object] = lambda: None


class Front:
    """An ASGI application around a WSGI one; `largest` bytes of a request's body are taken in.

    `larger` says how many more of a request that seems to have them: a stranger fills no disk.
    """

    def __init__(self, app: Wsgi, largest: int, larger: Callable[[dict[str, Any]], int] = lambda environ: 0) -> None:
        self._app = app
        self._largest = largest
        self._larger = larger
        self._thread = ThreadPoolExecutor(1, "wsgi")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as held:
            body: IO[bytes] = io.BytesIO()
            whole, slow = True, False
            if any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
                body = held.enter_context(SpooledTemporaryFile(IN_MEMORY))
                try:
                    taken = await self._take_in(scope, receive, body)
                except TimeoutError:
                    slow = True
                else:
                    if taken is None:
                        return  # the sender has gone
                    whole = taken
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._thread, self._ask, scope, body, slow)
            held.callback(answer.close)
            if not whole:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(_drain(receive), PATIENCE)
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            if answer.goes_on is not None and scope["method"] != "HEAD":
                await _give_out(answer.goes_on.pieces(), receive, send)
                return
            if answer.pieces is not None:
                await _give_out(_read(answer.pieces), receive, send)
                return
            await send({"type": "http.response.body", "body": answer.body or b""})

    async def _take_in(self, scope: Message, receive: Receive, body: IO[bytes]) -> bool | None:
        """Read the request's body; whether that is all of it, or None where its sender has left.

        Raises:
            TimeoutError: it has not come in time.
        """
        size, largest, loop = 0, self._largest, asyncio.get_running_loop()
        if _declared(scope) > largest or any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            largest += await loop.run_in_executor(self._thread, self._larger, _environ(scope, io.BytesIO()))
        if _declared(scope) > largest:
            return False  # its length alone is refused by the application
        begun = loop.time()
        while size <= largest:
            message = await asyncio.wait_for(receive(), begun + PATIENCE * (1 + size // IN_MEMORY) - loop.time())
            if message["type"] == "http.disconnect":
                return None
            size += len(message.get("body", b""))
            body.write(message.get("body", b""))
            if not message.get("more_body"):
                body.seek(0)
                return True
        return False

    def _ask(self, scope: Message, body: IO[bytes], slow: bool) -> _Answer:
        environ = _environ(scope, body) | {TOO_SLOW: slow}
        head: list[tuple[int, list[tuple[bytes, bytes]]]] = []
        written: list[bytes] = []  # by the function that PEP 3333 keeps for old applications

        def start_response(line: str, headers: list[tuple[str, str]], *_: object) -> Callable[[bytes], None]:
            lower = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            head[:] = [(int(line[:3]), lower)]
            return written.append

        answered = self._app(environ, start_response)
        close: Callable[[], object] = getattr(answered, "close", lambda: None)
        if isinstance(getattr(answered, "iterable", answered), FileWrapper):  # a file, or a range of one
            return _Answer(*head[0], pieces=iter(answered), close=close)
        try:
            goes_on: Continuation | None = environ[CONTINUES]
            if goes_on is not None:
                return _Answer(*head[0], goes_on=goes_on, close=goes_on.close)
            following = iter(answered)
            for piece in following:
                written.append(piece)
                if sum(map(len, written)) > IN_MEMORY:
                    long = _filed(chain(written, following))
                    return _Answer(*head[0], pieces=iter(partial(long.read, PIECE), b""), close=long.close)
            return _Answer(*head[0], body=b"".join(written))
        finally:
            close()


def _filed(pieces: Iterable[bytes]) -> IO[bytes]:
    """A file of these pieces that nobody else sees, to be read from its beginning."""
    file = TemporaryFile()  # noqa: SIM115  # closed with the answer
    file.writelines(pieces)
    file.seek(0)
    return file


def _environ(scope: Message, body: IO[bytes]) -> dict[str, Any]:
    """PEP 3333's environ of an ASGI scope."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": lambda file, _size=PIECE: FileWrapper(file, PIECE),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        CONTINUES: None,
    }
    if any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        came = body.seek(0, io.SEEK_END)  # a body that came in pieces is whole now, and has a length
        body.seek(0)
        environ["CONTENT_LENGTH"] = str(max(came, _declared(scope)))
    for raw, value in scope["headers"]:
        if b"_" in raw or raw in (b"content-length", b"transfer-encoding"):
            continue  # `content_length` would pass for the one with a dash
        name = raw.decode("latin-1").upper().replace("-", "_")
        name = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        text = value.decode("latin-1")
        environ[name] = f"{environ[name]},{text}" if name in environ else text
    return environ


def _declared(scope: Message) -> int:
    """The length that the head of a request states; 0 where it states none that can be read."""
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(stated) if stated.isdigit() else 0


async def _drain(receive: Receive) -> None:
    left = DRAINED
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return


async def _give_out(pieces: AsyncGenerator[bytes], receive: Receive, send: Send) -> None:
    """Give out pieces until their reader leaves or stalls, or there are no more."""
    leaving = asyncio.ensure_future(_left(receive))
    try:
        async with contextlib.aclosing(pieces):
            piece = b"-"
            while piece:
                coming = asyncio.ensure_future(anext(pieces, b""))
                if not await _before(leaving, coming):
                    await asyncio.wait((coming,))
                    return
                piece = coming.result()
                message = {"type": "http.response.body", "body": piece, "more_body": bool(piece)}
                # A server may never end what it was given for one who has left, not even where it is cancelled.
                if not await _before(leaving, asyncio.ensure_future(send(message)), PATIENCE):
                    return
    except Exception as error:  # noqa: BLE001  # of the application or of the line: there is nobody left to be told
        telemetry.error("a stream broke", error)
    finally:
        leaving.cancel()


async def _before(leaving: asyncio.Future[None], task: asyncio.Future[Any], seconds: float | None = None) -> bool:
    """Whether a task ends before the reader leaves, and within some seconds; else it is cancelled, not waited for."""
    await asyncio.wait((task, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()  # raises what it ended with
        return True
    task.cancel()
    return False


async def _read(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """What waits for a disk, read in another thread: it is not closed while it is read."""
    while True:
        reading = asyncio.get_running_loop().run_in_executor(None, next, pieces, b"")
        try:
            piece = await asyncio.shield(reading)
        except asyncio.CancelledError:
            await asyncio.wait((reading,))
            raise
        if not piece:
            return
        yield piece


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _live(receive: Receive, send: Send) -> None:
    while True:
        told = (await receive())["type"]
        await send({"type": f"{told}.complete"})
        if told == "lifespan.shutdown":
            return
