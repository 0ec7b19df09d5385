"""Every error that an outsider can meet, defined once: slug, title and HTTP status.

`problems.py` renders them as RFC 9457, the registry writes refusals into entries by their slug, and a
test compares this file with the documentation.
"""

from collections.abc import Sequence
from typing import ClassVar


class CertmarkError(Exception):
    """An answer to bad input, with a stable code; `title` and `zh` say in both languages what it stands for.

    `detail` says what is wrong with this input, `pointer` is the RFC 6901 JSON pointer of the member
    concerned (empty: the whole), `hint` says what to do about it. `pointers` are there where the same is wrong with
    several members: all of them, and `pointer` is the first.
    """

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Error"
    zh: ClassVar[str] = "错误"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, pointer: str = "", hint: str = "", pointers: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointers[0] if pointers else pointer
        self.pointers = tuple(pointers)
        self.hint = hint


# --- malformed: unreadable; 400 from ingest, quarantine when it came past the ingest -----------------


class Malformed(CertmarkError):
    slug = "malformed"
    title = "The input cannot be read"
    zh = "无法读取输入内容"
    status = 400


class NotAnEnvelope(Malformed):
    slug = "not-an-envelope"
    title = "Not a JWS in compact form with the header members alg, kid and typ"
    zh = "不是带有 alg、kid、typ 三个头部成员的 JWS 紧凑串"


class TooLarge(Malformed):
    slug = "too-large"
    title = "The payload is larger than 64 KiB, or the request larger than its limit"
    zh = "载荷超过 64 KiB，或请求超过上限"
    status = 413


class NotJson(Malformed):
    slug = "not-json"
    title = "The payload is not one JSON object in UTF-8"
    zh = "载荷不是一个 UTF-8 的 JSON 对象"


class DuplicateKey(Malformed):
    slug = "duplicate-key"
    title = "A JSON object names the same member twice"
    zh = "JSON 对象中同一成员出现两次"


class BadNumber(Malformed):
    slug = "bad-number"
    title = "NaN, infinity, or an integer beyond 2^53-1"
    zh = "含 NaN、无穷大或超出 2^53-1 的整数"


class TooDeep(Malformed):
    slug = "too-deep"
    title = "JSON nested deeper than 32 levels"
    zh = "JSON 嵌套超过 32 层"


class BadText(Malformed):
    slug = "bad-text"
    title = "Text holds a lone surrogate or U+0000"
    zh = "文本含孤立代理项或 U+0000"


class UnknownType(Malformed):
    slug = "unknown-type"
    title = "No such event type"
    zh = "没有这种事件类型"


class BadEvent(Malformed):
    slug = "bad-event"
    title = "The event does not match its published schema"
    zh = "事件不符合其公布的模式"


class BadRequest(Malformed):
    slug = "bad-request"
    title = "The request cannot be understood"
    zh = "无法理解该请求"


class NotFound(CertmarkError):
    slug = "not-found"
    title = "There is nothing here by that name"
    zh = "此处没有该名称的内容"
    status = 404


class TooManyRequests(CertmarkError):
    slug = "too-many-requests"
    title = "More requests than this source may send at present"
    zh = "请求次数超过该来源目前的限额"
    status = 429


# --- untrusted: a signature, a key or a claim of identity that does not hold; quarantine ---------------


class Untrusted(CertmarkError):
    slug = "untrusted"
    title = "Not trusted"
    zh = "不可信"
    status = 401


class AlgorithmNotAllowed(Untrusted):
    slug = "algorithm-not-allowed"
    title = "The signature algorithm is not the one that this key is allowed to use"
    zh = "签名算法不是该密钥所允许的"


class UnknownKey(Untrusted):
    slug = "unknown-key"
    title = "No key with this kid is registered"
    zh = "没有登记该 kid 的密钥"


class KeyNotValid(Untrusted):
    slug = "key-not-valid"
    title = "The key is not valid at this time, or not for this purpose"
    zh = "该密钥此时无效，或不用于此目的"


class BadSignature(Untrusted):
    slug = "bad-signature"
    title = "The signature does not match the content"
    zh = "签名与内容不符"


class NotThisSource(Untrusted):
    slug = "not-this-source"
    title = "The key belongs to another source than the event names"
    zh = "密钥属于另一来源，与事件所称不符"
    status = 403


class IdConflict(Untrusted):
    slug = "id-conflict"
    title = "This source has used the same event id with other content"
    zh = "该来源已用同一事件 id 报送过其他内容"
    status = 409


# --- refusals: readable and signed, but not allowed; recorded and final ------------------------------------


class Refusal(CertmarkError):
    slug = "refused"
    title = "Not allowed"
    zh = "不予接受"
    status = 409


class SequenceStale(Refusal):
    slug = "sequence-stale"
    title = "This place in the chain is already taken"
    zh = "链中该位置已被占用"


class ChainForked(Refusal):
    slug = "chain-forked"
    title = "previous is not the digest of the last event of this chain"
    zh = "previous 不是本链最后一个事件的摘要"


class SequenceTooFar(Refusal):
    slug = "sequence-too-far"
    title = "The sequence is more than 64 ahead of its chain"
    zh = "sequence 超前本链 64 以上"


CHAIN_REFUSALS = (SequenceStale, ChainForked, SequenceTooFar)
"""Refusals of the chain itself: the only ones that do not advance it."""

CHAIN_CODES = tuple(f"refused:{refusal.slug}" for refusal in CHAIN_REFUSALS)
"""The same as an entry's decision."""


class NumberTaken(Refusal):
    slug = "number-taken"
    title = "The number is already in the register"
    zh = "该编号已在登记册中"


class UnknownCertificate(Refusal):
    slug = "unknown-certificate"
    title = "No certificate or declaration with this number"
    zh = "没有该编号的证书或声明"


class UnknownMark(Refusal):
    slug = "unknown-mark"
    title = "No mark authorization with this number on this certificate"
    zh = "该证书上没有此编号的标志授权"


class UnknownSubject(Refusal):
    slug = "unknown-subject"
    title = "The body, alliance, key or scheme is not in the register"
    zh = "该机构、联盟、密钥或制度不在登记册中"


class NotResponsible(Refusal):
    slug = "not-responsible"
    title = "Another source is responsible for this subject"
    zh = "该事项由另一来源负责"


class NotCompetent(Refusal):
    slug = "not-competent"
    title = "The body is not approved for this scheme on that date"
    zh = "该机构在该日未获准从事此认证制度"


class UnknownScheme(Refusal):
    slug = "unknown-scheme"
    title = "No version of this scheme is in force on that date"
    zh = "该日没有生效的此认证制度版本"


class SchemeRule(Refusal):
    slug = "scheme-rule"
    title = "The scheme's rules do not allow this"
    zh = "认证制度的规则不允许"


class MissingField(Refusal):
    slug = "missing-field"
    title = "Something that the scheme requires is left out"
    zh = "缺少认证制度要求的内容"


class TransitionNotAllowed(Refusal):
    slug = "transition-not-allowed"
    title = "The present status does not allow this event"
    zh = "目前的状态不允许此事件"


class QuantityExceeded(Refusal):
    slug = "quantity-exceeded"
    title = "More unit codes than the mark's authorization allows"
    zh = "标志码数量超过授权数量"


class CodesTaken(Refusal):
    slug = "codes-taken"
    title = "These unit codes, or some of them, were issued before"
    zh = "这些标志码（或其中一部分）此前已经发放"


class UnknownReason(Refusal):
    slug = "unknown-reason"
    title = "The reason code is not one of those that this event may give"
    zh = "原因代码不是此事件可用的"


class BadDates(Refusal):
    slug = "bad-dates"
    title = "The dates contradict each other, the last accepted event, or the limit of 30 days ahead"
    zh = "日期相互矛盾、早于上一已接受事件，或超前 30 天以上"


class BadCorrection(Refusal):
    slug = "bad-correction"
    title = "The correction does not fit what it corrects"
    zh = "更正与被更正的事件不相容"


class NothingToChange(Refusal):
    slug = "nothing-to-change"
    title = "The event would change nothing, or names something that is not there"
    zh = "事件不会改变任何内容，或所指的内容不存在"


class NoRoom(Refusal):
    slug = "no-room"
    title = "The record would be larger, or its story longer, than a record may be"
    zh = "记录的内容或历史将超过上限"


# --- faults: our trouble; the position does not move -------------------------------------------------------


class Fault(CertmarkError):
    slug = "fault"
    title = "The service is in trouble; nothing was decided"
    zh = "服务出现故障，尚未作出决定"
    status = 503


class LogUnavailable(Fault):
    slug = "log-unavailable"
    title = "The log did not acknowledge in time: unknown whether it was stored; send the same bytes again"
    zh = "日志未及时确认，是否已存入未知：请重发完全相同的字节"


class LogMisconfigured(Fault):
    slug = "log-misconfigured"
    title = "A topic exists with settings that would lose or reorder events"
    zh = "某主题的设置会丢失或打乱事件"


class LogTruncated(Fault):
    slug = "log-truncated"
    title = "The log no longer holds the position that we have reached"
    zh = "日志不再保有我们已读到的位置"


class RegisterBehind(Fault):
    slug = "register-behind"
    title = "The database is older than what was already published from it"
    zh = "数据库比已由其发布的内容更旧"


class NotConfigured(Fault):
    slug = "not-configured"
    title = "The settings contradict each other or something needed is missing"
    zh = "设置相互矛盾，或缺少所需内容"


class MadeByAnotherVersion(NotConfigured):
    slug = "made-by-another-version"
    title = "The data was made by a version of certmark whose form this one does not read"
    zh = "数据由另一版本的 certmark 写成，本版本无法读取其格式"


def every_error() -> dict[str, type[CertmarkError]]:
    """All leaf errors by slug, for documentation, schemas and the look-up of a stored refusal."""
    found: dict[str, type[CertmarkError]] = {}
    waiting: list[type[CertmarkError]] = [CertmarkError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        found.setdefault(error.slug, error)
    return dict(sorted(found.items()))
