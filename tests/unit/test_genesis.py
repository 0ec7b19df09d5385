"""The beginning of a register of one's own publishes all that is shipped."""

from datetime import UTC, datetime
from pathlib import Path

from services.events.envelope import open_envelope, read_event
from services.events.event_types import SCHEMAS, check_data
from services.events.keys import load_key, save_key
from services.genesis import beginning, demonstration_roots, next_quarter
from services.marks.trust_list import first_root, open_document
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
    assert said[: len(said) - len(shipped)] == [("authority", "demo"), *[("key", e.subject) for e in events[1:5]]]
    assert said[-len(shipped) :] == shipped


def test_a_catalogue_and_a_scheme_of_one_id_are_one_chain(tmp_path: Path) -> None:
    events = [read_event(open_envelope(jws)) for jws in beginning(settings_from({"CERTMARK_DATA": str(tmp_path)}), NOW)]
    about_ccc = [event for event in events if event.subject == "ccc"]
    assert [event.sequence for event in about_ccc] == [1, 2]
    assert about_ccc[1].previous == about_ccc[0].digest


def test_the_next_quarters_key_is_announced_once_and_kept_after_that(tmp_path: Path) -> None:
    settings = settings_from({"CERTMARK_DATA": str(tmp_path)})
    beginning(settings, NOW)
    made = next_quarter(settings, NOW)
    assert made is not None
    key, path, jws = made
    event = read_event(open_envelope(jws))
    check_data(event)
    assert (event.subject, event.data["from"], event.data["until"]) == (key.public.kid, "2027-01-01", "2027-03-31")
    assert not path.exists(), "first the log, then the file"
    save_key(key, path)
    assert next_quarter(settings, NOW) is None
    assert path.name == "mark-2027Q1.pem"


def test_the_demonstrations_roots_lead_to_its_delegate(tmp_path: Path) -> None:
    settings = settings_from({"CERTMARK_DATA": str(tmp_path)})
    demonstration_roots(settings, "ab" * 32, NOW)
    file = settings.trust_roots / "root-1.cbor"
    before = file.read_bytes()
    root = first_root(open_document(before))
    assert (root.threshold, len(root.keys), root.register) == (2, 3, "ab" * 32)
    assert [key.kid for key in root.delegates] == [load_key(settings.trust_key).public.kid]
    demonstration_roots(settings, "cd" * 32, NOW)
    assert file.read_bytes() == before
    assert all((settings.keys / f"root-{n}.pem").stat().st_mode & 0o777 == 0o600 for n in (1, 2, 3))
