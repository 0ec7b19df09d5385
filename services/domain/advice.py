"""What to do about an error in general, by its slug: said where the case at hand has no hint of its own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from services.domain.details import in_chinese
from services.domain.errors import CertmarkError

ADVICE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # --- cannot be read ---
        "malformed": ("对照 docs/connect.zh-CN.md 的信封一节", "compare with the envelope in docs/connect.md"),
        "not-an-envelope": (
            "三段 base64url（不带 =）以点相连；头部含 alg、kid、typ",
            "three parts of base64url without =, joined by dots; the header has alg, kid and typ",
        ),
        "too-large": ("拆成几个请求，或缩短事件", "split the request, or shorten the event"),
        "not-json": (
            "载荷是一个 UTF-8 的 JSON 对象，不带 BOM",
            "the payload is one JSON object in UTF-8, without a byte order mark",
        ),
        "duplicate-key": ("每个成员只写一次", "name each member once"),
        "bad-number": ("大数改为文本，不写 NaN", "write large numbers as text, and no NaN"),
        "too-deep": ("最多嵌套 32 层", "at most 32 levels"),
        "bad-text": ("去掉孤立代理项和 U+0000", "leave out lone surrogates and U+0000"),
        "unknown-type": ("全部类型见 docs/events.zh-CN.md", "docs/events.md lists every type"),
        "bad-event": (
            "按 pointer 所指改正；各类型的成员见 docs/events.zh-CN.md",
            "correct what the pointer names; docs/events.md lists the members of each type",
        ),
        "bad-request": ("对照该服务的 /docs", "compare with /docs of the service"),
        "unknown-parameter": ("改正参数的名称", "correct the parameter's name"),
        "unsupported-media-type": ("对照该服务的 /docs", "compare with /docs of the service"),
        "method-not-allowed": ("对照该服务的 /docs", "compare with /docs of the service"),
        "not-acceptable": ("对照该服务的 /docs", "compare with /docs of the service"),
        "not-found": ("核对地址和编号", "check the address and the number"),
        "malformed-number": (
            "4到64个字母、数字，至少一个数字，中间可有 . / ( ) : -",
            "4 to 64 letters and digits, at least one digit, with . / ( ) : - between them",
        ),
        "not-permitted": ("用该来源自己的令牌", "take the token of the source itself"),
        # --- is not trusted ---
        "algorithm-not-allowed": ("alg 取密钥自己的算法", "take alg from the key: Ed25519 or ES256"),
        "unknown-key": (
            "请主管机关登记此密钥；刚登记的稍候片刻，重发同样的字节",
            "have the key registered; after that wait a moment and send the same bytes",
        ),
        "key-not-valid": ("换用在有效期内、用途相符的密钥", "sign with a key of this purpose that is valid today"),
        "bad-signature": (
            "签名的是“头部.载荷”两段文本本身；签名后不要再改动",
            "sign the text header.payload as it is sent, and change nothing after that",
        ),
        "not-this-source": ("source 写密钥所有者的 URN", "source is the URN of the key's owner"),
        "id-conflict": ("每个新事件用新的 UUID", "a new UUID for every new event"),
        # --- is not allowed ---
        "sequence-stale": ("重新询问 /v1/heads，作为新事件签名", "ask /v1/heads again, and sign it as a new event"),
        "chain-forked": ("重新询问 /v1/heads，作为新事件签名", "ask /v1/heads again, and sign it as a new event"),
        "sequence-too-far": ("先发缺少的事件，再作为新事件发送", "send what is missing, then this as a new event"),
        "number-taken": (
            "已登记的不必再报；若是另一张，改正编号",
            "what is registered need not be reported again; correct the number where it is another one",
        ),
        "unknown-certificate": ("先发证，或改正编号", "issue it first, or correct the number"),
        "unknown-mark": ("核对标志授权编号", "check the mark's number"),
        "unknown-subject": ("核对主体的名称", "check the subject's name"),
        "not-responsible": ("改正编号，或先办理转移", "correct the number, or have it transferred first"),
        "not-competent": (
            "核对日期和制度；历史证书须由主管机关开放补录",
            "check date and scheme; history needs an open backfill",
        ),
        "unknown-scheme": ("核对制度代号和日期", "check the scheme's id and the date"),
        "scheme-rule": ("按说明改正，作为新事件发送", "correct it as the detail says, and send it as a new event"),
        "missing-field": (
            "补上 pointer 所指的内容，作为新事件发送",
            "fill in what the pointer names, and send it as a new event",
        ),
        "transition-not-allowed": (
            "哪个状态允许哪些事件见 docs/lifecycle.zh-CN.md；撤销和注销不可再变更",
            "docs/lifecycle.md tells which event a status allows; revoked and cancelled are final",
        ),
        "quantity-exceeded": ("申请新的授权，或减少数量", "a new authorization, or fewer codes"),
        "codes-taken": ("重新生成这一组码", "make the set anew"),
        "unknown-reason": ("原因代码见 docs/events.zh-CN.md", "docs/events.md lists the reasons"),
        "bad-dates": (
            "核对日期：不早于上一次状态变更，至多提前30天",
            "check the dates: not before the last change of status, at most 30 days ahead",
        ),
        "bad-correction": ("按说明改正 of 和 fields", "correct `of` and `fields` as the detail says"),
        "nothing-to-change": ("无需再报送", "it need not be reported again"),
        "no-room": (
            "其余内容另立证书报送；暂停、撤销、注销不受此限",
            "report the rest under another certificate; what ends this one is always taken",
        ),
        # --- not now ---
        "too-many-requests": (
            "等待 Retry-After 所示的秒数，重发同样的字节",
            "wait as many seconds as Retry-After says, then send the same bytes",
        ),
        "log-unavailable": (
            "不知是否已存入：重发同样的字节",
            "unknown whether it was stored: send the same bytes again",
        ),
        "request-too-slow": (
            "分成较小的部分重发同样的字节",
            "send the same bytes again, in smaller portions",
        ),
        "service-away": (
            "不知是否已收到：稍候，重发同样的字节",
            "unknown whether it was taken: wait a moment, then send the same bytes",
        ),
        "service-slow": (
            "不知是否已收到：稍候，重发同样的字节",
            "unknown whether it was taken: wait a moment, then send the same bytes",
        ),
        "not-ready": ("稍候，重发同样的字节", "wait a moment, then send the same bytes"),
    }
)
"""Chinese and English."""

_BETWEEN = " · "
"""The two languages where one text has both."""


def hint_for(code: str | None, hint: str | None) -> str | None:
    """The hint of the case at hand, else the advice for its code, in both languages; None where there is neither."""
    if hint:
        chinese = None if _BETWEEN in hint else in_chinese(hint)
        return f"{chinese}{_BETWEEN}{hint}" if chinese else hint
    return _BETWEEN.join(ADVICE[code]) if code and code in ADVICE else None


def problem(error: CertmarkError) -> dict[str, Any]:
    """An error as it is told everywhere (RFC 9457). Fields that need no stating are empty texts, never missing."""
    return {
        "type": f"urn:certmark:problem:{error.slug}",
        "title": error.title,
        "title_zh": error.zh,
        "status": error.status,
        "detail": error.detail,
        "detail_zh": in_chinese(error.detail) or "",
        "code": error.slug,
        "pointer": error.pointer,
        "hint": hint_for(error.slug, error.hint) or "",
        **({"pointers": list(error.pointers)} if error.pointers else {}),
    }
