"""What a listing's words say: numbers inside free text, names and models in one form, claims that may not be made."""

import re
from collections.abc import Iterator
from functools import lru_cache

from services.domain.errors import CertmarkError
from services.domain.identifiers import certificate_number, normalised

LONGEST_TEXT = 2000
"""Characters of a title or text that are looked at; a cell may be longer, and what follows says nothing new."""

LONGEST_FIELD = 300
"""Of every other field: no name, model or number is longer."""

_NOTHING = frozenset(
    {
        "无",
        "暂无",
        "没有",
        "未知",
        "不详",
        "-",
        "--",
        "/",
        "//",
        ".",
        "N/A",
        "NA",
        "NONE",
        "NULL",
        "NIL",
        "无编号",
        "见包装",
        "详见包装",
        "见外包装",
        "见产品包装",
        "见实物",
        "以实物为准",
        "见标签",
        "详见标签",
        "见图",
        "如图",
        "见图片",
        "详见图片",
        "见详情",
        "详见详情页",
        "见详情页",
        "见商品详情",
        "其他",
        "OTHER",
    }
)
"""What people write into a field that they leave empty, in the form of `normalised`."""


@lru_cache(maxsize=16_384)
def is_stated(text: str | None) -> bool:
    """Whether a field says anything: “见包装” does not."""
    return bool(text and normalised(text).strip(".。:：") not in _NOTHING)


plain_form = lru_cache(maxsize=16_384)(normalised)
"""`normalised` of a field that many listings share: a brand, a class, a mark."""


# --- numbers ----------------------------------------------------------------------------------------------

_LABEL = re.compile(
    r"^(?:(?:CCC|3C|中国强制性产品|强制性产品|有机产品|绿色产品|产品)?(?:认证)?(?:证书|声明)?(?:编号|号码|号)|NO\.?|编号)[:.]?",
)
_LICENCE = re.compile(r"\(?[\u4e00-\u9fff]?\)?XK[0-9]{2}-[0-9]{3}-[0-9]{5}|SC[0-9]{14}|QS[0-9]{12}", re.ASCII)
_SEPARATORS = re.compile(r"[、,，;；|\n\r]+")
_PLAIN = re.compile(r"[0-9A-Z][0-9A-Z-]{3,62}[0-9A-Z]", re.ASCII)
_IN_TEXT = re.compile(
    r"(?<![0-9A-Z])(?:[0-9]{16}|[89F]?[0-9]{2,4}OP[0-9]{7}(?:-[0-9]+)?|[A-Z0-9]{3,6}[0-9]{2}(?:Q|E|S|IS|IP)[0-9]{4,6}R[0-9][SML]"
    r"|[A-Z]{2,6}(?:-[A-Z0-9]{1,6}){2,4})(?![0-9A-Z])",
)
"""The forms of numbers that can be told from other words by themselves; the register says which are ones."""
_LABELLED = re.compile(r"(?:证书|声明|认证)(?:编号|号码|号|NO\.?)(?:为|是)?[:.]?([0-9A-Z][0-9A-Z/().-]{5,40})")
_BLANKS = re.compile(r"(?<=[0-9A-Za-z])\s+(?=[0-9A-Za-z])")
_UNIT_CODE = re.compile(r"有机码[:.]?([0-9]{17,18})(?![0-9])")


def is_licence(text: str) -> bool:
    """Whether a number is that of a production licence (XK…, SC…), which attests something else."""
    return _LICENCE.fullmatch(normalised(text)) is not None


@lru_cache(maxsize=4096)
def numbers_in_field(text: str) -> tuple[str, ...]:
    """The numbers in a field for numbers, in canonical form; what cannot be one is left as it was written.

    A label before it, quotes, spaces and widths are noise; several are separated by commas or the like.
    """
    plain = text.strip()
    if _PLAIN.fullmatch(plain):
        return (plain,)
    found = []
    for piece in _SEPARATORS.split(text[:LONGEST_FIELD].strip(" \t\"'=")):
        word = _LABEL.sub("", normalised(piece).strip("\"'=")).strip(":.\"'()")
        if word and word not in _NOTHING:
            try:
                found.append(certificate_number(word))
            except CertmarkError:
                inside = [number for number, _ in numbers_in_text(piece)]
                found += inside or [piece.strip()]
    return tuple(dict.fromkeys(found))


def numbers_in_text(text: str) -> Iterator[tuple[str, bool]]:
    """(number, whether the words call it a certificate's) of what looks like one in free text.

    A blank may stand within a number or end it, so each is looked for both ways; what it ends comes first.
    """
    shown = text[:LONGEST_TEXT]
    for apart in dict.fromkeys((_BLANKS.sub("，", shown), shown)):
        plain = normalised(apart)
        if "证书" in plain or "声明" in plain or "认证" in plain:
            for match in _LABELLED.finditer(plain):
                word = match[1].rstrip("/.-()")
                if sum(c.isdigit() for c in word) >= 4 and not is_licence(word):
                    yield word, True
        for match in _IN_TEXT.finditer(plain):
            yield match[0], False


def unit_code_in_text(text: str) -> str | None:
    """The organic code that free text gives as one."""
    if "有机码" not in text:
        return None
    match = _UNIT_CODE.search(normalised(text[:LONGEST_TEXT]))
    return match[1] if match else None


# --- names and models -------------------------------------------------------------------------------------

_LEGAL = ("股份有限公司", "有限公司", "集团", "公司", "厂")


@lru_cache(maxsize=16_384)
def name_form(text: str) -> str:
    """A name as it is compared: one width, no spaces, plain brackets, 有限责任公司 as 有限公司."""
    return normalised(text).replace("有限责任公司", "有限公司").strip(".。,，")


@lru_cache(maxsize=16_384)
def _core(form: str) -> str:
    for word in _LEGAL:
        form = form.replace(word, "")
    return form.replace("(", "").replace(")", "")


def are_alike(one: str, other: str) -> bool:
    """Whether one name is the other shortened. Names that differ in one character are two companies."""
    a, b = _core(one), _core(other)
    return min(len(a), len(b)) >= 4 and (a in b or b in a)


def differ_in_one(one: str, other: str) -> bool:
    """Whether two names of some length differ in one character: a typing error, or another company."""
    if len(one) != len(other) or len(one) < 8:
        return False
    return sum(a != b for a, b in zip(one, other, strict=True)) == 1


_LOOKS_LIKE = str.maketrans("OILSZ", "01152")


def looks_like(model: str) -> str:
    """A model with letters that are taken for digits as these: KFR-35GW/A1 and KFR-35GW/AI are typed for each other."""
    return model.translate(_LOOKS_LIKE)


_MODEL_LABEL = re.compile(r"^(?:规格型号|型号规格|型号|规格|货号|款号|MODEL(?:NO)?)[:.]?")
_TAIL = re.compile(r"\([^()]*\)$")
_SERIES = re.compile(r"[*×□]+$|系列$")
_JOINED = "[A-Z0-9/.+-]"


@lru_cache(maxsize=16_384)
def model_form(text: str) -> str:
    """A model as it is compared: one width and case, no spaces, plain dashes and brackets, no label before it."""
    return _MODEL_LABEL.sub("", normalised(text))


def series_stem(model: str) -> str | None:
    """What the models of a registered series begin with; None where the model is a single one."""
    stem = _SERIES.sub("", model)
    return stem if stem != model and len(stem) >= 2 else None


def names_model(text: str, model: str) -> bool:
    """Whether a text in the form of `model_form` names a model as a word of its own."""
    at = text.find(model)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(model) : at + len(model) + 1]
        if not re.match(_JOINED, before) and not re.match(_JOINED, after):
            return True
        at = text.find(model, at + 1)
    return False


def without_tail(model: str) -> str:
    """A model without what stands in brackets behind it: a colour, a set, a voltage."""
    return _TAIL.sub("", model)


@lru_cache(maxsize=16_384)
def pairs(name: str) -> frozenset[str]:
    """The pairs of neighbouring characters of a product's name, by which two names are compared."""
    form = re.sub(r"[^\w]", "", normalised(name))
    return frozenset(form[i : i + 2] for i in range(len(form) - 1)) or frozenset({form})


# --- claims -----------------------------------------------------------------------------------------------

_DENIED = re.compile(
    r"(?:不|非|勿|无|未|谨防|警惕|拒绝|抵制|当心|小心|严禁|禁止|打击|远离|杜绝|举报|骗局|骗子|虚假|违法)[^,。;!?、]{0,6}$"
)
_DENIED_AFTER = re.compile(r"^[^,。;!?]{0,10}(?:骗局|是骗|都是骗|均为骗|骗人|陷阱|违法|不可信|勿信|不合法|虚假|假的)")
_NO_ASSESSMENT = re.compile(
    r"(?:当天|当日|即日|立等|[一1-3]天|24小时)(?:内)?(?:就|即)?(?:可)?(?:出证|拿证|下证|发证|出证书|拿证书)"
    r"|(?:无需|无须|不用|免|不需)(?:任何)?(?:检测|检验|审核|验厂|工厂检查)[^。;]{0,10}(?:证书|出证|拿证|下证|认证)"
    r"|(?:认证|证书|3C|CCC)[^。;]{0,6}(?:包过|包拿证|直出)|直出证书|证书直出|买卖证书|出售证书|代开证书"
)
_THIRD_PARTY = re.compile(
    r"第三方(?:机构)?(?:认证|检测认证|发证|颁发)|(?:权威|认证|国家)[^,。;]{0,6}(?:机构|部门|中心)[^,。;]{0,4}(?:颁发|发证|发放|签发|认证)"
    r"|(?:颁发|签发)[^,。;]{0,8}认证证书"
)
_SYSTEM_AS_PRODUCT = re.compile(
    r"(?:本|该|此|这款|全系|每款)?(?:产品|商品|单品|本款)(?:均|都|已|已经|全部|全)?(?:通过|获得|取得|荣获|获|经)[^,。;!]{0,10}"
    r"(?:ISO[0-9/ -]*|GB/?T?(?:19001|24001|45001|22080)[0-9-]*|[质环职信能]\w{0,8}体系|管理体系|体系|服务)"
    r"(?:标准)?(?:认证|证书)?(?P<of>[^,。;!]{0,14})"
    r"|(?:ISO ?(?:9001|14001|45001|27001)|体系)(?:认证|质量认证)(?:的)?产品"
)
_OF_A_FIRM = re.compile(r"^(?:的|之)?[^,。;!]{0,6}(?:企业|公司|工厂|厂家|厂商|单位|组织|生产商|制造商|车间|生产线)")
_ORGANIC = re.compile(r"有机(?!转换|码|肥|硅|玻璃|物|化|溶剂|会|体|酸|食品认证有限)|ORGANIC")
_IN_PICTURE = re.compile(
    r"(?:编号|证书|证书号|3C|CCC)[^,。;]{0,6}(?:见|如|详见|在)(?:上|下|详情|商品|主|左|右)?(?:图|照片)|见图片?中?(?:的)?(?:编号|证书)"
)


def advertises_no_assessment(plain: str) -> bool:
    """Whether a text (as of `normalised`) offers certificates without assessment, and does not warn of it."""
    if "证" not in plain:
        return False
    return any(_is_meant(plain, match) for match in _NO_ASSESSMENT.finditer(plain))


def claims_third_party(plain: str) -> bool:
    """Whether a text says that a third party has certified."""
    return any(_is_meant(plain, match) for match in _THIRD_PARTY.finditer(plain))


def claims_product_by_system(plain: str) -> bool:
    """Whether a text says of the product what a management system certificate says of the organisation."""
    return any(
        not _OF_A_FIRM.match(match["of"] or "") and _is_meant(plain, match)
        for match in _SYSTEM_AS_PRODUCT.finditer(plain)
    )


def claims_organic(plain: str) -> bool:
    """Whether a text calls something organic, conversion and other senses of the word left out."""
    if "有机" not in plain and "ORGANIC" not in plain:
        return False
    return any(_is_meant(plain, match) for match in _ORGANIC.finditer(plain))


def points_to_picture(plain: str) -> bool:
    """Whether the words say that the number is in a picture."""
    return ("图" in plain and _IN_PICTURE.search(plain) is not None) or "见照片" in plain


def _is_meant(plain: str, match: "re.Match[str]") -> bool:
    """Whether the words around a claim leave it standing: a warning of fraud is none."""
    before = plain[max(0, match.start() - 12) : match.start()]
    after = plain[match.end() : match.end() + 20]
    return not _DENIED.search(before) and not _DENIED_AFTER.match(after)
