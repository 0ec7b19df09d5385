"""The cases that a body's own client is put through before it is admitted, as two tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.events.conform.clauses import CHAIN, DECISION, ENVELOPE, KEYS, PUBLISH, TYPES

NOW = "2026-11-20T09:30:00+08:00"
"""The instant of the cases, where they name no other. Their clock is the runner's: nobody has to wait in earnest."""


@dataclass(frozen=True, slots=True)
class FormCase:
    """One point of form that is looked at in every event of the whole run."""

    id: str
    zh: str
    en: str
    clause: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a client is to report; `effective_at` may be left to it: the day on which it says so."""

    type: str
    subject: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """Reports that are handed over at once, and what the client must say became of each.

    `key` names one of the keys made for the run, `forgotten` takes all that the client knows away before.
    """

    reports: tuple[Report, ...]
    done: tuple[str, ...]
    key: str = "first"
    source: str = "urn:certmark:body:CNCA-R-2019-7901"
    now: str = NOW
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One case: tasks one after the other, and how the services answer.

    `posts` are the answers to what is posted, in order, then `202`: `503` and `lost` (no answer at all), each also
    with `taken` behind it when the log has the event all the same; `429`; or a status with its slug. `decisions`
    are, for each event that the log has taken, what the registry says of it from question to question; the last stays.
    `head` is how many events the chain of each subject holds at the beginning. `looks` are the points of form that
    the case is about, `besides` are members that the answers hold over and above.
    """

    id: str
    zh: str
    en: str
    clause: str
    tasks: tuple[Task, ...]
    posts: tuple[str, ...] = ()
    decisions: tuple[tuple[str, ...], ...] = ()
    head: int = 0
    looks: tuple[str, ...] = ()
    besides: Mapping[str, Any] = field(default_factory=dict)


_HOLDER = {"name": "符合性测试企业(虚构)", "region": "310115", "address": "上海市浦东新区测试路1号"}
_ISSUED: dict[str, Any] = {
    "effective_at": "2026-11-20",
    "scheme": "qms",
    "basis": [{"standard": "GB/T 19001", "edition": "2016"}],
    "holder": _HOLDER,
    "service_scope": "符合性测试",
    "sites": [{"address": _HOLDER["address"]}],
    "headcount": 12,
    "issued_on": "2026-11-20",
    "valid_from": "2026-11-20",
    "valid_until": "2029-11-19",
    "approver": "CF-0001",
}
_NUMBER = "CF-2026-Q-{n}17"
"""`{n}` are digits of the case's own, `{wide}` the same in full width."""


def issued(subject: str = _NUMBER, **data: Any) -> Report:
    return Report("certmark.certificate.issued.v1", subject, _ISSUED | data)


def suspended(subject: str = _NUMBER, **data: Any) -> Report:
    usual = {"effective_at": "2026-11-20", "reason": "S03", "until": "2026-12-31"}
    return Report("certmark.certificate.suspended.v1", subject, usual | data)


def resumed(subject: str = _NUMBER, **data: Any) -> Report:
    usual = {"effective_at": "2026-11-20", "verified_on": "2026-11-19"}
    return Report("certmark.certificate.resumed.v1", subject, usual | data)


def passed(subject: str = _NUMBER) -> Report:
    return Report("certmark.certificate.surveillance_passed.v1", subject, {"effective_at": "2026-11-20"})


def accepted(*reports: Report, **how: Any) -> Task:
    return Task(reports, ("accepted",) * len(reports), **how)


def told(done: str, report: Report, **how: Any) -> Task:
    return Task((report,), (done,), **how)


_TODAY = Report("certmark.certificate.surveillance_passed.v1", _NUMBER, {})


def added(models: int, length: int) -> Report:
    """An amendment by many models, each with a name of so many letters."""
    items = [{"op": "added", "model": f"CF-{n:05}".ljust(length, "x")} for n in range(models)]
    return Report("certmark.certificate.amended.v1", _NUMBER, {"effective_at": "2026-11-20", "items": items})


# fmt: off
# Two tables, one case a line.
FORMS: tuple[FormCase, ...] = (
    FormCase("form/parts", "三段，以点相连", "Three parts joined by dots", ENVELOPE),
    FormCase("form/base64url", "base64url，无填充，末尾多余位为零", "base64url without padding and spare bits", ENVELOPE),
    FormCase("form/header", "头部是一个对象，不要求扩展", "The header is one object that asks for no extension", ENVELOPE),
    FormCase("form/alg", "alg 是该密钥的算法", "alg is the key's own", KEYS),
    FormCase("form/kid", "kid 是密钥的 RFC 7638 指纹", "kid is the key's RFC 7638 thumbprint", KEYS),
    FormCase("form/typ", "typ 是 certmark-event+jws", "typ is certmark-event+jws", ENVELOPE),
    FormCase("form/signature", "签名 64 字节，验证通过", "The signature has 64 bytes and holds", KEYS),
    FormCase("form/json", "严格 JSON：不重复、无 NaN、整数在 ±(2^53−1) 内", "Strict JSON: nothing twice, no NaN, integers within ±(2^53−1)", ENVELOPE),
    FormCase("form/members", "信封成员齐全，没有未知成员", "All members of the envelope, and no unknown one", ENVELOPE),
    FormCase("form/specversion", "specversion 是 1.0", "specversion is 1.0", ENVELOPE),
    FormCase("form/id", "id 是小写 UUID", "id is a lower-case UUID", ENVELOPE),
    FormCase("form/id-once", "id 不用于别的内容", "No id stands for two contents", ENVELOPE),
    FormCase("form/source", "source 是交给它的来源", "source is the one that was given", ENVELOPE),
    FormCase("form/type", "type 是要报告的类型", "type is what was to be reported", ENVELOPE),
    FormCase("form/subject", "subject 是要报告的编号", "subject is the number that was given", ENVELOPE),
    FormCase("form/time", "time 带时区，是此刻", "time has a zone, and is the present instant", ENVELOPE),
    FormCase("form/sequence", "sequence 是从 1 起的整数", "sequence is a whole number from 1 on", CHAIN),
    FormCase("form/previous", "previous 在序号 1 没有，此后为 sha256: 和摘要", "previous is absent at 1, and sha256: with a digest after it", CHAIN),
    FormCase("form/signatory", "signatory 是交给它的编号", "signatory is the number that was given", ENVELOPE),
    FormCase("form/data", "data 与要报告的一致：文字、数字、日期不变", "data is what was to be reported: texts, numbers and dates unchanged", ENVELOPE),
    FormCase("form/schema", "data 符合该类型的模式", "data has the form of its type", TYPES),
)

BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour("chain/first", "第一个事件", "The first event", CHAIN, (accepted(issued()),)),
    Behaviour("chain/continued", "续接已有七个事件的链", "A chain that holds seven events goes on", CHAIN, (accepted(suspended()),), head=7),
    Behaviour("chain/one-after-the-other", "逐个交办三个事件", "Three events, handed over one by one", CHAIN, (accepted(issued()), accepted(suspended()), accepted(resumed()))),
    Behaviour("chain/together", "一次交办同一证书的三个事件", "Three events about one certificate at once", CHAIN, (accepted(issued(), suspended(), resumed()),)),
    Behaviour("chain/two-subjects", "两张证书交替", "Two certificates in turn", CHAIN, (accepted(issued(), issued("CF-2026-Q-{n}18"), suspended(), suspended("CF-2026-Q-{n}18")),)),
    Behaviour("chain/spelling", "同一编号的两种写法是同一条链", "Two spellings of a number are one chain", CHAIN, (accepted(issued("cf-2026-q-{n}17")), accepted(suspended("ＣＦ－２０２６－Ｑ－{wide}１７"))), looks=("subject",)),
    Behaviour("chain/two-sources", "同一证书，两个来源各有一条链", "One certificate, two sources, two chains", CHAIN, (accepted(issued()), accepted(suspended(), key="other", source="urn:certmark:body:CNCA-R-2019-7902"), accepted(suspended())), looks=("kid", "source")),
    Behaviour("chain/reordered", "两个事件颠倒到达：后者先待定", "Two events that overtake each other: the later is pending at first", CHAIN, (accepted(issued(), suspended()),), decisions=(("404", "404", "accepted"), ("pending", "pending", "accepted"))),
    Behaviour("again/503-taken", "503，其实已存：原字节再发", "503, and yet it was stored: the same bytes again", PUBLISH, (accepted(issued()), accepted(suspended())), posts=("503 taken",)),
    Behaviour("again/503", "503，未存：原字节再发", "503, not stored: the same bytes again", PUBLISH, (accepted(issued()), accepted(suspended())), posts=("503", "503")),
    Behaviour("again/lost-taken", "没有回答，其实已存：原字节再发", "No answer, and yet it was stored: the same bytes again", PUBLISH, (accepted(issued()), accepted(suspended())), posts=("lost taken",)),
    Behaviour("again/lost", "没有回答，未存：原字节再发", "No answer, not stored: the same bytes again", PUBLISH, (accepted(issued()), accepted(suspended())), posts=("lost",)),
    Behaviour("again/es256", "ES256：再发时不重新签名", "ES256: not signed anew before it is sent again", PUBLISH, (accepted(issued(), key="es256"),), posts=("503 taken",)),
    Behaviour("again/nothing-overtakes", "前一个去向不明时，后一个不发", "Nothing is sent past an event whose fate is unknown", PUBLISH, (accepted(issued(), suspended()),), posts=("503", "503")),
    Behaviour("again/429", "429：等待 Retry-After 后原字节再发", "429: the same bytes after Retry-After", PUBLISH, (accepted(issued()),), posts=("429", "429")),
    Behaviour("again/unknown-key", "新密钥尚未传到：原字节再发", "A new key is not out yet: the same bytes again", KEYS, (accepted(issued()),), posts=("401 unknown-key", "401 unknown-key")),
    Behaviour("again/late-decision", "决定来得迟：只是等待", "The decision is late: it only waits", DECISION, (accepted(issued()),), decisions=(("404", "404", "404", "404", "404", "accepted"),)),
    Behaviour("turned-away/400", "400：不再发，序号未占用", "400: not sent again, and its place is free", DECISION, (told("not_sent:bad-event", issued()), accepted(issued())), posts=("400 bad-event",)),
    Behaviour("turned-away/401", "401 签名：不再发，序号未占用", "401 for its signature: not sent again, and its place is free", DECISION, (told("not_sent:bad-signature", issued()), accepted(issued())), posts=("401 bad-signature",)),
    Behaviour("turned-away/403", "403：不再发，序号未占用", "403: not sent again, and its place is free", DECISION, (told("not_sent:not-this-source", issued()), accepted(issued())), posts=("403 not-this-source",)),
    Behaviour("decided/refused", "被拒绝：如实报告，不再发；序号已占用", "Refused: said so, not sent again; its place is taken", DECISION, (told("refused:scheme-rule", suspended()), accepted(suspended(until="2026-12-20"))), decisions=(("refused:scheme-rule",),), head=1),
    Behaviour("decided/refused-new-code", "被拒绝，代码是新的", "Refused by a code that it has never heard of", DECISION, (told("refused:no-such-code-yet", suspended()), accepted(suspended(until="2026-12-20"))), decisions=(("refused:no-such-code-yet",),), head=1),
    Behaviour("decided/quarantined", "被隔离：如实报告；序号未占用", "Quarantined: said so; its place is free", DECISION, (told("quarantined:id-conflict", suspended()), accepted(suspended())), decisions=(("quarantined:id-conflict",),), head=1),
    Behaviour("decided/stale", "序号被另一程序占用：查链头，作为新事件再报", "Its place was taken by another program: heads, then a new event", CHAIN, (accepted(suspended()),), decisions=(("refused:sequence-stale",),), head=3),
    Behaviour("decided/forked", "previous 已不是最后一个：查链头，作为新事件再报", "Its previous is not the last any more: heads, then a new event", CHAIN, (accepted(suspended()),), decisions=(("refused:chain-forked",),), head=3),
    Behaviour("decided/pending", "待定：只是等待", "Pending: it only waits", DECISION, (accepted(suspended()),), decisions=(("pending", "pending", "pending", "accepted"),), head=1),
    Behaviour("state/lost", "本地状态丢失：从链头续接", "Its local state is lost: heads tell where to go on", CHAIN, (accepted(issued()), accepted(suspended()), accepted(resumed(), forgotten=True))),
    Behaviour("state/lost-after-refusal", "拒绝之后本地状态丢失", "Its local state is lost after a refusal", CHAIN, (told("refused:scheme-rule", suspended()), accepted(suspended(until="2026-12-20"), forgotten=True)), decisions=(("refused:scheme-rule",),), head=1),
    Behaviour("clock/back", "时钟退后一小时：次序仍由 sequence 决定", "The clock goes back by an hour: sequence alone tells the order", CHAIN, (accepted(issued()), accepted(suspended(), now="2026-11-20T08:30:00+08:00")), looks=("time",)),
    Behaviour("clock/midnight", "协调世界时的前一天傍晚：今天按东八区", "The evening before in UTC: today is the day at UTC+8", TYPES, (accepted(_TODAY, now="2026-11-20T17:30:00+00:00"),), head=1, looks=("data",)),
    Behaviour("clock/west", "时钟写作另一时区：今天按东八区", "A clock in another zone: today is the day at UTC+8", TYPES, (accepted(_TODAY, now="2026-11-20T13:00:00-05:00"),), head=1, looks=("data",)),
    Behaviour("key/es256", "P-256 密钥：ES256", "A P-256 key: ES256", KEYS, (accepted(issued(), key="es256"),), looks=("alg", "kid", "signature")),
    Behaviour("key/rotated", "换用新密钥，链继续", "A new key goes on with the chain", KEYS, (accepted(issued()), accepted(suspended(), key="second")), looks=("alg", "kid", "signature")),
    Behaviour("content/texts", "中文、引号、反斜线、增补平面字符", "Chinese, quotes, backslashes, characters beyond the BMP", ENVELOPE, (accepted(suspended(note="引号“”\"与\\及𠮷野家 — Ünïcode é é / <&>")),), head=1, looks=("json", "data")),
    Behaviour("content/numbers", "数字原样：整数仍是整数", "Numbers as they are: an integer stays one", ENVELOPE, (accepted(issued(headcount=100000000), Report("certmark.mark.authorized.v1", _NUMBER, {"effective_at": "2026-11-20", "mark_no": "CF-M-1", "mark": "green-product", "quantity": 999999999999, "attributes": [{"name": "能耗", "value": 0.1, "unit": "kWh"}, {"name": "寿命", "value": 15, "unit": "a"}]})),), looks=("json", "data")),
    Behaviour("content/null", "空值可写可不写", "A member that is null may be there or not", ENVELOPE, (accepted(issued(grade=None, parent_no=None)),), looks=("json", "data")),
    Behaviour("content/large", "接近 64 KiB 的内容", "A payload of nearly 64 KiB", ENVELOPE, (accepted(added(500, 98)),), head=1, looks=("json", "data")),
    Behaviour("content/too-large", "超过 64 KiB：不发出或得到 413，不截断、不拆分", "More than 64 KiB: not sent, or turned away with 413; never cut or split", ENVELOPE, (told("not_sent:too-large", added(500, 180)), accepted(suspended())), head=1),
    Behaviour("answers/unknown-members", "回答中有不认识的成员", "Answers hold members that it does not know", DECISION, (accepted(issued()),), besides={"colour": "red", "links": [{"rel": "self"}]}),
)
# fmt: on
