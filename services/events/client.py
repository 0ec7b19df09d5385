"""What a certification body uses: publish signed events and learn what became of them."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.domain.advice import problem
from services.domain.errors import BadRequest, CertmarkError, Fault, LogMisconfigured, NotConfigured, NotFound
from services.events.envelope import open_envelope, read_event
from services.events.log import Log, Topics, open_log
from services.events.strict_json import loads
from services.settings import Settings, settings_from

LINES = 500
"""Events a request: half of what ingest takes, so that a request stays well under its time limit."""
BYTES = 4 * 1024 * 1024
BULK = 500
"""Chains or decisions that are asked for at once."""
PATIENCE = 30.0
"""Seconds without one more event stored in which a portion is sent again: the answer is 429, 5xx or nothing at all."""
KEY_PATIENCE = 5.0
"""Seconds in which a key that was just added becomes known to ingest: its record is on the way there."""


class Unreachable(Fault):
    slug = "unreachable"
    title = "The service does not answer"
    zh = "服务没有应答"


class NotSent(Fault):
    slug = "not-sent"
    title = "Not sent: it would have overtaken an event that is not known to be stored"
    zh = "未发送：否则会越过一个尚不知是否已存入的事件"


class Refused(CertmarkError):
    """A problem that a service answered with; it keeps the service's own words."""

    slug = "refused-by-service"
    title = "The service refused the request"
    zh = "服务拒绝了该请求"
    status = 400

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"HTTP {status}"),
            pointer=str(problem.get("pointer", "")),
            hint=str(problem.get("hint", "")),
            pointers=[str(pointer) for pointer in problem.get("pointers", ())],
        )
        self.code = str(problem.get("code", f"http-{status}"))
        self.answered = status


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one event on its way into the log: `status` is 202, or that of the problem."""

    digest: str
    status: int
    problem: dict[str, Any] | None = None

    @property
    def stored(self) -> bool:
        return self.status == 202

    @property
    def final(self) -> bool:
        """Whether its fate is known: in the log, or not let in for what it is. Else the same bytes are sent again."""
        return self.stored or (400 <= self.status < 500 and self.status not in (408, 429))


class Service:
    """One service over one connection that is kept open; not for several threads at once."""

    def __init__(self, url: str, timeout: float = 30.0, token: str | None = None) -> None:
        """`token` goes out as `Authorization: Bearer`. Raises BadRequest where the URL is not http(s)://host[:port]."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(f"{url!r} is not the http:// or https:// address of a service")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        except ValueError:
            raise BadRequest(f"{url!r} has no readable port") from None
        self._base = parts.path.rstrip("/")
        self._token = token
        self.url = url

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request and its answer. A connection that the other side had closed meanwhile is made anew once.

        Raises:
            Unreachable: no answer; unknown whether the request took effect.
        """
        headers = {"Content-Type": content_type} if content_type else {}
        if content_encoding:
            headers["Content-Encoding"] = content_encoding
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        headers["Accept"] = "application/json, application/x-ndjson, application/problem+json"
        reused = self._connection.sock is not None
        for last_try in (not reused, True):
            try:
                self._connection.request(method, self._base + path, body, headers)
                answer = self._connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if last_try:
                    raise Unreachable(f"{self.url}: {str(error) or type(error).__name__}") from None
        raise AssertionError("unreachable")

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """A JSON object by GET.

        Raises:
            NotFound; Refused: the service answered with a problem. Unreachable.
        """
        return self._document(path, *self.request("GET", path + (f"?{urlencode(query)}" if query else "")))

    def post(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        """A JSON object by POST of another; it errs as `get` does."""
        body = json.dumps(asked, ensure_ascii=False).encode()
        return self._document(path, *self.request("POST", path, body, "application/json"))

    def _document(self, path: str, status: int, _headers: http.client.HTTPMessage, body: bytes) -> dict[str, Any]:
        document = json_object(body)
        if "family" in document or "items" in document:
            return document  # a look-up's answer, or many: `status_unknown` is one too, although its status is 503
        if status == 404:
            raise NotFound(str(document.get("detail", path)), hint=str(document.get("hint", "")))
        if status >= 400 and "code" in document and "title" in document:
            raise Refused(document, status)
        if status >= 500:
            raise Unreachable(f"{self.url} answers {status}")
        return document

    def close(self) -> None:
        self._connection.close()


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- publishing ------------------------------------------------------------------------------------------


class Publisher:
    """Sends signed events, in order, over HTTP or straight to the log; the same bytes until an answer is known."""

    def __init__(
        self,
        to: str | Service,
        settings: Settings | None = None,
        *,
        patience: float = PATIENCE,
        key_patience: float = KEY_PATIENCE,
        waiting: Callable[[Mapping[str, Any]], None] = lambda problem: None,
    ) -> None:
        """`to` is the events service or its address, `kafka://host:port[,host:port]`, or `postgresql://…`.
        `waiting` is told, before each pause, the problem of the first event that is sent again behind it.

        Only the two logs ask the settings: for the name of the topic, and the way to the broker.

        Raises:
            BadRequest: none of these. NotConfigured: the settings do not lead to this broker.
        """
        self._patience = patience
        self._key_patience = key_patience
        self._waiting = waiting
        self._log: Log | None = None
        self._service: Service | None = None
        if isinstance(to, Service):
            self._service = to
            return
        kind, _, rest = to.partition("://")
        if not rest:
            raise BadRequest(f"{to!r} names no host", hint="http://…, kafka://host:port or postgresql://…")
        if kind in ("kafka", "postgresql", "postgres"):
            told = settings or settings_from()
            self._log = open_log(told.over_kafka(rest) if kind == "kafka" else told.over_postgres(to))
            self._topic = Topics.under(told.topic_prefix).events
        else:
            self._service = Service(to)

    def publish(self, events: Sequence[bytes], progress: Callable[[int], None] = lambda done: None) -> list[Sent]:
        """One result an event, in order. `progress` is called with how many more are done.

        Nothing is sent past an event whose fate is unknown: in a chain it would be too early, and refused for good.

        Raises:
            NotConfigured, LogMisconfigured: the log does not let us in, or not write: no use in trying again.
        """
        results: list[Sent] = []
        for portion in portions(events):
            sent = self._to_log(portion) if self._log else self._to_http(portion)
            results += sent
            progress(len(portion))
            if not all(one.final for one in sent):
                break
        return results + [_not_sent(event) for event in events[len(results) :]]

    def close(self) -> None:
        if self._log:
            self._log.close()
        if self._service:
            self._service.close()

    def _to_http(self, portion: Sequence[bytes]) -> list[Sent]:
        results: list[Sent | None] = [None] * len(portion)
        open_places = list(range(len(portion)))
        begun = time.monotonic()
        deadline = begun + self._patience
        while open_places:
            answers, wait = self._post([portion[place] for place in open_places])
            for place, answer in zip(open_places, answers, strict=True):
                results[place] = answer
            if any(answer.stored for answer in answers):
                deadline = time.monotonic() + self._patience
            early = time.monotonic() < begun + self._key_patience
            open_places = [
                place
                for place, answer in zip(open_places, answers, strict=True)
                if not answer.final or (early and _knows_no_key(answer))
            ]
            if open_places and time.monotonic() + wait > deadline:
                break  # they keep their status: unknown, and the caller is told so
            if open_places and (first := results[open_places[0]]) is not None:
                self._waiting(first.problem or {})
                time.sleep(wait)
        return [result for result in results if result is not None]

    def _post(self, events: Sequence[bytes]) -> tuple[list[Sent], float]:
        assert self._service is not None
        digests = [digest_of(event) for event in events]
        try:
            status, headers, body = self._service.request(
                "POST", "/v1/events", b"\n".join(events) + b"\n", "application/x-ndjson"
            )
        except Unreachable as error:
            return [Sent(d, 503, problem(error)) for d in digests], 1.0
        wait = _seconds(headers.get("Retry-After"))
        lines = [json_object(line) for line in body.splitlines() if line]
        if status == 200 and len(lines) == len(digests):
            return [_sent(d, line) for d, line in zip(digests, lines, strict=True)], wait
        told = json_object(body) or {"code": f"http-{status}", "detail": f"the service answered {status}"}
        return [Sent(d, status if status >= 400 else 503, told) for d in digests], wait

    def _to_log(self, portion: Sequence[bytes]) -> list[Sent]:
        assert self._log is not None
        records = [(subject_of(event), event) for event in portion]
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._log.append(self._topic, records)
                return [Sent(digest_of(event), 202) for event in portion]
            except (NotConfigured, LogMisconfigured):
                raise
            except Fault as error:
                if time.monotonic() > deadline:
                    return [Sent(digest_of(event), 503, problem(error)) for event in portion]
                time.sleep(1.0)


def _not_sent(event: bytes) -> Sent:
    return Sent(digest_of(event), 503, problem(NotSent("an event before it is not known to be stored")))


def _sent(digest: str, line: dict[str, Any]) -> Sent:
    status = line.get("status")
    if status == 202:
        return Sent(digest, 202)
    return Sent(digest, status if isinstance(status, int) else 503, line)


def _knows_no_key(answer: Sent) -> bool:
    return answer.status == 401 and (answer.problem or {}).get("code") == "unknown-key"


def _seconds(text: str | None) -> float:
    return min(60.0, float(text)) if text and text.isascii() and text.isdigit() else 1.0


def portions(events: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The events in order, in parts that one request takes."""
    part: list[bytes] = []
    size = 0
    for event in events:
        if part and (len(part) == LINES or size + len(event) > BYTES):
            yield part
            part, size = [], 0
        part.append(event)
        size += len(event) + 1
    if part:
        yield part


def digest_of(event: bytes) -> str:
    """Raises Malformed where it is not a JWS of ours: better here than a thousand lines later."""
    return open_envelope(event).digest


def subject_of(event: bytes) -> str:
    return read_event(open_envelope(event)).subject


def events_in(raw: bytes) -> list[bytes]:
    """The events of a file: a JWS a line, bare or as a JSON string.

    Raises:
        Malformed: a line is neither; the detail names it.
    """
    events = []
    for number, line in enumerate(raw.splitlines(), 1):
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith(b'"'):
            bare = str(loads(b'{"jws":' + bare + b"}")["jws"]).encode("ascii", "replace")
        try:
            digest_of(bare)
        except CertmarkError as error:
            raise BadRequest(
                f"line {number}: {error.detail}", hint="publish takes what `certmark sign` writes"
            ) from None
        events.append(bare)
    return events


# --- asking ------------------------------------------------------------------------------------------------


def head_of(registry: Service, source: str, subject: str) -> tuple[int, str | None]:
    """(sequence, digest) of the last event of a chain; (0, None) where it has none."""
    head = registry.get("/v1/heads", source=source, subject=subject)
    previous = head.get("previous")
    return int(head["sequence"]), str(previous).removeprefix("sha256:") if previous else None


def heads_of(registry: Service, source: str, subjects: Sequence[str]) -> dict[str, tuple[int, str]]:
    """(sequence, digest) of the last event of each of a source's chains; one without an event is left out."""
    found: dict[str, tuple[int, str]] = {}
    for first in range(0, len(subjects), BULK):
        asked = {"source": source, "subjects": list(subjects[first : first + BULK])}
        for item in _items(registry, registry.post("/v1/heads", asked)):
            found[item["subject"]] = (int(item["sequence"]), str(item["previous"]).removeprefix("sha256:"))
    return found


def decisions_on(registry: Service, digests: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The registry's decisions by digest, `pending` included; an event that has none is left out."""
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(digests), BULK):
        answer = registry.post("/v1/decisions", {"digests": list(digests[first : first + BULK])})
        found |= {item["digest"]: item for item in _items(registry, answer)}
    return found


def certificates_of(registry: Service, source: str) -> Iterator[dict[str, Any]]:
    """Every certificate that a source answers for: {certificate_no, standing, seq, state}, page by page."""
    after: str | None = ""
    while after is not None:
        page = registry.get("/v1/certificates", source=source, after=after, limit=str(BULK))
        yield from _items(registry, page)
        after = page.get("next")


def _items(registry: Service, page: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(page.get("items"), list):
        raise Unreachable(f"{registry.url} does not answer as a registry does")
    found: list[dict[str, Any]] = page["items"]
    return found


def decision_on(registry: Service, digest: str) -> dict[str, Any] | None:
    """The registry's decision, `pending` included; None while it has none."""
    try:
        return registry.get(f"/v1/decisions/{digest}")
    except NotFound:
        return None


def await_decisions(
    registry: Service, digests: Sequence[str], seconds: float, progress: Callable[[int], None] = lambda done: None
) -> dict[str, dict[str, Any]]:
    """The decisions, until for so many seconds no further one has come; a digest that is missing had none.

    They come in the order of the log, so a round ends where nothing was known instead of asking for all the others.
    """
    deadline = time.monotonic() + seconds
    found: dict[str, dict[str, Any]] = {}
    waiting = list(dict.fromkeys(digests))
    while waiting and time.monotonic() < deadline:
        for first in range(0, len(waiting), BULK):
            known = decisions_on(registry, waiting[first : first + BULK])
            decided = {digest: said for digest, said in known.items() if said["decision"] != "pending"}
            if decided:
                found |= decided
                deadline = time.monotonic() + seconds
                progress(len(decided))
            if not known:
                break
        waiting = [digest for digest in waiting if digest not in found]
        if waiting:
            time.sleep(0.05)
    return found
