"""The beginning of a register of one's own publishes all that is shipped."""

from datetime import UTC, datetime
from pathlib import Path

from services.events.envelope import open_envelope, read_event
from services.events.event_types import SCHEMAS, check_data
from services.genesis import beginning
from services.settings import settings_from

NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)


def test_the_beginning_publishes_the_shipped_data_before_the_schemes_that_refer_to_it(tmp_path: Path) -> None:
    events = [read_event(open_envelope(jws)) for jws in beginning(settings_from({"CERTMARK_DATA": str(tmp_path)}), NOW)]
    for event in events:
        check_data(event)
    said = [(event.type.split(".")[1], event.subject) for event in events]
    shipped = [
        (kind, file.stem)
        for kind, folder in (("calendar", "calendars"), ("catalogue", "catalogues"), ("scheme", "schemes"))
        for file in sorted((SCHEMAS / folder).glob("*.json"))
    ]
    assert said[: len(said) - len(shipped)] == [("authority", "demo"), *[("key", e.subject) for e in events[1:6]]]
    assert said[-len(shipped) :] == shipped


def test_a_catalogue_and_a_scheme_of_one_id_are_one_chain(tmp_path: Path) -> None:
    events = [read_event(open_envelope(jws)) for jws in beginning(settings_from({"CERTMARK_DATA": str(tmp_path)}), NOW)]
    about_ccc = [event for event in events if event.subject == "ccc"]
    assert [event.sequence for event in about_ccc] == [1, 2]
    assert about_ccc[1].previous == about_ccc[0].digest
