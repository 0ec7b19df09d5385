"""The columns of a listing: their headings in both languages, and cells as the fields of a `Listing`."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import cast

from services.domain.errors import BadRequest
from services.domain.identifiers import CHINA, normalised
from services.domain.listing import Listing
from services.domain.listing_words import LONGEST_FIELD, LONGEST_TEXT
from services.events.cells import Cell, shown

HEADINGS: Mapping[str, str] = {
    "row": "行号",
    "platform": "平台",
    "shop": "店铺",
    "listing_url": "链接",
    "captured_on": "采集日期",
    "made_on": "生产日期",
    "shipped_on": "出厂日期",
    "title": "标题",
    "product": "产品",
    "product_class": "产品类别",
    "brand": "品牌",
    "model": "型号",
    "seller": "卖家",
    "seller_uscc": "卖家信用代码",
    "maker": "生产者",
    "maker_uscc": "生产者信用代码",
    "maker_address": "生产者地址",
    "certificate_no": "证书编号",
    "body_claimed": "声称发证机构",
    "licence_no": "许可证号",
    "mark": "标志",
    "mark_code": "标志码",
    "text": "文本",
    "image": "图片",
}
"""Key and Chinese heading, in the order of the contract."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    "row": ("序号", "编号", "ID", "NO"),
    "platform": ("平台名称", "电商平台", "来源平台"),
    "shop": ("店铺名称", "网店", "网店名称", "店名"),
    "listing_url": ("商品链接", "网址", "URL", "商品网址", "链接地址", "商品URL"),
    "captured_on": ("采集时间", "抓取时间", "监测日期", "采样日期", "监测时间"),
    "made_on": ("生产日期/批号", "制造日期"),
    "shipped_on": ("出厂时间", "发货日期"),
    "title": ("商品标题", "商品名称", "宝贝标题", "标题名称"),
    "product": ("产品名称", "品名", "样品名称"),
    "product_class": ("CCC类别", "产品类别代码", "目录代码", "类目代码"),
    "brand": ("商标", "标称商标", "品牌名称"),
    "model": ("规格型号", "型号规格", "规格", "产品型号"),
    "seller": ("经营者", "卖家名称", "商家", "商家名称", "经营者名称", "店铺主体", "被抽检人"),
    "seller_uscc": ("经营者信用代码", "卖家统一社会信用代码", "商家信用代码"),
    "maker": ("生产企业", "生产商", "制造商", "标称生产企业", "生产者名称", "厂名", "生产厂家", "生产单位"),
    "maker_uscc": ("生产企业信用代码", "生产者统一社会信用代码", "制造商信用代码"),
    "maker_address": ("生产企业地址", "厂址", "生产地址", "制造商地址"),
    "certificate_no": ("证书号", "认证证书编号", "3C证书编号", "CCC证书编号", "证书号码", "认证编号"),
    "body_claimed": ("发证机构", "认证机构", "认证机构名称"),
    "licence_no": ("生产许可证号", "许可证编号", "生产许可证编号"),
    "mark": ("认证标志", "标志名称"),
    "mark_code": ("有机码", "防伪码", "标志编码"),
    "text": ("描述", "商品描述", "详情", "商品详情", "宣传内容", "文案"),
    "image": ("图片路径", "图片文件", "主图", "截图", "图片地址"),
}
"""Other headings that exports use; the first column that matches is taken."""


def _form(heading: str) -> str:
    return normalised(heading).strip("*:.()_").replace("_", "")


_BY_NAME = {
    **{_form(alias): key for key, aliases in ALIASES.items() for alias in aliases},
    **{_form(zh): key for key, zh in HEADINGS.items()},
    **{_form(key): key for key in HEADINGS},
}


def column_named(heading: str) -> str | None:
    """The column that a heading names, in whatever width and case; None where it is none of ours."""
    return _BY_NAME.get(_form(heading))


_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_LONGEST_FIRST = sorted((name for name in _BY_NAME if len(name) >= 2), key=len, reverse=True)


Columns = list[str | None]


def columns_of(headings: Sequence[str], mapping: Mapping[str, str], samples: Sequence[Sequence[Cell]]) -> Columns:
    """The column that each heading means: as `mapping` says, by name, by a name inside it, or by what stands below.

    A column is taken once, by the surest of these. An empty text in `mapping` passes a heading over.

    Raises:
        BadRequest: `mapping` names a column that there is none of.
    """
    for heading, key in mapping.items():
        if key and key not in HEADINGS:
            raise BadRequest(f"{heading!r} → {key!r}: there is no such column", hint=" ".join(HEADINGS))
    given = {_form(heading): key for heading, key in mapping.items()}
    found: Columns = [None] * len(headings)
    for surest, guess in ((True, given.get), (False, _BY_NAME.get), (False, _inside)):
        for place, heading in enumerate(headings):
            form = _form(heading)
            if found[place] is None and (surest or form not in given):
                named = guess(form)
                if named and named not in found:
                    found[place] = named
    for place, heading in enumerate(headings):
        if found[place] is None and _form(heading) not in given:
            named = _by_content([row[place] for row in samples if place < len(row)])
            if named and named not in found:
                found[place] = named
    return found


def _inside(form: str) -> str | None:
    """By a heading with something around it: 3C证书编号(必填)."""
    plain = _BRACKETS.sub("", form)
    if plain in _BY_NAME:
        return _BY_NAME[plain]
    return next((_BY_NAME[name] for name in _LONGEST_FIRST if len(name) >= 3 and name in plain), None)


_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_CERTIFICATE = re.compile(r"[0-9]{16}|[0-9]{4}OP[0-9]{7}(-[0-9]+)?", re.ASCII)


def _by_content(cells: Sequence[Cell]) -> str | None:
    """Certificates' numbers and addresses can be told by themselves, where most of a column is that."""
    texts = [shown(cell).strip() for cell in cells if shown(cell).strip()]
    for key, form in (("certificate_no", _CERTIFICATE), ("listing_url", _ADDRESS)):
        if texts and 2 * sum(form.fullmatch(text) is not None for text in texts) > len(texts):
            return key
    return None


_DATES = ("captured_on", "made_on", "shipped_on")
KEYS = tuple(HEADINGS)
_DATE_PLACES = tuple((name, KEYS.index(name)) for name in _DATES)
_CLASS, _NUMBER = KEYS.index("product_class"), KEYS.index("certificate_no")
_LONG = ("title", "text", "image", "listing_url")
_LIMITS = tuple(LONGEST_TEXT if key in _LONG else LONGEST_FIELD for key in KEYS)
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}", re.ASCII)
LOST = "certificate_no"
"""In `Listing.unread`: a spreadsheet program has spoilt the number."""

Fields = list[str | None]
"""A row as it goes from the process that reads it to the one that checks it: a text for each of `KEYS`, None where the
source has no such column."""


def fields_of(cells: Sequence[Cell], order: Sequence[int | None]) -> Fields:
    """The fields of a row. `order` has the place of each column; cells that are not there are empty."""
    width = len(cells)
    fields: Fields = []
    for place, limit in zip(order, _LIMITS, strict=True):
        if place is None:
            fields.append(None)
            continue
        cell = cells[place] if place < width else ""
        text = cell if isinstance(cell, str) else _shown(cell)
        fields.append(text if len(text) <= limit else text[:limit])
    return fields


def _shown(cell: Cell) -> str:
    """A cell that is no text. A whole number keeps its digits, as far as it ever had them."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return shown(cell)


def fields_of_object(members: Mapping[str, object]) -> Fields:
    """The same of a JSON object, whose keys are the columns' names."""
    fields: Fields = []
    for key, limit in zip(KEYS, _LIMITS, strict=True):
        value = members.get(key)
        if value is None:
            fields.append("" if key in members else None)
        elif isinstance(value, list):
            fields.append("|".join(str(one) for one in value)[:limit])
        else:
            fields.append((value if isinstance(value, str) else _shown(cast(Cell, value)))[:limit])
    return fields


def listing_of(fields: Sequence[str | None], line: int) -> Listing:
    """The listing of a row's fields; one without a number of its own takes its line."""
    row: list[object] = [*fields]
    row[0] = row[0] or str(line)
    unread: tuple[str, ...] = ()
    for name, place in _DATE_PLACES:
        value = fields[place]
        if value:
            day = row[place] = date_in(value)
            if day is None:
                unread = (*unread, name)
        else:
            row[place] = None
    product_class = fields[_CLASS]
    if product_class and len(product_class) == 3 and product_class.isdigit():
        row[_CLASS] = f"0{product_class}"  # a spreadsheet program has taken it for a quantity
    number = fields[_NUMBER]
    if number and "+" in number and _SCIENTIFIC.fullmatch(number.strip()):
        row[_NUMBER] = ""
        unread = (*unread, LOST)
    listing = Listing(*row)  # type: ignore[arg-type]  # text but for the dates, which were just read
    return listing._replace(unread=unread) if unread else listing


@lru_cache(maxsize=8192)
def date_in(text: str) -> date | None:
    """A civil day in the forms that exports use; a time behind it is cut off, an instant with offset is at UTC+8."""
    plain = text.strip()
    try:
        if len(plain) > 10 and plain[10:11] in ("T", " ") and (plain.endswith("Z") or "+" in plain[10:]):
            return datetime.fromisoformat(plain.replace("Z", "+00:00")).astimezone(CHINA).date()
    except ValueError:
        return None
    plain = normalised(plain.split("T")[0].split(" ")[0])
    for mark in ("年", "月", "/", "."):
        plain = plain.replace(mark, "-")
    plain = plain.rstrip("日-")
    if plain.isdigit() and len(plain) == 8:
        plain = f"{plain[:4]}-{plain[4:6]}-{plain[6:]}"
    pieces = plain.split("-")
    if len(pieces) != 3 or not all(piece.isdigit() for piece in pieces):
        return None
    try:
        return date(int(pieces[0]), int(pieces[1]), int(pieces[2]))
    except ValueError:
        return None
