"""What waits is read in portions, up to a number and a weight, and what is refused of it leaves nothing behind."""

import pytest

from services.domain.errors import BadEvent
from services.events.keys import new_key
from services.events.log import Record
from services.registry.intake import prepare
from services.registry.portions import PORTION, WEIGHT, in_portions
from tests.signed import NOW, event_of


@pytest.mark.parametrize(
    ("there", "weighing", "most", "taken", "asked"),
    [
        (0, 1, 4000, 0, [PORTION]),
        (PORTION - 1, 1, 4000, PORTION - 1, [PORTION]),
        (PORTION, 1, 4000, PORTION, [PORTION, PORTION]),
        (2 * PORTION + 7, 1, 4000, 2 * PORTION + 7, [PORTION] * 3),
        (9999, 1, 2 * PORTION + 7, 2 * PORTION + 7, [PORTION, PORTION, 7]),
        (9999, 1, 3, 3, [3]),
        (9999, WEIGHT // 100, 4000, 101, [PORTION]),
        (9999, WEIGHT // 600, 4000, 601, [PORTION] * 3),
        (9999, 2 * WEIGHT, 4000, 1, [PORTION]),
    ],
)
def test_portions_end_where_there_is_no_more_or_it_is_enough(
    there: int, weighing: int, most: int, taken: int, asked: list[int]
) -> None:
    questions: list[int] = []

    def read(last: int | None, number: int) -> list[int]:
        questions.append(number)
        begin = 0 if last is None else last + 1
        return list(range(begin, min(there, begin + number)))

    assert in_portions(read, lambda one: weighing, most) == list(range(taken))
    assert questions == asked


def test_what_is_refused_holds_on_to_nothing_that_was_read() -> None:
    """An error's frames would: thousands of large events that are refused filled gigabytes."""
    key = new_key()
    jws = event_of(key, data={"unknown": [{"a": 1}] * 1000})
    error = prepare(Record(7, "2023990703000117", jws, NOW), {key.public.kid: key.public}).error
    assert isinstance(error, BadEvent)
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)
