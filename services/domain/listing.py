"""The check of an e-commerce listing: from what it claims and what the register holds to a verdict with its reasons.

`check` is a pure function of a listing and the register as of a day. It asks, in this order: what the words promise
(L17), who made the goods (L16), which numbers are claimed, and for each that the register has: whose it is (L04), for
what kind, class and model (L10, L09, L08), how it stood (L05–L07), the mark (L13, L11, L15), whether the goods are
recalled, the body (L14), the words beside it (L12, L18). A number that the register has not is L02 or L03; a catalogue
product without one is looked for by maker and model before it is L01. Of several numbers the best answer counts: a
seller may name what belongs to a part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple, Protocol

from services.domain.body import BodyState, BodyStatus, body_status_on, is_competent
from services.domain.certificate import Certificate, Item
from services.domain.consequence import Act, Allowed, Order, Reach, order_of
from services.domain.errors import CertmarkError
from services.domain.identifiers import certificate_number, normalised
from services.domain.impostor import Origin, origin
from services.domain.listing_rules import NOTES
from services.domain.listing_standing import Verdict, standing_verdict
from services.domain.listing_words import (
    LONGEST_TEXT,
    advertises_no_assessment,
    are_alike,
    claims_organic,
    claims_product_by_system,
    claims_third_party,
    differ_in_one,
    is_licence,
    is_stated,
    looks_like,
    model_form,
    name_form,
    names_model,
    numbers_in_field,
    numbers_in_text,
    pairs,
    plain_form,
    points_to_picture,
    unit_code_in_text,
)
from services.domain.notice_states import RecallState
from services.domain.notices import Goods, concerns, is_open_on
from services.domain.registered import Registered
from services.domain.scheme import SchemeRules, Words
from services.domain.standing import Standing


class Listing(NamedTuple):
    """One offer. A field is None where the source has no such column, and empty where it is there and says nothing.

    `row` comes back as it came. `texts` are those of the QR codes in its pictures, `pictures_read` says that every
    picture which `image` names was looked at, `printed` is what was read of their print, `unread` are the names of
    dates that say none and of a spoilt number.
    """

    row: str
    platform: str | None = None
    shop: str | None = None
    listing_url: str | None = None
    captured_on: date | None = None
    made_on: date | None = None
    shipped_on: date | None = None
    title: str | None = None
    product: str | None = None
    product_class: str | None = None
    brand: str | None = None
    model: str | None = None
    seller: str | None = None
    seller_uscc: str | None = None
    maker: str | None = None
    maker_uscc: str | None = None
    maker_address: str | None = None
    certificate_no: str | None = None
    body_claimed: str | None = None
    licence_no: str | None = None
    mark: str | None = None
    mark_code: str | None = None
    text: str | None = None
    image: str | None = None
    texts: tuple[str, ...] = ()
    pictures_read: bool = False
    unread: tuple[str, ...] = ()
    printed: str = ""


class Confidence(StrEnum):
    """How sure the reading is, not how grave the matter: a label for the reader, nobody's measurement."""

    HIGH = "high"  # fields compared with the register
    MEDIUM = "medium"  # read out of free text, or found by maker and model
    LOW = "low"  # the register may not be complete, or names are only close


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where else a unit's code was seen: in how many other shops' listings, and how often it was looked up.

    `rule` is the one of `copies.RULES` by which its look-ups are too many or too widely spread for one item.
    """

    other_shops: int = 0
    look_ups: int = 0
    rule: str | None = None

    @property
    def suggests_copy(self) -> bool:
        return self.other_shops > 0 or self.rule is not None


class Shelf(Protocol):
    """The register as of a day, as far as one listing may ask."""

    @property
    def day(self) -> date: ...
    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the register's own marks."""

    def certificate(self, number: str) -> Registered | None: ...
    def of_mark(self, mark_no: str) -> Registered | None:
        """The certificate that holds a mark of this number."""

    def made_by(self, names: Iterable[str], usccs: Iterable[str]) -> Sequence[Registered]:
        """Certificates of which one of these is holder, manufacturer or factory; of each, one beyond `CANDIDATES`."""

    def rules_on(self, scheme: str, day: date) -> SchemeRules | None: ...
    def number_fits(self, scheme: str, number: str, day: date) -> bool:
        """Whether a number has the form that the scheme gives its numbers; so has every number where it gives none."""

    def mark_named(self, words: str) -> str | None:
        """The id of the mark that goes by a name, an alias of its scheme or the name of a family among them."""

    def schemes_of_mark(self, mark: str) -> Sequence[str]:
        """The schemes whose mark this is."""

    def body(self, approval_no: str) -> BodyState | None: ...
    def body_fault(self, approval_no: str, scheme: str, issued_on: date, day: date) -> str | None:
        """`body_fault` of the body of this number; None where the register does not know it."""

    def modes_of(self, product_class: str, day: date) -> Sequence[str]:
        """How a class of the catalogue of compulsory certification is assessed on a day; empty where it is not in."""

    def schemes_of_mode(self, mode: str) -> Sequence[str]:
        """The schemes by which the classes of a catalogue that are assessed in this way get their certificates."""

    def classes_named(self, product: str) -> Sequence[str]:
        """The classes whose name a product's name contains."""

    def sighting(self, code: str) -> Sighting | None: ...
    def recalls_about(self, number: str, gtins: Iterable[str]) -> Sequence[RecallState]:
        """Recalls, closed ones among them, that name a certificate or one of these GTINs."""


class Issue(NamedTuple):
    """One thing that a rule found. `code` is one of the closed list of answer codes."""

    rule: str
    verdict: Verdict
    code: str
    note: str
    confidence: Confidence = Confidence.HIGH


class Finding(NamedTuple):
    """The answer to one listing. `captured` and `now` are the standings on the day of capture and of the register."""

    row: str
    verdict: Verdict
    rules: tuple[str, ...]
    code: str
    confidence: Confidence
    claimed: dict[str, str]
    registered: dict[str, object] | None
    captured: dict[str, str | None]
    now: dict[str, str | None]
    note: Words
    seq: int | None = None
    """The entry that left the certificate as it was judged; not shown, for the evidence."""


def check(listing: Listing, shelf: Shelf) -> Finding:
    """The finding on a listing, with the register as of `shelf.day`.

    A capture that lies later is judged as of the register's day: nothing is known of what comes after.
    """
    day = min(listing.captured_on or shelf.day, shelf.day)
    plain = normalised(f"{listing.title or ''}。{(listing.text or '')[:LONGEST_TEXT]}")
    answer = _answer(listing, plain, shelf, day)
    issues = [*_of_words(plain), *_of_codes(listing, shelf), *answer.issues]
    if answer.goods:
        issues += _of_maker(listing)
    if (listing.unread and listing.unread != ("certificate_no",)) or _contradict(listing, day):
        answer.notes.append("dates")
    return _finding(listing, answer, issues, shelf, day)


@dataclass(slots=True)
class _Answer:
    """What one way of reading the listing leads to."""

    issues: list[Issue]
    code: str
    notes: list[str]
    registered: Registered | None = None
    item: Item | None = None
    number: str | None = None
    goods: bool = True
    judged: bool = True
    confidence: Confidence = Confidence.HIGH

    @property
    def verdict(self) -> Verdict:
        return _worst(self.issues) if self.judged else Verdict.UNJUDGED


_ORDER = {Verdict.OK: 0, Verdict.UNJUDGED: 1, Verdict.REVIEW: 2, Verdict.LEAD: 3}


def _worst(issues: Iterable[Issue]) -> Verdict:
    return max((issue.verdict for issue in issues), key=_ORDER.__getitem__, default=Verdict.OK)


def _finding(listing: Listing, answer: _Answer, issues: list[Issue], shelf: Shelf, day: date) -> Finding:
    verdict = _worst(issues)
    if not answer.judged and verdict is not Verdict.LEAD:
        verdict, issues = Verdict.UNJUDGED, []
    graver = [issue for issue in issues if issue.verdict is verdict]
    rules = tuple(sorted({issue.rule for issue in issues if issue.rule}))
    code = answer.code
    confidence = answer.confidence
    if graver:
        first = graver[-1] if graver[-1] in answer.issues else graver[0]
        code = first.code or code
        if any(issue.code == _DO_NOT_SELL for issue in graver):
            code = _DO_NOT_SELL  # whatever else is wrong with it, this is what a buyer has to know
        confidence = max((issue.confidence for issue in graver), key=_SURER.__getitem__)
    notes = tuple(dict.fromkeys([*(issue.note for issue in graver), *answer.notes])) or ("fits",)
    found, item = answer.registered, answer.item
    return Finding(
        row=listing.row,
        verdict=verdict,
        rules=rules,
        code=code,
        confidence=confidence,
        claimed=_claimed(listing, answer.number),
        registered=found.shown if found else None,
        captured=_standing_said(found, item, day),
        now=_standing_said(found, item, shelf.day),
        note=_said(notes),
        seq=found.seq if found else None,
    )


_DO_NOT_SELL = "do_not_sell"
_SURER = {Confidence.LOW: 0, Confidence.MEDIUM: 1, Confidence.HIGH: 2}
_CLAIMS = ("product", "product_class", "brand", "model", "maker", "maker_uscc", "seller", "body_claimed", "mark")
_claims_of = attrgetter(*_CLAIMS)


def _claimed(listing: Listing, number: str | None) -> dict[str, str]:
    claimed = {"certificate_no": number[:_SHOWN]} if number else {}
    values: tuple[str | None, ...] = _claims_of(listing)
    for name, value in zip(_CLAIMS, values, strict=True):
        if value:
            claimed[name] = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    return claimed


_SHOWN = 200


def _standing_said(found: Registered | None, item: Item | None, day: date) -> dict[str, str | None]:
    return _day_said(day, found.standing_on(day, item) if found else None)


@lru_cache(maxsize=4096)
def _day_said(day: date, standing: Standing | None) -> dict[str, str | None]:
    return {"day": day.isoformat(), "standing": standing.value if standing else None}


_SAID: dict[tuple[str, ...], Words] = {}


def _said(notes: tuple[str, ...]) -> Words:
    words = _SAID.get(notes)
    if words is None:
        words = _SAID[notes] = {
            "zh": "；".join(NOTES[note]["zh"] for note in notes),
            "en": "; ".join(NOTES[note]["en"] for note in notes),
        }
    return words


def unreadable(row: str, shelf: Shelf) -> Finding:
    """The finding on a row that could not be read."""
    answer = _Answer([], "unreadable", ["unreadable"], judged=False)
    return _finding(Listing(row), answer, [], shelf, shelf.day)


# --- what the words say, whatever the number -------------------------------------------------------------


def _of_words(plain: str) -> Iterable[Issue]:
    if advertises_no_assessment(plain):
        yield Issue("L17", Verdict.LEAD, "", "no_assessment", Confidence.MEDIUM)


def _of_maker(listing: Listing) -> Iterable[Issue]:
    """L16, where the source has columns for the maker: an export without them says nothing of what the page shows."""
    if listing.maker is None and listing.maker_address is None:
        return
    named = listing.maker is None or is_stated(listing.maker) or is_stated(listing.maker_uscc)
    if not named:
        yield Issue("L16", Verdict.LEAD, "", "no_maker")
    elif listing.maker_address and not is_stated(listing.maker_address):
        yield Issue("L16", Verdict.LEAD, "", "no_address")
    elif listing.maker_address == "" and listing.maker is not None:
        yield Issue("L16", Verdict.REVIEW, "", "no_address")


def _of_codes(listing: Listing, shelf: Shelf) -> Iterable[Issue]:
    """QR texts that imitate the register's address, and a unit's code that turns up elsewhere."""
    if any(origin(text, shelf.hosts) is Origin.IMPOSTOR for text in listing.texts):
        yield Issue("L03", Verdict.LEAD, "impostor_host", "impostor")
    code = unit_code(listing)
    if code:
        seen = shelf.sighting(code)
        if seen is not None and seen.suggests_copy:
            yield Issue("L15", Verdict.LEAD, "", "copied")


def unit_code(listing: Listing) -> str | None:
    """The code of a single unit that a listing shows, in canonical form."""
    if listing.mark_code:
        return normalised(listing.mark_code) or None
    return unit_code_in_text(listing.text) if listing.text else None


def _contradict(listing: Listing, day: date) -> bool:
    """Whether the goods' dates cannot be: shipped before they were made, or either after the capture."""
    made, shipped = listing.made_on, listing.shipped_on
    return (
        (made is not None and made > day)
        or (shipped is not None and shipped > day)
        or (made is not None and shipped is not None and shipped < made)
    )


# --- which number ----------------------------------------------------------------------------------------


def _answer(listing: Listing, plain: str, shelf: Shelf, day: date) -> _Answer:
    claimed = listing.certificate_no
    numbers = numbers_in_field(claimed) if claimed else ()
    if numbers:
        answers = [_about(number, listing, plain, shelf, day, Confidence.HIGH) for number in numbers]
        return min(answers, key=lambda one: _ORDER[one.verdict])
    for number in _numbers_in_codes(listing, shelf):
        return _about(number, listing, plain, shelf, day, Confidence.HIGH)
    unknown = None
    text = f"{listing.title or ''} {listing.text or ''}"
    for number, named in numbers_in_text(text) if any(c.isdigit() for c in text) else ():
        if shelf.certificate(number) or shelf.of_mark(number):
            return _about(number, listing, plain, shelf, day, Confidence.MEDIUM)
        if named:
            unknown = unknown or number
    if unknown is not None:
        return _about(unknown, listing, plain, shelf, day, Confidence.MEDIUM)
    return _without_number(listing, plain, shelf, day)


def _numbers_in_codes(listing: Listing, shelf: Shelf) -> Iterable[str]:
    """The numbers of certificates and marks in the QR codes that are ours."""
    for text in listing.texts:
        number = number_in_address(text, shelf.hosts)
        if number is not None:
            yield number


def number_in_address(text: str, hosts: tuple[str, ...]) -> str | None:
    """The certificate's or mark's number in one of our addresses; None for products' addresses and everything else."""
    if origin(text, hosts) is not Origin.OURS:
        return None
    rest = text.partition("/c/")[2] or text.partition("/m/")[2]
    number = rest.partition("?")[0].replace("%2F", "/").replace("%2f", "/").strip("/")
    try:
        return certificate_number(number)
    except CertmarkError:
        return None


def _without_number(listing: Listing, plain: str, shelf: Shelf, day: date) -> _Answer:
    """Searched by maker and model first; then L01 for what needs a certificate, and what a shown mark asks for."""
    candidates = _candidates(listing, shelf)
    fitting = _fitting(candidates, listing, plain)
    found = [_against(one, listing, plain, shelf, day, Confidence.MEDIUM) for one in fitting]
    if found:
        answer = min(found, key=lambda one: (_ORDER[one.verdict], one.number))
        answer.notes.append("found_by_maker")
        return answer
    read = _read_in_print(listing, plain, shelf, day)
    if read is not None:
        return read
    needed = bool(_modes(listing, shelf, day))
    pictured = points_to_picture(plain) or points_to_picture(normalised(f"编号{listing.certificate_no or ''}"))
    looked = bool(listing.image) and listing.pictures_read
    if "certificate_no" in listing.unread:
        return _Answer([], "status_unknown", ["digits_lost"], judged=False)
    if pictured and not looked and (needed or listing.mark or listing.image):
        return _Answer([], "status_unknown", ["number_in_picture"], judged=False)
    if needed:
        doubt = None
        if listing.image and not listing.pictures_read:
            doubt = "unread_picture"
        elif len(candidates) > CANDIDATES:
            doubt = "many_certificates"
        verdict = Verdict.REVIEW if doubt else Verdict.LEAD
        return _Answer([Issue("L01", verdict, "unknown_number", doubt or "no_number")], "unknown_number", [])
    issues = list(_of_claimed_mark(listing, plain, shelf))
    if issues:
        return _Answer(issues, "unknown_number", [])
    if listing.product and not listing.product_class and shelf.classes_named(listing.product):
        return _Answer(
            [Issue("L01", Verdict.REVIEW, "unknown_number", "maybe_catalogue", Confidence.LOW)],
            "unknown_number",
            [],
        )
    return _Answer([], "unknown_number", ["no_claim"])


def _read_in_print(listing: Listing, plain: str, shelf: Shelf, day: date) -> _Answer | None:
    """The answer to a number that was read in a picture's print, for an officer to compare with the picture.

    I is taken for 1 and Q for O: so it is for review whatever the register says, and neither in order nor a lead.
    """
    numbers = list(numbers_in_text(listing.printed))
    known = next((number for number, _ in numbers if shelf.certificate(number) or shelf.of_mark(number)), None)
    number = known or next((number for number, named in numbers if named), None)
    if number is None:
        return None
    answer = _about(number, listing._replace(printed=""), plain, shelf, day, Confidence.LOW)
    doubted = [issue._replace(verdict=Verdict.REVIEW, confidence=Confidence.LOW) for issue in answer.issues]
    answer.issues = [Issue("", Verdict.REVIEW, answer.code, "read_print", Confidence.LOW), *doubted]
    answer.number, answer.judged, answer.confidence = number, True, Confidence.LOW
    return answer


def _of_claimed_mark(listing: Listing, plain: str, shelf: Shelf) -> Iterable[Issue]:
    """A mark that is shown without any number, where no certificate was found."""
    mark = _mark_claimed(listing, shelf)
    if mark == "organic":
        yield Issue("L11", Verdict.LEAD, "mark_not_authorized", "organic_form")
    elif mark:
        yield Issue("L13", Verdict.REVIEW, "mark_not_authorized", "no_authorization", Confidence.LOW)


CANDIDATES = 500
"""Certificates of one party that a listing without a number is compared with; who has more is not judged by them."""


def _candidates(listing: Listing, shelf: Shelf) -> Sequence[Registered]:
    """The certificates of the maker; of the seller where no maker is stated."""
    name, uscc = listing.maker, listing.maker_uscc
    if not is_stated(name) and not is_stated(uscc):
        name, uscc = listing.seller, listing.seller_uscc
    names, usccs = [name] if name and is_stated(name) else [], [uscc] if uscc and is_stated(uscc) else []
    return shelf.made_by(names, usccs)


def _fitting(candidates: Sequence[Registered], listing: Listing, plain: str) -> Iterable[Registered]:
    """Those of these certificates that cover the listing's model and class: where one replaced another, both."""
    product_class = plain_form(listing.product_class) if listing.product_class else ""
    for found in candidates:
        product = found.certificate.product
        if product is None or (product_class and product.product_class and product_class != product.product_class):
            continue
        if (listing.model and found.item(listing.model)) or (not listing.model and found.item_in(plain)):
            yield found


def _about(number: str, listing: Listing, plain: str, shelf: Shelf, day: date, confidence: Confidence) -> _Answer:
    """The answer to one claimed number."""
    bare = number.replace("-", "").replace("/", "").replace(".", "")
    found = shelf.certificate(number) or shelf.of_mark(number) or shelf.certificate(bare)
    if found is not None:
        answer = _against(found, listing, plain, shelf, day, confidence)
        answer.number = number
        return answer
    if is_licence(number):
        answer = _without_number(listing._replace(certificate_no=None, licence_no=number), plain, shelf, day)
        answer.notes.insert(0, "licence")
        return answer
    issue = _unregistered(number, listing, plain, shelf, day, confidence)
    return _Answer([issue], issue.code, [], number=number, confidence=issue.confidence)


def _unregistered(number: str, listing: Listing, plain: str, shelf: Shelf, day: date, confidence: Confidence) -> Issue:
    """L02 where the number cannot be one of the scheme that is claimed, else L03."""
    try:
        canonical = certificate_number(number)
    except CertmarkError:
        return Issue("L02", Verdict.LEAD, "malformed_number", "malformed", confidence)
    schemes = _schemes_claimed(listing, plain, shelf, day)
    if schemes and not any(shelf.number_fits(scheme, canonical, day) for scheme in schemes):
        return Issue("L02", Verdict.LEAD, "malformed_number", "malformed", confidence)
    if canonical.isdigit() and 12 <= len(canonical) <= 20 and len(canonical) != _CCC_DIGITS:
        return Issue("L02", Verdict.LEAD, "malformed_number", "malformed", confidence)
    rules = [shelf.rules_on(scheme, day) for scheme in schemes]
    complete = bool(rules) and all(one is not None and one["coverage"]["complete"] for one in rules)
    if complete:
        return Issue("L03", Verdict.LEAD, "unknown_number", "unknown_complete", confidence)
    return Issue("L03", Verdict.LEAD, "unknown_number", "unknown", Confidence.LOW)


_CCC_DIGITS = 16


def _schemes_claimed(listing: Listing, plain: str, shelf: Shelf, day: date) -> Sequence[str]:
    """The schemes under which the number would have to be: by the mark shown, or the catalogue class."""
    mark = _mark_claimed(listing, shelf)
    shown = list(shelf.schemes_of_mark(mark)) if mark else []
    needed = [scheme for mode in _modes(listing, shelf, day) for scheme in shelf.schemes_of_mode(mode)]
    return [scheme for scheme in shown if scheme in needed] or shown or needed


def _modes(listing: Listing, shelf: Shelf, day: date) -> Sequence[str]:
    """How the class that is claimed is assessed by the catalogue; empty where there is none or it is not in."""
    return shelf.modes_of(plain_form(listing.product_class), day) if listing.product_class else ()


def _mark_claimed(listing: Listing, shelf: Shelf) -> str | None:
    """The id of the mark that is shown, from a field for it; None where the register knows none of that name."""
    return shelf.mark_named(listing.mark) if listing.mark and is_stated(listing.mark) else None


# --- against a certificate -------------------------------------------------------------------------------


def _against(
    found: Registered, listing: Listing, plain: str, shelf: Shelf, day: date, confidence: Confidence
) -> _Answer:
    """Everything that a certificate says about the listing that names it."""
    certificate = found.certificate
    rules = shelf.rules_on(certificate.scheme, day)
    goods = certificate.product is not None or bool(_modes(listing, shelf, day))
    answer = _Answer([], "", [], registered=found, number=certificate.certificate_no, goods=goods)
    answer.confidence = confidence
    issues = answer.issues
    issues += _of_party(found, listing)
    if certificate.product is None:
        issues += _of_system(found, listing, plain, shelf, day)
    else:
        issues += _of_product(found, listing)
        answer.item = _item_of(found, listing, plain, day, issues, answer.notes)
    issues += _of_standing(found, answer, listing, rules, day)
    issues += _of_mark(found, listing, shelf, day)
    issues += _of_recall(found, answer.item, listing, plain, shelf, day)
    if certificate.scheme in _ORGANIC_SCHEMES:
        issues += _of_organic(found, listing, plain, shelf)
    if certificate.body is not None:
        issues += _of_body(certificate, listing, shelf, day)
    if certificate.declaration and claims_third_party(plain):
        issues.append(Issue("L18", Verdict.LEAD, "", "third_party", Confidence.MEDIUM))
    if confidence is not Confidence.HIGH:
        answer.issues = [
            issue if issue.confidence is not Confidence.HIGH else issue._replace(confidence=confidence)
            for issue in issues
        ]
    answer.code = found.standing_on(day, answer.item).value
    return answer


def _of_party(found: Registered, listing: Listing) -> Iterable[Issue]:
    """L04. A dealer may sell: what counts is the maker where one is stated; registered factories are makers."""
    maker, maker_uscc = listing.maker, listing.maker_uscc
    brand = plain_form(listing.brand) if listing.brand and is_stated(listing.brand) else ""
    trademark = found.trademark
    same_brand = brand in trademark or trademark in brand  # so has who names none
    if maker_uscc and plain_form(maker_uscc) in found.usccs:
        pass
    elif maker and is_stated(maker):
        form = name_form(maker)
        if form not in found.names:
            alike = any(are_alike(form, name) for name in found.names)
            if not alike and brand == trademark and found.is_party(listing.seller, listing.seller_uscc):
                alike = any(differ_in_one(form, name) for name in found.names)  # the holder's own page, mistyped
            if alike and not maker_uscc:
                yield Issue("L04", Verdict.REVIEW, "", "like_maker", Confidence.LOW)
            else:
                yield Issue("L04", Verdict.LEAD, "", "other_maker")
            return
        if maker_uscc and found.usccs and is_stated(maker_uscc):
            yield Issue("L04", Verdict.REVIEW, "", "other_uscc")
            return
    elif maker_uscc and is_stated(maker_uscc) and found.usccs:
        yield Issue("L04", Verdict.LEAD, "", "other_maker")
        return
    elif not same_brand and not found.is_party(listing.seller, listing.seller_uscc) and listing.seller:
        yield Issue("L04", Verdict.LEAD, "", "other_seller", Confidence.MEDIUM)
        return
    if not same_brand:
        yield Issue("L04", Verdict.REVIEW, "", "other_brand")


def _of_system(found: Registered, listing: Listing, plain: str, shelf: Shelf, day: date) -> Iterable[Issue]:
    """L10: what attests an organisation or a service is shown as attesting goods."""
    mark = _mark_claimed(listing, shelf)
    own = mark is None or any(found.marks_of(mark))
    if _modes(listing, shelf, day) or not own or claims_product_by_system(plain):
        yield Issue("L10", Verdict.LEAD, "out_of_scope", "system")


def _of_product(found: Registered, listing: Listing) -> Iterable[Issue]:
    """L09: another class, or by name another product where there are no classes."""
    product = found.certificate.product
    assert product is not None
    if listing.product_class and is_stated(listing.product_class) and product.product_class:
        if plain_form(listing.product_class) != product.product_class:
            yield Issue("L09", Verdict.LEAD, "out_of_scope", "other_class")
        return
    named = listing.product if not product.product_class and is_stated(listing.product) else None
    if named and not pairs(named) & pairs(product.name):
        yield Issue("L09", Verdict.REVIEW, "out_of_scope", "other_product", Confidence.LOW)


def _item_of(
    found: Registered, listing: Listing, plain: str, day: date, issues: list[Issue], notes: list[str]
) -> Item | None:
    """The registered model that the listing is about; L08 where it names another, or one that came later."""
    if not found.models:
        return None
    if listing.model and is_stated(listing.model):
        item = found.item(listing.model) or _left_after(found, listing, day)
        if item is None:
            typed = looks_like(model_form(listing.model))
            if any(looks_like(model) == typed for model in found.models):
                issues.append(Issue("L08", Verdict.REVIEW, "out_of_scope", "like_model", Confidence.LOW))
            else:
                issues.append(Issue("L08", Verdict.LEAD, "out_of_scope", "other_model"))
            return None
    else:
        item = found.item_in(plain)
        if item is None:
            notes.append("no_model")
            return None
    made = listing.made_on
    if made is not None and made <= day:
        part = found.parts.get((item.model, item.gtin))
        if (
            part is not None
            and found.standing_on(made, item) is Standing.NOT_YET_VALID
            and found.standing_on(made) is not Standing.NOT_YET_VALID
        ):
            issues.append(Issue("L08", Verdict.LEAD, "out_of_scope", "early_model"))
            return None
    return item


def _left_after(found: Registered, listing: Listing, day: date) -> Item | None:
    """The model of the listing where it was taken out of the scope after these goods were made or shipped: they are
    judged as those of a cancelled certificate."""
    item = found.item_left(listing.model) if listing.model else None
    known = [on for on in (listing.made_on, listing.shipped_on) if on is not None and on <= day]
    return item if any(found.standing_on(on, item) is Standing.VALID for on in known) else None


def _of_standing(
    found: Registered, answer: _Answer, listing: Listing, rules: SchemeRules | None, day: date
) -> Iterable[Issue]:
    """L05–L07, by the table of standings and orders."""
    certificate, item = found.certificate, answer.item
    now = found.standing_on(day, item)
    reach = _reach(rules, certificate)
    order = Order.UNKNOWN
    if reach is not Reach.ORGANISATION and not _contradict(listing, day):
        made, shipped = listing.made_on, listing.shipped_on
        if made is not None and found.is_steady(made, day, item):
            order = Order.IN_TIME
        elif made is not None or shipped is not None:
            order = order_of(certificate, made, shipped, day, lambda on: found.standing_on(on, item), found.turns)
    said = (rules["consequence"] or {}).get(Act.SELL, {}).get(now) if rules else None
    sell = Allowed(said["allowed"]) if said and order not in _BY_THEIR_DATES else None
    found_so = standing_verdict(reach, now, order, sell)
    if found_so.rule is not None:
        assert found_so.note is not None
        code = now.value if now is not Standing.VALID else "out_of_scope"
        yield Issue(found_so.rule, found_so.verdict, code, found_so.note)
    elif found_so.note:
        answer.notes.append(found_so.note)


_BY_THEIR_DATES = (Order.EARLY, Order.SUSPENDED, Order.LATE)


def _reach(rules: SchemeRules | None, certificate: Certificate) -> Reach:
    if rules is None:
        return Reach.VOLUNTARY if certificate.product else Reach.ORGANISATION
    if rules["class"] != "product":
        return Reach.ORGANISATION
    return Reach.COMPULSORY if rules["mandatory"] else Reach.VOLUNTARY


def _of_mark(found: Registered, listing: Listing, shelf: Shelf, day: date) -> Iterable[Issue]:
    """L13: the mark that is shown has no authorization here, or one that does not stand."""
    mark = _mark_claimed(listing, shelf)
    if mark is None:
        return
    rules = shelf.rules_on(found.certificate.scheme, day)
    own = rules["mark"]["id"] if rules and rules["mark"] else None
    if own != mark:
        if found.certificate.product is not None and found.certificate.scheme not in _ORGANIC_SCHEMES:
            yield Issue("L13", Verdict.LEAD, "mark_not_authorized", "no_authorization")
        elif found.certificate.scheme == "organic-conversion" and mark == "organic":
            yield Issue("L12", Verdict.LEAD, "mark_not_authorized", "conversion")
        return
    if rules is not None and rules["mark_authorizer"] == "implied":
        return  # it stands and falls with the certificate, which is judged by the goods' dates
    standings = [found.mark_standing(one, day) for one in found.marks_of(mark)]
    if not standings:
        yield Issue("L13", Verdict.LEAD, "mark_not_authorized", "no_authorization")
    elif Standing.VALID not in standings:
        yield Issue("L13", Verdict.LEAD, "mark_not_authorized", "mark_ended")


_ORGANIC_SCHEMES = ("organic", "organic-conversion")


def _of_organic(found: Registered, listing: Listing, plain: str, shelf: Shelf) -> Iterable[Issue]:
    """L12 and L11: conversion called organic; the mark without the body's name or the code."""
    if found.certificate.scheme == "organic-conversion":
        if claims_organic(plain):
            yield Issue("L12", Verdict.LEAD, "out_of_scope", "conversion")
        return
    if _mark_claimed(listing, shelf) != "organic":
        return
    code = unit_code(listing)
    body = listing.body_claimed is None or is_stated(listing.body_claimed)
    shown = code is not None or (listing.mark_code is None and listing.text is None)
    if not shown or not body:
        yield Issue("L11", Verdict.LEAD, "", "organic_form")
    elif code is not None and not (code.isdigit() and len(code) in _ORGANIC_CODE):
        yield Issue("L11", Verdict.REVIEW, "", "organic_code")


_ORGANIC_CODE = (17, 18)


def _of_recall(
    found: Registered, item: Item | None, listing: Listing, plain: str, shelf: Shelf, day: date
) -> Iterable[Issue]:
    """`do_not_sell`: goods of an open recall. It is none of L01–L18: an authority has decided it, and we only match.

    A lead where the listing is of what is recalled; for review where it may be, by what the listing does not say.
    """
    certificate = found.certificate
    items = [item] if item else list(certificate.product.items) if certificate.product else []
    named = shelf.recalls_about(certificate.certificate_no, [one.gtin for one in items if one.gtin])
    verdicts = set()
    for recall in named:
        if not is_open_on(recall, day):
            continue
        batch = next((one for one in recall["batches"] if names_model(plain, normalised(one))), None)
        goods = [Goods(certificate.certificate_no, one.gtin, one.model, batch, listing.made_on) for one in items] or [
            Goods(certificate.certificate_no, batch=batch, made_on=listing.made_on)
        ]
        if not any(concerns(recall, one) for one in goods):
            continue
        told = (item is not None or (recall["model"] is None and recall["gtin"] is None)) and (
            batch is not None or not recall["batches"]
        )
        dated = listing.made_on is not None or (recall["made_from"] is None and recall["made_until"] is None)
        verdicts.add(Verdict.LEAD if told and (dated or batch is not None) else Verdict.REVIEW)
    if Verdict.LEAD in verdicts:
        yield Issue("", Verdict.LEAD, _DO_NOT_SELL, "recalled")
    elif verdicts:
        yield Issue("", Verdict.REVIEW, _DO_NOT_SELL, "perhaps_recalled")


def _of_body(certificate: Certificate, listing: Listing, shelf: Shelf, day: date) -> Iterable[Issue]:
    """L14: the body lost its approval, never had the competence, or another one is named."""
    assert certificate.body is not None
    fault = shelf.body_fault(certificate.body, certificate.scheme, certificate.issued_on, day)
    if fault is not None:
        yield Issue("L14", _BODY_FAULTS[fault], "", fault)
    if listing.body_claimed and is_stated(listing.body_claimed):
        body = shelf.body(certificate.body)
        if body is not None:
            claimed, name = name_form(listing.body_claimed), name_form(body["name"])
            if claimed not in (name, certificate.body) and not are_alike(claimed, name):
                yield Issue("L14", Verdict.REVIEW, "", "other_body")


_BODY_FAULTS = {"body_never": Verdict.LEAD, "body_gone": Verdict.REVIEW}


def body_fault(body: BodyState, scheme: str, issued_on: date, day: date) -> str | None:
    """The note on a body that had no competence when it issued, or has lost its approval on a day."""
    if not is_competent(body, scheme, issued_on) and not any(
        issued_on.isoformat() <= b["from"] for b in body["backfills"]
    ):
        return "body_never"
    return None if body_status_on(body, day) is BodyStatus.APPROVED else "body_gone"
