"""What a case came to: the evidence of its steps, and the verdict."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Evidence:
    """One step: what it had to lead to, and what it led to. `status` is the HTTP answer, `milliseconds` its time."""

    step: str
    expected: str
    got: str = ""
    status: int | None = None
    digest: str | None = None
    event_id: str | None = None
    detail: str | None = None
    milliseconds: int = 0
    lagging: bool = False

    @property
    def holds(self) -> bool:
        # An ingest that learns of a key's end a moment later lets the event pass, and the registry quarantines it.
        late = self.lagging and self.got == f"quarantined:{self.expected.partition(' ')[2]}"
        return self.got == self.expected or late


class Titled(Protocol):
    """A case of either table."""

    @property
    def id(self) -> str: ...
    @property
    def zh(self) -> str: ...
    @property
    def en(self) -> str: ...
    @property
    def clause(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: `passed`, `failed` or `not_run`, and why where it did not pass."""

    case: Titled
    verdict: str
    why: str
    steps: tuple[Evidence, ...]
    seconds: float
