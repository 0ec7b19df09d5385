"""Pages by their shape: what certificates that differ only in names, numbers and dates share is made once.

Two certificates of one scheme and body, with as many models and entries in their history, in the same order of time,
have the same page but for some names, numbers and dates. So a page is made the usual way from a record in which each
of those is replaced by a placeholder; where the placeholders stand, others' values are filled in. There is no second
template, and whatever is not replaced is part of the shape: a member that nobody thought of makes shapes rarer, not
wrong. Three things keep a shared page true:

* A date's placeholder has the date's place in the order of the record's dates and of today, and refuses everything
  but being compared with those and being written out: a page that reckons with a date is shared with nobody.
* What is filled in is escaped for where it stands, as the template does it; a text that is not plain takes the long
  way, and whether it has Chinese characters is part of the shape.
* The 1st, 2nd, 4th, 8th … page of a shape is made the long way too. One byte of difference, and the shape is given up.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any
from urllib.parse import quote, quote_plus

import orjson

from services import telemetry
from services.verify.markup import CHINESE, plain
from services.verify.notices import Notices
from services.verify.read_model import Stored
from services.verify.register import Found, found_in, found_of
from services.verify.timed_page import TimedPage, beijing, timed, to_the_minute

SHAPES = 500
"""Shapes that are kept for one language, of some 15 kB each."""

_SIGHTINGS = 5000
_MOST = 200
"""Texts, dates or entries of one record that are replaced; what has more takes the long way."""

_RARE = (
    "declaration",
    "parent_no",
    "parts",
    "flags",
    "annulled",
    "corrected",
    "transfer",
    "supersedes",
    "superseded_by",
)
"""Members of a state that tie it to another certificate, to single events or, of a declaration, its source to its
holder's number: with one of them it takes the long way."""

_PARTIES = ("holder", "manufacturer", "factory")
_DAYS = ("first_issued_on", "issued_on", "valid_from", "valid_until", "surveillance_due")

# --- placeholders -------------------------------------------------------------------------------------------------

_TEXTS = [f"\ue001{number} \ue002" for number in range(_MOST)]
_CHINESE_TEXTS = [f"\ue001{number} 字\ue002" for number in range(_MOST)]
"""With a space in each, so that it is seen which of an address's two ways of writing one is meant."""

_PAST = [(date(1100, 1, 1) + timedelta(days=number)).isoformat() for number in range(_MOST)]
_FUTURE = [(date(8800, 1, 1) + timedelta(days=number)).isoformat() for number in range(_MOST)]
_TIMES = [datetime(1300, 1, 1, tzinfo=UTC) + timedelta(minutes=number) for number in range(_MOST)]
_TIME_TEXTS = [one.isoformat() for one in _TIMES]
_SEQ = 8_000_000_000_000_001
_AS_OF = datetime(1400, 1, 1, tzinfo=UTC)
_LEFT_OVER = re.compile("\ue001|\ue002|%EE%80%8[12]")


class _Reckoned(Exception):
    """Somebody did more with a placeholder than compare it or write it out."""


def _refused(*_: object, **__: object) -> Any:
    raise _Reckoned


class _Day(date):
    """A placeholder for a date, compared with others, with the day of the answer and with the ends of time alone."""

    of_answer: date

    def _fits(self, other: object) -> None:
        if type(other) is not _Day and other not in (self.of_answer, date.min, date.max, None):
            raise _Reckoned

    def __lt__(self, other: date) -> bool:
        self._fits(other)
        return super().__lt__(other)

    def __le__(self, other: date) -> bool:
        self._fits(other)
        return super().__le__(other)

    def __gt__(self, other: date) -> bool:
        self._fits(other)
        return super().__gt__(other)

    def __ge__(self, other: date) -> bool:
        self._fits(other)
        return super().__ge__(other)

    def __eq__(self, other: object) -> bool:
        self._fits(other)
        return super().__eq__(other)

    __hash__ = date.__hash__
    __add__ = __radd__ = __sub__ = __rsub__ = _refused
    replace = timetuple = toordinal = weekday = isoweekday = isocalendar = strftime = _refused
    year = month = day = property(_refused)


def _guarded(found: Found, today: date) -> Found:
    """The same with every date in it, today apart, as a placeholder that refuses to be reckoned with."""

    def guarded(value: object) -> Any:
        if type(value) is date and value != today:
            day = _Day.fromordinal(value.toordinal())
            day.of_answer = today
            return day
        if type(value) is tuple:
            return tuple(guarded(one) for one in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{one.name: guarded(getattr(value, one.name)) for one in fields(value)})
        return value

    return replace(found, **{one.name: guarded(getattr(found, one.name)) for one in fields(found)})


# --- a record's values and its shape ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken out of a record: its values in the order of their placeholders, and the record without them."""

    shape: bytes
    texts: Sequence[str]
    days: Sequence[str]
    times: Sequence[str]


class _Holes(dict[str, str]):
    """The placeholder of each text, drawn when it is first asked for."""

    def __missing__(self, text: str) -> str:
        if not text.isprintable():
            raise _Reckoned
        chinese = not text.isascii() and CHINESE.search(text)
        found = self[text] = (_CHINESE_TEXTS if chinese else _TEXTS)[len(self)]
        return found


def take_out(payload: dict[str, Any], seal_kid: str, today: str) -> Taken | None:
    """The values of a certificate's record on a day; None where it is not one whose page can be shared.

    The record is not to be used any more: what is taken out of it is not in it.
    """
    state = payload["state"]
    for name in _RARE:
        if state[name]:
            return None
    hole = _Holes()

    def in_each(ones: Sequence[dict[str, Any]], names: tuple[str, ...]) -> None:
        for one in ones:
            for name in names:
                text = one[name]
                if text:
                    one[name] = hole[text]

    dated: list[tuple[Any, Any]] = [(state, name) for name in _DAYS]

    def of_statuses(ones: Sequence[dict[str, Any]]) -> None:
        for one in ones:
            one["digest"] = hole[one["digest"]]
            dated.extend(((one, "from"), (one, "until"), (one, "determined_on")))

    times = []
    try:
        in_each((state,), ("certificate_no", "approver", "service_scope"))
        in_each([state[name] for name in _PARTIES if state[name]], ("name", "uscc", "region", "address"))
        product = state["product"]
        if product:
            in_each((product,), ("name", "trademark"))
            in_each(product["items"], ("model", "gtin"))
        of_statuses(state["statuses"])
        for mark in state["marks"]:
            mark["mark_no"] = hole[mark["mark_no"]]
            in_each(mark["products"], ("model", "gtin"))
            of_statuses(mark["statuses"])
            dated.extend(((mark, "valid_from"), (mark, "valid_until")))
        for period in state["periods"]:
            period["digest"] = hole[period["digest"]]
            dated.extend(((period, "from"), (period, "until"), (period, "issued_on")))
        passed = state["surveillances"]
        dated.extend((passed, place) for place in range(len(passed)))
        tokens = [token for token in payload["tokens"] if "serials" not in token]
        in_each(tokens, ("mark_no", "gtin", "model"))
        history = payload.get("history", ())
        for entry in history:
            entry["digest"], entry["seq"] = hole[entry["digest"]], 0
            dated.append((entry, "effective_at"))
            times.append(entry["recorded_at"])
            entry["recorded_at"] = _TIME_TEXTS[len(times) - 1]
        if payload["digest"]:
            payload["digest"] = hole[payload["digest"]]
        ordered = sorted({where[name] for where, name in dated} - {None, today})
        names = {day: (_PAST if day < today else _FUTURE)[place] for place, day in enumerate(ordered)}
    except (_Reckoned, IndexError):
        return None
    for where, name in dated:
        day = where[name]
        if day in names:
            where[name] = names[day]
    left = {
        "state": state,
        "tokens": [{"mark_no": t["mark_no"], "gtin": t["gtin"], "model": t["model"], "token": ""} for t in tokens],
        "history": history,
        "digest": payload["digest"],
        "under_review": payload["under_review"],
        "recorded_at": _TIME_TEXTS[0],
        "sealed_by": seal_kid,
    }
    return Taken(orjson.dumps(left), list(hole), ordered, times)


def _may_be_noticed(state: dict[str, Any], notices: Notices) -> bool:
    product = state["product"] or {"class": None, "items": ()}
    gtins = [item["gtin"] for item in product["items"]]
    return notices.may_concern(state["certificate_no"], state["scheme"], product["class"], gtins)


# --- pages --------------------------------------------------------------------------------------------------------


def _in_path(value: str) -> str:
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="")


def _in_query(value: str) -> str:
    return value if _UNRESERVED.fullmatch(value) else quote_plus(value)


def _minute(value: str) -> str:
    return to_the_minute(datetime.fromisoformat(value))


_UNRESERVED = re.compile("[A-Za-z0-9_.~-]+")

_Write = Callable[[str], str]
_Need = tuple[int, int, _Write]
"""Of which of the lists of values, at which place there, written how."""


def _forms() -> dict[str, _Need]:
    """Every form in which a placeholder may stand on a page."""
    found: dict[str, _Need] = {}
    for texts in (_TEXTS, _CHINESE_TEXTS):
        for place, text in enumerate(texts):
            found[text] = (0, place, plain)
            found[quote(text, safe="")] = (0, place, _in_path)
            found[quote_plus(text)] = (0, place, _in_query)
    for days in (_PAST, _FUTURE):
        found |= {day: (1, place, str) for place, day in enumerate(days)}
    found |= {_minute(text): (2, place, _minute) for place, text in enumerate(_TIME_TEXTS)}
    found[str(_SEQ)] = (3, 0, str)
    found[beijing(_AS_OF)] = (3, 1, str)
    return found


_FORM = re.compile(
    "(\ue001[^\ue002]*\ue002|%EE%80%81.*?%EE%80%82"
    f"|(?:11|88)00-[0-9]{{2}}-[0-9]{{2}}|1300-01-01 [0-9]{{2}}:[0-9]{{2}}|{re.escape(beijing(_AS_OF))}|{_SEQ})"
)
_FORMS = _forms()


@dataclass(slots=True)
class _Shape:
    """A page with places to be filled: `fixed` are its own pieces, `needs` what is put between them.

    Of the page's parts, which end where the time of asking stands, each of `parts` tells where its pieces lie in the
    row of what is fixed and what is written.
    """

    fixed: list[bytes]
    needs: list[_Need]
    parts: list[Callable[[Sequence[bytes]], Sequence[bytes]]]
    iso: tuple[int, ...]
    text: tuple[int, ...]
    filled: int = 0

    @classmethod
    def of(cls, page: TimedPage) -> "_Shape":
        """Of the page of placeholders.

        Raises:
            _Reckoned: something was done to one of them that is not known here.
        """
        fixed: list[bytes] = []
        needs: dict[_Need, int] = {}
        rows: list[list[tuple[bool, int]]] = []
        for part in page.parts:
            row: list[tuple[bool, int]] = []
            for turn, piece in enumerate(_FORM.split(part.decode())):
                if turn % 2:
                    if piece not in _FORMS:
                        raise _Reckoned
                    row.append((True, needs.setdefault(_FORMS[piece], len(needs))))
                elif _LEFT_OVER.search(piece):
                    raise _Reckoned
                else:
                    row.append((False, len(fixed)))
                    fixed.append(piece.encode())
            rows.append(row)
        parts = [_from_places([at + (len(fixed) if needed else 0) for needed, at in row]) for row in rows]
        return cls(fixed, list(needs), parts, page.iso, page.text)

    def fill(self, values: tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]) -> TimedPage:
        row = [*self.fixed, *[write(values[kind][place]).encode() for kind, place, write in self.needs]]
        return TimedPage([b"".join(part(row)) for part in self.parts], self.iso, self.text)


def _from_places(places: list[int]) -> Callable[[Sequence[bytes]], Sequence[bytes]]:
    """What takes the pieces at these places out of a row."""
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)


class PageShapes:
    """The shapes of one language's pages that one thread has met since the directory or the day changed.

    `render` makes the page of a certificate from what was found, as it does for every answer, with the instant that
    the data is of. Who is named by one of the `notices` has a page of his own.
    """

    def __init__(self, render: Callable[[Found, datetime], bytes], notices: Notices, today: date) -> None:
        self._render = render
        self._notices = notices
        self._today = today
        self._today_text = today.isoformat()
        self._shapes: dict[bytes, _Shape | None] = {}
        self._sighted: set[int] = set()

    def page(self, stored: Stored, as_of: datetime) -> TimedPage:
        """The page of a certificate's record."""
        payload = stored.payload()
        alone = self._notices and _may_be_noticed(payload["state"], self._notices)
        taken = None if alone else take_out(payload, stored.kid, self._today_text)
        shape = self._shape(taken) if taken else None
        if taken is None or shape is None:
            return self._made(stored, as_of)
        page = shape.fill((taken.texts, taken.days, taken.times, (str(stored.seq), beijing(as_of))))
        shape.filled += 1
        if shape.filled & (shape.filled - 1) == 0:
            whole = self._made(stored, as_of)
            if whole.tagged != page.tagged:
                self._shapes[taken.shape] = None
                telemetry.error("a page that was filled in differs from the one that was made", filled=shape.filled)
                return whole
        return page

    def _made(self, stored: Stored, as_of: datetime) -> TimedPage:
        """The long way, from a reading of the record of its own."""
        return timed(self._render(found_in(stored), as_of))

    def _shape(self, taken: Taken) -> _Shape | None:
        """The shape, made when it is met for the second time; None where there is none or it is not to be used."""
        try:
            return self._shapes[taken.shape]
        except KeyError:
            pass
        sighted = hash(taken.shape)
        if sighted not in self._sighted:
            if len(self._sighted) >= _SIGHTINGS:
                self._sighted.clear()
            self._sighted.add(sighted)
            return None
        if len(self._shapes) >= SHAPES:
            del self._shapes[next(iter(self._shapes))]  # the one kept longest
        shape = None
        try:
            payload = orjson.loads(taken.shape)
            found = found_of(payload, "certificate/placeholder", 0, _SEQ, payload["sealed_by"])
            shape = _Shape.of(timed(self._render(_guarded(found, self._today), _AS_OF)))
        except _Reckoned:
            pass  # its page depends on more than the order of its dates: each one's is made for itself
        self._shapes[taken.shape] = shape
        return shape
