"""Receipts: what is on the paper, the same bytes again, and a press that is slow, dead or missing something."""

import hashlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from flask.testing import FlaskClient

from services import confined
from services.settings import settings_from
from services.verify import receipt, receipt_press
from services.verify.api import app_for
from services.verify.projector import Projector
from services.verify.receipt import NoReceiptsHere, Press, ReceiptsBusy, ReceiptTooLong
from services.verify.receipt_press import pdf
from services.verify.wording import ANSWERS, LABELS, Code
from tests.sealed_register import NOW, STATE, ListLog, SealedRegister
from tests.verify_service import patiently

pytestmark = pytest.mark.integration

NUMBER = "2022990201000204"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("receipts")
    register = SealedRegister().publish_all()
    projector = Projector(ListLog(register.values), STATE, register.genesis, folder / "verify")
    while projector.step():
        pass
    projector.close()
    return folder


@pytest.fixture(scope="module")
def press(data: Path) -> Iterator[Press]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipt, "_REST", 0)
        with closing(Press(data / "verify")) as made:
            patch.setattr(receipt, "Press", lambda folder: made)
            yield made


@pytest.fixture(scope="module")
def client(data: Path, press: Press) -> FlaskClient:
    return app_for(settings_from({"CERTMARK_DATA": str(data)}), lambda: NOW).test_client()


def read(made: bytes) -> tuple[str, dict[str, Any], str]:
    """(text, attached answer, what the QR says) of a receipt."""
    with closing(pypdfium2.PdfDocument(io.BytesIO(made))) as document:
        text = "".join(page.get_textpage().get_text_bounded() for page in document)
        answer = json.loads(bytes(document.get_attachment(0).get_data()))
        (code,) = [found for page in document for found in zxingcpp.read_barcodes(page.render(scale=3).to_pil())]
    return text, answer, code.text


def test_a_receipt_holds_what_it_has_to_and_is_the_same_again(client: FlaskClient) -> None:
    asked_first = client.get(f"/c/{NUMBER}/receipt.pdf?lang=zh")
    assert asked_first.status_code == 202, "nobody waits for it in the thread that look-ups share"
    assert asked_first.headers["Refresh"] == f"1; url=/c/{NUMBER}/receipt.pdf?lang=zh"
    first = patiently(lambda: client.get(f"/c/{NUMBER}/receipt.pdf?lang=zh"))
    assert first.status_code == 200, first.text
    assert first.content_type == "application/pdf"
    assert first.headers["Cache-Control"] == "no-store"
    assert client.get(f"/c/{NUMBER}/receipt.pdf?lang=zh").data == first.data
    text, answer, address = read(first.data)
    asked = client.get(f"/v1/verify?q={NUMBER}").data
    assert json.loads(asked) == answer
    for held in (NUMBER, ANSWERS[Code.SUSPENDED].title["zh"], "2026-11-01 12:00:00", "2026-11-01 11:59:00", "S03"):
        assert held in text
    assert hashlib.sha256(asked).hexdigest() in text.replace("\r\n", "").replace("\n", "")
    assert address == f"http://127.0.0.1:8080/c/{NUMBER}"
    assert LABELS["look_up"]["zh"] + "\n" not in text, "nothing that has to be clicked"


@pytest.mark.parametrize(
    ("asked", "says", "leads_to"),
    [
        ("2099990703000117", ANSWERS[Code.UNKNOWN_NUMBER].title["en"], "/?q=2099990703000117"),
        ("M-SHB-P-2024-0031", "M-SHB-P-2024-0031", "/m/M-SHB-P-2024-0031"),
        ("https://v-example.cn/c/2023990703000117", ANSWERS[Code.IMPOSTOR_HOST].title["en"], "/"),
    ],
)
def test_every_answer_can_be_had_on_paper(client: FlaskClient, asked: str, says: str, leads_to: str) -> None:
    answer = patiently(lambda: client.get("/receipt.pdf", query_string={"q": asked, "lang": "en"}))
    assert answer.status_code == 200, answer.text
    text, _, address = read(answer.data)
    assert says in text
    assert address == f"http://127.0.0.1:8080{leads_to}"


def test_the_page_leads_to_its_receipt(client: FlaskClient) -> None:
    assert f'href="/c/{NUMBER}/receipt.pdf?lang=zh"' in client.get(f"/c/{NUMBER}?lang=zh").text
    assert 'href="/receipt.pdf?q=2099990703000117&amp;lang=zh"' in client.get("/c/2099990703000117?lang=zh").text
    for nothing in (
        "/receipt.pdf",
        "/receipt.pdf?q=!",
        "/receipt.pdf?q=https://shop.example/item",
        "/c/x1/receipt.pdf",
    ):
        assert client.get(nothing).status_code == 400


def test_nothing_is_fetched_from_anywhere() -> None:
    page = '<img src="file:///etc/hostname"><img src="http://127.0.0.1:9/x"><link rel="stylesheet" href="http://127.0.0.1:9/y">'
    assert pdf(page, "{}", NOW).startswith(b"%PDF")


def test_a_press_that_died_is_begun_again(press: Press) -> None:
    assert press.make("<p>证书</p>", "{}", NOW).startswith(b"%PDF")
    assert press._process is not None
    os.kill(press._process.pid, signal.SIGKILL)
    press._process.wait(10)
    assert press.make("<p>证书</p>", "{}", NOW).startswith(b"%PDF")


def test_one_at_a_time_and_not_without_a_pause(data: Path, tmp_path: Path) -> None:
    with closing(Press(data / "verify")) as one, closing(Press(data / "verify")) as other:
        with one._alone(), pytest.raises(ReceiptsBusy):
            other.make("<p>x</p>", "{}", NOW)
        one._rests_until = time.monotonic() + 60
        with pytest.raises(ReceiptsBusy):
            one.make("<p>x</p>", "{}", NOW)
        with pytest.raises(ReceiptTooLong):
            one.make("x" * (receipt.LONGEST + 1), "{}", NOW)
    with closing(Press(tmp_path / "nowhere")) as none, pytest.raises(ReceiptsBusy):
        none.make("<p>x</p>", "{}", NOW)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import sys, struct; sys.stdout.buffer.write(struct.pack('>I', 4) + b'fonts'[:4])", NoReceiptsHere),
        ("import time; time.sleep(30)", ReceiptsBusy),
        ("pass", ReceiptsBusy),
        (
            "import sys; o = sys.stdout.buffer; o.write(bytes(4)); o.flush(); "
            "sys.stdin.buffer.read(4); o.write(bytes(4))",
            ReceiptTooLong,
        ),
    ],
)
def test_a_press_that_cannot_is_told_apart(
    data: Path, monkeypatch: pytest.MonkeyPatch, program: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(confined, "module", lambda _: [sys.executable, "-c", program])
    if "sleep" in program:
        monkeypatch.setattr(receipt, "PATIENCE_S", 1.0)
    with closing(Press(data / "verify")) as press, pytest.raises(error):
        press.make("<p>x</p>", "{}", NOW)
    assert press._process is None


def test_this_machine_can_make_receipts_and_one_without_fonts_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert receipt_press.why_not() == ""
    monkeypatch.setattr(receipt_press, "_chinese_fonts", lambda: 0)
    assert "font" in receipt_press.why_not()
