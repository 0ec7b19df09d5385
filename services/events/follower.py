"""Keeps a keyring current from the state topic, in a thread of its own."""

import threading
from collections.abc import Callable

from services import telemetry
from services.domain.errors import CertmarkError, LogTruncated
from services.events.keyring import Keyring, RegisteredKey
from services.events.log import Log, Topic

_KINDS = ("key/", "body/", "alliance/")
_BATCH = 2000
_READ_WAIT = 1.0
_PAUSE = 0.5


class KeyringFollower:
    """Reads the state topic from its start, then on and on. The keyring counts once the first pass is complete.

    Only one thread writes the keyring; readers see each change whole, because a change is one assignment.
    """

    def __init__(self, open_log: Callable[[], Log], topic: Topic, genesis: str) -> None:
        """`open_log` is called in the follower's own thread: a log instance belongs to one thread."""
        self._open_log = open_log
        self._topic = topic
        self._genesis = genesis
        self.keyring = Keyring(genesis)
        self._why_not: str | None = "the keys are still being read"
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keyring", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2 * _READ_WAIT)

    @property
    def why_not_ready(self) -> str | None:
        """None once every record that stood in the topic at start was read and the genesis is among them."""
        return self._why_not

    def await_key(self, kid: str, seconds: float) -> RegisteredKey | None:
        """The key, at once or as soon as its record is read within the time given."""
        with self._news:
            self._news.wait_for(lambda: self.keyring.registered(kid) is not None, timeout=seconds)
        return self.keyring.registered(kid)

    def _run(self) -> None:
        try:
            self._keep_current()
        finally:
            self._why_not = "the keys are no longer kept current"

    def _keep_current(self) -> None:
        while not self._stop.is_set():
            log: Log | None = None
            try:
                log = self._open_log()
                self._follow(log, self._load(log))
            except LogTruncated:
                telemetry.warning("state topic truncated, keyring rebuilt", topic=self._topic.name)
            except CertmarkError as error:
                # What is known stays in use: the log's own failure answers 503 where it matters, on append.
                telemetry.warning(
                    "state topic unreadable", topic=self._topic.name, code=error.slug, detail=error.detail
                )
                if self._why_not is not None:
                    self._why_not = error.detail
            finally:
                if log is not None:
                    log.close()
            self._stop.wait(_PAUSE)

    def _load(self, log: Log) -> int:
        """A keyring of all that stands in the topic, and the position after it."""
        keyring = Keyring(self._genesis)
        position, end = log.bounds(self._topic)
        values: list[bytes] = []
        while position < end and not self._stop.is_set():
            records = log.read(self._topic, position, _BATCH, wait=_READ_WAIT)
            values += [record.value for record in records if record.key.startswith(_KINDS)]
            # Compaction leaves holes, at the end too: nothing more to read means the end was reached.
            position = records[-1].position + 1 if records else end
        keyring.build(values)
        self._swap(keyring)
        return position

    def _swap(self, keyring: Keyring) -> None:
        with self._news:
            self.keyring = keyring
            if keyring.has_genesis:
                self._become_ready()
            elif self._why_not is not None:
                self._why_not = "the state topic does not hold the pinned genesis yet"
            self._news.notify_all()

    def _become_ready(self) -> None:
        if self._why_not is not None:
            telemetry.info("keyring complete", keys=len(self.keyring.known_keys()))
        self._why_not = None

    def _follow(self, log: Log, position: int) -> None:
        while not self._stop.is_set():
            records = log.read(self._topic, position, _BATCH, wait=_READ_WAIT)
            for record in records:
                if record.key.startswith(_KINDS):
                    self._take(record.value)
                position = record.position + 1

    def _take(self, value: bytes) -> None:
        with self._news:
            try:
                self.keyring.apply(value)
            except CertmarkError as error:
                telemetry.warning("state record not believed", code=error.slug, detail=error.detail)
            if self._why_not is not None and self.keyring.has_genesis:
                self._become_ready()
            self._news.notify_all()
