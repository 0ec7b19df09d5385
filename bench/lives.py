"""Signed events to measure with: whole lives of many certificates, one body's word."""

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from services.demo import REGISTER, demonstration, retold
from services.domain.identifiers import CHINA, civil_day
from services.events.envelope import open_envelope, read_event, sign_event
from services.events.keys import PrivateKey, load_key
from services.genesis import beginning
from services.settings import Settings

BODY = "CNCA-R-2019-7901"
SOURCE = f"urn:certmark:body:{BODY}"
_LIFE = (
    ("certificate.surveillance_passed", {"effective_at": "2024-02-20"}),
    (
        "certificate.suspended",
        {"effective_at": "2024-06-03", "determined_on": "2024-06-01", "reason": "S03", "until": "2024-08-30"},
    ),
    ("certificate.resumed", {"effective_at": "2024-08-15", "verified_on": "2024-08-13"}),
)
LIFE: list[tuple[str, dict[str, Any]]] = json.loads(retold(json.dumps(_LIFE), civil_day(datetime.now(UTC))))
"""What follows the issue of each certificate. The demonstration's open backfill admits these dates."""

KNOWN, UNKNOWN = 202399, 201399
"""What the numbers of the first certificates begin with, and what none does."""
FIRST, OF_CLASS = 100_000, 900_000
"""The last six digits of the first number (the demonstration has some of those before), and how many there are."""

AT_ONCE = 4000
"""How many lives run side by side. Of the events of a full batch about a third meet their own certificate in it."""


def foundation(settings: Settings) -> list[bytes]:
    """Genesis, schemes, bodies, keys and the demonstration's certificates: what the lives stand on."""
    now = datetime.now(UTC)
    return beginning(settings, now) + demonstration(settings, now)


class Author:
    """Writes the events of many certificates of one body; its chains go on in memory."""

    def __init__(self, settings: Settings) -> None:
        self.key: PrivateKey = load_key(settings.keys / f"{BODY}.pem")
        self._template = _template(settings)
        self._chains: dict[str, tuple[int, str]] = {}
        self._time = datetime.now(CHINA).isoformat(timespec="seconds")

    def issue(self, place: int) -> tuple[str, bytes]:
        """The subject and the event that issues the certificate with this running number, one model on it."""
        number = number_of(place)
        model = {"model": f"KFR-{place:07d}", "gtin": gtin_of(place)}
        data = self._template | {"product": self._template["product"] | {"items": [model]}}
        return number, self.say(number, "certificate.issued", data)

    def say(self, number: str, event_type: str, data: dict[str, Any]) -> bytes:
        """The next event of a certificate's chain."""
        sequence, previous = self._chains.get(number, (0, ""))
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": SOURCE,
            "type": f"certmark.{event_type}.v1",
            "subject": number,
            "time": self._time,
            "sequence": sequence + 1,
            **({"previous": f"sha256:{previous}"} if previous else {}),
            "signatory": "7901-0042",
            "data": data,
        }
        jws = sign_event(event, self.key)
        self._chains[number] = (sequence + 1, open_envelope(jws).digest)
        return jws


def issues(author: Author, first: int, count: int) -> Iterator[tuple[str, bytes]]:
    for place in range(first, first + count):
        yield author.issue(place)


def lives(author: Author, first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """The events of whole lives, many of them running at once, in an order that is the same every time."""
    chance = random.Random(f"{first}/{count}")
    waiting = iter(range(first, first + count))
    running: list[tuple[int, int]] = [(place, 0) for place, _ in zip(waiting, range(AT_ONCE), strict=False)]
    while running:
        at = chance.randrange(len(running))
        place, told = running[at]
        if told == 0:
            yield author.issue(place)
        else:
            event_type, data = LIFE[told - 1]
            yield number_of(place), author.say(number_of(place), event_type, data)
        if told < len(LIFE):
            running[at] = (place, told + 1)
            continue
        following = next(waiting, None)
        if following is None:
            running[at] = running[-1]
            running.pop()
        else:
            running[at] = (following, 0)


def number_of(place: int, first: int = KNOWN) -> str:
    """The number of the certificate at a place: six digits, its class in the catalogue, six digits.

    The class belongs to the number, so the digits before it change after each `OF_CLASS`.
    """
    return f"{first - place // OF_CLASS}0703{FIRST + place % OF_CLASS:06d}"


def gtin_of(place: int) -> str:
    digits = f"0690{place:09d}"
    return digits + str(-sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(digits)) % 10)


def _template(settings: Settings) -> dict[str, Any]:
    """The data of the demonstration's air conditioner: names, addresses and standards of a real length."""
    number = next(c["number"] for c in REGISTER["certificates"] if c["scheme"] == "ccc" and c["body"] == BODY)
    for jws in demonstration(settings, datetime.now(UTC)):
        event = read_event(open_envelope(jws))
        if event.subject == number and event.type == "certmark.certificate.issued.v1":
            data: dict[str, Any] = json.loads(json.dumps(event.data))
            return data
    raise LookupError(number)
