"""The trail: no line can be changed, taken out or put in between unseen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.registry.trail import FIRST, Line, first_break

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def a_trail(length: int) -> list[Line]:
    lines: list[Line] = []
    for number in range(1, length + 1):
        previous = lines[-1].digest if lines else FIRST
        at = NOW + timedelta(seconds=number)
        line = Line(number, at, "pudong-01", "decided", f"case/{number}", {"count": number}, previous, "")
        lines.append(replace(line, digest=line.digest_due()))
    return lines


def test_a_trail_as_it_was_written_holds() -> None:
    assert first_break(a_trail(5)) is None
    assert first_break([]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"account": "regulator-01"},
        {"act": "undecided"},
        {"about": "case/9"},
        {"detail": {"count": 4}},
        {"at": NOW},
        {"number": 9},
        {"previous": "1" * 64},
        {"digest": "1" * 64},
    ],
    ids=str,
)
def test_whatever_is_changed_is_seen(change: dict[str, object]) -> None:
    lines = a_trail(5)
    lines[2] = replace(lines[2], **change)  # type: ignore[arg-type]
    assert first_break(lines) == 3


def test_a_changed_line_with_its_digest_made_anew_breaks_the_next() -> None:
    lines = a_trail(5)
    changed = replace(lines[2], act="undecided")
    lines[2] = replace(changed, digest=changed.digest_due())
    assert first_break(lines) == 4


def test_a_line_that_is_missing_or_in_another_place_is_seen() -> None:
    lines = a_trail(5)
    assert first_break([*lines[:2], *lines[3:]]) == 3
    assert first_break([lines[1], lines[0], *lines[2:]]) == 1
