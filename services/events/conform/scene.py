"""One case made concrete: numbers of its own, the day's dates, who speaks, and its events signed."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.domain.errors import CHAIN_CODES
from services.domain.identifiers import CHINA, add_months, civil_day
from services.events.conform.case import Again, Say, Step
from services.events.conform.cast import Cast, made_key
from services.events.conform.forge import forge, signed_anew, without_absent
from services.events.conform.usual import CLASS, usual
from services.events.conform.ways import digest_or_none
from services.events.drafts import Heads, full_type
from services.events.keys import PrivateKey

SIGNATORY = "CF-0042"
_DATE = re.compile(r"today|([+-][0-9]{1,4})([dm])", re.ASCII)
_MADE_KEY = re.compile(r"(ed|es)[0-9]", re.ASCII)
_WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(ord("!"), ord("~") + 1)})


@dataclass(frozen=True, slots=True)
class Signed:
    """An event of a case, ready to be sent. `fresh_key`: signed by a key that this very case has added."""

    jws: bytes
    digest: str
    event_id: str
    source: str
    subject: str
    fresh_key: bool


class Scene:
    """`run` are digits that no other run has, `index` belongs to the case alone: its numbers begin with both."""

    def __init__(
        self, cast: Cast, scheme: str, run: str, index: int, now: datetime, heads: Heads, body: str = ""
    ) -> None:
        self._cast = cast
        self._wanted = scheme
        self._run = run
        self._index = index
        self._now = now
        self._today = civil_day(now)
        self._heads = heads
        self._body = body
        self._made: dict[str, PrivateKey] = {}
        self._chains: dict[tuple[str, str], tuple[int, str | None]] = {}
        self.events: list[Signed] = []
        self.signed: dict[int, Signed] = {}  # the same by the place of their step

    # --- names -------------------------------------------------------------------------------------------

    @property
    def scheme(self) -> str:
        return self._wanted if self._body else self._cast.body(self._wanted)[1]

    def source(self, role: str) -> str:
        """Raises NotGiven where nobody plays the role."""
        if role == "body" and self._body:
            return self._body
        return self._cast.source(role, self._wanted)

    def subject(self, about: str) -> str:
        """What a step is about: a number or a key of this case, or something that is there already."""
        if about in ("A", "B", "C"):
            return self._number(about)
        if _MADE_KEY.fullmatch(about):
            return self._key(about).public.kid
        return str(self._filled(about, about))

    def _number(self, letter: str) -> str:
        place = "ABC".index(letter)
        if self._wanted == "ccc-sdoc":
            return f"CF-D-{self._run}-{self._index:03}-{place}"
        scheme = self.scheme
        if scheme == "ccc":
            return f"{self._run[:6]}{CLASS}{self._run[6:]}{self._index:03}{place}"  # it tells the product's class
        if scheme.startswith("organic"):
            return f"79OP{self._run[-7:]}-{self._index:03}{place}"
        return f"CF-{self._run}-{self._index:03}-{place}"

    def _key(self, name: str) -> PrivateKey:
        if name not in self._made:
            self._made[name] = made_key(name)
        return self._made[name]

    def _signer(self, say: Say) -> PrivateKey:
        if _MADE_KEY.fullmatch(say.key):
            return self._key(say.key)
        if say.key == "registry":
            return self._cast.key("registry")
        return self._cast.key(self.source(say.key or say.by))

    # --- values ------------------------------------------------------------------------------------------

    def _filled(self, value: Any, about: str) -> Any:
        """A value with its placeholders filled in and its dates as of today."""
        if isinstance(value, dict):
            return {name: self._filled(member, about) for name, member in value.items()}
        if isinstance(value, list):
            return [self._filled(member, about) for member in value]
        if not isinstance(value, str):
            return value
        if found := _DATE.fullmatch(value):
            many = int(found[1] or 0)
            day = add_months(self._today, many) if found[2] == "m" else self._today + timedelta(days=many)
            return day.isoformat()
        if value == "this morning":
            return datetime(*self._today.timetuple()[:3], tzinfo=CHINA).isoformat()
        if value == "{jwk}":
            return dict(self._key(about).public.jwk)
        if value.startswith("{jwk:"):
            return dict(self._key(value[5:-1]).public.jwk)
        return re.sub(r"\{([^{}]+)\}", lambda found: self._named(found[1], about), value)

    def _named(self, name: str, about: str) -> str:
        match name:
            case "it":
                return self.subject(about)
            case "A" | "B" | "C":
                return self._number(name)
            case "A wide":
                return self._number("A").translate(_WIDE)
            case "scheme":
                return self.scheme
            case "body":
                return self.source("body").rpartition(":")[2]
            case "uscc":
                return self.source("declarant").rpartition(":")[2]
            case "authority" | "alliance":
                return self.source(name).rpartition(":")[2]
            case "another body":
                return self.source("other")
            case "receiving body":
                return self.source("receiver").rpartition(":")[2]
            case _ if name.startswith("id of "):
                return self.events[int(name[6:])].event_id
            case _:
                return self.events[int(name)].digest

    # --- events --------------------------------------------------------------------------------------------

    def sign(self, steps: Sequence[Step]) -> None:
        """Sign every event of the case in the order of its steps, each at its place in its chain."""
        said: list[Say] = []
        for place, step in enumerate(steps):
            if isinstance(step, Say):
                said.append(step)
                self.signed[place] = self.sign_one(step)
            elif isinstance(step, Again):
                before = self.events[step.of]
                said.append(said[step.of])
                jws = signed_anew(before.jws, self._signer(said[step.of])) if step.anew else before.jws
                self.signed[place] = replace(before, jws=jws)
            else:
                continue
            self.events.append(self.signed[place])

    def sign_one(self, say: Say) -> Signed:
        source, subject = self.source(say.by), self.subject(say.about)
        chain = (source, subject)
        if chain not in self._chains:
            own = say.about in ("A", "B", "C") or _MADE_KEY.fullmatch(say.about)
            self._chains[chain] = (0, None) if own else self._heads(source, subject)
        sequence, previous = self._chains[chain]
        data = self._filled(without_absent(usual(say.type, self.scheme_of(say)) | dict(say.data)), say.about)
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": source,
            "type": full_type(say.type),
            "subject": subject,
            "time": self._now.astimezone(CHINA).isoformat(timespec="seconds"),
            "sequence": sequence + 1,
            **({"previous": f"sha256:{previous}"} if previous else {}),
            "signatory": SIGNATORY,
            "data": data,
        }
        event = without_absent(event | self._filled(dict(say.members), say.about))
        header = self._filled(dict(say.header), say.about)
        jws = forge(event, self._signer(say), header, say.text, say.bent)
        digest = digest_or_none(jws)
        if _advances(say):
            self._chains[chain] = (sequence + 1, digest)
        return Signed(jws, digest, str(event.get("id", "")), source, subject, bool(_MADE_KEY.fullmatch(say.key)))

    def scheme_of(self, say: Say) -> str:
        return self.scheme if say.type == "certificate.issued" else ""


def _advances(say: Say) -> bool:
    """Whether the chain goes on from this event: accepted and refused ones take their place, others do not."""
    verdict = say.at_the_end or say.expect
    return verdict == "accepted" or (verdict.startswith("refused:") and verdict not in CHAIN_CODES)
