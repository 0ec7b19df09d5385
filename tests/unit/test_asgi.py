"""A WSGI application under ASGI: whole requests in, whole answers out, streams that cost no thread."""

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request, send_file

from services import asgi
from services.asgi import CONTINUES, TOO_SLOW, Front, Message

LARGEST = 1000


def an_app() -> Flask:
    app = Flask("test")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST

    @app.post("/echo")
    def echo() -> Response:
        return Response(request.get_data(), headers={"X-Type": f"{request.content_type} {len(request.args['n'])}"})

    @app.get("/名/<path:rest>")
    def name(rest: str) -> str:
        return f"{rest} {request.headers['X-Twice']} {request.remote_addr} {threading.current_thread().name}"

    return app


class Line:
    """One request on a line to the application, and what came back on it."""

    def __init__(self, *pieces: bytes, leaves_after: int | None = None) -> None:
        self.pieces = list(pieces) or [b""]
        self.leaves_after = leaves_after
        self.sent: list[Message] = []
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        if self.pieces:
            piece = self.pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self.leaves_after is not None and len(self.sent) > self.leaves_after:
            self.gone.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def scope(method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = (), query: bytes = b"") -> Message:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": query,
        "scheme": "http",
        "server": ("127.0.0.1", 8082),
        "client": ("192.0.2.7", 4711),
        "headers": list(headers),
    }


def asked(app: Any, told: Message, *pieces: bytes, leaves_after: int | None = None) -> Line:
    async def go() -> Line:
        line = Line(*pieces, leaves_after=leaves_after)
        await asyncio.wait_for(Front(app, LARGEST)(told, line.receive, line.send), 5)
        return line

    return asyncio.run(go())


def length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size).encode()


def test_a_request_arrives_whole_and_its_answer_goes_out() -> None:
    told = scope("POST", "/echo", [length(6), (b"content-type", b"text/x")], b"n=%E5%90%8D")
    line = asked(an_app(), told, b"abc", b"def")
    assert (line.status, line.body) == (200, b"abcdef")
    assert line.headers["x-type"] == "text/x 1"
    assert line.headers["content-length"] == "6"


def test_a_body_of_unknown_length_arrives_too() -> None:
    told = scope("POST", "/echo", [(b"transfer-encoding", b"chunked")], b"n=1")
    assert asked(an_app(), told, b"abc", b"def").body == b"abcdef"


def test_paths_headers_and_addresses_are_those_of_the_request() -> None:
    twice = [(b"x-twice", b"a"), (b"x-twice", b"b")]
    line = asked(an_app(), scope("GET", "/名/沪/1", twice))
    assert line.body.decode() == "沪/1 a,b 192.0.2.7 wsgi_0"


def test_a_name_with_an_underscore_passes_for_no_other() -> None:
    forged = [length(3), (b"content_length", b"0"), (b"x_twice", b"c"), (b"x-twice", b"a")]
    assert asked(an_app(), scope("POST", "/echo", forged, b"n=1"), b"abc").body == b"abc"
    assert asked(an_app(), scope("GET", "/名/x", forged[2:])).body.decode().startswith("x a ")


def test_the_length_is_that_of_what_came() -> None:
    both = [(b"transfer-encoding", b"chunked"), length(2)]
    assert asked(an_app(), scope("POST", "/echo", both, b"n=1"), b"abc", b"def").body == b"abcdef"


@pytest.mark.parametrize("headers", [[length(LARGEST + 1)], [(b"transfer-encoding", b"chunked")]])
def test_what_is_too_long_is_refused_once_its_sender_has_sent_it(headers: list[tuple[bytes, bytes]]) -> None:
    pieces = [b"x" * (LARGEST // 2)] * 5
    line = Line(*pieces)

    async def go() -> None:
        await Front(an_app(), LARGEST)(scope("POST", "/echo", headers, b"n=1"), line.receive, line.send)

    asyncio.run(go())
    assert line.status == 413
    assert line.pieces == []


def test_who_leaves_while_sending_is_not_answered() -> None:
    async def go() -> Line:
        line = Line(b"abc", b"")
        line.pieces = []
        line.gone.set()
        await Front(an_app(), LARGEST)(scope("POST", "/echo", [length(6)]), line.receive, line.send)
        return line

    assert asyncio.run(go()).sent == []


def test_a_body_that_does_not_come_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.asgi.PATIENCE", 0.02)
    app = Flask("slow")
    seen: list[object] = []

    @app.post("/echo")
    def echo() -> str:
        seen.append((request.environ[TOO_SLOW], request.get_data()))
        return ""

    line = Line(b"abc")
    line.pieces = []
    asyncio.run(Front(app, LARGEST)(scope("POST", "/echo", [length(6)]), line.receive, line.send))
    assert seen == [(True, b"")]


@pytest.mark.parametrize(("knows", "status"), [(True, 200), (False, 413)])
@pytest.mark.parametrize("headers", [[length(LARGEST + 1)], [(b"transfer-encoding", b"chunked")]])
def test_more_is_taken_in_only_of_who_is_known(knows: bool, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    asked_about: list[str] = []

    def larger(environ: dict[str, Any]) -> int:
        asked_about.append(environ["PATH_INFO"])
        return 5 * LARGEST if knows else 0

    app = Flask("larger")

    @app.post("/file")
    def file() -> Response:
        request.max_content_length = LARGEST + (5 * LARGEST if knows else 0)
        return Response(str(len(request.get_data())))

    line = Line(b"x" * LARGEST, b"x")
    asyncio.run(Front(app, LARGEST, larger)(scope("POST", "/file", headers), line.receive, line.send))
    assert (line.status, asked_about) == (status, ["/file"])


def test_an_answer_longer_than_memory_goes_out_in_pieces() -> None:
    whole = b"0123456789" * 200_000

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        yield from (whole[:1_000_000], whole[1_000_000:])

    line = asked(app, scope("GET", "/"))
    assert line.body == whole
    assert max(len(message.get("body", b"")) for message in line.sent[1:]) == asgi.PIECE
    assert not line.sent[-1].get("more_body")


@pytest.mark.parametrize(
    ("asking", "wanted"), [((), slice(None)), (((b"range", b"bytes=100-299999"),), slice(100, 300_000))]
)
def test_a_file_is_passed_through(asking: tuple[tuple[bytes, bytes], ...], wanted: slice, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    file = tmp_path / "dump.csv"
    file.write_bytes(content)
    app = Flask("test")
    app.get("/dump")(lambda: send_file(file, conditional=True))
    line = asked(app, scope("GET", "/dump", asking))
    assert line.status == (206 if asking else 200)
    assert line.body == content[wanted]


def test_the_life_of_the_server_is_acknowledged() -> None:
    async def go() -> list[str]:
        told = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        said: list[str] = []

        async def receive() -> Message:
            return told.pop(0)

        async def send(message: Message) -> None:
            said.append(message["type"])

        await Front(an_app(), LARGEST)({"type": "lifespan"}, receive, send)
        return said

    assert asyncio.run(go()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# --- streams --------------------------------------------------------------------------------------------------


class Ticks:
    """A continuation of so many pieces; without a number it waits for ever after the third."""

    def __init__(self, count: int | None) -> None:
        self.count = count
        self.closed = 0

    async def pieces(self) -> AsyncGenerator[bytes]:
        for number in range(self.count if self.count is not None else 3):
            yield f"{number}\n".encode()
        if self.count is None:
            await asyncio.Event().wait()

    def close(self) -> None:
        self.closed += 1


def streaming(ticks: Ticks) -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        assert CONTINUES in environ
        environ[CONTINUES] = ticks
        start("200 OK", [("Content-Type", "text/event-stream")])
        return iter([b"what a plain server would give out"])

    return app


def test_a_stream_ends_when_there_is_no_more() -> None:
    ticks = Ticks(2)
    line = asked(streaming(ticks), scope("GET", "/"))
    assert line.body == b"0\n1\n"
    assert ticks.closed == 1


def test_a_stream_ends_when_its_reader_leaves() -> None:
    ticks = Ticks(None)
    line = asked(streaming(ticks), scope("GET", "/"), leaves_after=3)
    assert line.body == b"0\n1\n2\n"
    assert ticks.closed == 1


def test_a_stream_ends_when_its_reader_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "PATIENCE", 0.01)
    ticks = Ticks(None)

    async def go() -> None:
        line = Line()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        await asyncio.wait_for(Front(streaming(ticks), LARGEST)(scope("GET", "/"), line.receive, send), 5)

    asyncio.run(go())
    assert ticks.closed == 1


class Deaf(asyncio.Future[None]):
    """What a server gives out for one who has left: it does not end, and hears of no cancelling."""

    def cancel(self, msg: object = None) -> bool:
        return False


def test_a_stream_ends_when_its_reader_leaves_with_something_unread() -> None:
    ticks = Ticks(None)

    async def go() -> None:
        line, unread = Line(), Deaf()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                line.gone.set()
                await unread

        answered = asyncio.ensure_future(Front(streaming(ticks), LARGEST)(scope("GET", "/"), line.receive, send))
        done, _ = await asyncio.wait((answered,), timeout=5)
        unread.set_result(None)
        assert done == {answered}

    asyncio.run(go())
    assert ticks.closed == 1


def test_only_the_head_of_a_stream_is_given_to_head() -> None:
    ticks = Ticks(None)
    line = asked(streaming(ticks), scope("HEAD", "/"))
    assert line.body == b""
    assert ticks.closed == 1


def test_streams_leave_the_thread_to_other_answers() -> None:
    ticks = [Ticks(None) for _ in range(20)]
    waiting = iter(ticks)

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/stream":
            environ[CONTINUES] = next(waiting)
        start("200 OK", [])
        return [b"answered"]

    async def go() -> bytes:
        front = Front(app, LARGEST)
        readers = [Line() for _ in ticks]
        streams = [asyncio.create_task(front(scope("GET", "/stream"), r.receive, r.send)) for r in readers]
        while not all(len(reader.sent) == 4 for reader in readers):
            await asyncio.sleep(0)
        other = Line()
        await asyncio.wait_for(front(scope("GET", "/"), other.receive, other.send), 5)
        for reader in readers:
            reader.gone.set()
        await asyncio.wait_for(asyncio.gather(*streams), 5)
        return other.body

    assert asyncio.run(go()) == b"answered"
    assert [tick.closed for tick in ticks] == [1] * 20


def test_an_application_that_breaks_is_the_servers_to_answer() -> None:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        asked(app, scope("GET", "/"))


def test_a_small_answer_is_one_piece() -> None:
    line = asked(an_app(), scope("POST", "/echo", [length(3)], b"n=1"), b"abc")
    assert len(line.sent) == 2
    assert io.BytesIO(line.body).read() == b"abc"
