"""What a certificate is certified against: whether its standards are the scheme's, and their editions in order."""

from collections.abc import Sequence
from datetime import date

from services.domain.certificate import Basis
from services.domain.errors import SchemeRule
from services.domain.said import Moment
from services.domain.scheme import SchemeRules


def check_basis(bases: Sequence[Basis], issued_on: date, rules: SchemeRules, moment: Moment) -> None:
    """Whether what is certified against was in order on the day of issue (domain rules §1, 2, 5 and 20).

    History inside an open backfill is taken as it was certified, if only its editions were in order then.

    Raises:
        SchemeRule: an edition whose transition was over; or none of the standards that the scheme certifies against.
    """
    check_editions(bases, issued_on, rules, "/data/basis")
    if not moment.history:
        check_listed(bases, rules, "/data/basis")


def check_editions(bases: Sequence[Basis], day: date, rules: SchemeRules, pointer: str) -> None:
    """Whether each edition is in order on a day.

    Raises:
        SchemeRule: one whose transition was over.
    """
    for at, basis in enumerate(bases):
        last = last_day_of_edition(basis, rules)
        if last is not None and day > last:
            raise SchemeRule(
                f"{basis.standard}-{basis.edition} was in order until {last}",
                pointer=f"{pointer}/{at}/edition" if pointer == "/data/basis" else pointer,
            )


def check_listed(bases: Sequence[Basis], rules: SchemeRules, pointer: str) -> None:
    """Whether one of the standards that the scheme lists, in that edition where one is named, is in a basis.

    Raises:
        SchemeRule: none is. A scheme that lists none takes any.
    """
    listed = rules["standards"]
    for basis in bases:
        if any(_same(basis.standard, s["standard"]) and s.get("edition") in (None, basis.edition) for s in listed):
            return
    if listed:
        names = " or ".join("-".join(part for part in (s["standard"], s.get("edition")) if part) for s in listed)
        raise SchemeRule(f"this scheme certifies against {names}", pointer=pointer)


def last_day_of_edition(basis: Basis, rules: SchemeRules) -> date | None:
    """The last day on which an edition is in order; None where the scheme has put none after it."""
    for old in rules["transitions"]:
        if _same(basis.standard, old["standard"]) and basis.edition == old["edition"]:
            return date.fromisoformat(old["until"])
    return None


def _same(standard: str, other: str) -> bool:
    return "".join(standard.split()).upper() == "".join(other.split()).upper()
