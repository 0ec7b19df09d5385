"""The columns of a body's sheet: their headings in both languages, and what a row's event makes of each.

The official field dictionary of the national reporting platform was not found. `Column.assumed` holds headings
that its exports and the certificates themselves are believed to use; a body whose sheet says it otherwise
writes a mapping.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from types import MappingProxyType

from services.domain.errors import BadRequest


class Form(StrEnum):
    """How a cell is read; `services.events.cells` has the reader of each."""

    TEXT = "text"
    NUMBER = "number"
    CODE = "code"
    DATE = "date"
    COUNT = "count"
    MEASURE = "measure"
    WORD = "word"
    LIST = "list"
    LINES = "lines"


FORMS_SAID: Mapping[Form, tuple[str, str]] = MappingProxyType(
    {
        Form.TEXT: ("一行文字", "one line of text"),
        Form.NUMBER: ("编号，按文本保存；全角转半角", "a number kept as text; full-width made plain"),
        Form.CODE: ("代码，按文本保存；全角转半角", "a code kept as text; full-width made plain"),
        Form.DATE: ("日期，见下", "a date, see below"),
        Form.COUNT: ("整数", "a whole number"),
        Form.MEASURE: ("数值", "a quantity"),
        Form.WORD: ("词语，见下", "one of a few words, see below"),
        Form.LIST: ("一项或多项，以；、，或换行分隔", "one or several, separated by ; 、 , or a line break"),
        Form.LINES: ("一项或多项，以；或换行分隔", "one or several, separated by ; or a line break"),
    }
)


class Verb(StrEnum):
    """What a row says: the event that it becomes."""

    ISSUED = "issued"
    RENEWED = "renewed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    SURVEILLANCE_PASSED = "surveillance_passed"
    MARK_AUTHORIZED = "mark_authorized"

    @property
    def type(self) -> str:
        """The full name of the event's type."""
        name = "mark.authorized" if self is Verb.MARK_AUTHORIZED else f"certificate.{self.value}"
        return f"certmark.{name}.v1"


VERB_WORDS: Mapping[Verb, tuple[str, ...]] = MappingProxyType(
    {
        Verb.ISSUED: ("发证", "颁发", "新发", "初次发证"),
        Verb.RENEWED: ("换证", "续证", "延续", "再认证"),
        Verb.SUSPENDED: ("暂停",),
        Verb.RESUMED: ("恢复",),
        Verb.REVOKED: ("撤销",),
        Verb.CANCELLED: ("注销",),
        Verb.SURVEILLANCE_PASSED: ("监督通过", "监督合格"),
        Verb.MARK_AUTHORIZED: ("标志授权", "授权标志"),
    }
)
"""The Chinese words of 事件, the one that the template shows first; the English word is the verb itself."""

_FIRST = frozenset({Verb.ISSUED})
_PERIOD = frozenset({Verb.ISSUED, Verb.RENEWED})
_MARK = frozenset({Verb.MARK_AUTHORIZED})
_ENDING = frozenset({Verb.REVOKED, Verb.CANCELLED})
_STOPPING = _ENDING | {Verb.SUSPENDED}
_EVERY = frozenset(Verb)
_LATER = _EVERY - _PERIOD


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `key` is its English heading.

    `verbs` are the events that take it; `pointer` is where it goes in their data (empty: elsewhere). A column that
    only `describes` may be filled on every row and is passed over where the event does not take it; any other is a
    fault there. `alike` columns must not contradict each other on the rows of one certificate, `gathers` ones add up.
    """

    key: str
    zh: str
    form: Form
    verbs: frozenset[Verb]
    about_zh: str
    about_en: str
    pointer: str = ""
    describes: bool = True
    gathers: bool = False
    required: frozenset[Verb] = frozenset()
    assumed: tuple[str, ...] = ()


COLUMNS: tuple[Column, ...] = (
    Column(
        "event",
        "事件",
        Form.WORD,
        _EVERY,
        "本行报告的事件；空为发证",
        "what the row reports; empty: issued",
        describes=False,
    ),
    Column(
        "certificate_no",
        "证书编号",
        Form.NUMBER,
        _EVERY,
        "同一证书的多个型号可各占一行，须相邻",
        "rows of one certificate, one a model, lie one below the other",
        "/subject",
        required=_EVERY,
        assumed=("证书号", "证书号码", "认证证书编号", "认证证书号"),
    ),
    Column(
        "effective_at",
        "生效日期",
        Form.DATE,
        _EVERY,
        "发证和换证为空时取发证日期；其他事件必填",
        "of issued and renewed, where empty, the date of issue; required otherwise",
        "/data/effective_at",
        required=_LATER,
    ),
    Column(
        "scheme",
        "认证制度",
        Form.WORD,
        _FIRST,
        "制度代号或名称，如 ccc、强制性产品认证",
        "the scheme's id or name, such as ccc",
        "/data/scheme",
        required=_FIRST,
        assumed=("认证项目", "认证类别", "认证领域"),
    ),
    Column(
        "certification_mode",
        "认证模式",
        Form.TEXT,
        _FIRST,
        "",
        "mode of certification",
        "/data/certification_mode",
    ),
    Column(
        "basis",
        "认证依据",
        Form.LIST,
        _PERIOD,
        "标准号，年代号可写在后面：GB 4706.32-2012",
        "standards, with the edition behind: GB 4706.32-2012",
        "/data/basis",
        required=_FIRST,
        gathers=True,
        assumed=("认证标准", "依据标准", "认证依据标准", "标准和技术要求", "产品标准和技术要求"),
    ),
    Column(
        "holder_name",
        "获证组织名称",
        Form.TEXT,
        _FIRST,
        "持证人；个体工商户用字号，不写自然人姓名",
        "the holder; a sole trader by trade name",
        "/data/holder/name",
        required=_FIRST,
        assumed=("获证组织", "获证企业名称", "委托人名称", "认证委托人", "认证委托人名称", "组织名称", "持证人名称"),
    ),
    Column(
        "holder_uscc",
        "统一社会信用代码",
        Form.CODE,
        _FIRST,
        "18位，核对校验码",
        "the holder's credit code; its check character is checked",
        "/data/holder/uscc",
        assumed=("社会信用代码", "获证组织统一社会信用代码", "委托人统一社会信用代码", "组织机构代码"),
    ),
    Column(
        "holder_region",
        "行政区划代码",
        Form.CODE,
        _FIRST,
        "GB/T 2260，6位，如 310115",
        "the holder's administrative division, six digits",
        "/data/holder/region",
        assumed=("所在地区代码",),
    ),
    Column(
        "holder_address",
        "获证组织地址",
        Form.TEXT,
        _FIRST,
        "",
        "the holder's address",
        "/data/holder/address",
        assumed=("委托人地址", "认证委托人地址", "组织地址", "注册地址"),
    ),
    Column(
        "manufacturer_name",
        "生产者名称",
        Form.TEXT,
        _FIRST,
        "制造商",
        "who makes the product",
        "/data/manufacturer/name",
        assumed=("制造商名称", "制造商", "生产者(制造商)名称", "生产者"),
    ),
    Column(
        "manufacturer_uscc",
        "生产者信用代码",
        Form.CODE,
        _FIRST,
        "",
        "the manufacturer's credit code",
        "/data/manufacturer/uscc",
        assumed=("制造商统一社会信用代码",),
    ),
    Column(
        "manufacturer_address",
        "生产者地址",
        Form.TEXT,
        _FIRST,
        "",
        "the manufacturer's address",
        "/data/manufacturer/address",
        assumed=("制造商地址", "生产者(制造商)地址"),
    ),
    Column(
        "factory_name",
        "生产企业名称",
        Form.TEXT,
        _FIRST,
        "生产厂",
        "where the product is made",
        "/data/factory/name",
        assumed=("生产厂名称", "生产厂", "生产企业", "被委托生产企业名称"),
    ),
    Column(
        "factory_uscc",
        "生产企业信用代码",
        Form.CODE,
        _FIRST,
        "",
        "the factory's credit code",
        "/data/factory/uscc",
    ),
    Column(
        "factory_address",
        "生产企业地址",
        Form.TEXT,
        _FIRST,
        "",
        "the factory's address",
        "/data/factory/address",
        assumed=("生产厂地址", "被委托生产企业地址"),
    ),
    Column(
        "product_name",
        "产品名称",
        Form.TEXT,
        _FIRST,
        "产品认证必填",
        "required of a product's certificate",
        "/data/product/name",
        assumed=("认证产品名称",),
    ),
    Column(
        "product_class",
        "产品类别代码",
        Form.CODE,
        _FIRST,
        "目录代码，如 0703；前导零不可丢",
        "the catalogue's code, such as 0703, with its leading zero",
        "/data/product/class",
        assumed=("产品类别", "产品代码", "产品小类代码"),
    ),
    Column(
        "trademark",
        "商标",
        Form.TEXT,
        _FIRST,
        "",
        "the trade mark",
        "/data/product/trademark",
        assumed=("注册商标",),
    ),
    Column(
        "models",
        "规格型号",
        Form.LIST,
        _FIRST | _MARK,
        "每行一个或一格多个；全角转半角",
        "one a row, or several in a cell; full-width made plain",
        "/data/product/items",
        gathers=True,
        assumed=("型号", "产品型号", "型号规格", "产品规格型号", "规格、型号"),
    ),
    Column(
        "gtins",
        "商品条码",
        Form.LIST,
        _FIRST | _MARK,
        "GTIN，与规格型号一一对应；核对校验位",
        "GTINs, one to each model in the same order; the check digit is checked",
        "/data/product/items",
        gathers=True,
        assumed=("GTIN", "条码", "商品条形码"),
    ),
    Column(
        "service_scope",
        "认证范围",
        Form.TEXT,
        _FIRST,
        "服务或体系覆盖的业务范围",
        "the scope of a service or system",
        "/data/service_scope",
        assumed=("业务范围", "认证覆盖范围", "体系覆盖范围", "服务覆盖的业务范围"),
    ),
    Column(
        "sites",
        "场所",
        Form.LINES,
        _FIRST,
        "体系或服务覆盖的场所地址",
        "addresses that a system or service covers",
        "/data/sites",
        gathers=True,
        assumed=("多场所", "场所地址", "认证场所"),
    ),
    Column(
        "headcount",
        "体系覆盖人数",
        Form.COUNT,
        _FIRST,
        "",
        "people covered",
        "/data/headcount",
        assumed=("覆盖人数", "人数", "有效人数"),
    ),
    Column(
        "first_issued_on",
        "首次发证日期",
        Form.DATE,
        _FIRST,
        "",
        "date of first issue",
        "/data/first_issued_on",
        assumed=("初次发证日期", "初次获证日期", "首次颁证日期", "初次颁证日期"),
    ),
    Column(
        "issued_on",
        "发证日期",
        Form.DATE,
        _PERIOD,
        "",
        "date of issue",
        "/data/issued_on",
        required=_PERIOD,
        assumed=("颁证日期", "颁发日期", "本次发证日期", "换证日期"),
    ),
    Column(
        "valid_from",
        "有效期起",
        Form.DATE,
        _PERIOD,
        "空则发证取发证日期，换证取生效日期",
        "where empty, the date of issue; of renewed, the date of effect",
        "/data/valid_from",
        assumed=("有效期自", "有效期开始日期", "有效期起始日期", "生效起始日期"),
    ),
    Column(
        "valid_until",
        "有效期至",
        Form.DATE,
        _PERIOD,
        "含当日；长期有效写“长期”",
        "last day, inclusive; 长期 (long-term) for none",
        "/data/valid_until",
        required=_PERIOD,
        assumed=("证书到期日期", "到期日期", "截止日期", "有效期截止日期", "证书有效期至", "有效期止"),
    ),
    Column(
        "surveillance_due",
        "监督到期日",
        Form.DATE,
        _PERIOD,
        "",
        "when the next surveillance is due",
        "/data/surveillance_due",
        assumed=("下次监督日期", "监督截止日期"),
    ),
    Column(
        "approver",
        "批准人编号",
        Form.CODE,
        _PERIOD,
        "工号或注册号，不写姓名",
        "staff or registration number of who approved, never a name",
        "/data/approver",
        required=_PERIOD,
        assumed=("签发人编号", "签发人"),
    ),
    Column(
        "audit_refs",
        "审核员注册号",
        Form.LIST,
        _PERIOD,
        "不写姓名",
        "registration numbers of the auditors, never names",
        "/data/audit_refs",
        gathers=True,
        assumed=("审核组", "审核组成员注册号"),
    ),
    Column(
        "parent_no",
        "主证书编号",
        Form.NUMBER,
        _FIRST,
        "子证书填写",
        "the certificate that this one hangs on",
        "/data/parent_no",
        assumed=("母证书编号",),
    ),
    Column(
        "supersedes",
        "替代证书编号",
        Form.NUMBER,
        _FIRST,
        "本证书取代的证书",
        "the certificate that this one takes the place of",
        "/data/supersedes",
    ),
    Column(
        "accreditation",
        "认可号",
        Form.TEXT,
        _FIRST,
        "",
        "mark or number of accreditation",
        "/data/accreditation",
        assumed=("认可标志", "认可机构"),
    ),
    Column("grade", "等级", Form.TEXT, _FIRST, "", "the grade reached", "/data/grade", assumed=("认证等级",)),
    Column(
        "organic_conversion",
        "是否有机转换",
        Form.WORD,
        _FIRST,
        "有机认证：是、否",
        "organic: yes or no",
        "/data/organic/conversion",
        assumed=("有机/转换",),
    ),
    Column(
        "base_names",
        "基地名称",
        Form.LIST,
        _FIRST,
        "有机认证",
        "organic: the bases",
        "/data/organic/bases",
        gathers=True,
    ),
    Column(
        "base_areas_ha",
        "基地面积(公顷)",
        Form.LIST,
        _FIRST,
        "与基地名称一一对应",
        "hectares, one to each base in the same order",
        "/data/organic/bases",
        gathers=True,
        assumed=("面积(公顷)",),
    ),
    Column(
        "output_kg",
        "年产量(千克)",
        Form.MEASURE,
        _FIRST,
        "有机认证",
        "organic: yearly output in kilograms",
        "/data/organic/output_kg",
        assumed=("产量(千克)", "产量(kg)"),
    ),
    Column(
        "green_attributes",
        "绿色属性",
        Form.LINES,
        _FIRST | _MARK,
        "绿色产品：名称=值 单位，如 VOC=18 g/L",
        "green product: name=value unit, such as VOC=18 g/L",
        "/data/green/attributes",
        gathers=True,
    ),
    Column(
        "route",
        "认证路径",
        Form.COUNT,
        _FIRST | _MARK,
        "绿色产品：1、2、3",
        "green product: its route",
        "/data/route",
    ),
    Column(
        "status",
        "证书状态",
        Form.WORD,
        frozenset(),
        "对账用；导入时只接受有效或过期，其他状态须另写事件行",
        "for reconciling; an import takes only 有效 or 过期 here, any other status needs a row of its own event",
        describes=False,
        assumed=("状态", "证书当前状态"),
    ),
    Column(
        "reason",
        "原因代码",
        Form.WORD,
        _STOPPING,
        "S01–S12、R01–R11、C01–C06 或其中文全文",
        "S…, R…, C…, or its whole Chinese text",
        "/data/reason",
        required=_STOPPING,
        describes=False,
        assumed=("状态变更原因", "暂停原因", "撤销原因", "注销原因", "原因"),
    ),
    Column(
        "determined_on",
        "认定日期",
        Form.DATE,
        _STOPPING,
        "认定不符合的日期",
        "when the fault was determined",
        "/data/determined_on",
        describes=False,
    ),
    Column(
        "until",
        "暂停截止日期",
        Form.DATE,
        frozenset({Verb.SUSPENDED}),
        "含当日",
        "last day of the suspension",
        "/data/until",
        required=frozenset({Verb.SUSPENDED}),
        describes=False,
        assumed=("暂停结束日期", "暂停到期日期", "暂停期限"),
    ),
    Column(
        "parts",
        "部分型号",
        Form.LIST,
        frozenset({Verb.SUSPENDED, Verb.RESUMED}),
        "只暂停或恢复这些型号；空为整张证书",
        "suspend or resume only these models; empty: the whole certificate",
        "/data/items",
        describes=False,
        gathers=True,
    ),
    Column(
        "verified_on",
        "验证日期",
        Form.DATE,
        frozenset({Verb.RESUMED}),
        "确认整改有效的日期",
        "when the correction was verified",
        "/data/verified_on",
        required=frozenset({Verb.RESUMED}),
        describes=False,
    ),
    Column(
        "next_due",
        "下次监督到期日",
        Form.DATE,
        frozenset({Verb.SURVEILLANCE_PASSED}),
        "",
        "when the surveillance after this one is due",
        "/data/next_due",
        describes=False,
    ),
    Column(
        "order_ref",
        "文书编号",
        Form.CODE,
        _STOPPING,
        "依据的行政文书",
        "the order behind it",
        "/data/order_ref",
        describes=False,
    ),
    Column(
        "note",
        "备注",
        Form.TEXT,
        _EVERY - _FIRST - _MARK,
        "公开；不写自然人姓名",
        "public; no person's name",
        "/data/note",
        assumed=("说明",),
    ),
    Column(
        "mark_no",
        "标志授权编号",
        Form.NUMBER,
        _MARK,
        "",
        "number of the mark authorization",
        "/data/mark_no",
        required=_MARK,
        describes=False,
    ),
    Column(
        "mark",
        "标志",
        Form.WORD,
        _MARK,
        "标志代号或名称",
        "the mark's id or name",
        "/data/mark",
        required=_MARK,
        describes=False,
    ),
    Column("family", "标志系列", Form.TEXT, _MARK, "如 上海制造", "such as 上海制造", "/data/family", describes=False),
    Column(
        "media",
        "使用载体",
        Form.LIST,
        _MARK,
        "产品、包装、网页",
        "product, package, web",
        "/data/media",
        describes=False,
        gathers=True,
    ),
    Column(
        "quantity",
        "授权数量",
        Form.COUNT,
        _MARK,
        "",
        "how many units may bear it",
        "/data/quantity",
        describes=False,
    ),
    Column(
        "mark_from",
        "标志有效期起",
        Form.DATE,
        _MARK,
        "空则取生效日期",
        "where empty, the date of effect",
        "/data/valid_from",
        describes=False,
    ),
    Column(
        "mark_until",
        "标志有效期至",
        Form.DATE,
        _MARK,
        "含当日",
        "last day, inclusive",
        "/data/valid_until",
        describes=False,
    ),
)

BY_KEY: Mapping[str, Column] = MappingProxyType({column.key: column for column in COLUMNS})

FAULT_HEADINGS = ("错误行号", "错误列", "错误代码", "错误说明", "Error", "处理建议", "Hint")
"""What a fix file adds to the sheet's own columns; passed over when the mended file is imported."""

_SUFFIX = re.compile(r"\((必填|选填|可选|必填项|required|optional)\)")


def plain_heading(text: str) -> str:
    """A heading as headings are compared: NFKC, lower case, no spaces or asterisks, no (必填)."""
    folded = "".join(unicodedata.normalize("NFKC", text).casefold().split()).replace("*", "")
    return _SUFFIX.sub("", folded)


def _known_headings() -> dict[str, Column]:
    known: dict[str, Column] = {}
    for column in COLUMNS:
        for heading in (column.key, column.zh, *column.assumed):
            other = known.setdefault(plain_heading(heading), column)
            assert other is column, f"{heading} stands for {other.key} and {column.key}"
    return known


HEADINGS: Mapping[str, Column] = MappingProxyType(_known_headings())
"""Plain heading → column: the keys, the Chinese headings and the assumed ones."""

_PASSED_OVER = frozenset(map(plain_heading, FAULT_HEADINGS))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the columns of one sheet lie.

    `places` is column key → index of the cell; `titles` the sheet's headings as written; `unmapped` those that
    no column takes, in their order; `assumed` those taken by a heading that we only believe to know.
    """

    places: Mapping[str, int]
    titles: tuple[str, ...]
    unmapped: tuple[str, ...]
    assumed: tuple[str, ...]

    def title(self, key: str) -> str:
        """The sheet's own heading of a column, ours where it has none."""
        place = self.places.get(key)
        return BY_KEY[key].zh if place is None else self.titles[place]


def is_heading_row(titles: Iterable[str], mapping: Mapping[str, str]) -> bool:
    """Whether a row is the one with the headings: it names the certificate's number and one more column."""
    found = _named(titles, mapping)
    return "certificate_no" in found and len(found) > 1


def _named(titles: Iterable[str], mapping: Mapping[str, str]) -> set[str]:
    return {column.key for title in titles if (column := _column_of(title, mapping)) is not None}


def in_two_rows(upper: Sequence[str], lower: Sequence[str], mapping: Mapping[str, str]) -> list[str] | None:
    """The headings of a sheet that groups its columns under merged cells; None where two rows say no more than one.

    Under 获证组织 a 名称 is 获证组织名称. What is known by itself keeps its own name, but for the holder's columns: a
    credit code under a group that we do not know may be somebody else's.
    """
    titles, group = [], ""
    for top, own in zip_longest(upper, lower, fillvalue=""):
        group = top or group
        alone, both = _column_of(own, mapping), f"{group}{own}"
        is_plain = not group or (alone is not None and not alone.key.startswith("holder_"))
        titles.append(both if own and (_column_of(both, mapping) is not None or not is_plain) else own or top)
    named = _named(titles, mapping)
    helps = len(named - _named(upper, mapping)) > 1 and len(named) > len(_named(lower, mapping))
    return titles if helps and is_heading_row(titles, mapping) else None


def layout_of(titles: Iterable[str], mapping: Mapping[str, str]) -> Layout:
    """The layout of a sheet by its headings.

    `mapping` is heading → column key, for headings that are not known; an empty key passes the column over.

    Raises:
        BadRequest: two headings are the same column, or the mapping names a column that there is not.
    """
    written = tuple(titles)
    places: dict[str, int] = {}
    unmapped, assumed = [], []
    for place, title in enumerate(written):
        column = _column_of(title, mapping)
        if column is None:
            if title and plain_heading(title) not in _PASSED_OVER and mapping.get(plain_heading(title)) != "":
                unmapped.append(title)
            continue
        if column.key in places:
            raise BadRequest(
                f"两列都是“{column.zh}”：{written[places[column.key]]}、{title} "
                f"({column.key} stands twice among the headings)",
                hint="用 --mapping 把其中一列映射为空字符串；map one of them to an empty text with --mapping",
            )
        places[column.key] = place
        if plain_heading(title) in map(plain_heading, column.assumed) and plain_heading(title) not in mapping:
            assumed.append(title)
    return Layout(places, written, tuple(unmapped), tuple(assumed))


def plain_mapping(mapping: Mapping[str, object]) -> dict[str, str]:
    """A mapping as its author wrote it (heading → column in either language, or empty), in plain headings and keys.

    Raises:
        BadRequest: there is no such column.
    """
    plain: dict[str, str] = {}
    for heading, name in mapping.items():
        column = HEADINGS.get(plain_heading(str(name)))
        if name and column is None:
            raise BadRequest(
                f"--mapping: 没有“{name}”这一列（标题“{heading}”）(there is no column {name!r})",
                hint="certmark import --template 写出全部列；writes all of them",
            )
        plain[plain_heading(heading)] = column.key if name and column else ""
    return plain


def _column_of(title: str, mapping: Mapping[str, str]) -> Column | None:
    plain = plain_heading(title)
    if plain in mapping:
        return BY_KEY.get(mapping[plain])
    return HEADINGS.get(plain)
