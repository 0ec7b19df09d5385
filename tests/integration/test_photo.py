"""A photo by the form: each code is answered, a bomb is not inflated, and nothing of it stays."""

import io
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from services.marks import qr
from services.marks.photo import NotAPicture
from services.verify.wording import ANSWERS, Code
from tests.sealed_register import NOW, SealedRegister, demonstration
from tests.verify_service import Service, patiently

pytestmark = pytest.mark.integration

UNKNOWN = "http://127.0.0.1:8080/c/2023990703999999"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("photo"), SealedRegister().publish_all())
    yield service
    service.projector.close()


def picture(*texts: str) -> bytes:
    codes = [Image.open(io.BytesIO(qr.png(qr.symbol(text)))).convert("L") for text in texts]
    sheet = Image.new("L", (sum(c.width for c in codes) + 40, max((c.height for c in codes), default=60) + 40), 255)
    at = 20
    for code in codes:
        sheet.paste(code, (at, 20))
        at += code.width
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few kB that says it has 900 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 10**6)) + chunk(b"IEND", b"")
    )


def sent(service: Service, data: bytes | None, client: int, accept: str = "text/html"):  # type: ignore[no-untyped-def]
    service.clock.now = NOW
    form = {"photo": (io.BytesIO(data), "x.png")} if data is not None else {}
    asker = {"headers": {"Accept": accept}, "environ_base": {"REMOTE_ADDR": f"203.0.{client}.9"}}
    answer = service.client.post("/photo", data=form, content_type="multipart/form-data", **asker)
    if answer.status_code != 303:
        return answer
    assert answer.headers["Location"].startswith("/photo/")
    assert answer.headers["Cache-Control"] == "no-store"
    return patiently(lambda: service.client.get(answer.headers["Location"], **asker))


def test_a_photo_is_answered_while_it_is_being_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits in the thread that look-ups share; what nobody knows is not there."""
    read = threading.Event()

    def slowly(picture: bytes) -> list[str]:
        read.wait(10)
        return [UNKNOWN]

    monkeypatch.setattr("services.verify.photo_routes.codes_read", slowly)
    sending = {"data": {"photo": (io.BytesIO(b"x"), "x.png")}, "content_type": "multipart/form-data"}
    where = service.client.post("/photo?lang=en", environ_base={"REMOTE_ADDR": "203.0.70.9"}, **sending)
    waiting = service.client.get(where.headers["Location"])
    assert (where.status_code, waiting.status_code) == (303, 202)
    assert waiting.headers["Refresh"] == f"1; url={where.headers['Location']}"
    assert waiting.headers["Retry-After"] == "1"
    assert service.client.get(f"/v1/verify?q={UNKNOWN}").status_code == 200
    read.set()
    answer = patiently(lambda: service.client.get(where.headers["Location"]))
    assert (answer.status_code, ANSWERS[Code.UNKNOWN_NUMBER].title.en in answer.text) == (200, True)
    for unknown in ("/photo/" + "0" * 32, "/photo/..", "/photo/x.begun"):
        assert service.client.get(unknown).status_code == 404


def test_the_only_code_leads_to_its_page(service: Service) -> None:
    url = service.register.url(demonstration("SHB-S-2024-0044"))
    answer = sent(service, picture(url), 1)
    assert (answer.status_code, answer.headers["Location"]) == (303, url.removeprefix("http://127.0.0.1:8080"))
    assert answer.headers["Cache-Control"] == "no-store"


def test_each_of_several_codes_is_answered(service: Service) -> None:
    genuine = service.register.url(demonstration("SHB-S-2024-0044"))
    tampered = genuine[:-1] + ("1" if genuine[-1] != "1" else "2")
    page = sent(service, picture(genuine, UNKNOWN, tampered), 2)
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert "<h1>找到多个二维码</h1>" in page.text
    for code in (Code.VALID, Code.UNKNOWN_NUMBER, Code.BAD_SIGNATURE):
        assert ANSWERS[code].title.zh in page.text
    assert 'class="v yes"' not in page.text
    assert tampered[-60:] not in page.text
    codes = [one["code"] for one in sent(service, picture(genuine, UNKNOWN), 3, "application/json").get_json()["items"]]
    assert sorted(codes) == ["unknown_number", "valid"]


def test_a_photo_without_a_code_says_so(service: Service) -> None:
    page = sent(service, picture(), 4)
    assert ANSWERS[Code.UNREADABLE].title.zh in page.text


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "not-a-picture"),
        (b"no picture", 400, "not-a-picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "not-a-picture"),
        (picture("https://example.org/")[:200], 400, "not-a-picture"),
        (bomb(), 413, "picture-too-large"),
        (None, 400, "bad-request"),
    ],
)
def test_what_is_no_photo_has_a_code(service: Service, data: bytes | None, status: int, code: str) -> None:
    client = 10 + status % 50 + len(code)
    answer = sent(service, data, client)
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
    assert "<h1" in answer.text


def test_a_photo_that_is_read_between_two_looks_is_not_missed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    read = Path.read_bytes

    def looked_too_early(path: Path) -> bytes:
        if path.parent.name != "later" or looked:
            return read(path)
        looked.append(path)
        deadline = time.monotonic() + 20
        while path.with_name(f"{path.name}.begun").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", looked_too_early)
    assert sent(service, picture(UNKNOWN), 90).status_code == 200
    assert looked


def test_one_client_sends_so_many_and_no_more(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.verify.photo_routes.codes_read", _none)
    answers = [sent(service, b"no picture", 99).status_code for _ in range(8)]
    assert answers == [400] * 6 + [429] * 2


def test_a_photo_of_too_many_bytes_is_not_even_taken_in(service: Service) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="x"\r\n\r\n' + b"x" * (9 << 20)
    answer = service.client.post("/photo", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413


def _none(picture: bytes) -> list[str]:
    raise NotAPicture("none")


def test_the_front_page_has_the_form(service: Service, tmp_path: Path) -> None:
    service.clock.now = NOW
    front = service.client.get("/").text
    assert 'action="/photo" method="post" enctype="multipart/form-data"' in front
