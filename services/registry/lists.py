"""Makes the status lists: follows the records and the calendar, signs what has changed, hands it to the relay."""

import contextlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from services import base64url, telemetry
from services.domain.body import Purpose
from services.domain.errors import Malformed, NotConfigured, Untrusted
from services.domain.identifiers import civil_day, instant_text
from services.events.keys import PrivateKey
from services.marks.status_list import LIFE, TTL, StatusList, sign_list
from services.postgres import Cursor, transaction
from services.registry import list_store, list_voided, store, trust
from services.registry.foresight import missing_soon
from services.registry.list_places import fold
from services.registry.list_store import StoredList
from services.registry.list_watch import ListWatch
from services.registry.own_keys import KeyFiles, in_force
from services.registry.process import Connections, run_until_stopped, step_by_step
from services.registry.published_records import published_record, registered_in, save_published
from services.registry.store import StoredRecord
from services.registry.worker import pinned_genesis
from services.settings import Settings

LOOK = 1.0
"""Seconds after which the calendar is looked at, though nothing was said."""

TRUST_LOOK = 30.0
"""Seconds between two looks at roots, hosts and the age of the trust list; a key that changes is seen at once."""

PAUSE = 0.3
"""Seconds between two signings: what changes in between goes out together."""


class ListMaker:
    """Owns nothing but its turn: what it has made is in the tables, and a crash repeats a page or a signing."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        *,
        pause: float = PAUSE,
        watch: ListWatch | None = None,
    ) -> None:
        """`watch` checks what is published for as long as this one runs."""
        self.settings = settings
        self.stopping = False
        self._clock = clock
        self._pause = pause
        self._register = pinned_genesis(settings)
        self._status_keys = KeyFiles(settings.status_key)
        self._trust_keys = KeyFiles(settings.trust_key)
        self._trust_due = 0.0
        self._told: set[str] = set()
        self._watch = watch
        self._connections = Connections(settings, store.CHANNEL)
        self._target: int | None = None  # the register's revision when this round of folding began
        self._quiet_until = 0.0

    def run(self) -> None:
        """Work until told to stop.

        Raises:
            NotConfigured: a person must look.
        """
        with self._watch or contextlib.nullcontext():
            step_by_step("lists", self)

    def step(self) -> bool:
        """One page of what has changed, and the signing after a round of pages; whether to come again at once.

        No list is signed in the midst of a round: its places would stand as nothing they ever were together.
        """
        with transaction(self._connections.working()) as cur:
            now = self._clock()
            revision = list_store.lock(cur, civil_day(now))
            if self._target is None:
                self._target = store.head(cur).revision
                self._refuse_a_demonstration(cur)
            folded = fold(cur, revision, civil_day(now))
            if folded.keys or time.monotonic() >= self._trust_due:
                self._renew_trust(cur, now)
                missing = list(missing_soon(cur, now))
                _MISSING.set(len(missing))
                for words, detail in missing:
                    self._tell_once(words, detail)
                self._trust_due = time.monotonic() + TRUST_LOOK
            if folded.more and folded.revision < self._target:
                return True
            if time.monotonic() < self._quiet_until:
                return False
            self._target = None
            signed = self._sign(cur, now)
        if signed:
            self._quiet_until = time.monotonic() + self._pause
            _SIGNED.inc(signed)
        return folded.more

    def _sign(self, cur: Cursor, now: datetime) -> int:
        """Sign and save every list that has changed, or has lived half its life; how many."""
        base = status_base(self.settings)
        due = list_store.due_for_signing(cur, now - LIFE / 2, now, base)
        if not due:
            return 0
        key = in_force(self._status_keys.ready(), registered_in(cur), Purpose.STATUS, now)
        if key is None:
            self._tell_once("no status key that the register knows: status lists are not signed", "")
            return 0
        records = [list_record(one, list_voided.named_in(cur, one.list_id), base, now, key) for one in due]
        save_published(cur, records)
        for one in due:
            list_store.signed(cur, one.list_id, f"{base}/{one.list_id}", now)
        return len(due)

    def _refuse_a_demonstration(self, cur: Cursor) -> None:
        """Its keys lie open, its roots among them.

        Raises:
            NotConfigured: in production.
        """
        if self.settings.production and store.is_demonstration(cur):
            raise NotConfigured("CERTMARK_PRODUCTION=1, and the register was established by a demonstration")

    def _renew_trust(self, cur: Cursor, now: datetime) -> None:
        """A register without roots works as any other; what is wrong with them is told, and stops nothing else."""
        try:
            made = trust.renew(cur, self.settings, self._register, self._trust_keys.ready(), now)
        except (NotConfigured, Untrusted, Malformed) as error:
            self._tell_once("the trust list is not renewed", f"{error.slug}: {error.detail}")
            return
        if made is not None:
            telemetry.info("trust list signed", version=made.version, root=made.root)

    def look_at_trust(self) -> None:
        """Let the next step look at roots, hosts and age, without waiting."""
        self._trust_due = 0.0

    def _tell_once(self, words: str, detail: str) -> None:
        if words + detail not in self._told:
            telemetry.warning(words, detail=detail)
        self._told.add(words + detail)

    def wait(self) -> None:
        """Until something is decided, or the calendar is due; not past the end of a pause between two signings."""
        quiet = max(0.01, self._quiet_until - time.monotonic())
        self._connections.wait(LOOK if self._target is None else min(LOOK, quiet))

    def drop(self) -> None:
        self._connections.drop()
        self._target = None


def status_base(settings: Settings) -> str:
    """The address below which each status list has its number."""
    return f"{settings.public_url.lower()}/status"


def list_record(stored: StoredList, voided: bytes | None, base: str, now: datetime, key: PrivateKey) -> StoredRecord:
    """The record of a list, signed; its revision is given when it is saved."""
    uri = f"{base}/{stored.list_id}"
    content = StatusList(uri, now, now + LIFE, TTL, stored.places, f"{base}/lists", voided=voided)
    state: dict[str, object] = {
        "v": 1,
        "kind": "list",
        "list": stored.list_id,
        "uri": uri,
        "issued_at": instant_text(now),
        "expires_at": instant_text(now + LIFE),
        "ttl": TTL,
        "cwt": base64url.encoded(sign_list(content, key)),
    }
    return published_record(f"list/{stored.list_id}", state)


def _now() -> datetime:
    return datetime.now(UTC)


_MISSING = telemetry.gauge("certmark_missing_soon", "What a person should see to before it runs out, at the last look")
_SIGNED = telemetry.counter("certmark_status_lists_signed_total", "Status lists signed")


def _watched(settings: Settings) -> ListMaker:
    return ListMaker(settings, _now, watch=ListWatch(settings, status_base(settings), _now))


def main() -> int:
    return run_until_stopped("lists", _watched)


if __name__ == "__main__":
    sys.exit(main())
