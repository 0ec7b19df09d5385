"""Examines a body's own client: hands it reports, plays the services for it, and says which cases it fails."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from services.events.conform.desk import Desk, Endless
from services.events.conform.judge import SIGNATORY, Given, Judge
from services.events.conform.outcome import Evidence, Outcome
from services.events.conform.producer_cases import BEHAVIOURS, FORMS, Behaviour, Task
from services.events.keys import ED25519, ES256, PrivateKey, new_key, save_key

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]
"""A request of the client, and the services' answer."""


class Gone(Exception):
    """The client has ended, does not answer, or does not speak the protocol; the text says which."""


class Client(Protocol):
    """A client under test."""

    def report(self, task: Mapping[str, Any], ask: Ask) -> Sequence[Mapping[str, Any]]:
        """What the client says became of each report of a task.

        Raises:
            Gone: it will say nothing more; `forget` starts it again.
        """

    def forget(self) -> None:
        """Take away all that it knows, as a crash does."""


def examine(
    client: Client,
    folder: Path,
    present: Callable[[], datetime],
    progress: Callable[[int], None] = lambda done: None,
    cases: Sequence[Behaviour] = BEHAVIOURS,
) -> Iterator[Outcome]:
    """Every case: behaviour one by one, then form as it was in all events together. Keys for them go to the folder.

    `present` is the clock of this machine, for a client that looks at no other.
    """
    keys = {name: new_key(alg) for name, alg in _KEYS.items()}
    for name, key in keys.items():
        save_key(key, folder / f"{name}.pem")
    examiner = _Examiner(client, folder, keys, present)
    for case in cases:
        yield examiner.play(case, BEHAVIOURS.index(case))
        progress(1)
    for form in FORMS:
        offences = examiner.offences.get(form.id, [])
        why = "" if examiner.posts else "nothing was posted"
        if offences:
            why = f"{offences[0].got} ({offences[0].step}, and {len(offences) - 1} more)"
        yield Outcome(form, "failed" if why else "passed", why, tuple(offences[:10]), 0.0)
        progress(1)


CANNOT = ("clock", "es256")
"""What a client may say that it cannot: be told the time, and sign with a key of P-256. Its cases are not run."""

_KEYS = {"first": ED25519, "second": ED25519, "other": ED25519, "es256": ES256}


class _Examiner:
    def __init__(
        self, client: Client, folder: Path, keys: Mapping[str, PrivateKey], present: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._folder = folder
        self._keys = keys
        self._present = present
        self._cannot: set[str] = set()
        self._judge = Judge()
        self.offences: dict[str, list[Evidence]] = {}
        self.posts = 0

    def play(self, case: Behaviour, index: int) -> Outcome:
        """`index` makes the numbers of the case its own: the client keeps what it knows from case to case."""
        begun = time.monotonic()
        desk = Desk(case, datetime.fromisoformat(case.tasks[0].now))
        steps: list[Evidence] = []
        try:
            for task in (_numbered(task, index) for task in case.tasks):
                if self._lacks(case):
                    break
                steps += self._hand_over(case, task, desk)
        except (Gone, Endless) as error:
            desk.note("the client", "done", str(error))
            self._client.forget()
        if lacks := self._lacks(case):
            return Outcome(case, "not_run", f"the client said that it cannot: {lacks}", (), time.monotonic() - begun)
        steps += desk.findings
        wrong = next((e for e in steps if not e.holds), None)
        why = f"{wrong.step}: {wrong.got} instead of {wrong.expected}" if wrong else ""
        return Outcome(case, "failed" if wrong else "passed", why, tuple(steps), time.monotonic() - begun)

    def _lacks(self, case: Behaviour) -> str:
        """What the case asks for, and the client has said that it cannot."""
        asked = {"clock": case.id.startswith("clock/"), "es256": any(task.key == "es256" for task in case.tasks)}
        return next((name for name in CANNOT if asked[name] and name in self._cannot), "")

    def _hand_over(self, case: Behaviour, task: Task, desk: Desk) -> Iterator[Evidence]:
        if "clock" in self._cannot:
            task = replace(task, now=self._present().isoformat())
        desk.now = begun = datetime.fromisoformat(task.now)
        if task.forgotten:
            self._client.forget()
        posted, taken = len(desk.posted), len(desk.taken)

        def ask(request: Mapping[str, Any]) -> dict[str, Any]:
            nonlocal begun
            match request:
                case {"cannot": [*said]}:
                    self._cannot.update(name for name in CANNOT if name in said)
                    if "clock" in self._cannot:
                        desk.now = begun = self._present()
                    return {"status": 200, "body": {}, "now": desk.now.isoformat()}
            answer = desk.answer(request)
            if "post" in request and desk.posted:
                self._look_at(case, desk, Given(task.source, self._keys[task.key].public, begun, task.reports))
            return answer

        done = self._client.report(self._task(case, task), ask)
        yield from self._compare(task, desk, done)
        yield from _counted(task, desk, posted, taken)

    def _look_at(self, case: Behaviour, desk: Desk, given: Given) -> None:
        self.posts += 1
        posted = desk.posted[-1]
        if any(posted.text == before.text for before in desk.posted[:-1]):
            return
        for name, wrong in self._judge.offences(posted, given, desk.now):
            self.offences.setdefault(name, []).append(Evidence(case.id, "", wrong, digest=posted.digest))
            if name.removeprefix("form/") in case.looks:
                desk.note(name, "as given", wrong, posted.digest)

    def _task(self, case: Behaviour, task: Task) -> dict[str, Any]:
        return {
            "do": "report",
            "case": case.id,
            "source": task.source,
            "signatory": SIGNATORY,
            "key": str(self._folder / f"{task.key}.pem"),
            "now": task.now,
            "reports": [{"type": r.type, "subject": r.subject, "data": dict(r.data)} for r in task.reports],
        }

    def _compare(self, task: Task, desk: Desk, done: Sequence[Mapping[str, Any]]) -> Iterator[Evidence]:
        """What the client says became of its reports, and whether that is so."""
        if len(done) != len(task.done):
            yield Evidence("done", f"{len(task.done)} results", f"{len(done)} results")
            return
        for report, expected, said in zip(task.reports, task.done, done, strict=True):
            word, code, digest = (str(said.get(name) or "") for name in ("decision", "code", "digest"))
            step = report.type.removeprefix("certmark.").removesuffix(".v1")
            evidence = Evidence(step, expected, f"{word}:{code}" if code else word, digest=digest or None)
            taken = desk.taken.get(digest)
            if word != "not_sent" and evidence.holds and (taken is None or taken.said != expected):
                evidence.got += (
                    f", but of {digest[:12] or 'no event'} the registry says {taken.said if taken else 'nothing'}"
                )
            yield evidence


def _numbered(task: Task, index: int) -> Task:
    number = f"{index:03}"
    wide = number.translate({c: c + 0xFEE0 for c in range(ord("0"), ord("9") + 1)})
    return replace(task, reports=tuple(replace(r, subject=r.subject.format(n=number, wide=wide)) for r in task.reports))


def _counted(task: Task, desk: Desk, posted: int, taken: int) -> Iterator[Evidence]:
    """No report went in twice: one event for each, one more where the first was refused by its chain."""
    events = list(desk.taken.values())[taken:]
    again = sum(event.said in ("refused:sequence-stale", "refused:chain-forked") for event in events)
    sent = sum(not word.startswith("not_sent") for word in task.done)
    if len(events) != sent + again:
        yield Evidence("post", f"events in the log: {sent + again}", f"events in the log: {len(events)}")
    if len(desk.posted) == posted and sent:
        yield Evidence("post", "a post", "none")
