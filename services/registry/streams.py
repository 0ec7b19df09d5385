"""Decisions as Server-Sent Events: who follows costs a place in memory, no thread, and no look at the database."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services import auth, telemetry
from services.domain.errors import CertmarkError, Fault, TooManyRequests
from services.postgres import Connection, Cursor, connect, database_url, transaction, wait_for_notify
from services.registry import decision_feed, store
from services.registry.decision_feed import Place
from services.settings import Settings

T = TypeVar("T")
Read = Callable[[Callable[[Cursor], T]], T]

HEARTBEAT = 15.0
"""Seconds without a decision after which a comment is sent: proxies and readers take silence for a dead line."""

LOOK = 1.0
"""Seconds after which the database is asked whether something came, where no notification was heard."""

PAUSE = 0.1
"""Seconds between two looks of one reader: under load decisions travel together."""

PAGE = 500
SHARE = 5
"""A caller may hold one place in so many: nobody keeps out all others."""

RETRY_MS = 1000


class TooManyStreams(Fault):
    slug = "too-many-streams"
    title = "Every place for a reader that stays is taken at present"
    zh = "可供长期订阅的连接已全部占用"
    retry_after = 5


class Places:
    """How many readers may stay at a time, in this process and of one token."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, token_id: str) -> None:
        """Raises TooManyStreams: all are taken. TooManyRequests: this token holds its share already."""
        with self._lock:
            if self._taken.total() >= self._count:
                raise TooManyStreams(f"{self._count} readers are here", hint="ask for pages, or come again")
            if self._taken[token_id] >= max(1, self._count // SHARE):
                raise TooManyRequests(f"this token has {self._taken[token_id]} streams open")
            self._taken[token_id] += 1
            _OPEN.set(self._taken.total())

    def give(self, token_id: str) -> None:
        with self._lock:
            self._taken[token_id] -= 1
            self._taken += Counter()  # forget those at zero
            _OPEN.set(self._taken.total())


@dataclass(slots=True, eq=False)
class _Waiting:
    """A reader between two looks."""

    source: str | None
    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Watch:
    """One thread that hears of new decisions, and wakes the readers whom they concern."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: set[_Waiting] = set()
        self._lock = threading.Lock()
        self._somebody = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def waiting(self, source: str | None) -> Iterator[_Waiting]:
        """A reader of this source's decisions (None: of all), from inside its loop."""
        reader = _Waiting(source, asyncio.get_running_loop())
        with self._lock:
            self._waiting.add(reader)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decisions", daemon=True)
                self._thread.start()
        self._somebody.set()
        try:
            yield reader
        finally:
            with self._lock:
                self._waiting.discard(reader)
                if not self._waiting:
                    self._somebody.clear()

    def _run(self) -> None:
        place: Place | None = None
        while True:
            try:
                with contextlib.closing(connect(database_url(self._settings), autocommit=True)) as connection:
                    with connection.cursor() as cur:
                        cur.execute(f"LISTEN {store.CHANNEL}")
                    while True:
                        place = self._look(connection, place)
                        if not self._somebody.is_set():
                            self._somebody.wait()
                            break  # after a long silence, a new connection
                        wait_for_notify(connection, LOOK)
            except CertmarkError as error:
                telemetry.warning("decisions are not heard, trying again", detail=error.detail)
                threading.Event().wait(LOOK)

    def _look(self, connection: Connection, place: Place | None) -> Place:
        with transaction(connection) as cur:
            if place is None:
                reached, sources = decision_feed.latest(cur), None
            else:
                reached, sources = decision_feed.sources_since(cur, place, 5000)
        if sources is None or sources:
            self._wake(sources)
        return reached

    def _wake(self, sources: Iterable[str] | None) -> None:
        """Readers of these sources, and of all; None wakes everybody."""
        with self._lock:
            concerned = [r for r in self._waiting if sources is None or r.source is None or r.source in sources]
        for reader in concerned:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                reader.loop.call_soon_threadsafe(reader.news.set)


class Streams:
    """The streams of one process; `read` runs a query on the connection of the thread that calls it."""

    def __init__(self, settings: Settings, read: Read[Any]) -> None:
        self.places = Places(settings.streams)
        self.watch = Watch(settings)
        self.read = read
        self.thread = ThreadPoolExecutor(1, "streams")  # of its own: other answers never wait for a reader's page

    def open(self, caller: auth.Caller, source: str | None, place: Place) -> "DecisionStream":
        """Raises TooManyStreams, TooManyRequests: there is no place."""
        self.places.take(caller.id)
        return DecisionStream(self, caller.id, source, place)


class DecisionStream:
    """What one reader gets, from a place on, for as long as it stays and its token counts. An `asgi.Continuation`."""

    def __init__(self, streams: Streams, token_id: str, source: str | None, place: Place) -> None:
        self._streams = streams
        self._token_id = token_id
        self._source = source
        self._place = place
        self._open = True

    def close(self) -> None:
        """Give the place back; more than once does nothing."""
        if self._open:
            self._open = False
            self._streams.places.give(self._token_id)

    def once(self) -> Iterable[bytes]:
        """What is there now and the end of the stream: for a server that can give out nothing piece by piece.

        Readers of Server-Sent Events come again by themselves, with the id of the last event.
        """
        try:
            yield opening()
            piece, _ = self._next()
            yield piece
        finally:
            self.close()

    async def pieces(self) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        with self._streams.watch.waiting(self._source) as reader:
            yield opening()
            while True:
                reader.news.clear()  # before the look: what comes after it wakes us once more
                try:
                    piece, full = await loop.run_in_executor(self._streams.thread, self._next)
                except Fault:
                    await asyncio.sleep(LOOK)  # the database is away: the reader stays, and so does its place
                    continue
                if piece:
                    yield piece
                if full:
                    continue
                while not await _comes(reader.news, HEARTBEAT):
                    if not await loop.run_in_executor(self._streams.thread, self._counts_still):
                        return
                    yield b": \n\n"
                await asyncio.sleep(PAUSE)

    def _next(self) -> tuple[bytes, bool]:
        page = self._streams.read(lambda cur: decision_feed.decisions_after(cur, self._source, self._place, PAGE))
        self._place = page.place
        return b"".join(event(item) for item in page.items), page.full

    def _counts_still(self) -> bool:
        try:
            return bool(self._streams.read(lambda cur: auth.counts_still(cur, self._token_id)))
        except Fault:
            return True  # not known at present


async def _comes(news: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return False
    return True


def opening() -> bytes:
    """The first lines of a stream: how soon to come again after its end."""
    return f"retry: {RETRY_MS}\n\n".encode("ascii")


def event(item: dict[str, Any]) -> bytes:
    """One decision as an event whose id is the cursor behind it."""
    return f"id: {item['cursor']}\nevent: decision\ndata: {json.dumps(item, ensure_ascii=False)}\n\n".encode()


_OPEN = telemetry.gauge("certmark_streams_open", "Readers that stay")
