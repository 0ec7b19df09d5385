"""schemas = event types = decisions = documentation, and every example passes every validator."""

import copy
import functools
import importlib.util
import json
import operator
import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.domain.certificate import (
    Corrected,
    Flag,
    Part,
    PartKind,
    Period,
    Status,
    StatusInterval,
    Transfer,
    Voided,
    to_state,
)
from services.domain.decision import HANDLERS
from services.domain.errors import BadEvent
from services.events import event_types
from services.events.envelope import Event, open_envelope, read_event
from services.events.event_types import (
    EVENT_TYPES,
    FORMATS,
    SCHEMAS,
    UNSEEN_SINCE,
    SubjectKind,
    check_data,
    check_form,
    compile_schema,
    resolved,
)
from services.events.forms import check_draft
from services.events.keys import new_key
from services.verify.report_form import INVISIBLE
from tests.sealed_register import demonstration_certificates
from tests.signed import event_of

KEY = new_key()
ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*SCHEMAS.glob("*.v1.json"), *(SCHEMAS / "events").glob("*.json")])
NAMES = [file.relative_to(SCHEMAS).as_posix() for file in FILES]

ISSUE = [
    "authority.established",
    "body.approved",
    "body.scope_changed",
    "body.disqualified",
    "alliance.established",
    "alliance.member_admitted",
    "alliance.member_left",
    "key.added",
    "key.retired",
    "key.compromised",
    "backfill.opened",
    "scheme.published",
    "certificate.issued",
    "certificate.amended",
    "certificate.surveillance_passed",
    "certificate.suspended",
    "certificate.resumed",
    "certificate.revoked",
    "certificate.cancelled",
    "mark.authorized",
    "mark.withdrawn",
    "mark.codes_issued",
    "mark.code_voided",
    "declaration.made",
    "declaration.withdrawn",
    "certificate.renewed",
    "certificate.corrected",
    "certificate.transferred",
    "certificate.received",
    "certificate.superseded",
    "mark.suspended",
    "mark.resumed",
    "body.suspended",
    "catalogue.published",
    "catalogue.class_mode_changed",
    "catalogue.class_removed",
    "calendar.published",
    "decision.annulled",
    "quarantine.resolved",
    "recall.opened",
    "recall.closed",
    "warning.issued",
    "warning.withdrawn",
]


@functools.cache
def load(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return schema


def reference_validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    checker = jsonschema.FormatChecker(formats=())
    for name, holds in FORMATS.items():
        checker.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def test_the_types_are_those_of_the_contract() -> None:
    assert set(EVENT_TYPES) == {f"certmark.{name}.v1" for name in ISSUE}
    assert set(EVENT_TYPES) == set(HANDLERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_2020_12_and_stands_on_its_own(name: str) -> None:
    schema = load(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:certmark:schema:{Path(name).name.removesuffix('.json')}"
    assert schema["examples"]
    for part in _parts(schema):
        for word in {"title", "description"} & part.keys():
            if isinstance(part[word], str):
                assert re.search("[\u4e00-\u9fff]", part[f"{word}_zh"]), part
    assert {"title", "title_zh", "description", "description_zh"} <= schema.keys()
    for reference in _values(schema, "$ref"):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_closed_and_sizes_are_limited(name: str) -> None:
    for part in _parts(load(name)):
        if "properties" in part and part.get("type") == "object":
            assert part["additionalProperties"] is False, part
            assert set(part["required"]) <= set(part["properties"])
        kinds = part.get("type", ())
        if "array" in ([kinds] if isinstance(kinds, str) else kinds):
            assert "maxItems" in part, part
        if kinds == "string":
            assert "maxLength" in part or "pattern" in part, part
        if isinstance(part.get("pattern"), str):  # an object may have a member of that name
            assert part["pattern"].startswith("^")
            assert part["pattern"].endswith("$")
            assert "\\d" not in part["pattern"], "\\d takes digits of other scripts in some engines"


def test_a_definition_of_one_name_means_the_same_in_every_file() -> None:
    known: dict[str, Any] = {}
    for name in NAMES:
        for definition, part in load(name).get("$defs", {}).items():
            assert known.setdefault(definition, part) == part, f"{definition} in {name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_example_passes_the_reference_and_the_compiled_validator(name: str) -> None:
    schema = load(name)
    compiled = compile_schema(schema)
    for example in schema["examples"]:
        reference_validator(schema).validate(example)
        compiled(example)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_every_example_passes_as_a_draft_and_null_may_be_left_out(event_type: str) -> None:
    compiled = compile_schema(EVENT_TYPES[event_type].schema)
    for example in EVENT_TYPES[event_type].schema["examples"]:
        check_draft(event_type, example)
        without = {name: value for name, value in example.items() if value is not None}
        check_draft(event_type, without)
        compiled(without)
        optional = EVENT_TYPES[event_type].schema["properties"].keys() - set(EVENT_TYPES[event_type].schema["required"])
        with_nulls = {name: None for name in optional if _may_be_null(event_type, name)} | example
        check_draft(event_type, with_nulls)
        compiled(with_nulls)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_a_member_that_is_missing_or_unknown_is_pointed_at(event_type: str) -> None:
    """At every depth, and by both checks: the one of ingest and the one of drafts."""
    schema = EVENT_TYPES[event_type].schema
    missing = 0
    for example in schema["examples"]:
        for path, part in _objects(example, schema, schema):
            for name in [*part.get("required", ()), "a~/b"]:
                data = copy.deepcopy(example)
                holder = functools.reduce(operator.getitem, path, data)
                if name in holder:
                    del holder[name]
                else:
                    holder[name] = 1
                steps = [str(step).replace("~", "~0").replace("/", "~1") for step in (*path, name)]
                missing += name in part.get("required", ())
                with pytest.raises(BadEvent) as drafted:
                    check_draft(event_type, data)
                with pytest.raises(BadEvent) as sent:
                    check_data(an_event(event_type, data))
                assert drafted.value.pointer == sent.value.pointer == "/" + "/".join(["data", *steps])
    assert missing >= len(schema["required"])


def an_event(event_type: str, data: dict[str, Any]) -> Event:
    subjects = {
        SubjectKind.CERTIFICATE: "2023990703000117",
        SubjectKind.DECLARATION: "2023990703000117",
        SubjectKind.BODY: "CNCA-R-2019-7901",
        SubjectKind.KEY: "k" * 43,
        SubjectKind.CALENDAR: "2026",
        SubjectKind.DIGEST: "7" * 64,
    }
    subject = subjects.get(EVENT_TYPES[event_type].subject, "example")
    return read_event(open_envelope(event_of(KEY, type=event_type, subject=subject, data=data)))


def _objects(value: Any, part: dict[str, Any], whole: dict[str, Any]) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """(path, schema) of every object of a value that is closed, the value itself first."""
    part = resolved(part, whole)
    part = resolved(part["anyOf"][0], whole) if "anyOf" in part else part
    if isinstance(value, list):
        return [((i, *path), p) for i, item in enumerate(value) for path, p in _objects(item, part["items"], whole)]
    if not isinstance(value, dict) or "properties" not in part:
        return []
    below = [
        ((name, *path), found)
        for name, member in value.items()
        for path, found in _objects(member, part["properties"][name], whole)
    ]
    return [((), part), *below]


def test_shipped_schemes_are_what_scheme_published_asks_for() -> None:
    files = sorted((SCHEMAS / "schemes").glob("*.json"))
    assert len(files) >= 18
    for file in files:
        check_draft("certmark.scheme.published.v1", json.loads(file.read_text(encoding="utf-8")))


def test_shipped_catalogues_hold_what_the_schemes_and_the_demonstration_name() -> None:
    modes: dict[tuple[str, str], str] = {}
    for file in sorted((SCHEMAS / "catalogues").glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        check_draft("certmark.catalogue.published.v1", data)
        modes |= {(file.stem, one["class"]): one["mode"] for one in data["classes"]}
        assert len({one["class"] for one in data["classes"]}) == len(data["classes"])
    schemes = {file.stem: load(f"schemes/{file.name}") for file in (SCHEMAS / "schemes").glob("*.json")}
    register = json.loads((ROOT / "services/demo/register.json").read_text(encoding="utf-8"))
    for certificate in register["certificates"]:
        scheme = schemes[certificate["scheme"]]
        if scheme["catalogue"]:
            product_class = certificate["product"]["class"]
            assert modes[scheme["catalogue"], product_class] == scheme["catalogue_mode"], certificate["number"]


def test_shipped_calendars_are_of_their_year() -> None:
    for file in sorted((SCHEMAS / "calendars").glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        check_draft("certmark.calendar.published.v1", data)
        assert not set(data["days_off"]) & set(data["working_days"])
        assert all(day.startswith(file.stem) for day in [*data["days_off"], *data["working_days"]])
        assert all(date.fromisoformat(day).weekday() >= 5 for day in data["working_days"])


def test_a_certificates_state_has_the_published_form() -> None:
    whole = load("state.v1.json")
    schema = {"$defs": whole["$defs"], **whole["$defs"]["certificate_state"]}
    day, digest = date(2026, 1, 2), "7" * 64
    rich: dict[str, Any] = {
        "parts": (
            Part(PartKind.SITE, "示范路12号", None, (StatusInterval(Status.ACTIVE, day, None, None, None, digest),)),
        ),
        "periods": (Period(day, None, day, digest),),
        "transfer": Transfer("CNCA-R-2019-7901", digest, day),
        "flags": (Flag("key_compromised", digest, "2026-01-02T08:00:00+08:00"),),
        "annulled": (digest,),
        "corrected": (Corrected(digest, "8" * 64),),
    }
    voided = tuple(Voided("0" * 16, day, "V01", digest, told) for told in (None, "1" * 16))
    for certificate in demonstration_certificates():
        marks = tuple(replace(mark, voided=voided) for mark in certificate.marks)
        for one in (certificate, replace(certificate, marks=marks, **rich)):
            reference_validator(schema).validate(to_state(one))


def test_the_leafs_of_the_examples_are_about_certificates() -> None:
    """The subject of a token's leaf is the certificate's number, never the mark's: frozen so."""
    register = json.loads((ROOT / "services/demo/register.json").read_text(encoding="utf-8"))
    examples = load("leaf.v1.json")["examples"]
    assert {example["kind"] for example in examples} == {"event", "token"}
    assert {example["subject"] for example in examples} <= set(_values(register, "number"))
    entries = {example["digest"]: example["seq"] for example in examples}
    record = load("record.v1.json")["examples"][0]
    assert record["seq"] == entries[record["digest"]], "a record's seq is the entry of the event that it names"


def test_the_samples_numbers_pass_their_check_digits() -> None:
    register = json.loads((ROOT / "services/demo/register.json").read_text(encoding="utf-8"))
    codes = [uscc for uscc in _values(register, "uscc") if uscc]
    gtins = [gtin for gtin in _values(register, "gtin") if gtin]
    assert codes
    assert gtins
    assert all(event_types.is_uscc(code) for code in codes)
    assert all(event_types.is_gtin14(gtin) for gtin in gtins)


@pytest.mark.parametrize("name", ["events.md", "cli.md", "open-data.md"])
def test_the_reference_pages_are_current(name: str) -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == reference.page(name), f"run: python docs/reference.py (docs/{name} is not current)"


def _may_be_null(event_type: str, name: str) -> bool:
    part = EVENT_TYPES[event_type].schema["properties"][name]
    return "anyOf" in part or "null" in part.get("type", ())


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [part for item in value for part in _parts(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(part for name, member in value.items() if name != "examples" for part in _parts(member))]


def _values(value: Any, wanted: str) -> list[Any]:
    if isinstance(value, list):
        return [found for item in value for found in _values(item, wanted)]
    if not isinstance(value, dict):
        return []
    here = [value[wanted]] if isinstance(value.get(wanted), str) else []
    return here + [found for member in value.values() for found in _values(member, wanted)]


UNSEEN = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u180e\u200b\u202e\u2060\u2066\u2800\u3164\ufeff\uffa0\ufff9\uffff"
    "\U0001bca0\U000e0041"
)
"""One of each stretch of what Unicode calls ignorable, or turns the direction: two names would differ unseen."""


@pytest.mark.parametrize("sign", UNSEEN, ids=ascii)
@pytest.mark.parametrize("place", ["{}示范公司", "示范{}公司", "{}"])
def test_a_text_holds_nothing_that_is_not_seen(sign: str, place: str) -> None:
    data = copy.deepcopy(EVENT_TYPES["certmark.certificate.issued.v1"].schema["examples"][0])
    data["holder"]["name"] = place.format(sign)
    with pytest.raises(BadEvent):
        check_form("certmark.certificate.issued.v1", data)
    assert sign not in INVISIBLE.sub(" ", place.format(sign)), "nor does a report"


@pytest.mark.parametrize("sign", UNSEEN, ids=ascii)
def test_what_was_taken_before_is_read_by_the_patterns_of_its_time(sign: str) -> None:
    data = copy.deepcopy(EVENT_TYPES["certmark.certificate.issued.v1"].schema["examples"][0])
    data["holder"]["name"] = f"示范{sign}公司"
    refused_then = sign in "\u200b\u202e\u2060\u2066\ufeff"
    with pytest.raises(BadEvent) if refused_then else nullcontext():
        check_form("certmark.certificate.issued.v1", data, UNSEEN_SINCE - timedelta(microseconds=1))
    with pytest.raises(BadEvent):
        check_form("certmark.certificate.issued.v1", data, UNSEEN_SINCE)


def test_a_text_holds_the_characters_of_rare_names() -> None:
    data = copy.deepcopy(EVENT_TYPES["certmark.certificate.issued.v1"].schema["examples"][0])
    for name in ("葛\U000e0100城公司", "𠮷野家", "Ünal é", "شركة"):
        data["holder"]["name"] = name
        check_form("certmark.certificate.issued.v1", data)
