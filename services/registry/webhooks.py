"""Delivers decisions and changes to the addresses that asked for them: signed, in order, each at least once."""

import contextlib
import hashlib
import importlib.metadata
import json
import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from services import outbound, telemetry
from services.domain.errors import BadRequest, CertmarkError
from services.domain.identifiers import instant_text
from services.events import detached
from services.postgres import Connection, Cursor, connect, database_url, transaction
from services.registry import change_feed, decision_feed, store, webhook_store
from services.registry.checks import watches
from services.registry.checks.watches import change_json
from services.registry.decision_feed import Place
from services.registry.feeds import Signer
from services.registry.process import Connections, run_until_stopped, step_by_step
from services.registry.webhook_store import Kind, State, Webhook
from services.settings import Settings

T = TypeVar("T")
ITEMS = 100
"""At most so many in a delivery."""

LARGEST = 1 << 20
"""Characters of states after which a delivery ends."""

AT_A_TIME = 8
"""Webhooks that are served at once: a slow one holds up itself, and at worst an eighth of the others."""

LEASE = 60.0
"""Seconds for which a webhook belongs to who delivers: longer than a name, a connection and an answer may take."""

IN_A_ROW = 50
"""Deliveries to one webhook before the others get their turn."""

LOOK = 1.0
LONGEST_WAIT = 3600.0
DEAD_AFTER = 24 * 3600.0
GONE = 410
_BUSY = (429, 503)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is posted, and where its webhook stands once it was taken. `id` stays the same when it is repeated."""

    id: str
    body: bytes
    items: int
    place: Place
    revision: int


class Deliverer:
    """Serves what is due; several of these share the work by leases. Owns nothing but what it has claimed."""

    def __init__(
        self,
        settings: Settings,
        *,
        first_wait: float = 1.0,
        dead_after: float = DEAD_AFTER,
        patience: float = outbound.SECONDS,
    ) -> None:
        """`first_wait` is the pause after a first failure, `patience` the time for one delivery, both in seconds."""
        self.settings = settings
        self.first_wait = first_wait
        self.dead_after = dead_after
        self.patience = patience
        self.signer = Signer(self, settings)
        self.stopping = False
        self._pool = ThreadPoolExecutor(AT_A_TIME, "webhooks")
        self._free = threading.Semaphore(AT_A_TIME)
        self._local = threading.local()
        self._connections = Connections(settings, store.CHANNEL)

    def run(self) -> None:
        """Work until told to stop.

        Raises:
            NotConfigured: a person must look.
        """
        step_by_step("webhooks", self, pause=LOOK)
        self._pool.shutdown(cancel_futures=True)

    def step(self) -> int:
        """Claim what is due and hand it to the threads; how many webhooks that were."""
        self.signer.key()  # without it nothing can be delivered, and nothing need be claimed
        places = 0
        while places < AT_A_TIME and self._free.acquire(blocking=False):
            places += 1
        claimed: list[Webhook] = []
        try:
            if places:
                claimed = self.read(lambda cur: webhook_store.claim(cur, places, LEASE))
        finally:
            for _ in range(places - len(claimed)):
                self._free.release()
        for webhook in claimed:
            self._pool.submit(self._serve, webhook)
        return len(claimed)

    # --- one webhook, in a thread -----------------------------------------------------------------------

    def _serve(self, webhook: Webhook) -> None:
        try:
            self.deliver(webhook)
        except CertmarkError as error:
            telemetry.warning("delivery broken off", webhook=webhook.id, code=error.slug, detail=error.detail)
        except Exception as error:  # noqa: BLE001  # one webhook must not end the thread that serves the others
            telemetry.error("delivery broken off", error, webhook=webhook.id)
        finally:
            with contextlib.suppress(CertmarkError):
                self.read(lambda cur: webhook_store.release(cur, webhook))
            self._free.release()

    def deliver(self, webhook: Webhook) -> None:
        """What the webhook has not been told yet, in order, until it fails or there is no more."""
        following: Webhook | None = webhook
        for _ in range(IN_A_ROW):
            if following is None:
                return
            following = self._deliver_next(following)

    def _deliver_next(self, webhook: Webhook) -> Webhook | None:
        """The webhook behind its next delivery; None where there is none, or it was not taken."""
        delivery = self._next(webhook)
        if delivery is None or not self.read(lambda cur: webhook_store.hold(cur, webhook, delivery.items, LEASE)):
            return None
        wrong, wait = self._posted(webhook, delivery)
        if wrong is not None:
            self._note_failure(webhook, wrong, wait or 0.0, 0.0 if wait is None else self.dead_after)
            return None
        _DELIVERIES.labels("taken").inc()
        # A crash before this line delivers the same again, under the same id.
        if not self.read(lambda cur: webhook_store.delivered(cur, webhook, delivery.place, delivery.revision)):
            return None
        return replace(webhook, place=delivery.place, revision=delivery.revision, held=None, failures=0)

    def _note_failure(self, webhook: Webhook, wrong: str, wait: float, dead_after: float) -> None:
        state = self.read(lambda cur: webhook_store.failed(cur, webhook, wrong, wait, dead_after))
        _DELIVERIES.labels("dead" if state is State.DEAD else "failed").inc()
        if state is State.DEAD:
            telemetry.warning("webhook is dead", webhook=webhook.id, holder=webhook.holder, why=wrong)

    def _next(self, webhook: Webhook) -> Delivery | None:
        """The next delivery of a webhook; None where it has been told everything."""
        limit = webhook.held or ITEMS
        if webhook.kind is Kind.DECISIONS:
            page = self.read(lambda cur: decision_feed.decisions_after(cur, webhook.holder, webhook.place, limit))
            if not page.items:
                return None
            text = json.dumps({"items": page.items, "next": page.place.cursor()}, ensure_ascii=False)
            stretch = (webhook.place.cursor(), page.place.cursor())
            return self._delivery(webhook, stretch, text, len(page.items), page.place, webhook.revision)
        if webhook.kind is Kind.CHECKS:
            told = self.read(lambda cur: watches.changes_after(cur, webhook.revision, limit, holder=webhook.holder))
            if not told:
                return None
            text = json.dumps(
                {"items": [change_json(one) for one in told], "next": told[-1].number}, ensure_ascii=False
            )
            stretch = (str(webhook.revision), str(told[-1].number))
            return self._delivery(webhook, stretch, text, len(told), webhook.place, told[-1].number)
        changes = self.read(lambda cur: change_feed.changes_after(cur, webhook.revision, limit, LARGEST))
        if not changes.items:
            return None
        text = change_feed.page_of(changes, self.signer.register()).decode("utf-8")
        stretch = (str(webhook.revision), str(changes.complete_to))
        return self._delivery(webhook, stretch, text, len(changes.items), webhook.place, changes.complete_to)

    def _delivery(
        self, webhook: Webhook, stretch: tuple[str, str], page: str, items: int, place: Place, revision: int
    ) -> Delivery:
        delivery_id = hashlib.sha256(" ".join((webhook.id, *stretch)).encode("ascii")).hexdigest()[:32]
        head = {
            "v": 1,
            "id": delivery_id,
            "register": self.signer.register(),
            "webhook": webhook.name,
            "kind": webhook.kind.value,
            "attempt": webhook.failures + 1,
            "sent_at": instant_text(datetime.now(UTC)),
        }
        text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "page": {page}}}'
        return Delivery(delivery_id, text.encode("utf-8"), items, place, revision)

    def _posted(self, webhook: Webhook, delivery: Delivery) -> tuple[str | None, float | None]:
        """(what went wrong, seconds to wait); (None, None) where it was taken, (…, None) where it is dead at once."""
        wait = backoff(webhook.failures, self.first_wait) * random.uniform(0.8, 1.2)  # noqa: S311  # no secret
        try:
            target = outbound.target_of(webhook.url, within=not self.settings.production)
            answer = outbound.post(target, delivery.body, self._headers(delivery), self.patience)
        except outbound.NotDelivered as error:
            return str(error), wait
        except BadRequest as error:  # registered when this was allowed, by other settings
            return error.detail, None
        if 200 <= answer.status < 300:
            return None, None
        if answer.status == GONE:
            return "answered 410: gone", None
        if answer.status in _BUSY and answer.retry_after is not None:
            wait = max(wait, min(float(answer.retry_after), LONGEST_WAIT))
        redirected = "; redirects are not followed" if 300 <= answer.status < 400 else ""
        return f"answered {answer.status}{redirected}", wait

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        signature = detached.sign_detached(delivery.body, delivery.id, datetime.now(UTC), self.signer.key())
        return {
            "Content-Type": "application/json",
            "User-Agent": f"certmark/{importlib.metadata.version('certmark')}",
            "Certmark-Delivery": delivery.id,
            detached.HEADER: signature,
        }

    # --- connections, one a thread ----------------------------------------------------------------------

    def read(self, statements: Callable[[Cursor], T]) -> T:
        """Run statements as a transaction of their own, on the connection of the thread in hand."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._local.connection = connect(database_url(self.settings))
        try:
            with transaction(connection) as cur:
                return statements(cur)
        except CertmarkError:
            connection.close()
            raise

    def wait(self) -> None:
        """Until something is decided, or it is time to look."""
        self._connections.wait(LOOK)

    def drop(self) -> None:
        self._connections.drop()


def backoff(failures: int, first: float) -> float:
    """Seconds until the next attempt: twice as long after each failure, an hour at most."""
    return min(LONGEST_WAIT, first * float(2 ** min(failures, 30)))


_DELIVERIES = telemetry.counter("certmark_webhook_deliveries_total", "Deliveries to webhooks", "outcome")


def main() -> int:
    return run_until_stopped("webhooks", Deliverer)


if __name__ == "__main__":
    sys.exit(main())
