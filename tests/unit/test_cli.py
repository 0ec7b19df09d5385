"""The command line where no server is needed: exit codes, drafts, keys, help."""

import errno
import io
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from services.cli import main
from services.commands import audit
from services.commands import terminal as on_terminal
from services.domain.errors import NotFound
from services.events.envelope import check_signature, open_envelope, read_event
from services.events.keys import load_key

BODY = "CNCA-R-2019-7901"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CERTMARK_DATA", str(tmp_path))
    return tmp_path


def run(*words: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, words, input=stdin)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "/data/keys"),
            "/data/keys: Read-only file system",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device",
        ),
    ],
)
def test_trouble_with_a_file_is_a_sentence(error: OSError, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("services.up.run", fails)
    told = run("up")
    assert (told.exit_code, told.stderr.strip()) == (1, f"file-trouble 无法使用本机的文件或文件夹: {said}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_an_audit_goes_on_past_a_check_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    @click.command()
    def impossible(json_: bool) -> None:
        raise NotFound("nothing answers there")

    @click.command()
    def the_next(json_: bool) -> None:
        made.append("the next")

    monkeypatch.setattr(audit, "CHECKS", ((impossible, "one"), (the_next, "two")))
    result = CliRunner().invoke(main, ["audit", "--json"])
    assert (result.exit_code, made) == (1, ["the next"])
    assert json.loads(result.stdout)["code"] == "not-found"


def test_a_full_standard_output_is_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [sys.executable, "-m", "services.cli", "keys", "show", "nobody", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert said.returncode == 2
    assert said.stderr.startswith("not-configured ")


def test_a_key_is_made_once_and_only_its_owner_reads_it(data: Path) -> None:
    made = run("keys", "new", BODY, "--json")
    assert made.exit_code == 0
    path = data / "keys" / f"{BODY}.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(made.stdout)["kid"] == load_key(path).public.kid
    before = path.read_bytes()
    assert run("keys", "new", BODY).exit_code == 2
    assert path.read_bytes() == before
    assert json.loads(run("keys", "show", BODY, "--json").stdout) == json.loads(made.stdout)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", ".."])
def test_a_name_that_is_a_path_is_no_name(data: Path, name: str) -> None:
    assert run("keys", "new", name).exit_code == 2
    assert not (data.parent / "x.pem").exists()


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_an_event_spelt_out_is_completed_and_signed(data: Path, alg: str) -> None:
    run("keys", "new", BODY, "--alg", alg)
    words = ["certificate.suspended", "2023990703000117", "reason=S03", "until=2026-12-14", "note=监督抽样不合格"]
    signed = run("sign", "--first", "--as", BODY, *words)
    assert signed.exit_code == 0, signed.output
    envelope = open_envelope(signed.stdout.strip().encode())
    check_signature(envelope, load_key(data / "keys" / f"{BODY}.pem").public)
    event = read_event(envelope)
    assert event.source == f"urn:certmark:body:{BODY}"
    assert (event.type, event.sequence, event.previous) == ("certmark.certificate.suspended.v1", 1, None)
    assert event.data["note"] == "监督抽样不合格"
    assert set(event.data) == {"effective_at", "reason", "until", "note"}


def test_drafts_of_one_chain_follow_each_other(data: Path) -> None:
    run("keys", "new", BODY)
    lines = "\n".join(
        json.dumps({"type": "certificate.surveillance_passed", "subject": subject, "data": {}})
        for subject in ("2023990703000117", "2023990703000118", "2023990703000117")
    )
    signed = run("sign", "--first", "--as", BODY, "-", stdin=lines)
    events = [read_event(open_envelope(line.encode())) for line in signed.stdout.split()]
    assert [event.sequence for event in events] == [1, 1, 2]
    assert events[2].previous == events[0].digest


@pytest.mark.parametrize("form", ["object", "array", "indented", "behind a byte order mark"])
def test_drafts_may_be_an_object_or_an_array(data: Path, tmp_path: Path, form: str) -> None:
    run("keys", "new", BODY)
    draft = {"type": "certificate.cancelled", "subject": "2023990703000117", "data": {"reason": "C03"}}
    text = json.dumps([draft] if form == "array" else draft, indent=2 if form == "indented" else None)
    file = tmp_path / "drafts.json"
    file.write_text(text, encoding="utf-8-sig" if form == "behind a byte order mark" else "utf-8")
    assert run("sign", "--first", "--as", BODY, str(file)).exit_code == 0


@pytest.mark.parametrize(
    "name", ["certificate.cancelled", "certificate.cancelled.v1", "certmark.certificate.cancelled.v1"]
)
@pytest.mark.parametrize("way", ["words", "file"])
def test_a_type_has_a_short_and_a_long_name(data: Path, name: str, way: str) -> None:
    run("keys", "new", BODY)
    if way == "words":
        signed = run("sign", "--first", "--as", BODY, name, "2023990703000117", "reason=C03")
    else:
        draft = {"type": name, "subject": "2023990703000117", "data": {"reason": "C03"}}
        signed = run("sign", "--first", "--as", BODY, "-", stdin=json.dumps(draft))
    assert signed.exit_code == 0, signed.output
    assert read_event(open_envelope(signed.stdout.strip().encode())).type == "certmark.certificate.cancelled.v1"


@pytest.mark.parametrize("name", ["certmark.certificate.cancelled.v2", "certmark.invented.v1", "invented"])
def test_a_type_that_is_not_there_is_said_as_it_was_written(data: Path, name: str) -> None:
    run("keys", "new", BODY)
    signed = run("sign", "--first", "--as", BODY, name, "2023990703000117")
    assert signed.exit_code == 2
    assert name in signed.stderr


@pytest.mark.parametrize("source", ["regulator", "authority:demo", "urn:certmark:authority:demo"])
def test_the_demonstrations_regulator_is_found_by_every_name(data: Path, source: str) -> None:
    run("keys", "new", "regulator")
    signed = run("sign", "--first", "--as", source, "alliance.established", "x", "name=联盟")
    assert signed.exit_code == 0, signed.output
    assert read_event(open_envelope(signed.stdout.strip().encode())).source == "urn:certmark:authority:demo"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["keys", "show", "nobody"], "--dir"),
        (["sign", "--first", "--as", BODY, "certificate.cancelled", "2023990703000117", "reason=C03"], "--key"),
    ],
)
def test_a_missing_key_says_where_else_it_may_be(data: Path, words: list[str], option: str) -> None:
    ended = run(*words)
    assert ended.exit_code == 2
    assert str(data) in ended.stderr
    assert "CERTMARK_DATA" in ended.stderr
    assert option in ended.stderr


def test_a_key_in_another_folder_is_shown(data: Path, tmp_path: Path) -> None:
    made = json.loads(run("keys", "new", "x", "--dir", str(tmp_path / "elsewhere"), "--json").stdout)
    assert json.loads(run("keys", "show", "x", "--dir", str(tmp_path / "elsewhere"), "--json").stdout) == made


def test_what_is_no_digest_is_wrong_use(data: Path) -> None:
    ended = run("decision", "0000", "--json")
    assert ended.exit_code == 2
    assert json.loads(ended.stdout)["code"] == "bad-request"


def test_every_fault_of_a_draft_is_named(data: Path) -> None:
    run("keys", "new", BODY)
    signed = run(
        "sign", "--first", "--as", BODY, "--json", "certificate.suspended", "2023990703000117", "reason=3", "x=y"
    )
    assert signed.exit_code == 2
    problem = json.loads(signed.stdout)
    assert problem["code"] == "bad-event"
    for fault in ("/reason", "/until", "/x"):
        assert fault in problem["detail"]


@pytest.mark.parametrize(
    "words",
    [
        ["sign", "--first", "--as", "nobody", "certificate.cancelled", "x"],
        ["sign", "--first", "--as", BODY, "certificate.cancelled", "2023990703000117", "reason=C03"],
        ["sign", "--first", "--as", BODY, "no.such_type", "2023990703000117"],
        ["sign", "--first", "no-such-file.json"],
        ["publish", "no-such-file.jws"],
        ["publish", "--to", "ftp://x", "-"],
        ["publish", "--to", "kafka://", "-"],
        ["verify", "no-such-image.png"],
        ["keys", "show", "nobody"],
        ["decision", "0000"],
        ["decision", "sha256:" + "g" * 64],
        ["admit", "verify"],
        ["admit", "verify=no-such-file"],
        ["no-such-command"],
        ["sign", "--no-such-option"],
    ],
)
def test_wrong_use_ends_with_2_and_a_sentence(data: Path, words: list[str]) -> None:
    ended = run(*words, stdin="e30.e30.e30")
    assert ended.exit_code == 2, ended.output
    assert re.search(r"^[a-z-]+ [\u4e00-\u9fff].*: .+", ended.stderr), "its code, in Chinese, and what is wrong here"
    assert "Traceback" not in ended.output
    asked = run(*words, "--json", stdin="e30.e30.e30")
    assert (asked.exit_code, asked.stderr) == (2, "")
    problem = json.loads(asked.stdout)
    assert ended.stderr.startswith(problem["code"])
    assert "/docs of the service" not in problem["hint"], "nobody asked a service"


def test_what_is_no_jws_is_named_by_its_line(data: Path) -> None:
    run("keys", "new", BODY)
    good = run("sign", "--first", "--as", BODY, "certificate.cancelled", "2023990703000117", "reason=C03").stdout
    ended = run("publish", "-", stdin=good + "junk\n")
    assert ended.exit_code == 2
    assert "line 2" in ended.stderr


def test_bad_settings_are_a_sentence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTMARK_LOG", "paper")
    ended = run("keys", "new", "x")
    assert ended.exit_code == 2
    assert "CERTMARK_LOG" in ended.stderr


@pytest.mark.parametrize(("terminal", "shown"), [(True, "60/60"), (False, "")])
def test_long_work_has_a_bar_on_a_terminal_and_nothing_in_a_pipe(
    terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(on_terminal, "ERR", Console(file=said, force_terminal=terminal, width=80))
    with on_terminal.progress("labels", 60, quiet=False) as advance:
        advance(60)
    assert shown in said.getvalue()
    assert bool(said.getvalue()) is terminal


def test_every_command_has_help_and_json() -> None:
    names = ["admit", "decision", "demo", "keys new", "keys show", "migrate", "publish", "sign", "up", "verify"]
    for name in names:
        helped = run(*name.split(), "--help")
        assert helped.exit_code == 0
        assert "--json" in helped.stdout
