"""The examination of a body's own client: a right one passes, and each fault shows in the cases that are about it."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from services.domain.errors import BadSignature, NotAnEnvelope, TooLarge
from services.events.client import Publisher, Sent, Service, Unreachable
from services.events.conform.case import Say
from services.events.conform.cases import CASES
from services.events.conform.command import Command
from services.events.conform.examine import Ask, Gone, examine
from services.events.conform.forge import BENT
from services.events.conform.outcome import Evidence, Outcome
from services.events.conform.producer_cases import BEHAVIOURS, FORMS
from services.events.conform.report import Report, open_report, report_of, shown, sign_report
from services.events.drafts import Signer
from services.events.keys import load_key, new_key
from tests.wrong_producer import FAULTS

BEHAVIOUR = frozenset(case.id for case in BEHAVIOURS)
EVERY = BEHAVIOUR | {form.id for form in FORMS}
BUSY = frozenset({"again/503-taken", "again/503", "again/es256", "again/nothing-overtakes"})
SILENT = frozenset({"again/lost-taken", "again/lost"})
TURNED_AWAY = frozenset({"turned-away/400", "turned-away/401", "turned-away/403"})
REFUSED = frozenset({"decided/refused", "decided/refused-new-code"})
BEGUN = frozenset(case.id for case in BEHAVIOURS if case.head) | {"state/lost"}
"""Cases in which the chain holds something that the client has to ask for."""
LONE = frozenset(case.id for case in BEHAVIOURS if not case.head and sum(len(t.reports) for t in case.tasks) == 1)
"""Cases that end with the first event of their chain."""

FOUND: Mapping[str, frozenset[str] | set[str]] = {
    "none": set(),
    "four parts": {"form/parts"},
    "padding": {"form/base64url"},
    "crit": {"form/header"},
    "alg ES256 always": {"form/alg", "key/rotated"},
    "kid by hand": {"form/kid", "key/rotated", "key/es256", "chain/two-sources"},
    "typ JWT": {"form/typ"},
    "DER": {"form/signature", "key/es256"},
    "a member twice": {"form/json", "content/texts", "content/numbers", "content/null", "content/large"},
    "a member of its own": {"form/members"},
    "specversion 0.3": {"form/specversion"},
    "upper-case id": {"form/id"},
    "id by subject": {"form/id-once", "decided/quarantined", *TURNED_AWAY},
    "source by name": {"form/source", "chain/two-sources", *BEGUN},
    "type without version": {"form/type"},
    "subject cut": {"form/subject", "chain/two-subjects", "chain/spelling", *BEGUN},
    "time without zone": {"form/time", "clock/back"},
    "sequence as decimal": {"form/sequence"},
    "previous without prefix": {"form/previous", *(BEHAVIOUR - LONE - TURNED_AWAY)},
    "signatory by name": {"form/signatory"},
    "decimals": {"form/data", "content/numbers", "content/null"},
    "question marks": {"form/data", "content/texts", "content/numbers", "content/null"},
    "an empty member of its own": {"form/schema"},
    "day in UTC": {"form/data", "clock/midnight", "clock/west"},
    "its own clock": {"form/time", "clock/back"},
    "one key": {"form/alg", "form/kid", "form/signature", "key/es256", "key/rotated", "chain/two-sources"},
    "cuts": {"form/data", "content/too-large"},
    "impatient": {"again/429", *BUSY},
    "gives up on 503": BUSY,
    "gives up on silence": SILENT,
    "gives up on 429": {"again/429"},
    "gives up on a new key": {"again/unknown-key", "turned-away/401"},
    "a new event": {"again/429", "again/unknown-key", *BUSY, *SILENT},
    "a new signature": {"again/es256"},
    "overtakes": {"again/nothing-overtakes"},
    "asks heads every time": {
        *("chain/together", "chain/two-subjects", "chain/reordered", "again/nothing-overtakes", "content/numbers")
    },
    "never asks heads": BEGUN,
    "a chain a source": BEHAVIOUR - {"chain/first"},
    "a chain a subject": {"chain/two-sources"},
    "a chain a spelling": {"chain/spelling"},
    "refused takes no place": REFUSED,
    "quarantined takes a place": {"decided/quarantined"},
    "turned away takes a place": {"content/too-large", *TURNED_AWAY},
    "cannot wait": {"chain/reordered", "again/late-decision"},
    "cannot wait while pending": {"chain/reordered", "decided/pending"},
    "202 is accepted": BEHAVIOUR,
    "refused is accepted": {"state/lost-after-refusal", *REFUSED},
    "quarantined is accepted": {"decided/quarantined"},
    "ends at a new code": {"decided/refused-new-code"},
    "says it again": {"state/lost-after-refusal", *REFUSED},
    "sends it again": TURNED_AWAY,
    "leaves it stale": {"decided/stale", "decided/forked"},
    "ends at a new member": {"answers/unknown-members"},
}
"""What each fault of `tests/wrong_producer.py` is found by; nothing else may fail for it."""


NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
"""The machine's own clock."""


class InMemory:
    """A client of the same process; what it is given and what it asks go through JSON all the same."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._client = FAULTS[fault]()

    def report(self, task: Mapping[str, Any], ask: Ask) -> Sequence[Mapping[str, Any]]:
        try:
            done: Sequence[Mapping[str, Any]] = self._client.report(
                json.loads(json.dumps(task)), lambda request: json.loads(json.dumps(ask(request)))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Gone(f"it has ended: {error!r}") from None
        return done

    def forget(self) -> None:
        self._client = FAULTS[self._fault]()


def failed(outcomes: Sequence[Outcome]) -> set[str]:
    return {outcome.case.id for outcome in outcomes if outcome.verdict != "passed"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_the_cases_that_are_about_it_and_no_other(fault: str, tmp_path: Path) -> None:
    outcomes = list(examine(InMemory(fault), tmp_path, lambda: NOON))
    assert {outcome.case.id for outcome in outcomes} == EVERY
    assert failed(outcomes) == set(FOUND[fault])
    assert all(outcome.why for outcome in outcomes if outcome.verdict == "failed"), "each says why"


def test_every_case_is_failed_by_some_fault() -> None:
    assert set().union(*FOUND.values()) == EVERY


# --- our own client library --------------------------------------------------------------------------------


class Lines(Service):
    """The events service behind the lines of the protocol: one post for each line of a request."""

    def __init__(self, ask: Ask) -> None:
        super().__init__("http://lines.example")
        self._ask = ask

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
    ) -> tuple[int, HTTPMessage, bytes]:
        results: list[dict[str, Any]] = []
        headers = HTTPMessage()
        for line in (body or b"").splitlines():
            if results and results[-1]["status"] in (429, 503):
                results.append(results[-1])  # as the ingest does, so that nothing overtakes
                continue
            answer = self._ask({"post": line.decode()})
            if answer["status"] == 0:
                raise Unreachable("no answer")
            if "retry_after" in answer:
                headers["Retry-After"] = str(answer["retry_after"])
            results.append({**answer["body"], "status": answer["status"]})
        return 200, headers, "\n".join(json.dumps(result) for result in results).encode()


class OurLibrary:
    """What `certmark sign | certmark publish --wait` is made of; what its chain alone refuses is signed anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def report(self, task: Mapping[str, Any], ask: Ask) -> Sequence[Mapping[str, Any]]:
        self._monkeypatch.setattr("services.events.client.time.sleep", lambda seconds: ask({"wait": seconds}))
        done = self._sent(task, task["reports"], ask)
        for place, said in enumerate(done):
            if said.get("code") in ("sequence-stale", "chain-forked"):
                done[place] = self._sent(task, [task["reports"][place]], ask)[0]
        return done

    def _sent(self, task: Mapping[str, Any], reports: Sequence[Any], ask: Ask) -> list[dict[str, Any]]:
        def head(source: str, subject: str) -> tuple[int, str | None]:
            found = ask({"heads": {"source": source, "subject": subject}})["body"]
            return found["sequence"], (found["previous"] or "").removeprefix("sha256:") or None

        signer = Signer(task["source"], load_key(Path(task["key"])), task["signatory"], head)
        try:
            events = [signer.sign(report, datetime.fromisoformat(task["now"])) for report in reports]
        except TooLarge as error:
            return [{"decision": "not_sent", "code": error.slug} for _ in reports]
        return [self._became(sent, ask) for sent in Publisher(Lines(ask)).publish(events)]

    def _became(self, sent: Sent, ask: Ask) -> dict[str, Any]:
        if not sent.stored:
            return {"decision": "not_sent", "code": (sent.problem or {}).get("code")}
        while (found := ask({"decision": sent.digest})["body"]).get("decision") in (None, "pending"):
            ask({"wait": 1})
        return {"digest": sent.digest, "decision": found["decision"], "code": found["code"]}

    def forget(self) -> None:
        """It knows nothing from task to task."""


def test_our_own_library_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = list(examine(OurLibrary(monkeypatch), tmp_path, lambda: NOON))
    assert {outcome.case.id: outcome.why for outcome in outcomes if outcome.verdict != "passed"} == {}


# --- the protocol ------------------------------------------------------------------------------------------


def command(program: str, silence: float = 20.0) -> Command:
    return Command([sys.executable, "-c", program], silence)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("print('hello', flush=True); input(); input()", "no JSON object"),
        ("print('[]', flush=True); input(); input()", "no JSON object"),
        ("print('{\"done\": 3}', flush=True); input(); input()", "not a list"),
        ("raise SystemExit(3)", "it has ended (3)"),
        ("print('x' * 3_000_000)", "1 MiB"),
        ("input(); input()", "silent"),
    ],
)
def test_a_client_that_does_not_speak_the_protocol_is_gone(program: str, says: str) -> None:
    client = command(program, silence=0.5 if says == "silent" else 20.0)
    try:
        with pytest.raises(Gone, match=says.replace("(", r"\(").replace(")", r"\)")):
            client.report({"do": "report"}, lambda request: {})
    finally:
        client.forget()


def test_a_command_that_is_not_there_is_gone() -> None:
    with pytest.raises(Gone, match="cannot be started"):
        Command(["/no/such/client"]).report({}, lambda request: {})


def test_a_client_is_started_again_after_it_was_made_to_forget() -> None:
    client = command("import json\nfor n in range(9): input(); print(json.dumps({'done': [{'n': n}]}), flush=True)")
    told = [client.report({}, lambda request: {})[0]["n"] for _ in range(2)]
    client.forget()
    told += [client.report({}, lambda request: {})[0]["n"]]
    client.forget()
    assert told == [0, 1, 0]


# --- the cases of a system ---------------------------------------------------------------------------------


def test_the_cases_of_a_system_are_many_and_each_has_its_name() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)
    assert all(case.zh and case.en and case.clause and case.steps for case in CASES)


def test_every_way_to_spoil_an_event_is_used() -> None:
    used = {step.bent for case in CASES for step in case.steps if isinstance(step, Say)}
    assert used == set(BENT)


@pytest.mark.parametrize(
    ("expected", "got", "lagging", "holds"),
    [
        ("accepted", "accepted", False, True),
        ("accepted", "refused:bad-dates", False, False),
        ("401 key-not-valid", "quarantined:key-not-valid", False, False),
        ("401 key-not-valid", "quarantined:key-not-valid", True, True),
        ("401 key-not-valid", "quarantined:unknown-key", True, False),
        ("401 key-not-valid", "accepted", True, False),
    ],
)
def test_what_was_expected_is_what_must_have_come(expected: str, got: str, lagging: bool, holds: bool) -> None:
    assert Evidence("", expected, got, lagging=lagging).holds is holds


# --- the report --------------------------------------------------------------------------------------------


@pytest.fixture
def report() -> Report:
    at = datetime(2026, 11, 22, 1, tzinfo=UTC)
    steps = (Evidence("certificate.issued", "accepted", "refused:bad-dates", 202, "0" * 64),)
    outcomes = [
        Outcome(CASES[0], "passed", "", (), 0.1),
        Outcome(CASES[1], "failed", "certificate.issued: refused:bad-dates instead of accepted", steps, 0.2),
        Outcome(CASES[2], "not_run", "no key of an alliance was given", (), 0.0),
    ]
    return report_of("system", {"events": "http://events.example"}, {"certmark": "1"}, (at, at), outcomes)


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_signed_report_says_who_signed_it(report: Report, alg: str) -> None:
    key = new_key(alg)
    document, signer = open_report(sign_report(report, key) + b"\n")
    assert document == report
    assert signer.kid == key.public.kid


def test_an_altered_report_is_not_believed(report: Report) -> None:
    signed, other = sign_report(report, new_key()), sign_report({**report, "counts": {}}, new_key())
    head, _, signature = signed.split(b".")
    with pytest.raises(BadSignature):
        open_report(b".".join((head, other.split(b".")[1], signature)))
    with pytest.raises(BadSignature):
        open_report(b".".join((other.split(b".")[0], *signed.split(b".")[1:])))
    with pytest.raises(NotAnEnvelope):
        open_report(json.dumps(report).encode())


def test_the_report_is_shown_in_both_languages(report: Report) -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    for part in shown(report):
        console.print(part)
    text = console.export_text()
    for words in ("未通过 failed", "未执行 not run", "refused:bad-dates", "alliance", CASES[1].zh, CASES[1].en):
        assert words in text
    assert CASES[0].en not in text, "what passed is counted, not listed"
