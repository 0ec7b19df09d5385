"""What a case against a running system is made of: steps, each with what it must lead to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

ABSENT = "∅"
"""As the value of a member: the member is left out, though the usual event of its type has it."""

Members: TypeAlias = Mapping[str, Any]
"""Members of a JSON object. In their texts `{A}` is the number of the case's certificate A, `{0}` the digest of its
first event and `{id of 0}` its id; `{body}`, `{another body}`, `{receiving body}`, `{uscc}`, `{alliance}` and
`{authority}` are who speaks; `{jwk:ed1}` is a public key. A date may be `today`, `+60d`, `-3d` or `+6m`, an instant
`this morning`."""


@dataclass(frozen=True, slots=True)
class Say:
    """One event, signed and sent.

    `expect` is `accepted`, `pending`, `refused:<slug>`, `quarantined:<slug>`, or the HTTP status and slug with which
    the ingest turns it away (`400 bad-event`); an event that did not come through the ingest is then quarantined by
    that slug. `about` names the subject: `A` to `C` a certificate number of the case's own, `ed1` or `es1` a key made
    for the case, anything else is taken as it is. `key` says who signs where it is not `by`.
    """

    type: str
    expect: str = "accepted"
    by: str = "body"
    about: str = "A"
    data: Members = field(default_factory=dict)
    members: Members = field(default_factory=dict)  # of the envelope, instead of the right ones
    header: Members = field(default_factory=dict)
    text: tuple[str, str] = ("", "")  # (what, by what) is replaced in the payload's JSON text
    bent: str = ""  # how the signed bytes are spoiled: a name in forge.BENT
    key: str = ""
    at_the_end: str = ""  # what the registry says of it when the case is over, where it is not `expect`
    lagging: bool = False  # the ingest may learn of a key's end a moment later; then the registry quarantines


@dataclass(frozen=True, slots=True)
class Again:
    """An event sent once more, to the same decision: its same bytes, or with a second signature (ECDSA's differ)."""

    of: int
    expect: str = "accepted"
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What `GET /v1/heads` says of a chain: `sequence`, and the digest of the event with that place in the case."""

    sequence: int
    last: int | None = None
    by: str = "body"
    about: str = "A"


@dataclass(frozen=True, slots=True)
class Stands:
    """What `GET /v1/certificates/{no}` says of a certificate: its standing today."""

    standing: str
    about: str = "A"


@dataclass(frozen=True, slots=True)
class Request:
    """A bare HTTP request and the answer that it must get: `<status>`, or `<status> <slug>`."""

    expect: str
    method: str = "POST"
    path: str = "/v1/events"
    body: bytes | None = None
    content_type: str = "application/jose"
    encoding: str = ""
    service: str = "events"


Step: TypeAlias = Say | Again | Head | Stands | Request


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `clause` is the heading of our documentation that it stands for, `page#heading`.

    `scheme` is the one that its certificates are of: empty, any that a body at hand may issue under; `foreign`, one
    that it may not. `order` is the order of sending where it is not that of signing. `together` sends all events in one
    request of many lines, `quoted` each of them as a JSON text.
    """

    id: str
    zh: str
    en: str
    clause: str
    steps: tuple[Step, ...]
    scheme: str = ""
    order: tuple[int, ...] = ()
    together: bool = False
    quoted: bool = False

    @property
    def expected(self) -> tuple[str, ...]:
        """What each step must lead to, in words; for the table of the documentation."""
        return tuple(_said(step) for step in self.steps)


def _said(step: Step) -> str:
    match step:
        case Head():
            return f"head {step.sequence}"
        case Stands():
            return step.standing
        case Say() if step.at_the_end and step.at_the_end != step.expect:
            return f"{step.expect} → {step.at_the_end}"
        case _:
            return step.expect
