"""`certmark verify --offline` over a folder: what it holds is checked anew, renewed only upwards, and never half."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import main
from services.commands import held_lists, offline
from services.events.client import Unreachable
from services.marks import qr
from services.marks.trust_list import bundle, list_payload, sign_document
from services.verify.scan_wording import OFFLINE, Why
from services.verify.wording import Code
from tests.trust import NOW, Roots, pin_of
from tests.unit.test_offline import CLAIMS, SIGNERS, UNIT, VOID, a_list, url

FIRST, SECOND = Roots(), Roots(2)
HOST = "https://mark.example"


class Host:
    """A verify service's lists, as a folder meets them; `at` is the time of day at which it is asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.give(1)
        self.files["/status/lists"] = json.dumps(
            {"status_lists": [f"{HOST}/status/3", "https://evil.example/status/4"]}
        ).encode()
        self.files["/status/3"] = a_list()

    def give(self, version: int, roots: Roots = FIRST, **how: Any) -> None:
        content = replace(roots.list(version=version, signers=SIGNERS), **how)
        documents = [FIRST.document()]
        if roots is SECOND:
            documents.append(SECOND.document([*FIRST.keys[:2], *SECOND.keys[:2]]))
        self.files["/.well-known/certmark-trust"] = bundle(
            [*documents, sign_document(list_payload(content), [roots.delegate])]
        )

    def get(self, url: str, path: str, most: int) -> bytes:
        if path not in self.files:
            raise Unreachable(f"{url}{path} answers 404")
        return self.files[path]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host()
    monkeypatch.setattr(held_lists, "_get", found.get)
    return found


def at_an_hour(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    class Clock:
        @staticmethod
        def now(_zone: object) -> Any:
            return NOW + timedelta(hours=hours)

    monkeypatch.setattr(offline, "datetime", Clock)


@pytest.fixture
def certmark(tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    at_an_hour(monkeypatch, 1)

    def run(*words: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(main, ["verify", "--trust", str(tmp_path / "trust"), *words], input=stdin)

    return run


def test_a_code_is_judged_by_what_was_fetched(certmark: Callable[..., Result], tmp_path: Path) -> None:
    before = certmark("--offline", "--json", url())
    assert (json.loads(before.output)["why"], before.exit_code) == ("no_trust_list", 1)
    assert certmark("--refresh").exit_code == 0
    image = tmp_path / "mark.png"
    image.write_bytes(qr.png(qr.symbol(url()), 4))
    found = certmark("--offline", "--json", str(image))
    answer = json.loads(found.output)
    assert (answer["code"], found.exit_code) == ("valid", 0)
    assert answer["claims"]["mark_no"] == CLAIMS.mark_no
    assert answer["status_list"]["issued_at"] == "2026-11-26T04:00:00.000Z"
    said = certmark("--offline", str(image)).output
    for part in ("证书有效 Valid", "KFR-35", "2026-11-26 12:00 (1 h)", "信任列表", "状态列表"):
        assert part in said


def test_every_code_of_an_image_is_judged(certmark: Callable[..., Result], tmp_path: Path) -> None:
    certmark("--refresh")
    one, other = (tmp_path / name for name in ("one.png", "other.png"))
    one.write_bytes(qr.png(qr.symbol(url()), 4))
    other.write_bytes(qr.png(qr.symbol("https://shop.example/1"), 4))
    from PIL import Image

    pictures = [Image.open(path) for path in (one, other)]
    sheet = Image.new("L", (sum(p.width for p in pictures), max(p.height for p in pictures)), 255)
    sheet.paste(pictures[0], (0, 0))
    sheet.paste(pictures[1], (pictures[0].width, 0))
    sheet.save(tmp_path / "sheet.png")
    found = certmark("--offline", "--json", str(tmp_path / "sheet.png"))
    assert sorted(json.loads(line)["code"] for line in found.output.splitlines()) == ["not_ours", "valid"]
    assert found.exit_code == 1
    piped = certmark("--offline", "--json", "-", stdin=(tmp_path / "sheet.png").read_bytes())
    assert (piped.output, piped.exit_code) == (found.output, 1)
    lines = certmark("--offline", "--json", "-", stdin=f"\ufeff{url()}\r\n\nhttps://shop.example/1".encode())
    assert [json.loads(line)["code"] for line in lines.output.splitlines()] == ["valid", "not_ours"]


def test_a_voided_code_is_known_and_no_older_list_brings_it_back(certmark: Callable[..., Result], host: Host) -> None:
    text = url(path=UNIT)
    certmark("--refresh")
    assert json.loads(certmark("--offline", "--json", text).output)["code"] == "valid"
    host.files["/status/3"] = a_list(issued_at=NOW + timedelta(minutes=5), voided=VOID)
    certmark("--refresh")
    host.files["/status/3"] = a_list()
    assert certmark("--refresh").exit_code == 1
    void = certmark("--offline", "--json", text)
    assert (json.loads(void.output)["code"], void.exit_code) == ("mark_not_authorized", 1)
    said = certmark("--offline", text).output
    for part in (OFFLINE[Code.MARK_NOT_AUTHORIZED].zh, OFFLINE[Code.MARK_NOT_AUTHORIZED].en, "A1/b"):
        assert part in said
    assert json.loads(certmark("--offline", "--json", url()).output)["code"] == "valid"


def test_nothing_of_a_forged_code_is_told(certmark: Callable[..., Result]) -> None:
    certmark("--refresh")
    text = url()
    found = certmark("--offline", "--json", text[:-1] + ("1" if text[-1] != "1" else "2"))
    assert json.loads(found.output)["code"] == "bad_signature"
    for secret in (CLAIMS.mark_no, CLAIMS.certificate_no, CLAIMS.model):
        assert secret not in found.output


def test_past_its_end_a_list_says_nothing(certmark: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    certmark("--refresh")
    for hours, why in ((49, "status_list_expired"), (24 * 31, "trust_list_expired")):
        at_an_hour(monkeypatch, hours)
        found = certmark("--offline", "--json", url())
        assert (json.loads(found.output)["code"], json.loads(found.output)["why"]) == ("status_unknown", why)
        assert "证书有效" not in certmark("--offline", url()).output


def test_versions_only_rise(certmark: Callable[..., Result], host: Host) -> None:
    host.give(7)
    certmark("--refresh")
    host.give(6)
    older = certmark("--refresh", "--json")
    assert (json.loads(older.output)["code"], older.exit_code) == ("trust-rolled-back", 1)
    assert json.loads(certmark("--offline", "--json", url()).output)["trust"]["version"] == 7
    host.give(1, SECOND)
    assert certmark("--refresh").exit_code == 0, "a new root lets the versions begin again"
    host.give(9)
    assert json.loads(certmark("--refresh", "--json").output)["code"] == "trust-unknown-root"


def test_an_older_status_list_is_not_taken_back(certmark: Callable[..., Result], host: Host) -> None:
    host.files["/status/3"] = a_list(issued_at=NOW + timedelta(minutes=5))
    certmark("--refresh")
    host.files["/status/3"] = a_list()
    again = certmark("--refresh", "--json")
    assert (json.loads(again.output)["refused"], again.exit_code) == ({"3": "list-rolled-back"}, 1)
    found = json.loads(certmark("--offline", "--json", url()).output)
    assert found["status_list"]["issued_at"] == "2026-11-26T04:05:00.000Z"


def test_a_root_from_another_way_has_to_be_there(certmark: Callable[..., Result]) -> None:
    refused = certmark("--refresh", "--json", "--root", "0" * 64)
    assert json.loads(refused.output)["code"] == "trust-unknown-root"
    assert certmark("--refresh", "--root", pin_of(FIRST.document())).exit_code == 0


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def test_a_changed_file_is_not_believed(certmark: Callable[..., Result], tmp_path: Path) -> None:
    certmark("--refresh")
    listed = tmp_path / "trust" / "status" / "3.cbor"
    listed.write_bytes(flipped(listed.read_bytes()))
    assert json.loads(certmark("--offline", "--json", url()).output)["why"] == Why.STATUS_LIST_REFUSED
    file = tmp_path / "trust" / "trust.cbor"
    file.write_bytes(flipped(file.read_bytes()))
    assert json.loads(certmark("--offline", "--json", url()).output)["why"] == Why.NO_TRUST_LIST


def test_wrong_use_is_said(certmark: Callable[..., Result], tmp_path: Path) -> None:
    assert certmark("--offline").exit_code == 2
    assert certmark("--offline", str(tmp_path / "none.png")).exit_code == 2
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    refused = certmark("--offline", "--json", str(tmp_path / "text.png"))
    assert (json.loads(refused.output)["code"], refused.exit_code) == ("not-a-picture", 2)
    assert certmark("--offline", "-", stdin=b"\n \n").exit_code == 2
    assert json.loads(certmark("--json", "-", stdin=b"\x89\xff").output)["code"] == "not-a-picture"
