"""The rules that a listing is checked by, as data: words, ground, severity, what an inspector needs as evidence.

`RULES` is the whole set; docs/listings.md shows it row by row. A clause has dates: a finding cites the one that was in
force on the day of capture. Most texts were read in re-posts: compare the official text before quoting law.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from services.domain.scheme import Words

RULE_SET = "2026-11.4"
"""The version of the rules, the words they look for included. Findings and bundles name it."""


class Severity(StrEnum):
    """How grave the matter is where an officer finds it to be so; it orders the work and decides nothing."""

    GRAVE = "grave"  # no certificate, forged, misused, ended
    SERIOUS = "serious"  # not covered, misleading
    MINOR = "minor"  # something that has to be shown is not


@dataclass(frozen=True, slots=True)
class Clause:
    """A text that a rule rests on, and the days on which it is the one to cite (None: open)."""

    words: Words
    since: date | None = None
    until: date | None = None

    def holds_on(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class ListingRule:
    """One rule. `clause` is a key of `CLAUSES`; `evidence` says what has to be secured for it."""

    id: str
    words: Words
    clause: str
    severity: Severity
    evidence: Words


def _words(zh: str, en: str) -> Words:
    return {"zh": zh, "en": en}


_MEASURES_2022 = date(2022, 11, 1)
"""The measures on certificates and marks as issued anew under SAMR (known with medium confidence: compare)."""

_CODES_2024 = date(2024, 1, 1)
"""From here on only organic codes of the new rule."""

CLAUSES: Mapping[str, tuple[Clause, ...]] = MappingProxyType(
    {
        "uncertified": (
            Clause(
                _words(
                    "《认证认可条例》第二十七条、第六十六条：列入目录的产品未经认证不得出厂、销售、进口",
                    "Regulations on Certification and Accreditation, arts. 27 and 66: catalogue products may not be "
                    "shipped, sold or imported uncertified",
                ),
                until=date(2023, 7, 19),
            ),
            Clause(
                _words(
                    "《认证认可条例》（2023年修订）第六十六条：列入目录的产品未经认证不得出厂、销售、进口",
                    "Regulations on Certification and Accreditation (2023), art. 66: catalogue products may not be "
                    "shipped, sold or imported uncertified",
                ),
                since=date(2023, 7, 20),
            ),
        ),
        "forged": (
            Clause(
                _words(
                    "《认证证书和认证标志管理办法》第五条：不得伪造、变造、冒用、转让和非法买卖证书、标志；"
                    "《认证认可条例》第七十条",
                    "Measures on Certificates and Marks, art. 5: no forging, altering, misuse, transfer or illegal "
                    "trade of certificates and marks; Regulations on Certification and Accreditation, art. 70",
                ),
            ),
        ),
        "ended": (
            Clause(
                _words(
                    "证书暂停、撤销、注销或过期后须停止使用证书和标志（《认证证书和认证标志管理办法》；"
                    "国认法函〔2007〕132号：暂停期间销售的按未经认证处理）",
                    "Certificate and mark may not be used once suspended, revoked, cancelled or expired (Measures on "
                    "Certificates and Marks; letter 国认法函〔2007〕132号: sold while suspended counts as uncertified)",
                ),
            ),
        ),
        "scope": (
            Clause(
                _words(
                    "《认证认可条例》第二十四条：应当在认证范围内使用认证证书和认证标志",
                    "Regulations on Certification and Accreditation, art. 24: certificate and mark are used within the "
                    "scope of certification",
                ),
            ),
        ),
        "kind": (
            Clause(
                _words(
                    "《认证证书和认证标志管理办法》第十二条；罚则第二十七条（旧）",
                    "Measures on Certificates and Marks, art. 12; penalty art. 27 (older text)",
                ),
                until=date(2022, 10, 31),
            ),
            Clause(
                _words(
                    "《认证证书和认证标志管理办法》第十二条；罚则第二十五条",
                    "Measures on Certificates and Marks, art. 12; penalty art. 25",
                ),
                since=_MEASURES_2022,
            ),
        ),
        "organic": (
            Clause(
                _words(
                    "《有机产品认证管理办法》：标志、有机码和认证机构名称一并标注；有机码为17位（旧规则）",
                    "Measures on Organic Certification: mark, organic code and name of the body go together; codes of "
                    "17 digits (old rule)",
                ),
                until=date(2023, 12, 31),
            ),
            Clause(
                _words(
                    "《有机产品认证管理办法》：标志、有机码和认证机构名称一并标注；自2024年起只用新规则的有机码",
                    "Measures on Organic Certification: mark, organic code and name of the body go together; from 2024 "
                    "only codes of the new rule",
                ),
                since=_CODES_2024,
            ),
        ),
        "conversion": (
            Clause(
                _words(
                    "《有机产品认证管理办法》：转换期产品及有机配料低于95%的不得使用有机标志和“有机”字样",
                    "Measures on Organic Certification: products in conversion or below 95 % organic ingredients "
                    "may not bear the organic mark or the word",
                ),
            ),
        ),
        "mark": (
            Clause(
                _words(
                    "标志须经授权，并在授权期限、产品和数量内使用（各标志管理办法；《认证认可条例》第二十四条）",
                    "A mark needs an authorisation and is used within its term, products and quantity (the rules of "
                    "each mark; Regulations on Certification and Accreditation, art. 24)",
                ),
            ),
        ),
        "body": (
            Clause(
                _words(
                    "《认证认可条例》第五十九条、第六十四条：认证机构须在批准范围内从事认证",
                    "Regulations on Certification and Accreditation, arts. 59 and 64: bodies certify within their "
                    "approval",
                ),
            ),
        ),
        "maker": (
            Clause(
                _words(
                    "《产品质量法》第二十七条：产品或其包装须有生产厂厂名和厂址",
                    "Product Quality Law, art. 27: product or packaging bears the maker's name and address",
                ),
            ),
        ),
        "advertising": (
            Clause(
                _words(
                    "《认证认可条例》第二十二条（认证须完成规定程序）；《广告法》第二十八条（虚假广告）",
                    "Regulations on Certification and Accreditation, art. 22 (certification follows its procedure); "
                    "Advertising Law, art. 28 (false advertising)",
                ),
            ),
        ),
        "declaration": (
            Clause(
                _words(
                    "自我声明由生产者自行评价，不得表示为第三方认证（强制性产品认证自我声明评价方式实施要求；"
                    "《认证证书和认证标志管理办法》第五条）",
                    "A self-declaration is the maker's own assessment and may not be shown as a third party's (rules "
                    "on self-declaration for compulsory certification; Measures on Certificates and Marks, art. 5)",
                ),
            ),
        ),
    }
)
"""By name, in the order of their dates; there is one for every day."""

_LISTING = _words("商品页面、卖家信息、采集时间", "the listing, the seller, time of capture")
_DATES = _words("生产日期、出厂凭证、商品页面", "date of manufacture, proof of shipment, the listing")
_GOODS = _words("商品铭牌、包装照片、进货凭证", "name plate, packaging, purchase records")

RULES: tuple[ListingRule, ...] = (
    ListingRule(
        "L01",
        _words("目录内产品未标示证书编号，且按生产者和型号未查到证书", "Catalogue product without a certificate"),
        "uncertified",
        Severity.GRAVE,
        _GOODS,
    ),
    ListingRule(
        "L02",
        _words("编号格式不符", "The number is not of the scheme's form"),
        "forged",
        Severity.SERIOUS,
        _LISTING,
    ),
    ListingRule(
        "L03",
        _words("编号未登记或标志码指向仿冒网址（疑似伪造）", "Unknown number or look-alike address: perhaps forged"),
        "forged",
        Severity.GRAVE,
        _LISTING,
    ),
    ListingRule(
        "L04",
        _words("编号真实，但生产者、卖家或品牌与登记不符（疑似冒用）", "A real number, but another's: perhaps misused"),
        "forged",
        Severity.GRAVE,
        _GOODS,
    ),
    ListingRule(
        "L05",
        _words("证书暂停期间，或生产于暂停期间", "While the certificate is suspended, or made in a suspension"),
        "ended",
        Severity.GRAVE,
        _DATES,
    ),
    ListingRule(
        "L06",
        _words("证书撤销、注销后仍宣称", "Claimed after revocation or cancellation"),
        "ended",
        Severity.GRAVE,
        _DATES,
    ),
    ListingRule(
        "L07",
        _words("不在有效期内（过期或尚未生效）", "Outside the time of validity: expired or not yet in force"),
        "ended",
        Severity.GRAVE,
        _DATES,
    ),
    ListingRule(
        "L08",
        _words("型号规格不在证书范围内", "Model not covered by the certificate"),
        "scope",
        Severity.SERIOUS,
        _GOODS,
    ),
    ListingRule(
        "L09",
        _words("产品类别与证书不符", "Product class is not the certificate's"),
        "scope",
        Severity.SERIOUS,
        _GOODS,
    ),
    ListingRule(
        "L10",
        _words("体系或服务证书冒充产品认证", "System or service certificate shown as one for the product"),
        "kind",
        Severity.SERIOUS,
        _LISTING,
    ),
    ListingRule(
        "L11",
        _words("有机标志缺认证机构名称或有机码", "Organic mark without the body's name or the organic code"),
        "organic",
        Severity.MINOR,
        _GOODS,
    ),
    ListingRule(
        "L12",
        _words("转换期产品称“有机”", "Product in conversion called organic"),
        "conversion",
        Severity.SERIOUS,
        _LISTING,
    ),
    ListingRule(
        "L13",
        _words("标志未经授权、授权已暂停或终止", "Mark not authorised, or its authorisation suspended or ended"),
        "mark",
        Severity.SERIOUS,
        _LISTING,
    ),
    ListingRule(
        "L14",
        _words("发证机构无资质、超范围或已被撤销，或所称机构不是发证机构", "Body not competent, or not the one named"),
        "body",
        Severity.SERIOUS,
        _LISTING,
    ),
    ListingRule(
        "L15",
        _words("单件标志码在别处出现（疑似复制）", "The code of a single unit turns up elsewhere: perhaps copied"),
        "forged",
        Severity.GRAVE,
        _GOODS,
    ),
    ListingRule(
        "L16",
        _words("无生产者名称或地址", "No maker's name or address"),
        "maker",
        Severity.MINOR,
        _GOODS,
    ),
    ListingRule(
        "L17",
        _words("“当天出证”“包过”等虚假宣传", "Advertises certificates without assessment"),
        "advertising",
        Severity.SERIOUS,
        _LISTING,
    ),
    ListingRule(
        "L18",
        _words("自我声明冒称第三方证书", "Self-declaration shown as a third party's certificate"),
        "declaration",
        Severity.SERIOUS,
        _LISTING,
    ),
)

RULE: Mapping[str, ListingRule] = MappingProxyType({rule.id: rule for rule in RULES})

NOT_CHECKED = (
    _words("标志超出授权数量（L13）：登记册不记录已用数量", "L13, quantity exceeded: the register does not count use"),
    _words("有机配料低于95%（L12）：登记册没有配料比例", "L12, below 95 % organic: the register holds no shares"),
    _words("CCC标志的图形和尺寸（L11）：本检查不看图形", "L11, form and size of the CCC mark: no picture is judged"),
)
"""What the rules' sources also name and no data here can decide."""


def clause_on(rule: str, day: date) -> Clause:
    """The clause that a rule rests on, as it was in force on a day."""
    return next(clause for clause in CLAUSES[RULE[rule].clause] if clause.holds_on(day))


NOTES: Mapping[str, Words] = MappingProxyType(
    {
        "fits": _words("编号、生产者、型号和状态与登记相符", "Number, maker, model and standing agree"),
        "no_claim": _words("未作认证宣称，且不属于目录内产品", "Nothing is claimed, and it is no catalogue product"),
        "no_number": _words("目录内产品，未标示证书编号", "A catalogue product that shows no certificate number"),
        "many_certificates": _words(
            "未标示编号，生产者的证书过多，未逐一比对，须核实",
            "Shows no number, and the maker has more certificates than were compared: to be looked at",
        ),
        "maybe_catalogue": _words("品名疑似目录内产品，未标示证书编号", "Perhaps a catalogue product, by its name"),
        "unread_picture": _words("编号可能在未读取的图片中", "The number may be in a picture that was not read"),
        "number_in_picture": _words(
            "称编号见图，而图片缺失或未读出", "The number is said to be in a picture that is missing or cannot be read"
        ),
        "found_by_maker": _words("未标示编号，按生产者和型号查到", "Shows no number; found by maker and model"),
        "read_print": _words(
            "编号由图片中的文字识别读出，可能有误，须与图片核对",
            "The number was read in a picture's print by a program and may be wrong: compare it with the picture",
        ),
        "malformed": _words("编号不是该制度的格式", "The number is not of this scheme's form"),
        "unknown": _words(
            "登记册没有此编号；登记册并非完整，未登记不等于伪造",
            "The register has no such number; it is not complete, so that does not mean forged",
        ),
        "unknown_complete": _words("登记册完整，没有此编号", "The register is complete and has no such number"),
        "recalled": _words(
            "监管部门正在召回或禁止销售此产品，不得销售", "An authority recalls these goods: they may not be sold"
        ),
        "perhaps_recalled": _words(
            "证书下有产品正在召回，须核对型号、批次和生产日期",
            "Goods of this certificate are being recalled: model, batch and date of manufacture have to be compared",
        ),
        "impostor": _words("标志码的网址仿冒登记册", "The code's address imitates the register's"),
        "other_maker": _words("生产者不是登记的持证人、制造商或生产厂", "The maker is none of those registered"),
        "like_maker": _words("生产者名称与登记相近，须核实", "The maker's name is close to the registered one"),
        "other_uscc": _words("名称相同而信用代码不同，须核实", "The same name under another credit code"),
        "other_seller": _words(
            "未标示生产者，卖家和品牌都与登记不符", "No maker is stated, and seller and brand are others"
        ),
        "other_brand": _words("品牌与登记的商标不符，须核实", "The brand is not the registered trademark"),
        "other_model": _words("型号不在登记的型号中", "The model is not among those registered"),
        "like_model": _words("型号与登记的只差形近字符，须核实", "The model differs by look-alike characters only"),
        "early_model": _words("该型号在生产之后才列入证书", "The model entered the certificate after these were made"),
        "no_model": _words("未标示型号，无法核对", "No model is stated that could be compared"),
        "other_class": _words("产品类别与证书不同", "The product class is not the certificate's"),
        "other_product": _words("品名与证书所列产品不同，须核实", "The product's name is not the certificate's"),
        "suspended": _words("采集当日证书暂停", "The certificate was suspended on the day of capture"),
        "revoked": _words("采集当日证书已撤销", "The certificate was revoked on the day of capture"),
        "cancelled": _words("采集当日证书已注销", "The certificate was cancelled on the day of capture"),
        "superseded": _words("采集当日证书已更换", "The certificate had been replaced on the day of capture"),
        "expired": _words("采集当日证书已过期", "The certificate had expired on the day of capture"),
        "not_yet_valid": _words("采集当日证书尚未生效", "The certificate was not in force yet on the day of capture"),
        "shipped_before": _words("失效前已出厂，可以继续销售", "Shipped before it ended: may be sold on"),
        "made_early": _words("生产或出厂早于证书生效", "Made or shipped before the certificate was in force"),
        "made_late": _words("证书失效后生产或出厂", "Made or shipped after the certificate had ended"),
        "made_suspended": _words("暂停期间生产或出厂", "Made or shipped during a suspension"),
        "unproved": _words("出厂日期未证明，须核实", "When these were shipped is not proved"),
        "doubtful": _words("生产日期与证书记录不能对上，须核实", "The dates do not settle it: to be looked at"),
        "dates": _words("日期相互矛盾或读不出，未采用", "The dates contradict each other or cannot be read: not used"),
        "system": _words("该证书不证明产品", "This certificate attests no product"),
        "organic_form": _words("缺认证机构名称或有机码", "The body's name or the organic code is missing"),
        "organic_code": _words("有机码不是17或18位数字", "An organic code has 17 or 18 digits"),
        "conversion": _words("有机转换证书，页面称“有机”", "A conversion certificate, and the listing says organic"),
        "no_authorization": _words("登记册没有该标志的授权", "The register holds no authorisation of this mark"),
        "mark_ended": _words("标志授权当日无效", "The mark's authorisation does not stand on that day"),
        "body_gone": _words("发证机构资质已被撤销或暂停，须核实", "The body's approval was withdrawn or suspended"),
        "body_never": _words("发证时机构不具备该项资质", "The body was not competent when it issued"),
        "other_body": _words("所称机构不是登记的发证机构", "The body that is named did not issue it"),
        "copied": _words("同一标志码在别处出现", "The same code has been seen elsewhere"),
        "no_maker": _words("未标示生产者", "No maker is stated"),
        "no_address": _words("“见包装”等不是生产者地址", "“See packaging” is no maker's address"),
        "no_assessment": _words("宣传不经评价即可出证", "Advertises certificates without assessment"),
        "third_party": _words("自我声明，页面称第三方发证", "A self-declaration, called a third party's certificate"),
        "licence": _words("所填为许可证号，不是认证证书编号", "What is given is a licence number, not a certificate's"),
        "digits_lost": _words(
            "表格程序已把编号变成数值，末位丢失",
            "A spreadsheet program made a quantity of the number: digits are lost",
        ),
        "unreadable": _words("该行读不出", "The row cannot be read"),
    }
)
"""Why a finding says what it says, in one short sentence each."""
