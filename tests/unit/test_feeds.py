"""Cursors, runs of replaced revisions, and events of a stream, where no server is needed."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.errors import BadRequest, TooManyRequests
from services.events.decision_reader import events
from services.registry.change_feed import Changed, Changes, etag_of, gaps, page_of
from services.registry.decision_feed import BEGINNING, Place, place_of
from services.registry.streams import Places, TooManyStreams, event, opening

NUMBERS = st.integers(-1, 2**63 - 1)
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


# --- cursors ----------------------------------------------------------------------------------------------


@given(NUMBERS, NUMBERS)
def test_a_cursor_leads_back_to_its_place(seq: int, put_aside: int) -> None:
    place = Place(seq, put_aside)
    cursor = place.cursor()
    assert place_of(cursor) == place
    assert cursor.isascii()
    assert not cursor.startswith("-")  # a command line would take it for an option


@given(st.text(max_size=40))
def test_what_is_no_cursor_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        place_of(text)
    assert raised.value.pointer == "/after"


@pytest.mark.parametrize("change", ["{}=", "{}A", " {}", "{}\n"])
def test_a_cursor_has_one_form(change: str) -> None:
    with pytest.raises(BadRequest):
        place_of(change.format(BEGINNING.cursor()))


def test_a_cursor_of_another_version_is_none() -> None:
    with pytest.raises(BadRequest):
        place_of("Ag" + Place(1, 1).cursor()[2:])


# --- the stretch of a page ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "present", "last", "replaced"),
    [
        (0, [], 0, []),
        (0, [1, 2, 3], 3, []),
        (0, [3], 3, [[1, 2]]),
        (4, [6, 9], 9, [[5, 5], [7, 8]]),
        (4, [5], 5, []),
    ],
)
def test_the_numbers_that_are_not_there_are_named(
    after: int, present: list[int], last: int, replaced: list[list[int]]
) -> None:
    assert gaps(after, present, last) == replaced


@given(st.integers(0, 50), st.sets(st.integers(1, 40)))
def test_items_and_replaced_are_every_number_once(after: int, steps: set[int]) -> None:
    present = [after + step for step in sorted(steps)]
    last = present[-1] if present else after
    named = [number for first, end in gaps(after, present, last) for number in range(first, end + 1)]
    assert sorted([*present, *named]) == list(range(after + 1, last + 1))


def some_changes(*revisions: int, after: int = 0, as_of: datetime = NOW) -> Changes:
    state = '{"id":"ccc","kind":"scheme"}'
    items = tuple(Changed(r, "scheme/ccc", 7, NOW, "d" * 64, False, state) for r in revisions)
    return Changes(after, revisions[-1] if revisions else after, 9, 20, as_of, items, {})


def test_a_page_says_what_it_covers_and_of_which_register() -> None:
    page = json.loads(page_of(some_changes(3, 5), "f" * 64))
    assert page["register"] == "f" * 64
    assert (page["after"], page["complete_to"], page["next"], page["revision"]) == (0, 5, "5", 9)
    assert page["replaced"] == [[1, 2], [4, 4]]
    assert page["as_of"] == "2026-11-22T08:00:00.000Z"
    assert page["day"] == "2026-11-22"
    first = page["items"][0]
    assert (first["key"], first["kind"], first["revision"]) == ("scheme/ccc", "scheme", 3)
    assert "standing" not in first


def test_a_state_stands_in_the_page_as_it_is_stored() -> None:
    page = page_of(some_changes(1), "f" * 64)
    state = b'{"id":"ccc","kind":"scheme"}'
    assert state in page
    assert json.loads(page)["items"][0]["state_digest"] == sha256(state).hexdigest()


def test_the_tag_changes_with_the_content_and_the_day_and_not_with_the_hour() -> None:
    tag = etag_of(some_changes(1, 2))
    assert tag == etag_of(some_changes(1, 2, as_of=NOW.replace(hour=9)))
    assert len({tag, etag_of(some_changes(1)), etag_of(some_changes(1, 2, as_of=NOW.replace(hour=20)))}) == 3


# --- streams ------------------------------------------------------------------------------------------------


def test_what_is_sent_is_read_again() -> None:
    items: list[dict[str, Any]] = [{"cursor": "AQ", "detail": "第一行\n第二行"}, {"cursor": "AR", "detail": None}]
    sent = opening() + event(items[0]) + b": \n\n" + event(items[1]) + b"id: AS\ndata: {cut"
    assert list(events(sent.splitlines(keepends=True))) == items


def test_an_event_has_its_cursor_for_an_id_and_one_line_of_data() -> None:
    lines = event({"cursor": "AQ", "detail": "a\nb"}).decode().split("\n")
    assert lines[0] == "id: AQ"
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]


def test_places_are_bounded_and_nobody_takes_all() -> None:
    places = Places(10)
    places.take("a")
    places.take("a")
    with pytest.raises(TooManyRequests):
        places.take("a")
    for token in "bcde":
        places.take(token)
        places.take(token)
    with pytest.raises(TooManyStreams):
        places.take("f")
    places.give("a")
    places.take("f")


def test_a_place_that_was_given_back_is_forgotten() -> None:
    places = Places(1)
    for token in ("a", "b", "a"):
        places.take(token)
        places.give(token)
    places.take("c")
