"""A client that is right but for one fault, which its argument names: what `certmark conform --producer` must find."""

import importlib.util
import json
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Ask = Callable[[Json], Json]

_FILE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "producer.py"
_SPEC = importlib.util.spec_from_file_location("right_producer", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
right: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(right)
Producer: Any = right.Producer


# --- form: what is done to the event, its text, its header or the finished JWS ------------------------------


class Bent(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """`event`, `text` and `jws` are changed on their way out."""

    def __init__(
        self,
        event: Callable[[Json], object] = lambda event: None,
        text: Callable[[bytes], bytes] = lambda text: text,
        jws: Callable[[str], str] = lambda jws: jws,
    ) -> None:
        super().__init__()
        self._event, self._text, self._jws = event, text, jws

    def event(self, task: Json, report: Json, head: Json) -> Json:
        event: Json = super().event(task, report, head)
        self._event(event)
        return event

    def payload(self, event: Json) -> bytes:
        return self._text(super().payload(event))

    def sign(self, event: Json, task: Json) -> tuple[str, str]:
        jws, digest = super().sign(event, task)
        return self._jws(jws), digest


class Headed(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """The header is another one."""

    def __init__(self, **members: object) -> None:
        super().__init__()
        self._members = members

    def sign(self, event: Json, task: Json) -> tuple[str, str]:
        plain = right.compact

        def compact(value: Any) -> bytes:
            return bytes(plain({**value, **self._members} if "typ" in value else value))

        right.compact = compact
        try:
            jws, digest = super().sign(event, task)
            return str(jws), str(digest)
        finally:
            right.compact = plain


class Der(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """ECDSA as the library gives it: in DER."""

    def sign(self, event: Json, task: Json) -> tuple[str, str]:
        jws, digest = super().sign(event, task)
        head, body, signature = jws.split(".")
        raw = right.base64.urlsafe_b64decode(signature + "==")
        if "es256" in task["key"]:
            der = right.utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
            signature = right.b64u(der)
        return f"{head}.{body}.{signature}", digest


def _put(**members: object) -> Callable[[Json], object]:
    return lambda event: event.update(members)


def _data(change: Callable[[Any], Any]) -> Callable[[Json], object]:
    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: changed(member) for name, member in value.items()}
        return [changed(member) for member in value] if isinstance(value, list) else change(value)

    return lambda event: event.update(data=changed(event["data"]))


def _floats(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _ascii(value: Any) -> Any:
    return value.encode("ascii", "replace").decode() if isinstance(value, str) else value


# --- behaviour: one method is another ------------------------------------------------------------------------


class Impatient(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Sends again at once, whatever Retry-After says."""

    def report(self, task: Json, ask: Ask) -> Any:
        return super().report(task, lambda request: {} if "wait" in request else ask(request))


class GivesUp(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Takes one kind of «not now» for «never»."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self._statuses = statuses

    def report(self, task: Json, ask: Ask) -> Any:
        def once(request: Json) -> Json:
            answer = ask(request)
            if "post" in request and answer["status"] in self._statuses:
                return {"status": 400, "body": {"code": "gave-up"}}
            return answer

        return super().report(task, once)


class Anew(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Signs before every post: a new event (or, `same_event`, a second signature) instead of the same bytes."""

    def __init__(self, same_event: bool = False) -> None:
        super().__init__()
        self._same_event = same_event

    def send(self, task: Json, report: Json, ask: Ask) -> Any:
        chain = (task["source"], self.canonical(report["subject"]))
        head = self.head(chain, ask)
        event = self.event(task, report, head)
        while True:
            jws, digest = self.sign(event, task)
            answer = ask({"post": jws})
            if answer["status"] not in right.AGAIN and answer["body"].get("code") != "unknown-key":
                break
            ask({"wait": answer.get("retry_after", 1)})
            event = event if self._same_event else self.event(task, report, head)
        if answer["status"] != 202:
            return {"decision": "not_sent", "code": answer["body"].get("code")}
        self.chains[chain] = {"sequence": head["sequence"] + 1, "previous": f"sha256:{digest}"}
        return {"digest": digest}


class Overtaking(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Goes on with the next report while the fate of one is unknown, and comes back to it at the end."""

    def report(self, task: Json, ask: Ask) -> Any:
        late: list[str] = []

        def first(request: Json) -> Json:
            answer = ask(request)
            if "post" in request and answer["status"] in right.AGAIN:
                late.append(request["post"])
                return {"status": 202, "body": {}}
            return answer

        sent = [self.send(task, one, first) for one in task["reports"]]
        for jws in late:
            ask({"wait": 3})
            while ask({"post": jws})["status"] != 202:
                ask({"wait": 3})
        return [self.outcome(task, one, was, ask) for one, was in zip(task["reports"], sent, strict=True)]


class AsksHeads(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Asks for the head before every event, and never counts by itself."""

    def head(self, chain: tuple[str, str], ask: Ask) -> Any:
        self.chains.pop(chain, None)
        return super().head(chain, ask)


class NeverAsks(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Believes that every chain which it does not know begins with it."""

    def head(self, chain: tuple[str, str], ask: Ask) -> Any:
        return self.chains.setdefault(chain, {"sequence": 0, "previous": None})


class OneChain(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Mistakes what a chain is of: `whole` makes one name of source and subject."""

    def __init__(self, whole: Callable[[str, str], tuple[str, str]]) -> None:
        super().__init__()
        self._whole = whole

    def report(self, task: Json, ask: Ask) -> Any:
        chains = _Renamed(self._whole)
        chains.update(getattr(self, "_kept", {}))
        self.chains = self._kept = chains
        return super().report(task, ask)


class _Renamed(dict[tuple[str, str], Json]):
    def __init__(self, whole: Callable[[str, str], tuple[str, str]]) -> None:
        super().__init__()
        self._whole = whole

    def __getitem__(self, key: tuple[str, str]) -> Json:
        return super().__getitem__(self._whole(*key))

    def __setitem__(self, key: tuple[str, str], value: Json) -> None:
        super().__setitem__(self._whole(*key), value)

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, tuple)
        return super().__contains__(self._whole(*key))

    def pop(self, key: tuple[str, str], *default: Any) -> Any:
        return super().pop(self._whole(*key), *default)


class Spelt(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Knows its chains by the spelling of the number, and heads are not asked while one is believed known."""

    def canonical(self, subject: str) -> str:
        return subject

    def head(self, chain: tuple[str, str], ask: Ask) -> Any:
        plain = "".join(unicodedata.normalize("NFKC", chain[1]).upper().split())
        if chain not in self.chains and plain != chain[1]:
            self.chains[chain] = {"sequence": 0, "previous": None}
        return super().head(chain, ask)


class Miscounts(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Keeps the place of an event that ended so, or gives it up, against the rule."""

    def __init__(self, keeps: tuple[str, ...] = (), gives_up: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._keeps, self._gives_up = keeps, gives_up

    def send(self, task: Json, report: Json, ask: Ask) -> Any:
        chain = (task["source"], self.canonical(report["subject"]))
        before = self.head(chain, ask)
        was = super().send(task, report, ask)
        if "digest" not in was and "not_sent" in self._keeps:
            self.chains[chain] = {"sequence": before["sequence"] + 1, "previous": "sha256:" + "0" * 64}
        return {**was, "before": before, "after": self.chains[chain]}

    def outcome(self, task: Json, report: Json, was: Json, ask: Ask) -> Any:
        before, after = was.pop("before"), was.pop("after")
        said = super().outcome(task, report, was, ask)
        said.pop("before", None), said.pop("after", None)
        chain = (task["source"], self.canonical(report["subject"]))
        if said["decision"] in self._keeps:
            self.chains[chain] = after
        if said["decision"] in self._gives_up:
            self.chains[chain] = before
        return said


class Hasty(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Reports anew what is not decided at once: `words` are the answers that it cannot wait through."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self._words = words

    def outcome(self, task: Json, report: Json, was: Json, ask: Ask) -> Any:
        if "decision" not in was:
            answer = ask({"decision": was["digest"]})["body"]
            if answer.get("decision", answer.get("code")) in self._words:
                return super().outcome(task, report, self.send(task, report, ask), ask)
        return super().outcome(task, report, was, ask)


class TakesReceiptForDecision(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Has learnt that 202 means accepted."""

    def outcome(self, task: Json, report: Json, was: Json, ask: Ask) -> Any:
        return {**was, "decision": was.get("decision", "accepted")}


class Believes(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Calls a decision by another name, or ends where it does not know one."""

    def __init__(self, names: Mapping[str, str], known: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self._names, self._known = names, known

    def outcome(self, task: Json, report: Json, was: Json, ask: Ask) -> Any:
        said = super().outcome(task, report, was, ask)
        if self._known is not None and said.get("code") and said["code"] not in self._known:
            raise ValueError(said["code"])
        if said["decision"] in self._names:
            return {**said, "decision": self._names[said["decision"]], "code": None}
        return said


class Stubborn(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Reports once more what was refused."""

    def outcome(self, task: Json, report: Json, was: Json, ask: Ask) -> Any:
        said = super().outcome(task, report, was, ask)
        if said["decision"] == "refused":
            super().send(task, report, ask)
        return said


class SendsTurnedAwayAgain(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Tries three times what was turned away for good."""

    def report(self, task: Json, ask: Ask) -> Any:
        def thrice(request: Json) -> Json:
            answer = ask(request)
            if "post" in request and answer["status"] in (400, 401, 403, 413):
                ask(request)
            return answer

        return super().report(task, thrice)


class LeavesItStale(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Takes a refusal by the chain for the end of the matter."""

    def report(self, task: Json, ask: Ask) -> Any:
        plain, right.CHAIN = right.CHAIN, ()
        try:
            return super().report(task, ask)
        finally:
            right.CHAIN = plain


class OneKey(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Signs with the first key that it was ever given."""

    def sign(self, event: Json, task: Json) -> Any:
        self._key = getattr(self, "_key", task["key"])
        return super().sign(event, {**task, "key": self._key})


class ItsOwnClock(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Never lets its clock go back."""

    def event(self, task: Json, report: Json, head: Json) -> Any:
        self._latest = max(getattr(self, "_latest", ""), task["now"])
        return {**super().event(task, report, head), "time": self._latest}


class DayInUtc(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Today by UTC."""

    def event(self, task: Json, report: Json, head: Json) -> Any:
        today = right.datetime.fromisoformat(task["now"]).astimezone(right.timezone.utc).date().isoformat()
        return super().event(task, {**report, "data": {"effective_at": today, **report["data"]}}, head)


class Cuts(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Makes what is too large fit."""

    def payload(self, event: Json) -> Any:
        while len(super().payload(event)) > 65536:
            event["data"]["items"].pop()
        return super().payload(event)


class Strict(Producer):  # type: ignore[misc]  # the example is loaded by its path
    """Ends where an answer holds a member that it does not know."""

    def report(self, task: Json, ask: Ask) -> Any:
        def known(request: Json) -> Json:
            answer = ask(request)
            if "colour" in answer.get("body", {}):
                raise ValueError("colour")
            return answer

        return super().report(task, known)


def _id_of_subject(event: Json) -> object:
    return event.update(id=str(right.uuid.uuid5(right.uuid.NAMESPACE_URL, event["subject"])))


_OF_CHAIN = ("sequence-stale", "chain-forked", "scheme-rule", "id-conflict")
FAULTS: Mapping[str, Callable[[], Any]] = {
    "none": Producer,
    "four parts": lambda: Bent(jws=lambda jws: jws + ".AAAA"),
    "padding": lambda: Bent(jws=lambda jws: jws + "=="),
    "crit": lambda: Headed(crit=["exp"]),
    "alg ES256 always": lambda: Headed(alg="ES256"),
    "kid by hand": lambda: Headed(kid="my-key-1"),
    "typ JWT": lambda: Headed(typ="JWT"),
    "DER": Der,
    "a member twice": lambda: Bent(text=lambda text: text.replace(b'"id":', b'"id":"x","id":', 1)),
    "a member of its own": lambda: Bent(_put(colour="red")),
    "specversion 0.3": lambda: Bent(_put(specversion="0.3")),
    "upper-case id": lambda: Bent(lambda event: event.update(id=event["id"].upper().replace("0", "A"))),
    "id by subject": lambda: Bent(_id_of_subject),
    "source by name": lambda: Bent(_put(source="示范管理体系认证有限公司")),
    "type without version": lambda: Bent(lambda event: event.update(type=event["type"].removesuffix(".v1"))),
    "subject cut": lambda: Bent(lambda event: event.update(subject=event["subject"][:-1])),
    "time without zone": lambda: Bent(lambda event: event.update(time=event["time"][:19])),
    "sequence as decimal": lambda: Bent(lambda event: event.update(sequence=float(event["sequence"]))),
    "previous without prefix": lambda: Bent(
        lambda event: event.update(previous=event["previous"][7:]) if "previous" in event else None
    ),
    "signatory by name": lambda: Bent(_put(signatory="张三")),
    "decimals": lambda: Bent(_data(_floats)),
    "question marks": lambda: Bent(_data(_ascii)),
    "an empty member of its own": lambda: Bent(lambda event: event["data"].update(colour=None)),
    "day in UTC": DayInUtc,
    "its own clock": ItsOwnClock,
    "one key": OneKey,
    "cuts": Cuts,
    "impatient": Impatient,
    "gives up on 503": lambda: GivesUp(503),
    "gives up on silence": lambda: GivesUp(0),
    "gives up on 429": lambda: GivesUp(429),
    "gives up on a new key": lambda: GivesUp(401),
    "a new event": Anew,
    "a new signature": lambda: Anew(same_event=True),
    "overtakes": Overtaking,
    "asks heads every time": AsksHeads,
    "never asks heads": NeverAsks,
    "a chain a source": lambda: OneChain(lambda source, subject: (source, "")),
    "a chain a subject": lambda: OneChain(lambda source, subject: ("", subject)),
    "a chain a spelling": Spelt,
    "refused takes no place": lambda: Miscounts(gives_up=("refused",)),
    "quarantined takes a place": lambda: Miscounts(keeps=("quarantined",)),
    "turned away takes a place": lambda: Miscounts(keeps=("not_sent",)),
    "cannot wait": lambda: Hasty("not-found"),
    "cannot wait while pending": lambda: Hasty("pending"),
    "202 is accepted": TakesReceiptForDecision,
    "refused is accepted": lambda: Believes({"refused": "accepted"}),
    "quarantined is accepted": lambda: Believes({"quarantined": "accepted"}),
    "ends at a new code": lambda: Believes(
        {}, (*_OF_CHAIN, "bad-event", "bad-signature", "not-this-source", "too-large")
    ),
    "says it again": Stubborn,
    "sends it again": SendsTurnedAwayAgain,
    "leaves it stale": LeavesItStale,
    "ends at a new member": Strict,
}
"""By name; each makes a client that is right in everything else."""


if __name__ == "__main__":
    producer = FAULTS[" ".join(sys.argv[1:]) or "none"]()
    while line := sys.stdin.readline():
        print(json.dumps({"done": producer.report(json.loads(line), right.ask_in_lines)}), flush=True)
