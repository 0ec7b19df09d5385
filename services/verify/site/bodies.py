"""Who may certify: bodies with their scopes, their keys and what became of their approval, as of a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.domain.body import BodyState, Key, is_competent
from services.domain.errors import NotFound
from services.domain.identifiers import civil_day, normalised
from services.language import Language
from services.verify.answer import body_on
from services.verify.pages import Frame
from services.verify.register import Directory
from services.verify.site.words import SITE
from services.verify.wording import BODY_WORD

A_PAGE = 50
_BODY = "urn:certmark:body:"


@dataclass(frozen=True, slots=True)
class Row:
    """One body of a list."""

    approval_no: str
    name: str
    href: str
    status: str
    good: bool
    since: str
    schemes: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    kid: str
    href: str
    alg: str
    purpose: str
    owner: str
    since: str
    until: str
    state: str
    good: bool


def found(directory: Directory, text: str, scheme: str, day: date) -> list[BodyState]:
    """Bodies whose name or number contains a text, and that may issue under a scheme where one is named; by number."""
    wanted = normalised(text)
    return [
        body
        for _, body in sorted(directory.bodies.items())
        if (wanted in normalised(body["name"]) or wanted in body["approval_no"].upper())
        and (not scheme or is_competent(body, scheme, day))
    ]


def row(directory: Directory, body: BodyState, day: date, frame: Frame) -> Row:
    _, status = body_on(directory, body["approval_no"], day)
    status = status or "unknown"
    begun = [one for one in body["statuses"] if one["from"] <= day.isoformat()]
    since = begun[-1]["from"] if begun else body["approved_from"]
    return Row(
        body["approval_no"],
        body["name"],
        frame.link(body_path(body["approval_no"])),
        BODY_WORD[status][frame.language],
        status == "approved",
        SITE["since"][frame.language].format(day=since),
        sum(is_competent(body, one["scheme"], day) for one in body["schemes"]),
    )


def body_path(approval_no: str) -> str:
    return f"/bodies/{approval_no}"


def body_of(directory: Directory, approval_no: str) -> BodyState:
    """The body of an approval number, however it was typed.

    Raises:
        NotFound: none has it.
    """
    body = directory.bodies.get(normalised(approval_no))
    if body is None:
        raise NotFound(f"no certification body {approval_no!r}")
    return body


def scopes(directory: Directory, body: BodyState, day: date, frame: Frame) -> list[dict[str, str]]:
    """Every scheme that the body was ever approved for, with its dates."""
    language = frame.language
    rows = []
    for one in body["schemes"]:
        rules = directory.scheme_on(one["scheme"], day)
        rows.append(
            {
                "name": " ".join([rules["name"][language] if rules else one["scheme"], *one.get("codes", ())]),
                "href": frame.link(f"/marks/{one['scheme']}") if rules else "",
                "since": one["from"],
                "until": one["until"] or "–",
                "good": "yes" if is_competent(body, one["scheme"], day) else "",
            }
        )
    return rows


def story(body: BodyState, frame: Frame) -> list[dict[str, str]]:
    """What became of the approval, newest first."""
    return [
        {"day": one["from"], "text": BODY_WORD[one["status"]][frame.language]} for one in reversed(body["statuses"])
    ]


def alliances(directory: Directory, body: BodyState, day: date) -> list[str]:
    today = day.isoformat()
    return [
        alliance["name"]
        for alliance in directory.alliances.values()
        for member in alliance["members"]
        if member["body"] == body["approval_no"]
        and member["from"] <= today
        and (member["until"] is None or today <= member["until"])
    ]


def keys_of(directory: Directory, body: BodyState, now: datetime, day: date, frame: Frame) -> list[KeyRow]:
    owner = _BODY + body["approval_no"]
    return key_rows((key for key in directory.keys if key.owner == owner), now, day, frame)


def keys_of_others(directory: Directory, now: datetime, day: date, frame: Frame) -> list[KeyRow]:
    """Keys of those who are no certification body and no declarant: the registry and the authorities."""
    ours = ("urn:certmark:registry:", "urn:certmark:authority:", "urn:certmark:alliance:")
    return key_rows((key for key in directory.keys if key.owner.startswith(ours)), now, day, frame)


def key_rows(keys: Iterable[Key], now: datetime, day: date, frame: Frame) -> list[KeyRow]:
    language = frame.language
    return [
        KeyRow(
            key.kid,
            f"/v1/keys/{key.kid}",
            key.jwk.get("crv", ""),
            SITE[f"purpose_{key.purpose.value}"][language],
            _owner(key.owner, language),
            key.valid_from.isoformat(),
            _until(key),
            SITE[f"key_{(state := key_state(key, now, day))}"][language],
            state in ("in_use", "ahead"),
        )
        for key in sorted(keys, key=lambda key: (key.owner, key.purpose, key.valid_from, key.kid))
    ]


def _owner(owner: str, language: Language) -> str:
    """Whose key it is in words, where it is no body's: `urn:certmark:<kind>:<id>`."""
    kind, _, name = owner.removeprefix("urn:certmark:").partition(":")
    known = SITE.get(f"owner_{kind}")
    return known[language].format(id=name) if known else owner


def _until(key: Key) -> str:
    """The day on which it ends or has ended, if one is known."""
    if key.compromised_since is not None:
        return civil_day(key.compromised_since).isoformat()
    last = key.retired_on or key.valid_until
    return last.isoformat() if last else "–"


def key_state(key: Key, now: datetime, day: date) -> str:
    """`in_use`, `ahead`, `ended`, `retired` or `compromised`."""
    if key.compromised_since is not None and key.compromised_since <= now:
        return "compromised"
    if key.retired_on is not None and key.retired_on <= day:
        return "retired"
    if key.valid_until is not None and key.valid_until < day:
        return "ended"
    return "ahead" if day < key.valid_from else "in_use"


def one_page(bodies: Sequence[BodyState], page: int) -> tuple[Sequence[BodyState], int, int]:
    """(the bodies of a page, its number, how many pages there are); a number past the end is the last page."""
    pages = max(1, -(-len(bodies) // A_PAGE))
    page = min(max(1, page), pages)
    return bodies[(page - 1) * A_PAGE : page * A_PAGE], page, pages
