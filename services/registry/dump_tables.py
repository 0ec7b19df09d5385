"""The tables of open data: their columns, what each means, and how a row is read off a state or an entry."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from services.domain.identifiers import instant_text

Row = list[Any]
State = Mapping[str, Any]


class Kind(StrEnum):
    """What a cell holds. In a `Row`: text, int, bool, ISO date as text, RFC 3339 instant as text, any JSON value."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where it stands in the source of a row (`path`, member by member), its meaning in both languages."""

    name: str
    kind: Kind
    zh: str
    en: str
    path: tuple[str, ...]

    def of(self, source: State) -> Any:
        """The cell; null where the source, or a member on the way, has none."""
        found: Any = source
        for member in self.path:
            if found is None:
                return None
            found = found.get(member)
        return found


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `subject` is the column by which an increment replaces rows: all that have the same value there."""

    name: str
    zh: str
    en: str
    subject: str
    columns: tuple[Column, ...]

    def row(self, source: State) -> Row:
        return [column.of(source) for column in self.columns]


def _column(name: str, kind: Kind, zh: str, en: str, path: str | None = None) -> Column:
    return Column(name, kind, zh, en, tuple((path or name).split(".")))


_SEQ = _column("seq", Kind.INTEGER, "最后改变本行的条目编号", "number of the entry that last changed the row")
_RECORDED_AT = _column(
    "recorded_at", Kind.INSTANT, "该条目的决定时间（UTC）", "when that entry was decided, in UTC with milliseconds"
)

CERTIFICATES = Table(
    "certificates",
    "证书与自我声明，每份一行",
    "certificates and self-declarations, one row each",
    "certificate_no",
    (
        _column("certificate_no", Kind.TEXT, "证书或声明编号（规范写法）", "number of the certificate or declaration"),
        _column("declaration", Kind.BOOLEAN, "是否为自我声明", "whether it is a self-declaration"),
        _column("scheme", Kind.TEXT, "认证制度代号", "id of the scheme"),
        _column("scheme_version", Kind.INTEGER, "适用的认证制度版本", "version of the scheme's rules that applies"),
        _column("responsible", Kind.TEXT, "负责方（URN）", "who answers for it, as a URN"),
        _column(
            "body", Kind.TEXT, "认证机构批准号；自我声明为空", "approval number of the body; none on a declaration"
        ),
        _column("certification_mode", Kind.TEXT, "认证模式", "mode of certification"),
        _column("basis", Kind.JSON, "认证依据：标准与版本", "basis: standards with their editions"),
        _column("holder_name", Kind.TEXT, "获证组织名称", "holder: name of the organisation", "holder.name"),
        _column(
            "holder_uscc",
            Kind.TEXT,
            "获证组织统一社会信用代码",
            "holder: unified social credit code",
            "holder.uscc",
        ),
        _column(
            "holder_region",
            Kind.TEXT,
            "获证组织行政区划（GB/T 2260）",
            "holder: administrative division (GB/T 2260)",
            "holder.region",
        ),
        _column("holder_address", Kind.TEXT, "获证组织地址", "holder: address", "holder.address"),
        _column("manufacturer_name", Kind.TEXT, "制造商名称", "manufacturer: name", "manufacturer.name"),
        _column("manufacturer_address", Kind.TEXT, "制造商地址", "manufacturer: address", "manufacturer.address"),
        _column("factory_name", Kind.TEXT, "生产厂名称", "factory: name", "factory.name"),
        _column("factory_address", Kind.TEXT, "生产厂地址", "factory: address", "factory.address"),
        _column("product_name", Kind.TEXT, "产品名称", "name of the product", "product.name"),
        _column("product_class", Kind.TEXT, "产品类别", "class of the product", "product.class"),
        _column("trademark", Kind.TEXT, "商标", "trademark", "product.trademark"),
        _column("items", Kind.JSON, "覆盖的型号及GTIN", "models covered, with their GTINs", "product.items"),
        _column("service_scope", Kind.TEXT, "体系或服务覆盖的业务范围", "scope of the service or system"),
        _column("sites", Kind.JSON, "覆盖的场所", "places covered"),
        _column("first_issued_on", Kind.DATE, "首次发证日期", "first issued on"),
        _column("issued_on", Kind.DATE, "本次发证日期", "issued on"),
        _column("valid_from", Kind.DATE, "有效期起", "valid from"),
        _column("valid_until", Kind.DATE, "有效期至（含当日）", "valid until, that day included"),
        _column("surveillance_due", Kind.DATE, "下次监督到期日", "next surveillance due on"),
        _column("surveillances", Kind.JSON, "已通过监督的日期", "days on which surveillance was passed"),
        _column("parent_no", Kind.TEXT, "所属主证书编号", "number of the certificate that it is part of"),
        _column("supersedes", Kind.TEXT, "所替代的证书编号", "number of the certificate that it replaces"),
        _column("superseded_by", Kind.TEXT, "替代它的证书编号", "number of the certificate that replaces it"),
        _column("accreditation", Kind.TEXT, "认可信息", "accreditation"),
        _column("grade", Kind.TEXT, "等级", "grade"),
        _column("organic", Kind.JSON, "有机：基地、产量、是否转换", "organic: bases, output, in conversion or not"),
        _column("green", Kind.JSON, "绿色产品：路径与属性", "green product: route and attributes"),
        _column(
            "status",
            Kind.TEXT,
            "最后宣布的状态（过期不是状态，须按日期计算）",
            "what was last declared; expiry is no status and follows from the day asked for",
        ),
        _column("statuses", Kind.JSON, "各状态及其起始日期、原因", "every status with its first day and reason"),
        _column("periods", Kind.JSON, "历次有效期", "periods of validity"),
        _column(
            "parts", Kind.JSON, "单独有状态的型号、场所或依据", "models, sites and standards with a status of their own"
        ),
        _column("transfer", Kind.JSON, "尚未完成的转移", "a transfer to another body that is not yet complete"),
        _column("flags", Kind.JSON, "提示（如签名密钥已泄露）", "doubts, such as a signing key that was compromised"),
        _column("annulled", Kind.JSON, "已被撤销的决定（事件摘要）", "annulled decisions, by their events' digests"),
        _column("corrected", Kind.JSON, "已被更正的事件", "corrected events, each with what put it right"),
        _SEQ,
        _RECORDED_AT,
    ),
)
NOT_PUBLISHED = ("v", "kind", "approver", "audit_refs", "headcount", "marks")
"""Members of a certificate's state that are no column: staff and audits are for supervision, marks a table."""

MARKS = Table(
    "marks",
    "标志使用授权，每项一行",
    "mark authorizations, one row each",
    "certificate_no",
    (
        _column("mark_no", Kind.TEXT, "标志授权编号", "number of the authorization"),
        _column("certificate_no", Kind.TEXT, "所依据的证书编号", "number of the certificate that it rests on"),
        _column("scheme", Kind.TEXT, "认证制度代号", "id of the scheme"),
        _column("mark", Kind.TEXT, "标志代号", "id of the mark", "of.mark"),
        _column("family", Kind.TEXT, "家族标志", "family mark", "of.family"),
        _column("authorized_by", Kind.TEXT, "授权方（URN）", "who authorized it, as a URN", "of.authorized_by"),
        _column("products", Kind.JSON, "可使用标志的型号及GTIN", "models that may bear it, with GTINs", "of.products"),
        _column("media", Kind.JSON, "使用介质", "where it may be shown", "of.media"),
        _column("quantity", Kind.INTEGER, "授权数量", "how many may be made", "of.quantity"),
        _column("route", Kind.INTEGER, "绿色产品标识路径", "route of the green product label", "of.route"),
        _column("attributes", Kind.JSON, "评价属性", "attributes assessed", "of.attributes"),
        _column("valid_from", Kind.DATE, "授权起", "valid from", "of.valid_from"),
        _column("valid_until", Kind.DATE, "授权至（含当日）", "valid until, that day included", "of.valid_until"),
        _column("status", Kind.TEXT, "最后宣布的状态", "what was last declared of the mark alone", "of.status"),
        _column(
            "statuses",
            Kind.JSON,
            "各状态及其起始日期、原因",
            "every status with its first day and reason",
            "of.statuses",
        ),
        _column("code_sets", Kind.JSON, "标志码批次（仅摘要）", "sets of unit codes, by digest alone", "of.code_sets"),
        _SEQ,
        _RECORDED_AT,
    ),
)

BODIES = Table(
    "bodies",
    "认证机构，每家一行",
    "certification bodies, one row each",
    "approval_no",
    (
        _column("approval_no", Kind.TEXT, "批准号", "approval number"),
        _column("name", Kind.TEXT, "机构名称", "name"),
        _column("schemes", Kind.JSON, "批准的认证制度及起止日期", "schemes that it is approved for, with dates"),
        _column("approved_from", Kind.DATE, "批准起", "approved from"),
        _column("approved_until", Kind.DATE, "批准至（含当日）", "approved until, that day included"),
        _column("status", Kind.TEXT, "最后宣布的状态", "what was last declared"),
        _column("statuses", Kind.JSON, "各状态及其起始日期", "every status with its first day"),
        _column("backfills", Kind.JSON, "历史补报窗口", "windows for reporting history"),
        _SEQ,
        _RECORDED_AT,
    ),
)

SCHEMES = Table(
    "schemes",
    "认证制度，每个版本一行",
    "schemes, one row for each version of the rules",
    "scheme",
    (
        _column("scheme", Kind.TEXT, "认证制度代号", "id of the scheme"),
        _column("version", Kind.INTEGER, "版本", "version", "of.version"),
        _column("effective_at", Kind.DATE, "生效日期", "in force from", "of.effective_at"),
        _column("name_zh", Kind.TEXT, "中文名称", "name in Chinese", "of.name.zh"),
        _column("name_en", Kind.TEXT, "英文名称", "name in English", "of.name.en"),
        _column("class", Kind.TEXT, "类别：product、service、system", "product, service or system", "of.class"),
        _column("mandatory", Kind.BOOLEAN, "是否强制", "whether it is compulsory", "of.mandatory"),
        _column("declaration", Kind.BOOLEAN, "是否为自我声明", "whether it is self-declared", "of.declaration"),
        _column("mark_authorizer", Kind.TEXT, "标志由谁授权", "who authorizes its mark", "of.mark_authorizer"),
        _column("mark", Kind.TEXT, "标志代号", "id of its mark", "of.mark.id"),
        _column(
            "complete",
            Kind.BOOLEAN,
            "本登记册是否收录全部证书（否则查无不能说明没有）",
            "whether the register holds all its certificates; else «not found» proves nothing",
            "of.coverage.complete",
        ),
        _column("rules", Kind.JSON, "该版本的全部规则", "all rules of the version", "of"),
        _SEQ,
        _RECORDED_AT,
    ),
)

RECALLS = Table(
    "recalls",
    "召回与暂停销售，每项一行，已结束的也在内",
    "recalls and stops of sale, one row each, closed ones included",
    "recall",
    (
        _column("recall", Kind.TEXT, "召回编号", "number of the recall", "id"),
        _column("certificate_no", Kind.TEXT, "所涉证书编号", "number of the certificate concerned"),
        _column("gtin", Kind.TEXT, "所涉商品条码", "bar code of the goods concerned"),
        _column("model", Kind.TEXT, "所涉型号；为空时为证书的全部型号", "model; none: all of the certificate"),
        _column("batches", Kind.JSON, "所涉批次；为空时为全部批次", "batches; none named: all of them"),
        _column("made_from", Kind.DATE, "生产日期起", "made from"),
        _column("made_until", Kind.DATE, "生产日期至（含当日）", "made until, that day included"),
        _column(
            "reason",
            Kind.TEXT,
            "原因：failed_check 抽查不合格、defect 缺陷、other 见公告",
            "why: failed_check, defect or other, which says see the notice",
        ),
        _column("instrument", Kind.TEXT, "公告文号", "the notice's number"),
        _column("text_zh", Kind.TEXT, "公告说明（中文）", "what the notice says, in Chinese", "text.zh"),
        _column("text_en", Kind.TEXT, "公告说明（英文）", "what the notice says, in English", "text.en"),
        _column("opened_on", Kind.DATE, "自此日起停止销售和使用", "not to be sold or used from this day on"),
        _column(
            "closed_on", Kind.DATE, "自此日起恢复；为空表示尚未结束", "lifted from this day on; none: it is still open"
        ),
        _column("closed_by", Kind.TEXT, "结束的公告文号", "number of the notice that closed it"),
        _column("note", Kind.TEXT, "结束说明", "what was said on closing it"),
        _column("digest", Kind.TEXT, "召回事件的摘要", "digest of the event that opened it"),
        _SEQ,
        _RECORDED_AT,
    ),
)

WARNINGS = Table(
    "warnings",
    "消费警示，每项一行，已撤回和已过期的也在内",
    "consumer alerts, one row each, withdrawn and past ones included",
    "warning",
    (
        _column("warning", Kind.TEXT, "警示编号", "number of the alert", "id"),
        _column(
            "level",
            Kind.TEXT,
            "级别：advice 提示、caution 警示、danger 严重警示",
            "how urgent: advice, caution or danger",
        ),
        _column("certificate_no", Kind.TEXT, "所涉证书编号", "number of the certificate concerned"),
        _column("scheme", Kind.TEXT, "所涉认证制度代号", "id of the scheme concerned"),
        _column("class", Kind.TEXT, "所涉产品类别", "class of products concerned"),
        _column("instrument", Kind.TEXT, "公告文号", "the notice's number"),
        _column("text_zh", Kind.TEXT, "警示内容（中文）", "what it says, in Chinese", "text.zh"),
        _column("text_en", Kind.TEXT, "警示内容（英文）", "what it says, in English", "text.en"),
        _column("issued_on", Kind.DATE, "显示起", "shown from"),
        _column("until", Kind.DATE, "显示至（含当日）", "shown until, that day included"),
        _column("withdrawn_on", Kind.DATE, "自此日起不再显示", "shown no longer from this day on"),
        _column("withdrawn_by", Kind.TEXT, "撤回的公告文号", "number of the notice that withdrew it"),
        _column("digest", Kind.TEXT, "警示事件的摘要", "digest of the event that issued it"),
        _SEQ,
        _RECORDED_AT,
    ),
)

ENTRIES = Table(
    "entries",
    "登记册的全部条目，包括被拒绝的",
    "every entry of the register, refused ones included",
    "seq",
    (
        _column("seq", Kind.INTEGER, "条目编号", "number of the entry"),
        _column("kind", Kind.TEXT, "条目种类", "kind of entry"),
        _column("type", Kind.TEXT, "事件类型", "type of the event"),
        _column("subject", Kind.TEXT, "所涉对象", "what it is about"),
        _column("source", Kind.TEXT, "来源（URN）", "who said it, as a URN"),
        _column("decision", Kind.TEXT, "决定：accepted 或 refused:<代码>", "accepted, or refused:<code>"),
        _column("effective_at", Kind.DATE, "事件所述生效日期", "takes effect on, as the event says"),
        _column("received_at", Kind.INSTANT, "进入日志的时间（UTC）", "when it was appended to the log, in UTC"),
        _column("recorded_at", Kind.INSTANT, "决定时间（UTC）", "when it was decided, in UTC"),
        _column("digest", Kind.TEXT, "事件或令牌的摘要", "digest of the event or token"),
        _column("state_digest", Kind.TEXT, "由此产生的状态的摘要", "digest of the state that it left"),
        _column("leaf", Kind.TEXT, "公开日志的叶，规范JSON原文", "the public log's leaf, canonical JSON as written"),
    ),
)
EVIDENCE = _column(
    "jws",
    Kind.TEXT,
    "事件签名原文（仅在要求时提供，含签发人的人员编号）",
    "the signed event as received, where asked for; it holds the staff number of who signed",
)
TABLES = (CERTIFICATES, MARKS, BODIES, SCHEMES, RECALLS, WARNINGS, ENTRIES)


def tables(*, evidence: bool) -> tuple[Table, ...]:
    """The tables of a dump; with evidence the entries carry the signed events."""
    if not evidence:
        return TABLES
    with_evidence = Table(ENTRIES.name, ENTRIES.zh, ENTRIES.en, ENTRIES.subject, (*ENTRIES.columns, EVIDENCE))
    return (*TABLES[:-1], with_evidence)


def rows_of_state(state: State, seq: int, recorded_at: datetime) -> Iterator[tuple[Table, Row]]:
    """What a state says to the tables; the states of keys, alliances and authorities say nothing."""
    told = {"seq": seq, "recorded_at": instant_text(recorded_at)}
    reader = _READERS.get(state["kind"])
    return reader(state, told) if reader else iter(())


def _of_certificate(state: State, told: State) -> Iterator[tuple[Table, Row]]:
    yield CERTIFICATES, CERTIFICATES.row({**state, **told})
    shared = {"certificate_no": state["certificate_no"], "scheme": state["scheme"], **told}
    for mark in state["marks"]:
        yield MARKS, MARKS.row({"mark_no": mark["mark_no"], "of": mark, **shared})


def _of_body(state: State, told: State) -> Iterator[tuple[Table, Row]]:
    yield BODIES, BODIES.row({**state, **told})


def _of_scheme(state: State, told: State) -> Iterator[tuple[Table, Row]]:
    for version in state["versions"]:
        yield SCHEMES, SCHEMES.row({"scheme": state["id"], "of": version, **told})


def _of_recall(state: State, told: State) -> Iterator[tuple[Table, Row]]:
    yield RECALLS, RECALLS.row({**state, **told})


def _of_warning(state: State, told: State) -> Iterator[tuple[Table, Row]]:
    yield WARNINGS, WARNINGS.row({**state, **told})


_READERS: Mapping[str, Callable[[State, State], Iterator[tuple[Table, Row]]]] = {
    "certificate": _of_certificate,
    "body": _of_body,
    "scheme": _of_scheme,
    "recall": _of_recall,
    "warning": _of_warning,
}


def row_of_entry(table: Table, names: tuple[str, ...], values: tuple[Any, ...]) -> Row:
    """The row of an entry, from its columns as the database gives them."""
    source = {name: _told(value) for name, value in zip(names, values, strict=True)}
    return table.row(source)


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value
