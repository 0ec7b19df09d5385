"""What a standing means in law: whether goods that bear a certificate or its mark may be shipped, sold, imported, used.

The answer is about goods that bear the certificate or the mark. Of a voluntary scheme's product the law says nothing
where it bears neither: that is in the reason, not in the answer. `RULES` is the whole table; docs/consequence.md shows
it row by row.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from services.domain.certificate import Certificate, Mark, Part, StatusInterval
from services.domain.errors import BadRequest
from services.domain.scheme import Judgement, SchemeRules, Words
from services.domain.standing import Standing, own_mark_standing, part_standing, standing


class Act(StrEnum):
    """What is to be done with the goods or service, or with the certificate itself."""

    SHIP = "ship"  # 出厂: leave the factory
    SELL = "sell"  # 销售
    IMPORT = "import"  # 进口
    USE = "use"  # 使用: in business
    DISPLAY = "display"  # 宣传展示: show the certificate or the mark


class Allowed(StrEnum):
    YES = "yes"
    NO = "no"
    REVIEW = "review"


class Reach(StrEnum):
    """Whose rules hold: a compulsory product scheme's, a voluntary one's, or those for what attests no product."""

    COMPULSORY = "compulsory"
    VOLUNTARY = "voluntary"
    ORGANISATION = "organisation"


class Order(StrEnum):
    """The dates of the goods against the certificate's: were they made, and did they leave the factory, under it?"""

    UNKNOWN = "unknown"  # no date is given
    IN_TIME = "in_time"  # left the factory while it was valid, or was valid on every day since they were made
    UNPROVED = "unproved"  # made in its time, shipped nobody knows when, and it was not valid all along
    DOUBTFUL = "doubtful"  # shipped in time, made while it was not valid; or at a time that the register does not know
    EARLY = "early"  # made or shipped before there was a certificate
    SUSPENDED = "suspended"  # shipped, or made and not resumed since, while it was suspended
    LATE = "late"  # shipped or made after it had ended


@dataclass(frozen=True, slots=True)
class Permit:
    """An answer with what it rests on. `standing` is that of the day which counts for the act."""

    allowed: Allowed
    rule: str
    clause: Words
    standing: Standing
    reason: Words


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the first that names reach, act, standing and order is the answer. No standings or orders: all."""

    id: str
    allowed: Allowed
    clause: str
    reason: Words
    reach: frozenset[Reach]
    acts: frozenset[Act]
    standings: frozenset[Standing] = frozenset()
    orders: frozenset[Order] = frozenset()

    def names(self, reach: Reach, act: Act, now: Standing, order: Order) -> bool:
        return (
            reach in self.reach
            and act in self.acts
            and (not self.standings or now in self.standings)
            and (not self.orders or order in self.orders)
        )


def _words(zh: str, en: str) -> Words:
    return {"zh": zh, "en": en}


CLAUSES: Mapping[str, Words] = MappingProxyType(
    {
        "placing": _words(
            "《认证认可条例》：列入目录的产品须经认证并标注认证标志后，方可出厂、销售、进口或者在其他经营活动中使用"
            "（罚则第六十六条）",
            "Regulations on Certification and Accreditation: catalogue products need certification and its mark before "
            "they leave the factory, are sold, imported or used in business (penalty: art. 66)",
        ),
        "suspension": _words(
            "强制性产品认证证书暂停期间不得出厂、进口（证书注销、暂停、撤销规则，据转载）；"
            "持证人暂停期间销售的，按销售未经认证产品处理（国认法函〔2007〕132号）",
            "While a CCC certificate is suspended its goods may not leave the factory or be imported (rules on "
            "cancelling, suspending and revoking, as re-posted); its holder selling them sells uncertified goods "
            "(CNCA letter 国认法函〔2007〕132号)",
        ),
        "cancellation": _words(
            "证书注销后不得再出厂、进口；注销前已出厂的可以继续销售（证书注销、暂停、撤销规则，据转载）",
            "After cancellation nothing more may leave the factory or be imported; what was shipped before may be "
            "sold on (rules on cancelling, suspending and revoking, as re-posted)",
        ),
        "revocation": _words(
            "证书撤销后不得恢复，须停止使用标志（证书注销、暂停、撤销规则，据转载）；"
            "未撤销并停止使用标志的，认证机构承担连带责任（《认证认可条例》第七十三条）",
            "A revoked certificate is never restored and its mark must not be used (rules on cancelling, suspending "
            "and revoking, as re-posted); a body that lets the mark be used is jointly liable (Regulations, art. 73)",
        ),
        "misuse": _words(
            "《认证证书和认证标志管理办法》第五条（不得伪造、冒用证书和标志）、"
            "《认证认可条例》第二十四条（在认证范围内使用）",
            "Measures on Certificates and Marks, art. 5 (no forging or misuse); Regulations on Certification and "
            "Accreditation, art. 24 (use within the scope)",
        ),
        "recall": _words(
            "《产品质量监督抽查管理暂行办法》：抽查不合格的产品停止生产、销售；"
            "《消费品召回管理暂行规定》：存在缺陷的停止生产、销售、进口并召回（据一般了解，未核原文）",
            "Interim Measures on Supervisory Sampling: products that fail are no longer made or sold; Interim "
            "Provisions on Consumer Product Recall: defective ones are no longer made, sold or imported, and are "
            "recalled (as commonly known; the texts were not compared)",
        ),
        "kind": _words(
            "《认证证书和认证标志管理办法》第十二条：不得利用服务、管理体系认证证书误导公众认为其产品已通过认证",
            "Measures on Certificates and Marks, art. 12: a service or management system certificate must not make "
            "the public believe that products are certified",
        ),
        "analogy": _words(
            "本项目规则：比照强制性产品认证，注销前已出厂的可以继续销售",
            "project rule, after the one for compulsory certification: what was shipped before cancellation may be "
            "sold on",
        ),
        "project": _words(
            "本项目规则：未见明文，须人工核实",
            "project rule: no text is known, so somebody has to look",
        ),
    }
)
"""What a rule rests on. Most texts were read in re-posts: compare the official text before quoting (docs/consequence.md
says which)."""

_GOODS = frozenset({Act.SHIP, Act.SELL, Act.IMPORT, Act.USE})
_PLACING = frozenset({Act.SHIP, Act.IMPORT})
_STOCK = frozenset({Act.SELL, Act.USE})
_OVER = frozenset({Standing.CANCELLED, Standing.SUPERSEDED})
_OPEN = frozenset({Order.UNKNOWN, Order.UNPROVED})

WITHOUT = _words(
    "。不带标志也不提及证书的，不受本答复限制（自愿性认证）",
    ". Without the mark, and without naming the certificate, this does not bind them (a voluntary scheme)",
)
"""What is said besides of a voluntary scheme's goods that may not bear the mark."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A clause and a reason in both languages."""

    clause: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A row for products: the same answer for compulsory (P…) and voluntary (V…) schemes, each with its own ground."""

    number: str
    allowed: Allowed
    acts: frozenset[Act]
    standings: frozenset[Standing]
    orders: frozenset[Order]
    compulsory: _Said
    voluntary: _Said

    def rule(self, reach: Reach) -> Rule:
        voluntary = reach is Reach.VOLUNTARY
        said = self.voluntary if voluntary else self.compulsory
        free = voluntary and self.allowed is not Allowed.YES and Act.DISPLAY not in self.acts
        reason = _words(said.zh + WITHOUT["zh"], said.en + WITHOUT["en"]) if free else _words(said.zh, said.en)
        letter = "V" if voluntary else "P"
        return Rule(
            letter + self.number,
            self.allowed,
            said.clause,
            reason,
            frozenset({reach}),
            self.acts,
            self.standings,
            self.orders,
        )


def _only(*standings: Standing) -> frozenset[Standing]:
    return frozenset(standings)


_ANY_STANDING: frozenset[Standing] = frozenset()
_ANY_ORDER: frozenset[Order] = frozenset()
_SHOW = frozenset({Act.DISPLAY})

_SHOWN = _Said("misuse", "{it}有效，可以展示证书和标志", "{It} is valid: certificate and mark may be shown")
_NOT_SHOWN = _Said(
    "misuse",
    "{day}{it}处于{standing}状态，不得展示或宣传证书和标志",
    "On {day} {it} is {standing}: certificate and mark may not be shown or advertised",
)
_REVOKED = _Said(
    "revocation",
    "{it}已撤销：无论何时生产、出厂，均不得出厂、销售、进口、使用",
    "{It} is revoked: not to be shipped, sold, imported or used, whenever they were made or shipped",
)
_DOUBTFUL = _Said(
    "project",
    "出厂时{it}有效而生产时不是，或登记册没有当时的记录：须核实",
    "Shipped while {it} was valid but made when it was not, or at a time of which the register holds no record: "
    "to be looked at",
)
_NOT_YET = "{it}尚未生效", "{It} is not in force yet"
_EARLY = (
    "生产或出厂早于{it}生效，不是获证产品",
    "Made or shipped before {it} was in force: not certified goods",
)
_LATE = (
    "{it}失效后生产或出厂，不是获证产品",
    "Made or shipped after {it} had ended: not certified goods",
)
_VALID = "{it}有效", "{It} is valid"
_VALID_UNPROVED = _Said(
    "project",
    "{it}现为有效，但自生产之日起并非一直有效，出厂日期未证明：须核实出厂日期",
    "{It} is valid now, but was not on every day since these were made, and when they were shipped is not proved: "
    "the date of shipment is wanted",
)
_OVER_PLACING = (
    "{it}已{over}，不得再出厂、进口",
    "{It} is {over}: nothing more may leave the factory or be imported",
)
_OVER_SHIPPED = (
    "{it}{over}前已出厂，可以继续销售、使用",
    "Shipped before {it} was {over}: may be sold on and used",
)
_OVER_OPEN = (
    "{it}已{over}：只有此前已出厂的可以继续销售、使用，出厂日期未证明，须核实",
    "{It} is {over}: only what was shipped before may be sold on and used, and when these were shipped is not proved",
)
_EXPIRED_PLACING = "{it}已过期，不得再出厂、进口", "{It} has expired: nothing more may leave the factory or be imported"
_EXPIRED_STOCK = _Said(
    "project",
    "{it}已过期：有效期内的库存须核实生产和出厂日期",
    "{It} has expired: stock from its time of validity is to be looked at, with the dates of making and shipping",
)

_ROWS = (
    _Row("01", Allowed.YES, _SHOW, _only(Standing.VALID), _ANY_ORDER, _SHOWN, _SHOWN),
    _Row("02", Allowed.NO, _SHOW, _ANY_STANDING, _ANY_ORDER, _NOT_SHOWN, _NOT_SHOWN),
    _Row("03", Allowed.NO, _GOODS, _only(Standing.REVOKED), _ANY_ORDER, _REVOKED, _REVOKED),
    _Row(
        "04",
        Allowed.NO,
        _PLACING,
        _only(Standing.SUSPENDED),
        _ANY_ORDER,
        _Said(
            "suspension",
            "{it}暂停期间不得出厂、进口",
            "While {it} is suspended nothing may leave the factory or be imported",
        ),
        _Said(
            "misuse",
            "{it}暂停期间不得使用标志出厂、进口",
            "While {it} is suspended nothing may leave the factory or be imported with the mark",
        ),
    ),
    _Row(
        "05",
        Allowed.NO,
        _PLACING,
        _OVER,
        _ANY_ORDER,
        _Said("cancellation", *_OVER_PLACING),
        _Said("misuse", *_OVER_PLACING),
    ),
    _Row(
        "06",
        Allowed.NO,
        _PLACING,
        _only(Standing.EXPIRED),
        _ANY_ORDER,
        _Said("placing", *_EXPIRED_PLACING),
        _Said("misuse", *_EXPIRED_PLACING),
    ),
    _Row("07", Allowed.REVIEW, _GOODS, _ANY_STANDING, frozenset({Order.DOUBTFUL}), _DOUBTFUL, _DOUBTFUL),
    _Row(
        "08",
        Allowed.NO,
        _GOODS,
        _only(Standing.NOT_YET_VALID),
        _ANY_ORDER,
        _Said("placing", *_NOT_YET),
        _Said("misuse", *_NOT_YET),
    ),
    _Row(
        "09",
        Allowed.NO,
        _GOODS,
        _ANY_STANDING,
        frozenset({Order.EARLY}),
        _Said("placing", *_EARLY),
        _Said("misuse", *_EARLY),
    ),
    _Row(
        "10",
        Allowed.NO,
        _GOODS,
        _ANY_STANDING,
        frozenset({Order.SUSPENDED}),
        _Said(
            "suspension",
            "暂停期间生产或出厂，按未经认证的产品处理",
            "Made or shipped during a suspension: these count as uncertified goods",
        ),
        _Said(
            "misuse",
            "暂停期间生产或出厂，不得使用标志",
            "Made or shipped during a suspension: they may not bear the mark",
        ),
    ),
    _Row(
        "11",
        Allowed.NO,
        _GOODS,
        _ANY_STANDING,
        frozenset({Order.LATE}),
        _Said("placing", *_LATE),
        _Said("misuse", *_LATE),
    ),
    _Row(
        "12",
        Allowed.YES,
        _GOODS,
        _only(Standing.VALID),
        frozenset({Order.IN_TIME, Order.UNKNOWN}),
        _Said("placing", *_VALID),
        _Said("misuse", *_VALID),
    ),
    _Row(
        "13",
        Allowed.REVIEW,
        _GOODS,
        _only(Standing.VALID),
        frozenset({Order.UNPROVED}),
        _VALID_UNPROVED,
        _VALID_UNPROVED,
    ),
    _Row(
        "14",
        Allowed.REVIEW,
        _STOCK,
        _only(Standing.SUSPENDED),
        frozenset({Order.IN_TIME}),
        _Said(
            "suspension",
            "暂停前已出厂：持证人暂停期间不得销售；他人库存能否销售未见明文，须核实",
            "Shipped before the suspension: the holder may not sell while it lasts; no text is known on the stock of "
            "others, so it is to be looked at",
        ),
        _Said(
            "project",
            "暂停前已出厂：暂停期间不得使用标志，库存须核实",
            "Shipped before the suspension: the mark may not be used while it lasts, so the stock is to be looked at",
        ),
    ),
    _Row(
        "15",
        Allowed.REVIEW,
        _STOCK,
        _only(Standing.SUSPENDED),
        _OPEN,
        _Said(
            "suspension",
            "{it}暂停中：暂停期间出厂的不得销售、使用，出厂日期未证明，须核实",
            "{It} is suspended: what was shipped meanwhile may not be sold or used, and when these were shipped is not "
            "proved",
        ),
        _Said(
            "project",
            "{it}暂停中：暂停期间出厂的不得带标志销售、使用，出厂日期未证明，须核实",
            "{It} is suspended: what was shipped meanwhile may not be sold or used with the mark, and when these were "
            "shipped is not proved",
        ),
    ),
    _Row(
        "16",
        Allowed.YES,
        _STOCK,
        _OVER,
        frozenset({Order.IN_TIME}),
        _Said("cancellation", *_OVER_SHIPPED),
        _Said("analogy", *_OVER_SHIPPED),
    ),
    _Row(
        "17",
        Allowed.REVIEW,
        _STOCK,
        _OVER,
        _OPEN,
        _Said("cancellation", *_OVER_OPEN),
        _Said("analogy", *_OVER_OPEN),
    ),
    _Row(
        "18",
        Allowed.REVIEW,
        _STOCK,
        _only(Standing.EXPIRED),
        frozenset({Order.IN_TIME, *_OPEN}),
        _EXPIRED_STOCK,
        _EXPIRED_STOCK,
    ),
)

_ATTESTS_NO_GOODS = (
    Rule(
        "S01",
        Allowed.NO,
        "kind",
        _words(
            "该证书不证明产品：不得以此证书表示产品已获认证而出厂、销售、进口",
            "This certificate attests no goods: they may not be shipped, sold or imported as certified by it",
        ),
        frozenset({Reach.ORGANISATION}),
        frozenset({Act.SHIP, Act.SELL, Act.IMPORT}),
    ),
    Rule(
        "S02",
        Allowed.YES,
        "misuse",
        _words(
            "{it}有效：可在认证范围内以获证名义提供和展示",
            "{It} is valid: may be offered and shown as certified, within its scope",
        ),
        frozenset({Reach.ORGANISATION}),
        frozenset({Act.USE, Act.DISPLAY}),
        _only(Standing.VALID),
    ),
    Rule(
        "S03",
        Allowed.NO,
        "misuse",
        _words(
            "{day}{it}处于{standing}状态，不得以获证名义提供或宣传",
            "On {day} {it} is {standing}: nothing may be offered or advertised as certified by it",
        ),
        frozenset({Reach.ORGANISATION}),
        frozenset({Act.USE, Act.DISPLAY}),
    ),
)

RULES: tuple[Rule, ...] = (
    *(row.rule(Reach.COMPULSORY) for row in _ROWS),
    *(row.rule(Reach.VOLUNTARY) for row in _ROWS),
    *_ATTESTS_NO_GOODS,
)

STANDING_WORDS: Mapping[Standing, Words] = MappingProxyType(
    {
        Standing.REVOKED: _words("撤销", "revoked"),
        Standing.SUPERSEDED: _words("已更换", "replaced"),
        Standing.CANCELLED: _words("注销", "cancelled"),
        Standing.EXPIRED: _words("过期", "expired"),
        Standing.SUSPENDED: _words("暂停", "suspended"),
        Standing.NOT_YET_VALID: _words("未生效", "not in force yet"),
        Standing.VALID: _words("有效", "valid"),
    }
)

_BY_THEIR_DATES = (Order.EARLY, Order.SUSPENDED, Order.LATE)


def permits(
    certificate: Certificate,
    mark: Mark | None,
    act: Act,
    day: date,
    made_on: date | None,
    shipped_on: date | None,
    rules: SchemeRules,
    standing_on: Callable[[date], Standing],
    turns: Iterable[date] | None = None,
    part: Part | None = None,
) -> Permit:
    """Whether the act is allowed on a day, for goods made and shipped on the days given, as far as they are known.

    `standing_on` judges the certificate, the `part` of it or the mark that is asked about, its parent included. It may
    change on the days of `turns` only (`turning_days` of the certificate and `mark` where none are given). What leaves
    the factory is judged by the day of shipment: `shipped_on`, or the day asked. What the scheme says otherwise
    (`consequence`) comes before the general rule, but makes no goods certified that left the factory uncertified.

    Raises:
        BadRequest: made after shipped, or either after the day asked.
    """
    _check_dates(day, made_on, shipped_on)
    reach = _reach(rules)
    counts = shipped_on if act is Act.SHIP and shipped_on is not None else day
    now = standing_on(counts)
    order = Order.UNKNOWN
    if reach is not Reach.ORGANISATION and act is not Act.DISPLAY:
        changes = turning_days(certificate, mark) if turns is None else turns
        shipped = counts if act is Act.SHIP else shipped_on
        order = order_of(certificate, made_on, shipped, day, standing_on, changes, mark)
    rule = rule_for(reach, act, now, order)
    said = (rules["consequence"] or {}).get(act, {}).get(now)
    if said is not None and (said["allowed"] == Allowed.NO or order not in _BY_THEIR_DATES):
        return _by_scheme(said, rules, now)
    whose = "certificate"
    if standing(certificate, counts) is not now:
        if mark is not None and own_mark_standing(mark, counts) is now:
            whose = "mark"
        elif part_standing(certificate, part, counts) is now:
            whose = "part"
    return Permit(rule.allowed, rule.id, CLAUSES[rule.clause], now, _filled(rule.reason, counts, now, whose))


@cache  # of a few hundred questions
def rule_for(reach: Reach, act: Act, now: Standing, order: Order) -> Rule:
    """The row that answers; there is one for everything that can be asked."""
    return next(rule for rule in RULES if rule.names(reach, act, now, order))


def order_of(
    certificate: Certificate,
    made_on: date | None,
    shipped_on: date | None,
    day: date,
    standing_on: Callable[[date], Standing],
    turns: Iterable[date],
    mark: Mark | None = None,
) -> Order:
    """Where the dates of the goods lie in the certificate's life, and in that of the mark where one is asked about."""

    def time_of(on: date) -> _Time:
        return _time_of(certificate, on, standing_on, mark)

    if made_on is None and shipped_on is None:
        return Order.DOUBTFUL if time_of(day) is _Time.UNRECORDED else Order.UNKNOWN
    made = time_of(made_on) if made_on else None
    shipped = time_of(shipped_on) if shipped_on else None
    if _Time.BEFORE in (made, shipped):
        return Order.EARLY
    if _Time.UNRECORDED in (made, shipped):
        return Order.DOUBTFUL
    if shipped is not None:
        if shipped is _Time.VALID:
            return Order.IN_TIME if made in (None, _Time.VALID) else Order.DOUBTFUL
        return Order.SUSPENDED if shipped is _Time.SUSPENDED else Order.LATE
    assert made_on is not None
    assert made is not None
    between = {made, *(time_of(turn) for turn in turns if made_on < turn <= day)}
    if between == {_Time.VALID}:
        return Order.IN_TIME
    if _Time.VALID in between:
        return Order.UNPROVED
    return Order.SUSPENDED if made is _Time.SUSPENDED else Order.LATE


def turning_days(certificate: Certificate, mark: Mark | None = None) -> set[date]:
    """The days on which a standing of the certificate, of one of its parts or of the mark may begin."""
    days = {certificate.valid_from, *_starts(certificate.statuses)}
    ends = [certificate.valid_until, *(period.until for period in certificate.periods)]
    days.update(period.since for period in certificate.periods)
    for part in certificate.parts:
        days.update(_starts(part.statuses))
    if mark is not None:
        days.update((mark.valid_from, *_starts(mark.statuses)))
        ends.append(mark.valid_until)
    return days | {end + timedelta(days=1) for end in ends if end is not None and end < date.max}


class _Time(StrEnum):
    """What a day in the life of goods was in the life of the certificate."""

    BEFORE = "before"
    UNRECORDED = "unrecorded"
    VALID = "valid"
    SUSPENDED = "suspended"
    AFTER = "after"


def _time_of(certificate: Certificate, day: date, standing_on: Callable[[date], Standing], mark: Mark | None) -> _Time:
    then = standing_on(day)
    if then is Standing.VALID:
        return _Time.VALID
    if then is Standing.SUSPENDED:
        return _Time.SUSPENDED
    if then is not Standing.NOT_YET_VALID:
        return _Time.AFTER
    if standing(certificate, day) is not Standing.NOT_YET_VALID and (mark is None or day >= mark.statuses[0].since):
        return _Time.BEFORE  # the model that is asked about came in later (decision 0031)
    # A certificate that is older than its record here, or that took another's place, may have covered them then.
    earlier = certificate.first_issued_on <= day or certificate.supersedes is not None
    return _Time.UNRECORDED if earlier else _Time.BEFORE


def _check_dates(day: date, made_on: date | None, shipped_on: date | None) -> None:
    if made_on is not None and made_on > day:
        raise BadRequest(f"made on {made_on}, after the day asked, {day}", pointer="/made_on")
    if shipped_on is not None and shipped_on > day:
        raise BadRequest(f"shipped on {shipped_on}, after the day asked, {day}", pointer="/shipped_on")
    if made_on is not None and shipped_on is not None and shipped_on < made_on:
        raise BadRequest(f"shipped on {shipped_on}, before it was made on {made_on}", pointer="/shipped_on")


def _reach(rules: SchemeRules) -> Reach:
    if rules["class"] != "product":
        return Reach.ORGANISATION
    return Reach.COMPULSORY if rules["mandatory"] else Reach.VOLUNTARY


def _starts(statuses: Iterable[StatusInterval]) -> Iterable[date]:
    return (interval.since for interval in statuses)


_NAMES: Mapping[str, tuple[Words, Words]] = MappingProxyType(
    {
        "certificate": (_words("证书", "the certificate"), _words("注销或更换", "cancelled or replaced")),
        "mark": (_words("标志授权", "the mark's authorisation"), _words("终止", "ended")),
        "part": (_words("该型号的认证", "the certification of this model"), _words("终止", "ended")),
    }
)
"""Whose standing the answer rests on: what it is called, and what its end without fault is called."""


def _filled(reason: Words, day: date, now: Standing, whose: str) -> Words:
    """A reason with its names filled in."""
    it, over = _NAMES[whose]
    words = over if whose != "certificate" and now is Standing.CANCELLED else STANDING_WORDS[now]
    return _words(
        reason["zh"].format(day=day, it=it["zh"], over=over["zh"], standing=words["zh"]),
        reason["en"].format(day=day, it=it["en"], It=it["en"].capitalize(), over=over["en"], standing=words["en"]),
    )


def _by_scheme(said: Judgement, rules: SchemeRules, now: Standing) -> Permit:
    """The answer of a scheme that says it otherwise than the general rules."""
    name, version, clause = rules["name"], rules["version"], said.get("clause")
    source = _words(f"{name['zh']}规则第{version}版", f"rules of {name['en']}, version {version}")
    words = STANDING_WORDS[now]
    reason = _words(
        f"{name['zh']}对证书{words['zh']}时另有规定", f"{name['en']} has a rule of its own for what is {words['en']}"
    )
    return Permit(Allowed(said["allowed"]), said["rule"], _words(clause, clause) if clause else source, now, reason)
