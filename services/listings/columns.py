"""The columns of a listing: their headings in both languages, and cells as the fields of a `Listing`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import cast

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
    """The column that a heading means, in whatever width and case; None where it is none of ours."""
    return _BY_NAME.get(_form(heading))


_DATES = ("captured_on", "made_on", "shipped_on")
_KEYS = tuple(HEADINGS)
_DATE_PLACES = tuple(_KEYS.index(name) for name in _DATES)


def reader_of(places: Mapping[str, int]) -> Callable[[int, Sequence[Cell]], Listing]:
    """How a row becomes a listing. `places` are the columns' places; a row without a number of its own takes its line.

    Cells behind the last column are passed over, missing ones are empty.
    """
    order = [places.get(key) for key in _KEYS]
    width = max(places.values(), default=-1) + 1

    def read(line: int, cells: Sequence[Cell]) -> Listing:
        if len(cells) < width:
            cells = [*cells, *[""] * (width - len(cells))]
        fields: list[object] = [None if place is None else _text(cells[place]) for place in order]
        _cut(fields)
        fields[0] = fields[0] or str(line)
        return _with_dates(fields)

    return read


def listing_of(members: Mapping[str, object], line: int) -> Listing:
    """The listing of a JSON object: keys are the columns' names; null and absent are what they are."""
    fields: list[object] = []
    for key in _KEYS:
        value = members.get(key)
        if value is None:
            fields.append("" if key in members else None)
        else:
            fields.append(value if isinstance(value, str) else _text(cast(Cell, value)))
    _cut(fields)
    fields[0] = fields[0] or str(line)
    return _with_dates(fields)


_LIMITS = tuple(
    LONGEST_TEXT if key in ("title", "text", "image", "listing_url", "row") else LONGEST_FIELD for key in _KEYS
)


def _cut(fields: list[object]) -> None:
    """Fields to the length that is looked at; most rows have none that is longer."""
    for place, value in enumerate(fields):
        if value is not None and len(str(value)) > LONGEST_FIELD:
            fields[place] = str(value)[: _LIMITS[place]]


def _with_dates(fields: list[object]) -> Listing:
    unread: tuple[str, ...] = ()
    for name, place in zip(_DATES, _DATE_PLACES, strict=True):
        value = fields[place]
        if value:
            day = date_in(str(value))
            fields[place] = day
            if day is None:
                unread = (*unread, name)
        else:
            fields[place] = None
    listing = Listing(*fields)  # type: ignore[arg-type]  # text but for the dates, which were just read
    return listing._replace(unread=unread) if unread else listing


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else shown(cell)


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
