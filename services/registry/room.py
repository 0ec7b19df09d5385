"""What an event does to the register, if a record can hold it: what would outgrow the log is refused, not stored."""

from services.domain.certificate import Certificate, to_state
from services.domain.decision import decide
from services.domain.errors import NoRoom
from services.domain.fold import is_about_a_certificate
from services.domain.said import Moment, Said
from services.domain.world import Value, World
from services.events.canonical import canonical_text

LARGEST = 256 * 1024
"""Bytes of a state. With its tokens (`tokens.ROOM`), its history and what may still end it, a sealed record stays below
what the log takes (`log.MAX_RECORD`): one that did not would keep the relay from publishing anything at all."""

LONGEST = 4000
WORK = 128 << 20
"""Events of one chain about a certificate, and bytes of state times events. A correction or an annulment folds a whole
story anew, within the time that the database lets a transaction wait; honest ones come to a thousandth of this."""

ENDS = frozenset(
    f"certmark.{ending}.v1"
    for ending in (
        "certificate.suspended",
        "certificate.revoked",
        "certificate.cancelled",
        "certificate.superseded",
        "mark.withdrawn",
        "declaration.withdrawn",
    )
)
"""What takes away is never refused for want of room, but for the suspension of parts: the whole can be suspended."""


def decide_within(said: Said, sequence: int, world: World, moment: Moment) -> dict[str, tuple[Value, str]]:
    """The records that an event changes, each with its `state/v1` as text. `sequence` is its place in its chain.

    Raises:
        NoRoom: a record would outgrow its limit. Refusal: as `decide`.
    """
    found = {key: (value, canonical_state(value)) for key, value in decide(said, world, moment).items()}
    if said.type in ENDS and not said.data.get("items"):
        return found
    for _, text in found.values():
        size = len(text) if text.isascii() else len(text.encode())
        if size > LARGEST:
            raise NoRoom(f"its state would have {size} bytes; a state has at most {LARGEST}", pointer="/data")
        most = min(LONGEST, WORK // size)
        if sequence > most and is_about_a_certificate(said):
            raise NoRoom(
                f"one with a state of {size} bytes takes {most} events of a source; this is number {sequence}",
                pointer="/sequence",
            )
    return found


def canonical_state(value: Value) -> str:
    """`state/v1` as canonical JSON (RFC 8785)."""
    if not isinstance(value, Certificate):
        return canonical_text(value, floats=False)
    measured = value.green is not None or value.organic is not None or any(m.attributes for m in value.marks)
    return canonical_text(to_state(value), floats=measured)
