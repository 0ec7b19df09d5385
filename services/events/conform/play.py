"""Plays cases against a running system: sends their events, and compares what happened with what should."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.domain.errors import CertmarkError, NotFound
from services.events.client import Sent, Service, Unreachable, await_decisions, decision_on, head_of, json_object
from services.events.conform.case import Again, Case, Head, Request, Say, Stands, Step
from services.events.conform.cast import SPECIAL, Cast, NotGiven
from services.events.conform.outcome import Evidence, Outcome
from services.events.conform.scene import Scene, Signed
from services.events.conform.usual import PRODUCTS, SERVICES
from services.events.conform.ways import Way
from services.events.keys import PrivateKey

PATIENCE = 15.0
"""Seconds in which the registry decides on what it has been sent, and in which the ingest learns of a new key."""
AFTER = 3.0
"""Seconds in which what an authority's decision means for certificates has been written down."""
NOTHING = "nothing"
"""What becomes of a record that nobody can open: it has no digest to ask by, and the next event goes its way."""


class Player:
    """Plays one case after the other. `run` are eight digits that no other run has: its numbers begin with them."""

    def __init__(self, way: Way, events: Service, registry: Service, run: str, clock: Callable[[], datetime]) -> None:
        self._way = way
        self._events = events
        self._registry = registry
        self._run = run
        self._clock = clock
        self._cast = Cast({})

    def meet(self, keys: Mapping[str, PrivateKey]) -> None:
        """Learn under which schemes each body may issue: by issuing.

        Raises:
            Unreachable: the system decides nothing.
        """
        self._cast = Cast(keys)
        self._try(SPECIAL, 900)
        if not self._cast.competent:
            self._try([scheme for scheme in (*SERVICES, *PRODUCTS) if scheme not in SPECIAL], 950)

    def _try(self, schemes: Sequence[str], index: int) -> None:
        tried: dict[str, tuple[str, str]] = {}
        for body in self._cast.bodies:
            for scheme in schemes:
                scene = Scene(self._cast, scheme, self._run, index, self._clock(), self._heads, body)
                index += 1
                signed = scene.sign_one(Say("certificate.issued"))
                if self._way.send(signed.jws, signed.subject).stored:
                    tried[signed.digest] = (body, scheme)
        decided = await_decisions(self._registry, list(tried), PATIENCE)
        if tried and not decided:
            raise Unreachable(f"{self._registry.url} has decided nothing on {len(tried)} events that were stored")
        competent: dict[str, tuple[str, ...]] = {}
        foreign: dict[str, tuple[str, ...]] = {}
        for digest, (body, scheme) in tried.items():
            decision = decided.get(digest, {})
            if decision.get("decision") == "accepted":
                competent[body] = (*competent.get(body, ()), scheme)
            elif decision.get("code") == "not-competent":
                foreign[body] = (*foreign.get(body, ()), scheme)
        self._cast = replace(self._cast, competent=competent, foreign=foreign)

    def _heads(self, source: str, subject: str) -> tuple[int, str | None]:
        return head_of(self._registry, source, subject)

    # --- one case ------------------------------------------------------------------------------------------

    def play(self, case: Case, index: int) -> Outcome:
        """Sign all events of a case, send them one after the other, and ask what became of them."""
        begun = time.monotonic()
        evidence: list[Evidence] = []
        try:
            self._check_way(case)
            scene = Scene(self._cast, case.scheme, self._run, index, self._clock(), self._heads)
            scene.sign(case.steps)
            evidence = _Performance(self._way, self._events, self._registry, case, scene).evidence()
        except NotGiven as error:
            return Outcome(case, "not_run", str(error), (), time.monotonic() - begun)
        except CertmarkError as error:
            return Outcome(case, "failed", f"{error.slug}: {error.detail}", tuple(evidence), time.monotonic() - begun)
        wrong = next((e for e in evidence if not e.holds), None)
        why = f"{wrong.step}: {wrong.got or 'nothing'} instead of {wrong.expected}" if wrong else ""
        return Outcome(case, "failed" if wrong else "passed", why, tuple(evidence), time.monotonic() - begun)

    def _check_way(self, case: Case) -> None:
        about_ingest = case.together or any(isinstance(s, Request) and s.service == "events" for s in case.steps)
        if about_ingest and not self._way.http:
            raise NotGiven("it is about a request to the ingest, and the events go straight to the log")


class _Performance:
    """The steps of one case in the order of sending. Decisions are asked for as late as the case allows."""

    def __init__(self, way: Way, events: Service, registry: Service, case: Case, scene: Scene) -> None:
        self._way = way
        self._services = {"events": events, "registry": registry}
        self._registry = registry
        self._case = case
        self._scene = scene
        self._undecided: list[Evidence] = []
        self._parked: list[tuple[Evidence, str]] = []
        self._turned_away: list[Evidence] = []

    def evidence(self) -> list[Evidence]:
        found: dict[int, Evidence] = {}
        if self._case.together:
            found = self._send_together()
        else:
            for place in self._case.order or range(len(self._case.steps)):
                found[place] = self._take(place, self._case.steps[place])
        self._settle()
        self._look_again()
        return [found[place] for place in sorted(found)]

    def _take(self, place: int, step: Step) -> Evidence:
        begun = time.monotonic()
        evidence: Evidence
        match step:
            case Say() | Again():
                evidence = self._send(place, step)
            case Head():
                self._settle()
                evidence = self._ask_head(step)
            case Stands():
                self._settle()
                evidence = self._ask_standing(step)
            case Request():
                evidence = self._request(step)
        evidence.milliseconds = round((time.monotonic() - begun) * 1000)
        if isinstance(step, Say) and step.expect == "pending":
            self._settle()  # before anything that follows can fill the hole
        return evidence

    # --- events --------------------------------------------------------------------------------------------

    def _send(self, place: int, step: Say | Again) -> Evidence:
        signed = self._scene.signed[place]
        deadline = time.monotonic() + PATIENCE
        sent = self._way.send(signed.jws, signed.subject)
        awaited = signed.fresh_key and not step.expect.endswith("unknown-key")
        while awaited and _code(sent) == "unknown-key" and time.monotonic() < deadline:
            time.sleep(0.05)  # its record is on its way to the ingest: the same bytes again
            sent = self._way.send(signed.jws, signed.subject)
        return self._note(step, signed, sent)

    def _send_together(self) -> dict[int, Evidence]:
        signed = self._scene.signed
        lines = [b'"%s"' % s.jws if self._case.quoted else s.jws for s in signed.values()]
        sent = self._way.send_together(lines)
        found: dict[int, Evidence] = {}
        for (place, one), answer in zip(signed.items(), sent, strict=True):
            step = self._case.steps[place]
            assert isinstance(step, Say | Again)
            found[place] = self._note(step, one, answer)
        return found

    def _note(self, step: Say | Again, signed: Signed, sent: Sent) -> Evidence:
        name = step.type if isinstance(step, Say) else "the same again"
        status = sent.status if self._way.http else None
        evidence = Evidence(name, step.expect, "", status, signed.digest or None, signed.event_id or None)
        evidence.lagging = isinstance(step, Say) and step.lagging
        if not self._way.http and step.expect[:1].isdigit():
            slug = step.expect.partition(" ")[2]
            evidence.expected = f"quarantined:{slug}" if signed.digest else NOTHING
        if not sent.stored:
            evidence.got = f"{sent.status} {_code(sent)}"
            evidence.detail = (sent.problem or {}).get("detail")
            self._turned_away.append(evidence)
        elif not signed.digest:
            evidence.got = NOTHING
        else:
            self._undecided.append(evidence)
            if isinstance(step, Say) and step.at_the_end:
                self._parked.append((evidence, step.at_the_end))
        return evidence

    def _settle(self) -> None:
        """Wait for the decisions on all that was sent; `pending` is one where it is expected."""
        deadline = time.monotonic() + PATIENCE
        while self._undecided:
            evidence = self._undecided[0]
            decision = decision_on(self._registry, str(evidence.digest))
            said = _said(decision)
            if decision is not None and (said != "pending" or evidence.expected == "pending"):
                evidence.got, evidence.detail = said, decision.get("detail")
            elif time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            else:
                evidence.got = said
            self._undecided.pop(0)

    def _look_again(self) -> None:
        """What became at the end of the case of what was pending; and nothing that was turned away has come in."""
        deadline = time.monotonic() + PATIENCE
        for evidence, at_the_end in self._parked:
            said = _said(decision_on(self._registry, str(evidence.digest)))
            while said != at_the_end and time.monotonic() < deadline:
                time.sleep(0.02)
                said = _said(decision_on(self._registry, str(evidence.digest)))
            if at_the_end != evidence.expected:
                evidence.expected += f" → {at_the_end}"
            if said != evidence.got:
                evidence.got += f" → {said}"
        for evidence in self._turned_away:
            if evidence.digest and (decision := decision_on(self._registry, evidence.digest)):
                evidence.got += f", and yet {_said(decision)}"

    # --- questions -----------------------------------------------------------------------------------------

    def _ask_head(self, step: Head) -> Evidence:
        last = "" if step.last is None else self._scene.events[step.last].digest
        source, subject = self._scene.source(step.by), self._scene.subject(step.about)
        sequence, digest = head_of(self._registry, source, subject)
        right = digest == (last or None)
        got = f"head {sequence}" + ("" if right else f" with previous {digest}")
        return Evidence("GET /v1/heads", f"head {step.sequence}", got)

    def _ask_standing(self, step: Stands) -> Evidence:
        number = self._scene.subject(step.about)
        deadline = time.monotonic() + AFTER
        while (got := self._standing(number)) != step.standing and time.monotonic() < deadline:
            time.sleep(0.05)
        return Evidence(f"GET /v1/certificates/{number}", step.standing, got)

    def _standing(self, number: str) -> str:
        try:
            return str(self._registry.get(f"/v1/certificates/{number}").get("standing"))
        except NotFound:
            return "404 not-found"

    def _request(self, step: Request) -> Evidence:
        status, _, body = self._services[step.service].request(
            step.method,
            step.path,
            step.body,
            step.content_type if step.body is not None else None,
            step.encoding or None,
        )
        problem = json_object(body)
        got = f"{status} {problem.get('code', '')}".strip()
        return Evidence(f"{step.method} {step.path}", step.expect, got, status, detail=problem.get("detail"))


def _code(sent: Sent) -> str:
    return str((sent.problem or {}).get("code", ""))


def _said(decision: dict[str, Any] | None) -> str:
    """`accepted`, `refused:number-taken`, `pending` …; empty where there is no decision."""
    if decision is None:
        return ""
    code = decision.get("code")
    return f"{decision.get('decision')}" + (f":{code}" if code else "")
