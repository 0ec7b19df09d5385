"""The cases that are played against a running system, as a table."""

from typing import Any

from services.domain.transition import Verb
from services.events.conform.case import ABSENT, Again, Case, Head, Request, Say, Stands, Step
from services.events.conform.clauses import (
    ANNULMENT,
    CHAIN,
    CORRECTIONS,
    DECISION,
    ENVELOPE,
    KEYS,
    LIFE,
    NOT_ALLOWED,
    PARTS,
    PUBLISH,
    RENEWAL,
    UNREADABLE,
    UNTRUSTED,
)

NOBODYS = "0" * 64


def issued(expect: str = "accepted", **how: Any) -> Say:
    return Say("certificate.issued", expect, **how)


def suspended(expect: str = "accepted", **how: Any) -> Say:
    return Say("certificate.suspended", expect, **how)


def resumed(expect: str = "accepted", **how: Any) -> Say:
    return Say("certificate.resumed", expect, **how)


def revoked(expect: str = "accepted", **how: Any) -> Say:
    return Say("certificate.revoked", expect, **how)


def amended(expect: str = "accepted", **how: Any) -> Say:
    return Say("certificate.amended", expect, **how)


def key_added(about: str, expect: str = "accepted", **how: Any) -> Say:
    return Say("key.added", expect, about=about, **how)


def authorized(expect: str = "accepted", **how: Any) -> Say:
    """A mark of Shanghai Brand, which its alliance authorizes."""
    data = {"family": "上海制造"} | how.pop("data", {})
    return Say("mark.authorized", expect, by=how.pop("by", "alliance"), data=data, **how)


def first(id_: str, zh: str, en: str, clause: str, expect: str, scheme: str = "", **how: Any) -> Case:
    """The first event about a certificate is wrong in one point; the right one after it is accepted all the same."""
    return Case(id_, zh, en, clause, (issued(expect, **how), issued()), scheme)


def second(id_: str, zh: str, en: str, clause: str, wrong: Say, *steps: Step, scheme: str = "") -> Case:
    """A certificate is issued, then something is wrong in one point, then (where it is given) what must follow."""
    return Case(id_, zh, en, clause, (issued(), wrong, *steps), scheme)


# fmt: off
# A table, one case a line.
_CHAINS = (
    Case("chain/first", "第一个事件，序号 1，没有 previous", "The first event: sequence 1, no previous", CHAIN, (Head(0), issued(), Head(1, 0), Stands("valid"))),
    Case("chain/continued", "链上连续三个事件", "Three events in a row", CHAIN, (issued(), suspended(), resumed(), Head(3, 2), Stands("valid"))),
    Case("chain/duplicate", "同样的字节发送三次：一个事件、一个决定", "The same bytes three times: one event, one decision", PUBLISH, (issued(), Again(0), Again(0), Head(1, 0), suspended())),
    Case("chain/duplicate-together", "同一请求内同样的字节两次", "The same bytes twice in one request", PUBLISH, (issued(), Again(0), suspended()), together=True),
    second("chain/id-reused", "同一 id 用于不同内容", "One id for two contents", UNTRUSTED, suspended("quarantined:id-conflict", members={"id": "{id of 0}"}), Head(1, 0), suspended()),
    Case("chain/reordered", "后面的事件先到：待定，补齐后依次决定", "The later event comes first: pending, then decided in order", CHAIN, (issued(), suspended(), resumed("pending", at_the_end="accepted"), Head(3, 2)), order=(0, 2, 1, 3)),
    Case("chain/reversed", "四个事件倒序到达", "Four events come in reverse order", CHAIN, (issued(), suspended("pending", at_the_end="accepted"), resumed("pending", at_the_end="accepted"), revoked("pending", at_the_end="accepted"), Stands("revoked")), order=(3, 2, 1, 0, 4)),
    second("chain/hole", "空缺一直没有补上：保持待定，链不前进", "A hole that is never filled: it stays pending, the chain stays where it is", CHAIN, suspended("pending", members={"sequence": 3, "previous": f"sha256:{NOBODYS}"}, at_the_end="pending"), Head(1, 0), Stands("valid")),
    second("chain/64-ahead", "超前 64 个：仍待定", "64 ahead: still pending", CHAIN, suspended("pending", members={"sequence": 65, "previous": f"sha256:{NOBODYS}"}, at_the_end="pending"), Head(1, 0)),
    second("chain/65-ahead", "超前 65 个：拒绝，链不前进", "65 ahead: refused, and the chain does not move", CHAIN, suspended("refused:sequence-too-far", members={"sequence": 66, "previous": f"sha256:{NOBODYS}"}), Head(1, 0), suspended()),
    Case("chain/stale", "序号已被占用", "A place that is taken", CHAIN, (issued(), amended("refused:sequence-stale", members={"sequence": 1, "previous": ABSENT}), suspended())),
    Case("chain/two-at-once", "两个程序同时写同一序号：只有一个成立", "Two programs write the same place: one of them stands", CHAIN, (issued(), suspended(), revoked("refused:sequence-stale", members={"sequence": 2, "previous": "sha256:{0}"}), Stands("suspended"), resumed())),
    Case("chain/forked", "previous 指向更早的事件", "previous names an older event", CHAIN, (issued(), suspended(), resumed("refused:chain-forked", members={"previous": "sha256:{0}"}), resumed())),
    second("chain/foreign-previous", "previous 不是任何事件的摘要", "previous is nobody's digest", CHAIN, suspended("refused:chain-forked", members={"previous": f"sha256:{NOBODYS}"}), Head(1, 0), suspended()),
    Case("chain/parked-forked", "待定的事件补齐后才发现 previous 不符", "A pending event turns out to follow another one", CHAIN, (issued(), suspended(), resumed("pending", members={"sequence": 3, "previous": f"sha256:{NOBODYS}"}, at_the_end="refused:chain-forked"), Head(2, 1)), order=(0, 2, 1, 3)),
    second("chain/previous-missing", "序号 2 没有 previous", "Sequence 2 without previous", CHAIN, suspended("400 bad-event", members={"previous": ABSENT}), suspended()),
    first("chain/previous-at-first", "序号 1 带有 previous", "Sequence 1 with previous", CHAIN, "400 bad-event", members={"previous": f"sha256:{NOBODYS}"}),
    second("chain/previous-bare", "previous 缺少 sha256: 前缀", "previous without sha256: before it", CHAIN, suspended("400 bad-event", members={"previous": "{0}"}), suspended()),
    first("chain/sequence-zero", "序号 0", "Sequence 0", CHAIN, "400 bad-event", members={"sequence": 0}),
    first("chain/sequence-text", "序号写成文本", "Sequence as a text", CHAIN, "400 bad-event", members={"sequence": "1"}),
    second("chain/after-refusal", "被拒绝的事件也占一个序号", "A refused event takes its place", CHAIN, suspended("refused:unknown-reason", data={"reason": "R10"}), Head(2, 1), suspended(), Head(3, 2)),
    second("chain/refusal-repeated", "被拒绝后仍用原序号", "The place of a refused event used again", CHAIN, suspended("refused:unknown-reason", data={"reason": "R10"}), suspended("refused:sequence-stale", members={"sequence": 2, "previous": "sha256:{0}"}), suspended()),
    second("chain/spelling", "同一证书编号的另一种写法属于同一条链", "Another spelling of the number belongs to the same chain", CHAIN, suspended(members={"subject": "{A wide}"}), Head(2, 1), Stands("suspended")),
    second("chain/other-source", "其他来源就同一证书的链自成一条", "Another source's chain about the same certificate is its own", CHAIN, suspended("refused:not-responsible", by="other"), Head(1, 1, by="other"), Head(1, 0), Stands("valid")),
)

_KEYS = (
    first("key/wrong", "用别的私钥签名", "Signed by another private key", UNTRUSTED, "401 bad-signature", bent="by a stranger"),
    first("key/unknown", "未登记的密钥", "A key that is not registered", UNTRUSTED, "401 unknown-key", key="ed9"),
    first("key/of-another-source", "用其他机构的密钥，source 写自己", "Another body's key, one's own source", UNTRUSTED, "403 not-this-source", key="other"),
    first("key/source-not-its-own", "自己的密钥，source 写其他机构", "One's own key, another body's source", UNTRUSTED, "403 not-this-source", members={"source": "{another body}"}),
    first("key/purpose", "用登记机关的非事件密钥签名", "Signed by a key of the registry, which is not for events", KEYS, "401 key-not-valid", key="registry"),
    Case("key/rotated", "旧密钥登记新密钥，新密钥继续同一条链", "The old key adds the new one, which continues the chain", KEYS, (issued(), key_added("ed1"), suspended(key="ed1"), Head(2, 2))),
    Case("key/retired", "已停用的密钥", "A key that has been retired", KEYS, (key_added("ed1"), issued(key="ed1"), Say("key.retired", about="ed1"), suspended("401 key-not-valid", key="ed1", lagging=True), suspended())),
    Case("key/compromised", "已报泄露的密钥", "A key that is said to be compromised", KEYS, (key_added("ed1"), issued(key="ed1"), Say("key.compromised", about="ed1"), suspended("401 key-not-valid", key="ed1", lagging=True), suspended())),
    Case("key/expired", "有效期已过的密钥", "A key whose last day has passed", KEYS, (key_added("ed1", data={"from": "-30d", "until": "-1d"}), issued("401 key-not-valid", key="ed1"), issued())),
    Case("key/too-early", "尚未生效的密钥", "A key whose first day has not come", KEYS, (key_added("ed1", data={"from": "+1d"}), issued("401 key-not-valid", key="ed1"), issued())),
    Case("key/es256", "ES256 签名", "An ES256 signature", KEYS, (key_added("es1"), issued(key="es1"), Stands("valid"))),
    Case("key/es256-second-signature", "ES256 的第二个签名：仍是同一事件", "A second ES256 signature: still the same event", ENVELOPE, (key_added("es1"), issued(key="es1"), Again(1, anew=True), Head(1, 1))),
    Case("key/es256-der", "ES256 签名用了 DER 编码", "An ES256 signature in DER", KEYS, (key_added("es1"), issued("401 bad-signature", key="es1", bent="DER"), issued(key="es1"))),
    Case("key/eddsa", "旧名称 EdDSA 也接受", "EdDSA, the older name, is accepted", KEYS, (issued(header={"alg": "EdDSA"}), Stands("valid"))),
    first("key/alg-none", "alg 为 none", "alg none", UNTRUSTED, "401 algorithm-not-allowed", bent="none"),
    first("key/alg-hs256", "HS256，以公钥作为共享密钥", "HS256 with the public key as the secret", UNTRUSTED, "401 algorithm-not-allowed", bent="HS256"),
    first("key/alg-of-another-kind", "Ed25519 的密钥声称 ES256", "An Ed25519 key that claims ES256", UNTRUSTED, "401 algorithm-not-allowed", header={"alg": "ES256"}),
    first("key/flipped", "签名有一位不同", "One bit of the signature differs", UNTRUSTED, "401 bad-signature", bent="flipped"),
    first("key/altered", "签名后内容被改动", "Altered after it was signed", UNTRUSTED, "401 bad-signature", bent="altered"),
    first("key/brought-along", "头部自带 jwk：不予采信", "A header that brings its own jwk is not believed", UNTRUSTED, "401 unknown-key", key="ed9", header={"jwk": "{jwk:ed9}"}),
    Case("key/added-twice", "同一密钥登记两次", "One key added twice", NOT_ALLOWED, (key_added("ed1"), key_added("ed1", "refused:number-taken"))),
    Case("key/added-for-another", "为其他机构登记密钥", "A key added for another body", NOT_ALLOWED, (key_added("ed1", "refused:not-responsible", data={"owner": "{another body}"}),)),
    Case("key/added-to-seal", "机构给自己登记封印密钥", "A body adds a key that seals", NOT_ALLOWED, (key_added("ed1", "refused:not-responsible", data={"purpose": "seal"}),)),
    Case("key/not-its-thumbprint", "subject 不是该密钥的指纹", "The subject is not the key's thumbprint", NOT_ALLOWED, (key_added("ed1", "refused:scheme-rule", data={"key": "{jwk:ed2}"}),)),
    Case("key/private", "JWK 带有私钥成员", "A JWK with its private member", UNREADABLE, (key_added("ed1", "400 bad-event", text=('"kty":"OKP"', '"kty":"OKP","d":"AAAA"')),)),
    Case("key/retired-by-another", "停用其他机构的密钥", "Another body's key retired", NOT_ALLOWED, (key_added("ed1"), Say("key.retired", "refused:not-responsible", by="other", about="ed1"))),
)

_FORMS = (
    first("form/two-parts", "只有两段", "Two parts", UNREADABLE, "400 not-an-envelope", bent="two parts"),
    first("form/four-parts", "有四段", "Four parts", UNREADABLE, "400 not-an-envelope", bent="four parts"),
    first("form/padding", "base64url 带填充 =", "base64url with padding", UNREADABLE, "400 not-an-envelope", bent="padded"),
    first("form/plain-base64", "普通 base64（+ 和 /）", "Plain base64 with + and /", UNREADABLE, "400 not-an-envelope", bent="plain base64"),
    first("form/spare-bits", "base64url 末尾多余位不为零", "base64url whose spare bits are set", UNREADABLE, "400 not-an-envelope", bent="spare bits"),
    first("form/typ", "typ 错误", "Another typ", ENVELOPE, "400 not-an-envelope", header={"typ": "JWT"}),
    first("form/typ-missing", "缺少 typ", "No typ", ENVELOPE, "400 not-an-envelope", header={"typ": ABSENT}),
    first("form/kid-missing", "缺少 kid", "No kid", ENVELOPE, "400 not-an-envelope", header={"kid": ABSENT}),
    first("form/kid-wrong", "kid 不是密钥的指纹", "A kid that is no key's", ENVELOPE, "401 unknown-key", header={"kid": "A" * 43}),
    first("form/crit", "头部要求扩展 (crit)", "A header with crit", ENVELOPE, "400 not-an-envelope", header={"crit": ["exp"]}),
    first("form/header-twice", "头部成员重复", "A member twice in the header", UNREADABLE, "400 duplicate-key", bent="alg twice"),
    first("form/header-long", "头部超过 1 KiB", "A header over 1 KiB", UNREADABLE, "413 too-large", header={"note": "x" * 1100}),
    first("json/twice", "成员重复", "A member twice", UNREADABLE, "400 duplicate-key", text=('"id":', '"id":"x","id":')),
    first("json/twice-inside", "内层成员重复", "A member twice, further inside", UNREADABLE, "400 duplicate-key", text=('"region":', '"name":"x","region":')),
    first("json/nan", "NaN", "NaN", UNREADABLE, "400 bad-number", data={"headcount": 7001}, text=("7001", "NaN")),
    first("json/infinity", "Infinity", "Infinity", UNREADABLE, "400 bad-number", data={"headcount": 7001}, text=("7001", "-Infinity")),
    first("json/overflow", "1e400：溢出", "1e400, which overflows", UNREADABLE, "400 bad-number", data={"headcount": 7001}, text=("7001", "1e400")),
    first("json/2-53", "整数 2^53", "The integer 2^53", UNREADABLE, "400 bad-number", data={"headcount": 2**53}),
    first("json/-2-53", "整数 −2^53", "The integer −2^53", UNREADABLE, "400 bad-number", data={"headcount": -(2**53)}),
    first("json/surrogate", "孤立的代理码点", "A lone surrogate", UNREADABLE, "400 bad-text", data={"grade": "XX"}, text=('"XX"', '"\\ud800"')),
    first("json/nul", "U+0000", "U+0000", UNREADABLE, "400 bad-text", data={"grade": "XX"}, text=('"XX"', '"\\u0000"')),
    first("json/depth-33", "嵌套 33 层", "33 levels deep", UNREADABLE, "400 too-deep", data={"grade": "XX"}, text=('"XX"', "[" * 31 + "]" * 31)),
    first("json/depth-10000", "嵌套 10,000 层", "10,000 levels deep", UNREADABLE, "400 too-deep", data={"grade": "XX"}, text=('"XX"', "[" * 10_000 + "]" * 10_000)),
    first("json/not-utf8", "不是 UTF-8", "Not UTF-8", UNREADABLE, "400 not-json", bent="not UTF-8"),
    first("json/array", "不是对象而是数组", "An array instead of an object", UNREADABLE, "400 not-json", bent="array"),
    first("json/rest", "对象之后还有内容", "Something after the object", UNREADABLE, "400 not-json", bent="rest"),
    first("json/64-kib-and-1", "64 KiB 加 1 字节", "64 KiB and one byte", UNREADABLE, "413 too-large", bent="64 KiB + 1"),
    Case("json/64-kib", "正好 64 KiB：接受", "64 KiB exactly: accepted", ENVELOPE, (issued(bent="64 KiB"), Stands("valid"))),
    first("event/unknown-type", "未知事件类型", "An unknown type", UNREADABLE, "400 unknown-type", members={"type": "certmark.certificate.blessed.v1"}),
    first("event/version-2", "未知的类型版本", "A version of a type that is not there", UNREADABLE, "400 unknown-type", members={"type": "certmark.certificate.issued.v2"}),
    first("event/unknown-member", "信封有未知成员", "An unknown member of the envelope", ENVELOPE, "400 bad-event", members={"colour": "red"}),
    first("event/specversion", "specversion 错误", "Another specversion", ENVELOPE, "400 bad-event", members={"specversion": "0.3"}),
    first("event/id-missing", "缺少 id", "No id", ENVELOPE, "400 bad-event", members={"id": ABSENT}),
    first("event/id-upper-case", "UUID 用大写", "An upper-case UUID", ENVELOPE, "400 bad-event", members={"id": "6F0C9A2E-0000-4000-8000-0123456789AB"}),
    first("event/id-no-uuid", "id 不是 UUID", "An id that is no UUID", ENVELOPE, "400 bad-event", members={"id": "42"}),
    first("event/time-without-zone", "时间没有时区", "A time without zone", ENVELOPE, "400 bad-event", members={"time": "2026-11-22T09:00:00"}),
    first("event/time-impossible", "不存在的时间", "An instant that does not exist", ENVELOPE, "400 bad-event", members={"time": "2026-02-30T09:00:00+08:00"}),
    first("event/signatory-missing", "缺少签署人编号", "No signatory", ENVELOPE, "400 bad-event", members={"signatory": ABSENT}),
    first("event/signatory-name", "签署人写了姓名", "A signatory by name", ENVELOPE, "400 bad-event", members={"signatory": "张三"}),
    first("event/data-text", "data 不是对象", "data that is no object", ENVELOPE, "400 bad-event", members={"data": "x"}),
    first("event/contenttype", "datacontenttype 不是 JSON", "A datacontenttype that is not JSON", ENVELOPE, "400 bad-event", members={"datacontenttype": "text/xml"}),
    first("event/number-malformed", "证书编号不成形", "A number that is none", UNREADABLE, "400 bad-event", members={"subject": "??"}),
    first("data/unknown-member", "data 有未知成员", "An unknown member of data", UNREADABLE, "400 bad-event", data={"colour": "red"}),
    first("data/missing-member", "data 缺少必填成员", "A member of data is missing", UNREADABLE, "400 bad-event", data={"approver": ABSENT}),
    first("data/bad-date", "不存在的日期", "A day that does not exist", UNREADABLE, "400 bad-event", data={"issued_on": "2026-02-30"}),
    first("data/instant-for-date", "日期写成了时间", "An instant where a date belongs", UNREADABLE, "400 bad-event", data={"issued_on": "2026-11-22T00:00:00+08:00"}),
    first("data/number-as-text", "数字写成文本", "A number as a text", UNREADABLE, "400 bad-event", data={"headcount": "12"}),
    first("data/uscc", "统一社会信用代码校验位错误", "A credit code with a wrong check character", UNREADABLE, "400 bad-event", data={"holder": {"name": "符合性测试企业(虚构)", "uscc": "91310115MAXX001110"}}),
    first("data/gtin", "GTIN 校验位错误", "A GTIN with a wrong check digit", UNREADABLE, "400 bad-event", data={"product": {"name": "符合性测试产品", "items": [{"model": "CF-1", "gtin": "06909900123000"}]}}),
    Case("data/null", "空值可写 null", "A member that is null may be there", ENVELOPE, (issued(data={"grade": None, "parent_no": None}), Stands("valid"))),
)

_REQUESTS = (
    Case("http/bad-line", "多行请求中一行有错，其余照常", "One bad line among good ones: the good ones count", PUBLISH, (issued(), issued("400 bad-number", about="B", data={"headcount": 2**53}), issued(about="C"), suspended()), together=True),
    Case("http/quoted-lines", "每行写成 JSON 字符串", "Each line as a JSON text", PUBLISH, (issued(), issued("401 bad-signature", about="B", bent="flipped"), suspended()), together=True, quoted=True),
    Case("http/1001-lines", "超过 1,000 行", "More than 1,000 lines", PUBLISH, (Request("413 too-large", body=b"x\n" * 1001, content_type="application/x-ndjson"),)),
    Case("http/8-mib", "超过 8 MiB", "More than 8 MiB", PUBLISH, (Request("413 too-large", body=b"x" * (8 * 1024 * 1024 + 1), content_type="application/x-ndjson"),)),
    Case("http/content-type", "内容类型错误", "Another content type", PUBLISH, (Request("415 unsupported-media-type", body=b"{}", content_type="application/json"),)),
    Case("http/encoded", "压缩的请求体", "A compressed body", PUBLISH, (Request("415 unsupported-media-type", body=b"x", encoding="gzip"),)),
    Case("http/empty", "空请求体", "An empty body", PUBLISH, (Request("400 not-an-envelope", body=b""),)),
    Case("http/no-lines", "没有任何一行", "No line at all", PUBLISH, (Request("400 bad-request", body=b"\n\n", content_type="application/x-ndjson"),)),
    Case("http/not-a-jws", "一段文字", "Some words", PUBLISH, (Request("400 not-an-envelope", body=b"hello, register"),)),
    Case("http/get", "用 GET 提交", "By GET", PUBLISH, (Request("405 method-not-allowed", method="GET"),)),
    Case("http/decision-unknown", "从未见过的摘要", "A digest that was never seen", DECISION, (Request("404 not-found", method="GET", path=f"/v1/decisions/{NOBODYS}", service="registry"),)),
    Case("http/decision-malformed", "不是摘要", "What is no digest", DECISION, (Request("400 bad-request", method="GET", path="/v1/decisions/xyz", service="registry"),)),
    Case("http/heads-of-nobody", "查询链头时未写来源和对象", "Heads without source and subject", CHAIN, (Request("400 bad-request", method="GET", path="/v1/heads", service="registry"),)),
)

_ISSUES = (
    second("issue/number-taken", "证书编号已被使用", "The number is taken", NOT_ALLOWED, issued("refused:number-taken"), Stands("valid")),
    second("issue/number-taken-by-another", "其他机构使用同一编号", "Another body uses the number", NOT_ALLOWED, issued("refused:number-taken", by="other")),
    first("issue/unknown-scheme", "未知认证制度", "An unknown scheme", NOT_ALLOWED, "refused:unknown-scheme", data={"scheme": "no-such-scheme"}),
    first("issue/before-the-scheme", "制度生效之前", "Before the scheme was in force", NOT_ALLOWED, "refused:unknown-scheme", data={"effective_at": "1999-12-31", "issued_on": "1999-12-31"}),
    Case("issue/out-of-competence", "超出批准范围", "Outside of what the body is approved for", NOT_ALLOWED, (issued("refused:not-competent"),), "foreign"),
    first("issue/by-authority", "监管机关发证", "Issued by an authority", NOT_ALLOWED, "refused:not-responsible", by="authority"),
    first("issue/by-alliance", "联盟发证", "Issued by an alliance", NOT_ALLOWED, "refused:not-responsible", by="alliance"),
    first("issue/required", "缺少制度要求的内容", "Without what the scheme requires", NOT_ALLOWED, "refused:missing-field", "qms", data={"headcount": ABSENT}),
    first("issue/number-pattern", "编号不合制度规则", "A number that is not the scheme's", NOT_ALLOWED, "refused:scheme-rule", "ccc", about="CF-{A}"),
    first("issue/too-long", "有效期超过制度上限", "Valid for longer than the scheme allows", NOT_ALLOWED, "refused:scheme-rule", "qms", data={"valid_until": "+1200d"}),
    first("issue/ends-before-it-begins", "有效期止早于起", "Valid until a day before it begins", NOT_ALLOWED, "refused:bad-dates", data={"valid_until": "-1d"}),
    first("issue/first-after", "首次发证日晚于发证日", "First issued after it was issued", NOT_ALLOWED, "refused:bad-dates", data={"first_issued_on": "+1d"}),
    first("issue/tomorrow", "发证日在未来", "Issued tomorrow", NOT_ALLOWED, "refused:bad-dates", data={"issued_on": "+1d"}),
    first("issue/31-days-ahead", "生效日超前 31 天", "Takes effect 31 days ahead", NOT_ALLOWED, "refused:bad-dates", data={"effective_at": "+31d", "valid_from": "+31d"}),
    Case("issue/30-days-ahead", "生效日超前 30 天：接受", "Takes effect 30 days ahead: accepted", LIFE, (issued(data={"effective_at": "+30d", "valid_from": "+30d"}), Stands("not_yet_valid"))),
    first("issue/declaration-scheme", "以自我声明制度发证", "A certificate under a scheme of declarations", NOT_ALLOWED, "refused:scheme-rule", data={"scheme": "ccc-sdoc"}),
    Case("declare/made", "自我声明，随后撤回", "A declaration is made and withdrawn", LIFE, (Say("declaration.made", by="declarant"), Stands("valid"), Say("declaration.withdrawn", by="declarant"), Stands("cancelled")), "ccc-sdoc"),
    Case("declare/for-another", "为他人声明", "A declaration for another", NOT_ALLOWED, (Say("declaration.made", "refused:not-responsible", by="declarant", data={"holder": {"name": "符合性测试企业(虚构)", "uscc": "91310115MAXX001114"}}),), "ccc-sdoc"),
    Case("declare/by-body", "认证机构作自我声明", "A declaration by a body", NOT_ALLOWED, (Say("declaration.made", "refused:not-responsible", data={"holder": {"name": "符合性测试企业(虚构)"}}),)),
)

_LIFE = (
    Case("life/unknown-certificate", "证书不存在", "No such certificate", NOT_ALLOWED, (suspended("refused:unknown-certificate"),)),
    second("life/suspended", "暂停再恢复", "Suspended and resumed", LIFE, suspended(), Stands("suspended"), resumed(), Stands("valid")),
    second("life/revoked", "撤销", "Revoked", LIFE, revoked(), Stands("revoked")),
    second("life/cancelled", "注销", "Cancelled", LIFE, Say("certificate.cancelled"), Stands("cancelled")),
    second("life/surveillance", "通过监督", "Surveillance passed", LIFE, Say("certificate.surveillance_passed"), Stands("valid")),
    second("life/amended", "变更", "Amended", LIFE, amended(), Stands("valid")),
    second("life/reason-missing", "缺少原因代码", "No reason code", UNREADABLE, suspended("400 bad-event", data={"reason": ABSENT}), suspended()),
    second("life/reason-of-another-kind", "撤销使用暂停的原因代码", "A reason to suspend given to revoke", NOT_ALLOWED, revoked("refused:unknown-reason", data={"reason": "S03"}), Stands("valid")),
    second("life/reason-unlisted", "未列出的原因代码", "A reason that is not on the list", NOT_ALLOWED, suspended("refused:unknown-reason", data={"reason": "S99"})),
    second("life/until-missing", "暂停缺少期限", "A suspension without end", UNREADABLE, suspended("400 bad-event", data={"until": ABSENT})),
    second("life/until-before", "暂停期限早于开始", "A suspension that ends before it begins", NOT_ALLOWED, suspended("refused:bad-dates", data={"until": "-1d"})),
    second("life/suspended-too-long", "暂停超过制度上限", "Suspended for longer than the scheme allows", NOT_ALLOWED, suspended("refused:scheme-rule", data={"until": "+6m"}), scheme="qms"),
    second("life/required-emptied", "变更去掉制度要求的内容", "An amendment takes away what the scheme requires", NOT_ALLOWED, amended("refused:missing-field", data={"fields": {"headcount": None}}), Stands("valid"), scheme="qms"),
    second("life/surveillance-put-off", "下次监督晚于制度间隔", "The next surveillance later than the scheme's interval", NOT_ALLOWED, Say("certificate.surveillance_passed", "refused:scheme-rule", data={"next_due": "+800d"}), Stands("valid"), scheme="qms"),
    second("life/determined-after", "认定日晚于生效日", "Determined after it took effect", NOT_ALLOWED, suspended("refused:bad-dates", data={"determined_on": "+1d"})),
    second("life/backdated", "早于上一状态", "Before the last status event", NOT_ALLOWED, suspended("refused:bad-dates", data={"effective_at": "-1d"}), Stands("valid")),
    second("life/31-days-ahead", "生效日超前 31 天", "Takes effect 31 days ahead", NOT_ALLOWED, suspended("refused:bad-dates", data={"effective_at": "+31d", "until": "+60d"})),
    second("life/not-verified", "恢复未写验证日", "Resumed without verified_on", UNREADABLE, suspended(), resumed("400 bad-event", data={"verified_on": ABSENT})),
    second("life/changes-nothing", "变更没有变化", "An amendment that changes nothing", NOT_ALLOWED, amended("refused:nothing-to-change", data={"fields": {}})),
    second("life/not-covered", "移除未覆盖的型号", "A model removed that is not covered", NOT_ALLOWED, amended("refused:nothing-to-change", data={"fields": ABSENT, "items": [{"op": "removed", "model": "CF-9"}]}), scheme="ccc"),
    second("life/last-model", "移除最后一个型号", "The last model removed", NOT_ALLOWED, amended("refused:scheme-rule", data={"fields": ABSENT, "items": [{"op": "removed", "model": "CF-1"}, {"op": "removed", "model": "CF-2"}]}), scheme="ccc"),
    Case(
        "life/expired",
        "过期的证书不能暂停，可以撤销",
        "An expired certificate cannot be suspended, but revoked",
        LIFE,
        (issued(data={"effective_at": "-300d", "issued_on": "-300d", "valid_from": "-300d", "valid_until": "-1d"}), Stands("expired"), suspended("refused:transition-not-allowed"), revoked(), Stands("revoked")),
    ),
)

_VERBS = {Verb.SUSPEND: ("暂停", "be suspended"), Verb.RESUME: ("恢复", "be resumed"), Verb.REVOKE: ("撤销", "be revoked"), Verb.CANCEL: ("注销", "be cancelled"), Verb.AMEND: ("变更", "be amended"), Verb.PASS_SURVEILLANCE: ("通过监督", "pass surveillance"), Verb.RENEW: ("换证", "be renewed")}
_FINAL = tuple(_VERBS)
_STATUSES: tuple[tuple[str, str, tuple[Say, ...], tuple[Verb, ...]], ...] = (("active", "有效", (), (Verb.RESUME,)), ("suspended", "已暂停", (suspended(),), (Verb.SUSPEND, Verb.RENEW)), ("revoked", "已撤销", (revoked(),), _FINAL), ("cancelled", "已注销", (Say("certificate.cancelled"),), _FINAL))
_TRANSITIONS = tuple(
    Case(f"life/{status}-{verb.value.replace('_', '-')}", f"{zh}的证书：不能{_VERBS[verb][0]}", f"{status.capitalize()}: cannot {_VERBS[verb][1]}", LIFE, (issued(), *before, Say(f"certificate.{verb.value}", "refused:transition-not-allowed"))) for status, zh, before, verbs in _STATUSES for verb in verbs
)
"""Each status with verbs that it does not take; revoked and cancelled are final."""

_MARKS = (
    Case("mark/authorized", "联盟授权标志，随后收回", "The alliance authorizes a mark and withdraws it", LIFE, (issued(), authorized(), Say("mark.withdrawn", by="alliance"), Stands("valid")), "shanghai-brand"),
    Case("mark/by-body", "由机构授权联盟的标志", "A body authorizes the alliance's mark", NOT_ALLOWED, (issued(), authorized("refused:not-responsible", by="body")), "shanghai-brand"),
    Case("mark/not-a-member", "机构当时不是联盟成员", "The body is no member of the alliance on that day", NOT_ALLOWED, (issued(), authorized("refused:not-competent", data={"effective_at": "2017-01-01"})), "shanghai-brand"),
    Case("mark/another-mark", "制度没有该标志", "A mark that is not the scheme's", NOT_ALLOWED, (issued(), authorized("refused:scheme-rule", data={"mark": "ccc"})), "shanghai-brand"),
    Case("mark/family", "没有该家族标志", "A family that the mark does not have", NOT_ALLOWED, (issued(), authorized("refused:scheme-rule", data={"family": "上海未知"})), "shanghai-brand"),
    Case("mark/not-covered", "证书未覆盖该产品", "A product that the certificate does not cover", NOT_ALLOWED, (issued(), authorized("refused:scheme-rule", data={"products": [{"model": "CF-9"}]})), "shanghai-brand"),
    Case("mark/no-products", "未写产品", "No products", NOT_ALLOWED, (issued(), authorized("refused:scheme-rule", data={"products": []})), "shanghai-brand"),
    Case("mark/number-taken", "标志编号已被使用", "The mark's number is taken", NOT_ALLOWED, (issued(), authorized(), issued(about="B"), authorized("refused:number-taken", about="B", data={"mark_no": "M-{A}"})), "shanghai-brand"),
    Case("mark/number-of-a-certificate", "标志编号是一张证书的编号", "A mark's number that is a certificate's", NOT_ALLOWED, (issued(), authorized("refused:number-taken", data={"mark_no": "{A}"})), "shanghai-brand"),
    Case("mark/outlives", "标志有效期长于证书", "A mark that outlives its certificate", NOT_ALLOWED, (issued(), authorized("refused:bad-dates", data={"valid_until": "+301d"})), "shanghai-brand"),
    Case("mark/suspended", "暂停的证书不能授权标志", "A mark on a suspended certificate", NOT_ALLOWED, (issued(), suspended(), authorized("refused:transition-not-allowed")), "shanghai-brand"),
    Case("mark/no-certificate", "证书不存在", "A mark on no certificate", NOT_ALLOWED, (authorized("refused:unknown-certificate"),), "shanghai-brand"),
    Case("mark/unknown", "标志不存在", "No such mark", NOT_ALLOWED, (issued(), Say("mark.withdrawn", "refused:unknown-mark", by="alliance")), "shanghai-brand"),
    Case("mark/withdrawn-twice", "重复收回", "Withdrawn twice", NOT_ALLOWED, (issued(), authorized(), Say("mark.withdrawn", by="alliance"), Say("mark.withdrawn", "refused:transition-not-allowed", by="alliance")), "shanghai-brand"),
    Case("mark/codes", "登记一批标志码", "A set of unit codes", LIFE, (issued(), authorized(), Say("mark.codes_issued", by="alliance")), "shanghai-brand"),
    Case("mark/code-voided", "作废一个标志码", "One unit's code counts no more", LIFE, (issued(), authorized(), Say("mark.code_voided", by="alliance")), "shanghai-brand"),
    Case("mark/code-voided-twice", "重复作废标志码", "A code is voided twice", NOT_ALLOWED, (issued(), authorized(), Say("mark.code_voided", by="alliance"), Say("mark.code_voided", "refused:nothing-to-change", by="alliance")), "shanghai-brand"),
    Case("mark/codes-twice", "重复登记同一批标志码", "The same set of unit codes twice", NOT_ALLOWED, (issued(), authorized(), Say("mark.codes_issued", by="alliance"), Say("mark.codes_issued", "refused:codes-taken", by="alliance")), "shanghai-brand"),
    Case("mark/codes-of-none", "为不存在的标志登记标志码", "Unit codes of a mark that is not there", NOT_ALLOWED, (issued(), Say("mark.codes_issued", "refused:unknown-mark", by="alliance")), "shanghai-brand"),
    Case("mark/by-its-body", "由机构授权制度的标志", "The body authorizes the scheme's mark", LIFE, (issued(), Say("mark.authorized", data={"route": 1, "attributes": [{"name": "符合性测试", "value": 1}]})), "green-product"),
    Case("mark/implied", "证书自带的标志不另行授权", "A mark that the certificate implies is not authorized apart", NOT_ALLOWED, (issued(), Say("mark.authorized", "refused:not-responsible")), "ccc"),
)

_AUTHORITY = (
    Case("authority/approval-by-body", "机构批准机构", "A body approves a body", NOT_ALLOWED, (Say("body.approved", "refused:not-responsible", about="{body}"),)),
    Case("authority/approved-already", "机构已获批准", "The body is approved already", NOT_ALLOWED, (Say("body.approved", "refused:transition-not-allowed", by="authority", about="{body}"),)),
    Case("authority/unknown-body", "处理不存在的机构", "A body that is not there is disqualified", NOT_ALLOWED, (Say("body.disqualified", "refused:unknown-subject", by="authority", about="CNCA-R-1900-0000"),)),
    Case("authority/unknown-alliance", "向不存在的联盟接纳成员", "A member of an alliance that is not there", NOT_ALLOWED, (Say("alliance.member_admitted", "refused:unknown-subject", by="authority", about="no-such-alliance"),)),
    Case("authority/old-version", "发布制度的旧版本", "An old version of a scheme", NOT_ALLOWED, (Say("scheme.published", "refused:bad-dates", by="authority", about="qms"),)),
    Case("authority/established-already", "机关已设立", "The authority is established already", NOT_ALLOWED, (Say("authority.established", "refused:number-taken", by="authority", about="{authority}", data={"key": "{jwk:ed1}"}),)),
)

_LATER = (
    Case("renew/renewed", "到期前换证", "Renewed before its end", RENEWAL, (issued(), Say("certificate.renewed"), Stands("valid"))),
    Case("renew/not-longer", "换证后的期限不晚于原期限", "Renewed to no later day", RENEWAL, (issued(), Say("certificate.renewed", "refused:bad-dates", data={"valid_until": "+300d"}))),
    Case(
        "renew/expired",
        "已过期且超过宽限，不能换证",
        "Expired, and past its grace: not renewed",
        LIFE,
        (issued(data={"effective_at": "-300d", "issued_on": "-300d", "valid_from": "-300d", "valid_until": "-1d"}), Say("certificate.renewed", "refused:transition-not-allowed", data={"valid_until": "+60d"}), Stands("expired")),
        "qms",
    ),
    Case("correct/corrected", "更正有效期止", "The end of validity corrected", CORRECTIONS, (issued(), Say("certificate.corrected"), Stands("valid"))),
    Case("correct/unknown", "更正不存在的事件", "A correction of no event", CORRECTIONS, (issued(), Say("certificate.corrected", "refused:bad-correction", data={"of": NOBODYS}))),
    Case("correct/foreign", "更正其他机构的事件", "A correction of another body's event", CORRECTIONS, (issued(), Say("certificate.corrected", "refused:bad-correction", by="other"), Stands("valid"))),
    Case("correct/another-certificate", "更正另一张证书的事件", "A correction of an event about another certificate", CORRECTIONS, (issued(), issued(about="B"), Say("certificate.corrected", "refused:bad-correction", about="B"))),
    Case("correct/impossible", "更正后不再成立", "A correction by which it could not have been issued", CORRECTIONS, (issued(), Say("certificate.corrected", "refused:bad-correction", data={"fields": {"valid_until": "-1d"}}), Stands("valid"))),
    Case("correct/scheme", "更正认证制度", "A correction of the scheme", CORRECTIONS, (issued(), Say("certificate.corrected", "refused:bad-correction", data={"fields": {"scheme": "ems"}}))),
    Case("transfer/received", "转换并接收：此后由接收机构负责", "Transferred and received: the receiver answers from then on", RENEWAL, (issued(), Say("certificate.transferred"), Say("certificate.received", by="receiver"), Stands("valid"), suspended("refused:not-responsible"), suspended(by="receiver")), "ccc"),
    Case("transfer/not-yet-received", "接收之前仍由原机构负责", "Until it is received the giver answers", RENEWAL, (issued(), Say("certificate.transferred"), suspended("refused:not-responsible", by="receiver"), suspended()), "ccc"),
    Case("transfer/uninvited", "接收未转出的证书", "Received without having been given", RENEWAL, (issued(), Say("certificate.received", "refused:transition-not-allowed", by="receiver", data={"of": "{0}"}), Stands("valid")), "ccc"),
    Case("transfer/unknown-body", "转给不存在的机构", "Given to a body that is not there", RENEWAL, (issued(), Say("certificate.transferred", "refused:unknown-subject", data={"to": "CNCA-R-1900-0000"}))),
    Case("transfer/to-itself", "转给自己", "Given to itself", RENEWAL, (issued(), Say("certificate.transferred", "refused:nothing-to-change", data={"to": "{body}"}))),
    Case("supersede/superseded", "由新证书取代", "Superseded by a new certificate", RENEWAL, (issued(), issued(about="B"), Say("certificate.superseded"), Stands("superseded"), Stands("valid", about="B"))),
    Case("supersede/unknown", "取代它的证书不存在", "Superseded by none", RENEWAL, (issued(), Say("certificate.superseded", "refused:unknown-certificate"), Stands("valid"))),
    Case("supersede/itself", "自己取代自己", "Superseded by itself", RENEWAL, (issued(), Say("certificate.superseded", "refused:scheme-rule", data={"by": "{A}"}))),
    Case("part/suspended", "只暂停一个型号：证书仍有效", "One model suspended: the certificate stays valid", PARTS, (issued(), suspended(data={"items": [{"model": "CF-1"}]}), Stands("valid")), "ccc"),
    Case("part/not-covered", "暂停未覆盖的型号", "A model suspended that is not covered", PARTS, (issued(), suspended("refused:nothing-to-change", data={"items": [{"model": "CF-9"}]})), "ccc"),
    Case("part/twice", "重复暂停同一型号", "One model suspended twice", PARTS, (issued(), suspended(data={"items": [{"model": "CF-1"}]}), suspended("refused:transition-not-allowed", data={"items": [{"model": "CF-1"}]})), "ccc"),
    Case("mark/suspended-and-resumed", "标志暂停后恢复", "A mark suspended and resumed", LIFE, (issued(), authorized(), Say("mark.suspended", by="alliance"), Say("mark.resumed", by="alliance"), Stands("valid")), "shanghai-brand"),
    Case("mark/resumed-active", "恢复未暂停的标志", "A mark resumed that was not suspended", NOT_ALLOWED, (issued(), authorized(), Say("mark.resumed", "refused:transition-not-allowed", by="alliance")), "shanghai-brand"),
    Case("mark/route", "缺少制度要求的标识路线", "Without the route that the scheme requires", NOT_ALLOWED, (issued(), Say("mark.authorized", "refused:scheme-rule", data={"attributes": [{"name": "符合性测试", "value": 1}]})), "green-product"),
    Case("issue/approver", "批准人与签署人相同", "Approved by who signs", NOT_ALLOWED, (issued("refused:scheme-rule", data={"approver": "CF-0042"}), issued()), "qms"),
    Case("issue/class", "编号中的类别与产品不符", "A number that tells another class than the product's", NOT_ALLOWED, (issued("refused:scheme-rule", data={"product": {"name": "符合性测试产品", "class": "0201", "items": [{"model": "CF-1"}]}}), issued()), "ccc"),
    Case("authority/suspension-by-body", "机构暂停机构", "A body suspends a body", NOT_ALLOWED, (Say("body.suspended", "refused:not-responsible", about="{body}"),)),
    Case("authority/unknown-body-suspended", "暂停不存在的机构", "A body that is not there is suspended", NOT_ALLOWED, (Say("body.suspended", "refused:unknown-subject", by="authority", about="CNCA-R-1900-0000"),)),
    Case("authority/unknown-catalogue", "目录不存在", "A class leaves a catalogue that is not there", NOT_ALLOWED, (Say("catalogue.class_removed", "refused:unknown-subject", by="authority", about="no-such-catalogue"),)),
    Case("authority/unknown-class", "目录中没有该类别", "A class leaves that is not in the catalogue", NOT_ALLOWED, (Say("catalogue.class_removed", "refused:unknown-subject", by="authority", about="ccc"),)),
    Case("authority/same-mode", "类别已是该实施方式", "A class changes to the mode that it has", NOT_ALLOWED, (Say("catalogue.class_mode_changed", "refused:transition-not-allowed", by="authority", about="ccc"),)),
    Case("authority/calendar-of-another-year", "日历中的日期不在该年", "Days that do not lie in the calendar's year", NOT_ALLOWED, (Say("calendar.published", "refused:bad-dates", by="authority", about="2019"),)),
    Case("annul/suspension", "撤销一个暂停决定：如同从未作出", "A suspension annulled counts as never said", ANNULMENT, (issued(), suspended(), Stands("suspended"), Say("decision.annulled", by="authority", about="{1}"), Stands("valid"))),
    Case("annul/annulment", "撤销一个撤销决定：原决定重新有效", "An annulment annulled: what it annulled counts again", ANNULMENT, (issued(), suspended(), Say("decision.annulled", by="authority", about="{1}"), Stands("valid"), Say("decision.annulled", by="authority", about="{2}"), Stands("suspended"))),
    Case("annul/unknown", "撤销不存在的决定", "Nothing to annul", ANNULMENT, (Say("decision.annulled", "refused:unknown-subject", by="authority", about="f" * 64),)),
    Case("annul/by-body", "机构撤销决定", "A body annuls", ANNULMENT, (issued(), suspended(), Say("decision.annulled", "refused:not-responsible", about="{1}"), Stands("suspended"))),
    Case("quarantine/dismissed", "隔离的事件由机关处置", "An authority dismisses what is in quarantine", DECISION, (issued(), suspended("quarantined:id-conflict", members={"id": "{id of 0}"}), Say("quarantine.resolved", by="authority", about="{1}"), Stands("valid"))),
    Case("quarantine/unknown", "处置未被隔离的事件", "Nothing in quarantine by that digest", DECISION, (Say("quarantine.resolved", "refused:unknown-subject", by="authority", about="f" * 64),)),
)

CASES: tuple[Case, ...] = (*_CHAINS, *_KEYS, *_FORMS, *_REQUESTS, *_ISSUES, *_LIFE, *_TRANSITIONS, *_MARKS, *_AUTHORITY, *_LATER)
