"""Both services as a client under test meets them: they answer by a script, and note what a client must not do."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.domain.errors import CHAIN_CODES, CertmarkError
from services.domain.identifiers import certificate_number
from services.events.conform.outcome import Evidence
from services.events.conform.producer_cases import Behaviour
from services.events.envelope import MAX_PAYLOAD

RETRY_AFTER = 3
"""Seconds that a busy service asks for; they pass when the client says that it waits."""
ENOUGH = 200
POSTS = 16
"""Requests, and posts among them, in one case after which a client will not end by itself."""


class Endless(Exception):
    """The client asks on and on."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What can be read of a posted text by a reader that forgives everything; None: nothing can."""

    text: str
    header: Any
    payload: Any
    raw: bytes
    signing_input: bytes
    signature: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.signing_input).hexdigest()

    @property
    def chain(self) -> tuple[str, str] | None:
        """Whose chain about what it would go on with."""
        if not isinstance(self.payload, dict):
            return None
        return str(self.payload.get("source")), canonical(str(self.payload.get("subject")))


def read_posted(text: str) -> Posted:
    head, _, rest = text.partition(".")
    body, _, rest = rest.partition(".")
    signature = rest.partition(".")[0]
    raw = _unbase64(body)
    return Posted(text, _json(_unbase64(head)), _json(raw), raw, f"{head}.{body}".encode(), _unbase64(signature))


def _unbase64(part: str) -> bytes:
    plain = part.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return b""


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def canonical(number: str) -> str:
    try:
        return certificate_number(number)
    except CertmarkError:
        return number


@dataclass(slots=True)
class Chain:
    """`sequence` and `digest` of the last event that the log has taken, and of the last that was decided."""

    sequence: int
    digest: str | None
    decided: tuple[int, str | None]


@dataclass(slots=True)
class Taken:
    """An event in the log, and what the registry will still say of it."""

    posted: Posted
    sequence: int
    chain: tuple[str, str]
    answers: list[str]
    advances: bool  # whether it takes its place in its chain
    said: str = ""  # the last of them, once it was asked for


@dataclass(slots=True)
class Desk:
    """The services in one case. `findings` is what the client did that it must not do."""

    case: Behaviour
    now: datetime
    findings: list[Evidence] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)
    turned_away: dict[str, str] = field(default_factory=dict)
    _chains: dict[tuple[str, str], Chain] = field(default_factory=dict)
    _unknown: dict[tuple[str, str], Posted] = field(default_factory=dict)
    _not_before: datetime | None = None
    _requests: int = 0
    _answers: Iterator[str] = field(default_factory=lambda: iter(()))
    _decisions: Iterator[tuple[str, ...]] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        self._answers = iter(self.case.posts)
        self._decisions = iter(self.case.decisions)

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request of the client and its answer: `{"status": 0}` is none at all.

        Raises:
            Endless: it is one too many.
        """
        self._requests += 1
        if self._requests > ENOUGH or len(self.posted) >= POSTS:
            raise Endless(f"{self._requests} requests, {len(self.posted)} posts among them, and no end")
        match request:
            case {"post": str(text)}:
                status, body = self._post(read_posted(text))
            case {"heads": {"source": str(source), "subject": str(subject)}}:
                sequence, digest = self._chain((source, canonical(subject))).decided
                status, body = 200, {"sequence": sequence, "previous": f"sha256:{digest}" if digest else None}
            case {"decision": str(digest)}:
                status, body = self._decision(digest)
            case {"wait": int() | float() as seconds} if seconds >= 0:
                self.now += timedelta(seconds=min(float(seconds), 3600.0))
                return {"status": 200, "body": {}, "now": self.now.isoformat()}
            case _:
                self.note("a request", "post, heads, decision, wait or done", json.dumps(request)[:80])
                status, body = 400, {"code": "bad-request"}
        answer: dict[str, Any] = {"status": status, "body": {**body, **self.case.besides}}
        if status in (429, 503):
            answer["retry_after"] = RETRY_AFTER
            self._not_before = self.now + timedelta(seconds=RETRY_AFTER)
        return {"status": 0} if status == 0 else answer

    def note(self, step: str, expected: str, got: str, digest: str | None = None) -> None:
        self.findings.append(Evidence(step, expected, got, digest=digest))

    def _chain(self, chain: tuple[str, str]) -> Chain:
        if chain not in self._chains:
            head = self.case.head
            digest = hashlib.sha256("/".join(chain).encode()).hexdigest() if head else None
            self._chains[chain] = Chain(head, digest, (head, digest))
        return self._chains[chain]

    # --- post ----------------------------------------------------------------------------------------------

    def _post(self, posted: Posted) -> tuple[int, dict[str, Any]]:
        self.posted.append(posted)
        chain = posted.chain
        if chain is None:
            self.note("post", "an event", f"unreadable: {posted.text[:40]}")
            return 400, {"code": "not-an-envelope"}
        if self._not_before is not None and self.now < self._not_before:
            self.note("post", f"nothing for {RETRY_AFTER} s", "sent before Retry-After was over", posted.digest)
        self._not_before = None
        if len(posted.raw) > MAX_PAYLOAD:
            self.turned_away[posted.digest] = "too-large"
            return 413, {"code": "too-large"}
        unknown = self._unknown.pop(chain, None)
        if unknown is not None and unknown.text != posted.text:
            same = unknown.digest == posted.digest
            what = "signed anew" if same else "another event, and the one before may be stored"
            self.note("post", "the same bytes again", what, posted.digest)
        if posted.digest in self.taken:
            return 202, self._receipt(posted)
        if posted.digest in self.turned_away:
            self.note("post", "nothing more of what was turned away", "the same again", posted.digest)
        return self._by_script(posted, chain, next(self._answers, "202"))

    def _by_script(self, posted: Posted, chain: tuple[str, str], answer: str) -> tuple[int, dict[str, Any]]:
        word, _, rest = answer.partition(" ")
        if word in ("202", "503", "lost", "429") or rest == "unknown-key":
            if word == "202" or rest == "taken":
                self._take(posted, chain)
            if word != "202":
                self._unknown[chain] = posted
            status = 0 if word == "lost" else int(word)
            codes = {202: "", 429: "too-many-requests", 503: "log-unavailable", 401: "unknown-key"}
            return status, self._receipt(posted) if status == 202 else {"code": codes.get(status, "")}
        self.turned_away[posted.digest] = rest
        return int(word), {"code": rest, "detail": "by the script of this case"}

    def _receipt(self, posted: Posted) -> dict[str, Any]:
        return {"id": posted.payload.get("id"), "digest": posted.digest}

    def _take(self, posted: Posted, place: tuple[str, str]) -> None:
        """Into the log. Where it does not go on with its chain, the registry will refuse it, whatever the script."""
        chain = self._chain(place)
        sequence, previous = posted.payload.get("sequence"), posted.payload.get("previous")
        answers = list(next(self._decisions, ("accepted",)))
        right = f"sha256:{chain.digest}" if chain.digest else None
        advances = False
        if (sequence, previous) != (chain.sequence + 1, right):
            self.note(
                "post", f"sequence {chain.sequence + 1} after {right}", f"{sequence} after {previous}", posted.digest
            )
            answers = ["refused:chain-forked" if sequence == chain.sequence + 1 else "refused:sequence-stale"]
        elif answers[-1] in CHAIN_CODES:  # another program of the same source was there first
            chain.sequence, chain.digest = chain.sequence + 1, hashlib.sha256(posted.text.encode()).hexdigest()
            chain.decided = (chain.sequence, chain.digest)
        elif not answers[-1].startswith("quarantined"):
            advances = True
            chain.sequence, chain.digest = chain.sequence + 1, posted.digest
        self.taken[posted.digest] = Taken(posted, chain.sequence, place, answers, advances)

    # --- decision ------------------------------------------------------------------------------------------

    def _decision(self, digest: str) -> tuple[int, dict[str, Any]]:
        taken = self.taken.get(digest)
        if taken is None:
            return 404, {"code": "not-found"}
        taken.said = taken.answers.pop(0) if len(taken.answers) > 1 else taken.answers[0]
        if taken.said == "404":
            return 404, {"code": "not-found"}
        decision, _, code = taken.said.partition(":")
        chain = self._chain(taken.chain)
        if taken.advances and decision != "pending" and taken.sequence > chain.decided[0]:
            chain.decided = (taken.sequence, digest)
        return 200, {"digest": digest, "decision": decision, "code": code or None, "detail": None, "seq": 1}
