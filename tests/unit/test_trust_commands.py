"""The ceremony of the roots on the command line: three people, files by hand, no server."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli import main
from services.domain.identifiers import civil_day
from services.domain.quarter import quarter_of
from services.events.keys import load_key
from services.marks.trust_list import Seen, TrustList, bundle, list_payload, sign_document, walk

REGISTER = "0123456789abcdef" * 4


class Ceremony:
    """A folder with the keys of three roots and a delegate, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("a", "b", "c", "d", "trust", "trust2"):
            run("keys", "new", name, "--dir", str(folder))
            self.path(f"{name}.json").write_text(run("keys", "show", str(self.path(f"{name}.pem")), "--json").stdout)

    def path(self, name: str) -> Path:
        return self.folder / name

    def new(self, name: str, *more: str) -> Result:
        return run("trust", "root", "new", str(self.path(name)), *more)

    def first(self) -> Result:
        roots = [word for one in "abc" for word in ("--root", str(self.path(f"{one}.json")))]
        return self.new("root-1.cbor", *roots, "--delegate", str(self.path("trust.json")), "--register", REGISTER)

    def sign(self, name: str, key: str, *more: str) -> Result:
        return run("trust", "root", "sign", str(self.path(name)), "--key", str(self.path(f"{key}.pem")), *more)

    def verify(self, *names: str) -> Result:
        return run("trust", "root", "verify", *[str(self.path(name)) for name in names], "--json")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture
def ceremony(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ceremony:
    monkeypatch.setenv("CERTMARK_DATA", str(tmp_path / "data"))
    return Ceremony(tmp_path)


def test_two_of_three_make_a_root_and_one_does_not(ceremony: Ceremony) -> None:
    assert ceremony.first().exit_code == 0
    assert json.loads(ceremony.verify("root-1.cbor").stdout)["code"] == "trust-unreadable", "nobody has signed"
    assert ceremony.sign("root-1.cbor", "a").exit_code == 0
    one = ceremony.verify("root-1.cbor")
    assert (one.exit_code, json.loads(one.stdout)["code"]) == (1, "trust-too-few-signatures")
    shown = ceremony.sign("root-1.cbor", "c", "--json")
    assert len(json.loads(shown.stdout)["signed_by"]) == 2
    two = ceremony.verify("root-1.cbor")
    assert (two.exit_code, json.loads(two.stdout)["version"]) == (0, 1)
    text = run("trust", "root", "show", str(ceremony.path("root-1.cbor"))).stdout
    assert text.count("has signed") == 2
    assert json.loads(two.stdout)["digest"] in text


def test_a_root_is_never_overwritten_and_a_stranger_does_not_sign(ceremony: Ceremony) -> None:
    ceremony.first()
    before = ceremony.path("root-1.cbor").read_bytes()
    assert ceremony.first().exit_code == 2
    stranger = ceremony.sign("root-1.cbor", "d")
    assert stranger.exit_code == 1
    assert "trust-unknown-signer" in stranger.stderr
    assert ceremony.path("root-1.cbor").read_bytes() == before


def test_a_rotation_is_signed_by_the_old_and_the_new(ceremony: Ceremony) -> None:
    ceremony.first()
    for key in "ab":
        ceremony.sign("root-1.cbor", key)
    after = ("--after", str(ceremony.path("root-1.cbor")))
    roots = [word for one in "bcd" for word in ("--root", str(ceremony.path(f"{one}.json")))]
    assert ceremony.new("root-2.cbor", *after, *roots, "--delegate", str(ceremony.path("trust2.json"))).exit_code == 0
    assert ceremony.sign("root-2.cbor", "a").exit_code == 1, "no root of this version"
    for key, more in (("a", after), ("b", ()), ("d", ())):
        done = ceremony.verify("root-1.cbor", "root-2.cbor")
        assert done.exit_code == (2 if key == "a" else 1)
        assert ceremony.sign("root-2.cbor", key, *more).exit_code == 0
    done = ceremony.verify("root-1.cbor", "root-2.cbor")
    assert (done.exit_code, json.loads(done.stdout)["version"]) == (0, 2)


@pytest.mark.parametrize(
    "words",
    [
        ("--register", REGISTER),
        ("--register", "not a digest"),
        ("--threshold", "4"),
    ],
)
def test_what_would_be_no_root_is_not_written(ceremony: Ceremony, words: tuple[str, ...]) -> None:
    keys = ["--root", str(ceremony.path("a.json")), "--delegate", str(ceremony.path("trust.json"))]
    whole = ["--register", REGISTER] if "--register" not in words else []
    if words == ("--register", REGISTER):
        keys += ["--root", str(ceremony.path("trust.json"))]
    done = ceremony.new("root-1.cbor", *keys, *whole, *words)
    assert done.exit_code == 2, done.output
    assert not ceremony.path("root-1.cbor").exists()


def test_what_a_host_gives_out_is_verified_from_a_file(ceremony: Ceremony) -> None:
    ceremony.first()
    for key in "bc":
        ceremony.sign("root-1.cbor", key)
    pin = json.loads(ceremony.verify("root-1.cbor").stdout)["digest"]
    now = datetime.now(UTC)
    content = TrustList(
        1, now, now + timedelta(days=30), REGISTER, 1, ("mark.example",), "https://mark.example/status", ()
    )
    signed = sign_document(list_payload(content), [load_key(ceremony.path("trust.pem"))])
    data = bundle([ceremony.path("root-1.cbor").read_bytes(), signed])
    assert walk(data, pin, now).seen == Seen(1, 1)
    file = ceremony.path("trust.cbor")
    file.write_bytes(data)
    good = run("trust", "verify", str(file), "--pin", pin, "--json")
    assert json.loads(good.stdout) == {"root": 1, "list": 1, "pin": pin}
    other = run("trust", "verify", str(file), "--pin", "0" * 64, "--json")
    assert (other.exit_code, json.loads(other.stdout)["code"]) == (1, "trust-unknown-root")
    file.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    assert json.loads(run("trust", "verify", str(file), "--pin", pin, "--json").stdout)["code"] == "trust-bad-signature"
    file.write_bytes(b"nothing of the kind")
    assert run("trust", "verify", str(file), "--pin", pin).exit_code == 2


def test_the_next_quarters_key_is_made_once_and_announced(ceremony: Ceremony) -> None:
    run("keys", "new", "mark")
    first = run("keys", "next")
    assert first.exit_code == 0, first.output
    draft = json.loads(first.stdout)
    quarter = quarter_of(civil_day(datetime.now(UTC))).following
    key = load_key(ceremony.path("data") / "keys" / f"mark-{quarter}.pem")
    assert (draft["type"], draft["subject"]) == ("key.added", key.public.kid)
    assert draft["data"]["purpose"] == "mark"
    assert (draft["data"]["from"], draft["data"]["until"]) == (str(quarter.first_day), str(quarter.last_day))
    assert json.loads(run("keys", "next").stdout) == draft
    run("keys", "new", "regulator")
    (ceremony.path("draft.json")).write_text(first.stdout)
    signed = run("sign", "--first", "--as", "regulator", str(ceremony.path("draft.json")))
    assert signed.exit_code == 0, signed.output


@pytest.mark.parametrize("quarter", ["2020Q1", "2027Q5", "2027", "２０２７Q1"])
def test_a_quarter_that_has_begun_or_is_none_gets_no_key(ceremony: Ceremony, quarter: str) -> None:
    assert run("keys", "next", "--quarter", quarter).exit_code == 2
    assert not list(ceremony.path("data").glob("keys/mark-*.pem"))


def test_a_key_for_the_rest_of_the_quarter_begins_today(ceremony: Ceremony) -> None:
    draft = json.loads(run("keys", "next", "--at-once").stdout)
    today = civil_day(datetime.now(UTC))
    assert (draft["data"]["from"], draft["data"]["until"]) == (str(today), str(quarter_of(today).last_day))
    assert len(list(ceremony.path("data").glob("keys/mark-*.pem"))) == 1
