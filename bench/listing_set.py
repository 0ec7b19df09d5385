"""A labelled set of listings by a seed: every trap that a rule looks for, and honest listings with ugly formatting.

A register of fictional certificates is made first, then listings about it. Each has a label: what a careful officer
would say of it, and by which rule. The labels come from how a listing was made, never from the check.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from services.domain.body import BodyState
from services.domain.catalogue import CatalogueState
from services.domain.certificate import (
    Basis,
    Certificate,
    Item,
    Mark,
    Part,
    PartKind,
    Party,
    Product,
    Status,
    StatusInterval,
)
from services.domain.scheme import Scheme, scheme_rules
from services.listings.shelf import Rulebook

DAY = date(2026, 11, 1)
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
BODY, GONE = "CNCA-R-2019-7901", "CNCA-RF-2019-7908"
_BEGUN = date(2024, 3, 1)
_ENDS = date(2029, 2, 28)
_ENDED = date(2026, 5, 1)
_DIGEST = "0" * 64
_CHARS = (
    "安邦昌达德鼎丰富光广海航和恒弘华汇嘉佳杰金锦景凯康坤兰乐力利联龙绿茂美明宁鹏平启"
    "千庆荣瑞润森盛顺泰腾天同万威伟祥新信兴旭雅益永宇裕远源跃云泽正志中卓"
)
_CITIES = ("上海", "苏州", "杭州", "宁波", "无锡", "佛山", "中山", "青岛", "合肥", "慈溪")
_TRADES = ("电器", "实业", "科技", "电子", "制造")
_PRODUCTS = (
    ("0703", "房间空调器", "KFR"),
    ("0201", "延长线插座", "CX"),
    ("0706", "储水式电热水器", "DSZF"),
    ("0714", "微波炉", "M"),
    ("0707", "室内加热器", "NSB"),
    ("0701", "家用电冰箱", "BCD"),
    ("0702", "电风扇", "FS"),
    ("0708", "真空吸尘器", "VC"),
)
_FOODS = ("有机茶叶(绿茶)", "有机大米", "有机纯牛奶", "有机核桃仁")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A listing and what it is: lawful, for review, or unlawful, and the rule that has to be among those found."""

    row: dict[str, str]
    label: str
    rule: str
    trap: str


def rulebook() -> Rulebook:
    """The shipped schemes and catalogue, one good body and one that lost its approval."""
    schemes = {
        path.stem: Scheme(path.stem, (scheme_rules(json.loads(path.read_text(encoding="utf-8"))),))
        for path in sorted((SCHEMAS / "schemes").glob("*.json"))
    }
    data = json.loads((SCHEMAS / "catalogues/ccc.json").read_text(encoding="utf-8"))
    catalogue: CatalogueState = {
        "v": 1,
        "kind": "catalogue",
        "id": "ccc",
        "name": data["name"],
        "version": 1,
        "classes": [
            {
                "class": one["class"],
                "name": one["name"],
                "modes": [{"mode": one["mode"], "from": data["effective_at"], "until": None}],
                "removed_on": None,
                "digest": None,
            }
            for one in data["classes"]
        ],
    }
    return Rulebook(schemes, {"ccc": catalogue}, {BODY: _body(BODY, schemes, None), GONE: _body(GONE, schemes, _ENDED)})


def _body(number: str, schemes: dict[str, Scheme], gone: date | None) -> BodyState:
    statuses = [{"status": "approved", "from": "2019-06-01"}]
    if gone:
        statuses.append({"status": "disqualified", "from": gone.isoformat()})
    return {
        "v": 1,
        "kind": "body",
        "approval_no": number,
        "name": "示范认证中心有限公司",
        "schemes": [{"scheme": scheme, "from": "2019-06-01", "until": None} for scheme in schemes],
        "approved_from": "2019-06-01",
        "approved_until": None,
        "status": statuses[-1]["status"],
        "statuses": statuses,  # type: ignore[typeddict-item]  # as the state has it
        "backfills": [],
    }


# --- certificates ----------------------------------------------------------------------------------------


class Registered:
    """Fictional certificates by kind: what a listing is made about."""

    def __init__(self, seed: int, count: int) -> None:
        self._chance = random.Random(seed)
        self._names: set[str] = set()
        self.by_kind: dict[str, list[Certificate]] = {}
        kinds = (
            ["valid"] * 40
            + ["suspended", "revoked", "cancelled", "expired", "resumed", "later_model"] * 4
            + ["organic"] * 12
            + ["organic_suspended", "conversion", "green", "green_suspended"] * 3
            + ["qms"] * 8
            + ["qms_gone", "sdoc"] * 4
        )
        for number in range(count):
            kind = kinds[number % len(kinds)]
            self.by_kind.setdefault(kind, []).append(self._certificate(kind, number))

    @property
    def certificates(self) -> list[Certificate]:
        return [one for of in self.by_kind.values() for one in of]

    def _name(self) -> str:
        while True:
            name = self._chance.choice(_CITIES) + "".join(self._chance.sample(_CHARS, 3))
            if name not in self._names:
                self._names.add(name)
                return name

    def _certificate(self, kind: str, number: int) -> Certificate:
        chance = self._chance
        brand = self._name()
        full = f"{brand}{chance.choice(_TRADES)}有限公司"
        holder = Party(full, f"91310115MAXX{number:06d}"[:18].ljust(18, "0"), "310115", "上海市示范路1号")
        factory = Party(f"{brand}第二制造有限公司") if number % 3 == 0 else holder
        scheme, no, product, scope = self._what(kind, number, brand)
        marks: tuple[Mark, ...] = ()
        end = None if kind == "sdoc" else _ENDED - timedelta(days=1) if kind == "expired" else _ENDS
        statuses = [_interval(Status.ACTIVE, _BEGUN)]
        if kind in ("suspended", "organic_suspended", "green_suspended", "resumed"):
            statuses.append(_interval(Status.SUSPENDED, _ENDED))
        if kind == "resumed":
            statuses.append(_interval(Status.ACTIVE, date(2026, 7, 1)))
        if kind == "revoked":
            statuses.append(_interval(Status.REVOKED, _ENDED))
        if kind == "cancelled":
            statuses.append(_interval(Status.CANCELLED, _ENDED))
        if scheme in ("organic", "green-product"):
            sign = {"organic": "organic", "green-product": "green-product"}[scheme]
            items = product.items if product else ()
            begun = (_interval(Status.ACTIVE, _BEGUN),)
            marks = (Mark(f"M-{no}", sign, None, "", items, (), None, None, (), _BEGUN, _ENDS, begun),)
        parts: tuple[Part, ...] = ()
        if kind == "later_model" and product:
            late = product.items[-1]
            parts = (Part(PartKind.ITEM, late.model, late.gtin, (_interval(Status.ACTIVE, _ENDED),)),)
        body = None if kind == "sdoc" else GONE if kind == "qms_gone" else BODY
        return Certificate(
            certificate_no=no,
            declaration=kind == "sdoc",
            scheme=scheme,
            scheme_version=1,
            responsible=f"urn:certmark:body:{body}",
            body=body,
            certification_mode=None,
            basis=(Basis("GB 4706.1", "2005"),),
            holder=holder,
            manufacturer=holder,
            factory=factory,
            product=product,
            service_scope=scope,
            sites=(),
            headcount=None,
            first_issued_on=_BEGUN,
            issued_on=_BEGUN,
            valid_from=_BEGUN,
            valid_until=end,
            surveillance_due=None,
            approver=None,
            audit_refs=(),
            parent_no=None,
            supersedes=None,
            superseded_by=None,
            accreditation=None,
            grade=None,
            organic=None,
            green=None,
            statuses=tuple(statuses),
            marks=marks,
            parts=parts,
        )

    def _what(self, kind: str, number: int, brand: str) -> tuple[str, str, Product | None, str | None]:
        chance = self._chance
        if kind.startswith("qms"):
            return "qms", f"7906{24:02d}Q{number:05d}R0S", None, "小家电的生产"
        if kind.startswith("organic"):
            name = chance.choice(_FOODS)
            return "organic", f"7903OP24{number:05d}", Product(name, None, brand, (Item("250g", None),)), None
        if kind == "conversion":
            product = Product("有机转换大米", None, brand, (Item("5kg", None),))
            return "organic-conversion", f"7903OP25{number:05d}", product, None
        if kind.startswith("green"):
            product = Product("水性内墙涂料", None, brand, (Item("18L", None), Item("5L", None)))
            return "green-product", f"GP-7904-2024-{number:05d}", product, None
        if kind == "sdoc":
            product = Product("低压元器件", "0307", brand, (Item(f"DZ{number}-63", None),))
            return "ccc-sdoc", f"SDOC-2024-{number:06d}", product, None
        code, name, stem = chance.choice(_PRODUCTS)
        items = tuple(Item(f"{stem}-{chance.randrange(20, 99)}{letter}/{number % 97}", None) for letter in "ABC")
        return "ccc", f"202499{code}{number:06d}", Product(name, code, brand, items), None


def _interval(status: Status, since: date) -> StatusInterval:
    return StatusInterval(status, since, None, None, None, _DIGEST)


# --- listings --------------------------------------------------------------------------------------------

_WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})
_HONEST_WORDS = (
    "正品保障，全国联保",
    "本店商品均有正规认证，谨防“当天出证”骗局",
    "厂家已通过ISO9001质量管理体系认证的企业，值得信赖",
    "产品由通过ISO9001认证的工厂生产",
    "当天发货，免费安装",
    "无需安装，检测合格",
    "",
    "支持第三方检测机构验货",
)


class Maker:
    """Makes listings about a register, one after the other by one seed."""

    def __init__(self, held: Registered, seed: int) -> None:
        self._held = held
        self._chance = random.Random(seed)
        self._row = 0
        self._codes: list[str] = []

    def all(self, count: int) -> list[Labelled]:
        """`count` listings: 70 of a hundred honest, the others with one trap each."""
        traps = list(self._traps().items())
        honest = list(self._honest().items())
        made: list[Labelled] = []
        while len(made) < count:
            if self._chance.random() < 0.7:
                name, make = self._chance.choice(honest)
                made.append(self._labelled(make(), "lawful", "", name))
            else:
                name, (label, rule, trap) = self._chance.choice(traps)
                found = trap()
                made += [
                    self._labelled(row, label, rule, name) for row in (found if isinstance(found, list) else [found])
                ]
        return made[:count]

    def _labelled(self, row: dict[str, str], label: str, rule: str, trap: str) -> Labelled:
        self._row += 1
        return Labelled({"row": str(self._row)} | row, label, rule, trap)

    def _one(self, kind: str) -> Certificate:
        return self._chance.choice(self._held.by_kind[kind])

    def _base(self, kind: str, made: str = "2026-04-01", **fields: str) -> dict[str, str]:
        """A listing by the holder that says everything correctly."""
        certificate = self._one(kind)
        product = certificate.product
        item = product.items[0] if product else None
        name = product.name if product else certificate.service_scope or ""
        row = {
            "platform": "示范商城",
            "shop": f"{certificate.holder.name}旗舰店",
            "listing_url": f"https://shop.example/{self._row}",
            "captured_on": DAY.isoformat(),
            "made_on": made,
            "shipped_on": "",
            "title": f"{product.trademark if product else ''} {name} {item.model if item else ''}",
            "product": name,
            "product_class": (product.product_class or "") if product else "",
            "brand": (product.trademark or "") if product else "",
            "model": item.model if item else "",
            "seller": certificate.holder.name,
            "seller_uscc": certificate.holder.uscc or "",
            "maker": certificate.holder.name,
            "maker_uscc": certificate.holder.uscc or "",
            "maker_address": "上海市示范路1号",
            "certificate_no": certificate.certificate_no,
            "body_claimed": "",
            "licence_no": "",
            "mark": {"ccc": "ccc", "ccc-sdoc": "ccc", "organic": "organic", "green-product": "green-product"}.get(
                certificate.scheme, ""
            ),
            "mark_code": "",
            "text": self._chance.choice(_HONEST_WORDS),
            "image": "",
        }
        if certificate.scheme == "organic":
            row |= {"body_claimed": "示范认证中心有限公司", "mark_code": self._code()}
        return row | fields

    def _code(self) -> str:
        return "7903" + "".join(self._chance.choice("0123456789") for _ in range(14))

    # honest, with noise

    def _honest(self) -> dict[str, Callable[[], dict[str, str]]]:
        def noisy(change: Callable[[dict[str, str]], dict[str, str]], kind: str = "valid") -> Callable[[], Any]:
            def make() -> dict[str, str]:
                row = self._base(kind)
                return row | change(row)

            return make

        def dealer(row: dict[str, str]) -> dict[str, str]:
            return {"seller": "别家商贸有限公司", "seller_uscc": "91310115MAXX99999X", "shop": "别家专营店"}

        def number(row: dict[str, str]) -> str:
            return row["certificate_no"]

        def spaced(row: dict[str, str]) -> dict[str, str]:
            return {"certificate_no": " ".join(number(row)[i : i + 4] for i in range(0, 16, 4))}

        return {
            "plain": lambda: self._base("valid"),
            "dealer": noisy(dealer),
            "number spaced": noisy(spaced),
            "number wide": noisy(lambda row: {"certificate_no": number(row).translate(_WIDE)}),
            "number labelled": noisy(lambda row: {"certificate_no": f"3C证书编号：{number(row)}"}),
            "number from a spreadsheet": noisy(lambda row: {"certificate_no": f'="{number(row)}"'}),
            "number in the text": noisy(
                lambda row: {
                    "certificate_no": "",
                    "text": f"【CCC证书号】{number(row)} 放心选购，订单号1234567890123456",
                }
            ),
            "number missing, found by maker": noisy(lambda row: {"certificate_no": "", "text": "正品"}),
            "model wide": noisy(lambda row: {"model": row["model"].translate(_WIDE)}),
            "model lower": noisy(lambda row: {"model": row["model"].lower()}),
            "model with colour": noisy(lambda row: {"model": f"型号：{row['model']}（白色）"}),
            "model in a sentence": noisy(lambda row: {"model": f"{row['brand']} {row['model']} 家用款"}),
            "model only in the title": noisy(lambda row: {"model": ""}),
            "maker with 有限责任公司": noisy(
                lambda row: {"maker": row["maker"].replace("有限公司", "有限责任公司"), "maker_uscc": ""}
            ),
            "maker with spaces and brackets": noisy(
                lambda row: {"maker": f" {row['maker']} ".translate(_WIDE), "maker_uscc": ""}
            ),
            "maker shortened": noisy(lambda row: {"maker": row["maker"].replace("有限公司", ""), "maker_uscc": ""}),
            "maker mistyped": noisy(lambda row: {"maker": self._typo(row["maker"]), "maker_uscc": ""}),
            "dates written otherwise": noisy(lambda row: {"made_on": "2026年4月1日", "captured_on": "2026/11/1"}),
            "no product class": noisy(lambda row: {"product_class": ""}),
            "shipped before cancellation": lambda: self._base("cancelled", "2026-03-01", shipped_on="2026-03-20"),
            "resumed": lambda: self._base("resumed", "2026-08-01"),
            "captured before": lambda: self._base("suspended", "2026-04-01", captured_on="2026-04-20"),
            "the later model in time": lambda: self._later("2026-06-01"),
            "organic": lambda: self._base("organic"),
            "green": lambda: self._base("green"),
            "conversion said so": lambda: self._base("conversion", title="有机转换大米 5kg", text="有机转换产品"),
            "declaration said so": lambda: self._base("sdoc", text="已按规定作出CCC自我声明"),
            "a firm's system": lambda: self._base("qms", title="小家电", text="本公司通过ISO9001质量管理体系认证"),
            "nothing claimed": lambda: self._plain_goods(),
        }

    def _typo(self, name: str) -> str:
        at = self._chance.randrange(2, 5)
        return name[:at] + self._chance.choice(_CHARS.replace(name[at], "")) + name[at + 1 :]

    def _plain_goods(self) -> dict[str, str]:
        goods = self._chance.choice(("纯棉T恤", "陶瓷杯", "木梳", "笔记本"))
        row = self._base("valid")
        blank = {"certificate_no": "", "product_class": "", "mark": "", "model": "均码", "brand": "某某"}
        return (
            row
            | blank
            | {"product": goods, "title": f"{goods} 新款 包邮", "text": "当天发货", "maker": "某某日用品有限公司"}
        )

    def _later(self, made: str) -> dict[str, str]:
        certificate = self._one("later_model")
        row = self._base("later_model", made)
        product = certificate.product
        assert product is not None
        party = {"maker": certificate.holder.name, "maker_uscc": certificate.holder.uscc or ""}
        return (
            row
            | party
            | {
                "certificate_no": certificate.certificate_no,
                "model": product.items[-1].model,
                "product": product.name,
                "product_class": product.product_class or "",
                "brand": product.trademark or "",
                "title": product.name,
            }
        )

    # traps: label, rule, how it is made

    def _traps(self) -> dict[str, tuple[str, str, Callable[[], Any]]]:
        stranger = {"maker": "无名电器有限公司", "maker_uscc": "", "seller": "无名商行", "seller_uscc": ""}
        base = self._base

        def changed(kind: str, change: Callable[[dict[str, str]], dict[str, str]], **kw: str) -> Callable[[], Any]:
            return lambda: (lambda row: row | change(row))(base(kind, **kw))

        return {
            "no certificate": ("unlawful", "L01", lambda: base("valid", certificate_no="", **stranger)),
            "licence as certificate": (
                "unlawful",
                "L01",
                lambda: base("valid", **(stranger | {"certificate_no": "XK06-015-00123"})),
            ),
            "digit missing": (
                "unlawful",
                "L02",
                changed("valid", lambda row: {"certificate_no": row["certificate_no"][:-1]}),
            ),
            "digit too many": (
                "unlawful",
                "L02",
                changed("valid", lambda row: {"certificate_no": row["certificate_no"] + "7"}),
            ),
            "unknown number": (
                "unlawful",
                "L03",
                changed(
                    "valid",
                    lambda row: {"certificate_no": f"202399{row['product_class']}9{self._chance.randrange(10**5):05d}"},
                ),
            ),
            "two digits exchanged": ("unlawful", "L03", changed("valid", self._exchanged)),
            "another's number": (
                "unlawful",
                "L04",
                changed("valid", lambda row: {"maker": self._other(row), "maker_uscc": ""}),
            ),
            "another's number and brand": (
                "unlawful",
                "L04",
                changed(
                    "valid",
                    lambda row: {
                        "maker": "山寨电器有限公司",
                        "maker_uscc": "",
                        "brand": "山寨",
                        "seller": "无名商行",
                        "seller_uscc": "",
                    },
                ),
            ),
            "made while suspended": ("unlawful", "L05", lambda: base("suspended", "2026-08-01")),
            "organic suspended": ("unlawful", "L05", lambda: base("organic_suspended", "2026-08-01")),
            "revoked": ("unlawful", "L06", lambda: base("revoked")),
            "made after cancellation": ("unlawful", "L06", lambda: base("cancelled", "2026-08-01")),
            "made after expiry": ("unlawful", "L07", lambda: base("expired", "2026-08-01")),
            "made before issue": ("unlawful", "L07", lambda: base("valid", "2023-08-01")),
            "another model": (
                "unlawful",
                "L08",
                changed("valid", lambda row: {"model": f"{row['model']}X", "title": row["product"]}),
            ),
            "model of another maker": (
                "unlawful",
                "L08",
                changed("valid", lambda row: {"model": "ZZ-900", "title": row["product"]}),
            ),
            "model before it was added": ("unlawful", "L08", lambda: self._later("2026-02-01")),
            "another class": (
                "unlawful",
                "L09",
                changed(
                    "valid",
                    lambda row: {
                        "product_class": "0712" if row["product_class"] != "0712" else "0713",
                        "product": "电烤箱",
                    },
                ),
            ),
            "a system for goods": (
                "unlawful",
                "L10",
                lambda: base("qms", product="微波炉", product_class="0714", title="微波炉", text="已获认证"),
            ),
            "a system as the product's": (
                "unlawful",
                "L10",
                lambda: base(
                    "qms",
                    title="收纳盒",
                    text=self._chance.choice(
                        ("本产品已通过ISO9001认证", "产品荣获质量管理体系认证", "ISO9001认证产品")
                    ),
                ),
            ),
            "organic without code": ("unlawful", "L11", lambda: base("organic", mark_code="", text="有机好茶")),
            "organic without body": ("unlawful", "L11", lambda: base("organic", body_claimed="")),
            "conversion as organic": (
                "unlawful",
                "L12",
                lambda: base("conversion", title="有机大米 5kg", text="纯有机种植"),
            ),
            "green mark suspended": ("unlawful", "L13", lambda: base("green_suspended", "")),
            "green mark on a CCC certificate": ("unlawful", "L13", lambda: base("valid", mark="green-product")),
            "body disqualified": ("review", "L14", lambda: base("qms_gone", title="小家电", text="公司通过体系认证")),
            "code in two shops": ("unlawful", "L15", self._copied),
            "no maker": (
                "unlawful",
                "L16",
                lambda: base("valid", maker=self._chance.choice(("", "见包装", "无")), maker_uscc="", maker_address=""),
            ),
            "see packaging": (
                "unlawful",
                "L16",
                lambda: base("valid", maker_address=self._chance.choice(("见包装", "详见包装"))),
            ),
            "certificates for sale": (
                "unlawful",
                "L17",
                lambda: base(
                    "valid",
                    text=self._chance.choice(
                        (
                            "3C证书当天出证",
                            "无需检测 直接出证书",
                            "CCC认证包过，3天拿证",
                            "直出证书 加微信",
                            "免检测办理认证证书",
                        )
                    ),
                ),
            ),
            "declaration as a third party's": (
                "unlawful",
                "L18",
                lambda: base(
                    "sdoc",
                    text=self._chance.choice(
                        ("国家权威机构颁发CCC第三方认证证书", "第三方认证，权威机构颁发", "认证中心颁发认证证书")
                    ),
                ),
            ),
            "made before suspension": ("review", "L05", lambda: base("suspended", "2026-04-01")),
            "made before expiry": ("review", "L07", lambda: base("expired", "2026-04-01")),
            "made before cancellation": ("review", "L06", lambda: base("cancelled", "2026-03-01")),
            "look-alike model": ("review", "L08", self._look_alike),
        }

    def _exchanged(self, row: dict[str, str]) -> dict[str, str]:
        number = row["certificate_no"]
        known = {one.certificate_no for one in self._held.certificates}
        for at in range(15, 10, -1):
            swapped = number[: at - 1] + number[at] + number[at - 1] + number[at + 1 :]
            if swapped != number and swapped not in known:
                return {"certificate_no": swapped}
        return {"certificate_no": "2023990703999999"}

    def _other(self, row: dict[str, str]) -> str:
        while True:
            name = self._one("valid").holder.name
            if name != row["maker"]:
                return name

    def _look_alike(self) -> dict[str, str]:
        """A model with a digit typed as the letter that looks like it."""
        while True:
            row = self._base("valid")
            typed = row["model"].translate(str.maketrans("0152", "OISZ"))
            if typed != row["model"]:
                return row | {"model": typed, "title": row["product"]}

    def _copied(self) -> list[dict[str, str]]:
        one = self._base("organic")
        return [one, one | {"shop": "别家专营店", "seller": "别家商贸有限公司", "seller_uscc": ""}]
