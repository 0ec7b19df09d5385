"""`certmark verify`: what the register says of a number, an address or a picture, with the network or without it."""

import sys
from pathlib import Path
from typing import Any

import click

from services.commands.terminal import NO, OUT, SIGNS, as_json, both, say_json
from services.domain.errors import BadRequest
from services.events import client
from services.settings import Settings, settings_from


@click.command()
@click.argument("question", metavar="[NUMBER|URL|IMAGE|-]", default="")
@click.option("--service", "url", metavar="URL", help="The verify service. Default: the local one.")
@click.option("--offline", "off", is_flag=True, help="Judge a code by the lists at hand, without any network.")
@click.option("--refresh", "renew", is_flag=True, help="First fetch the trust list and status lists for --offline.")
@click.option("--trust", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where the lists are kept.")
@click.option("--root", metavar="DIGEST", help="With --refresh: the root to begin with, from another way.")
@click.option("--bundle", metavar="DIR|ZIP", help="Check the evidence of a check of listings instead, offline.")
@click.option("--genesis", metavar="DIGEST", help="With --bundle: the pinned first event. Default: this register's.")
@as_json
def verify(
    question: str,
    url: str | None,
    off: bool,
    renew: bool,
    folder: Path | None,
    root: str | None,
    bundle: str | None,
    genesis: str | None,
    json_: bool,
) -> None:
    """Look up a certificate number, a mark's address, or an image with a mark's QR; 0 only when valid.

    - is standard input: an image, or a number or address a line. The exit code is 0 only when all are valid.
    With --offline the signature is checked here and the status read from cached lists (docs/scan.md).
    """
    from services.commands import offline

    settings = settings_from()
    if bundle is not None:
        sys.exit(_check_bundle(settings, Path(bundle), genesis, json_))
    if renew:
        brought = offline.refresh(settings, url, folder, root, quiet=json_)
        if not question:
            if json_:
                say_json(brought)
            sys.exit(NO if brought["refused"] else 0)
    if not question:
        raise BadRequest("name a number, an address or an image")
    texts = _texts_in(question)
    if off:
        sys.exit(offline.judge(settings, texts, folder, json_=json_))
    service = client.Service(url or settings.service_url("verify"))
    good = True
    for first in range(0, len(texts), AT_ONCE):
        some = texts[first : first + AT_ONCE]
        for answer in _answers(service, some):
            good = good and answer.get("code") == "valid"
            if json_:
                say_json(answer)
            else:
                _show_answer(answer)
    sys.exit(0 if good else NO)


AT_ONCE = 1_000
"""Texts of one request, as the service takes them."""


def _answers(service: client.Service, texts: list[str]) -> list[dict[str, Any]]:
    if len(texts) == 1:
        return [service.get("/v1/verify", q=texts[0])]
    found: list[dict[str, Any]] = service.post("/v1/verify", {"q": texts})["items"]
    return found


def _texts_in(question: str) -> list[str]:
    """What is to be looked up, in its order."""
    from services.commands import offline
    from services.marks.photo import LARGEST_FILE

    if _is_image(question):
        return offline.texts_in(Path(question))
    if question != "-":
        return [question]
    data = sys.stdin.buffer.read(LARGEST_FILE + 1)
    try:
        lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        return offline.texts_of(data, "-")
    if len(data) > LARGEST_FILE or not any(lines):
        raise BadRequest(f"standard input holds nothing, or more than {LARGEST_FILE >> 20} MiB")
    return [line for line in lines if line]


_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".svg", ".pdf")
"""What is read as a file; the last two are refused as no picture, rather than taken for a number."""


def _is_image(question: str) -> bool:
    return Path(question).suffix.lower() in _IMAGES and "://" not in question


def _show_answer(answer: dict[str, Any]) -> None:
    """The verdict in the service's own words, and what it rests on."""
    code = str(answer.get("code"))
    OUT.print(SIGNS.get(str(answer.get("family")), "?"), end=" ")
    OUT.print(f"{both(answer.get('title'))} ({code})".strip(), markup=False)
    certificate = answer.get("certificate") or {}
    for label, value in (
        ("证书 certificate", certificate.get("certificate_no")),
        ("标志码 unit", (answer.get("unit") or {}).get("code")),
        ("产品 product", (certificate.get("product") or {}).get("name")),
        ("型号 model", (answer.get("item") or {}).get("model")),
        ("证书持有人 holder", (certificate.get("holder") or {}).get("name")),
        ("机构 body", certificate.get("body")),
        ("有效期 valid", _span(certificate)),
        ("自 since", answer.get("since")),
        ("至 until", answer.get("until")),
        ("原因 reason", both(answer.get("reason"))),
        ("说明 notes", "、".join(str(note) for note in answer.get("notes") or [])),
        ("注意 mind", _mind(answer, certificate)),
        ("数据 as of", answer.get("as_of")),
    ):
        if value:
            OUT.print(f"  {label}: {value}", markup=False)
    for one in answer.get("coverage") or []:
        complete = "完整 complete" if one.get("complete") else "不完整 not complete"
        OUT.print(f"  收录范围 coverage: {both(one.get('scheme'))}: {complete}. {both(one)}", markup=False)
    for notice in answer.get("notices") or []:
        OUT.print(f"  公告 notice: {notice.get('instrument')} {both(notice.get('text'))}", markup=False)


def _mind(answer: dict[str, Any], certificate: dict[str, Any]) -> str:
    """What a yes must not be taken for, in the words of the page."""
    from services.verify.wording import BESIDE, SYSTEM_EXPLANATION, Note

    said = []
    if Note.SELF_DECLARED in (answer.get("notes") or []):
        said.append(BESIDE[Note.SELF_DECLARED])
    if answer.get("code") == "valid" and certificate.get("about") == "organisation":
        said.append(SYSTEM_EXPLANATION)
    names = {"holder": (certificate.get("holder") or {}).get("name"), "scope": certificate.get("service_scope") or "–"}
    return " ".join(f"{text.zh} {text.en}".format_map(names) for text in said)


def _span(certificate: dict[str, Any]) -> str | None:
    since = certificate.get("valid_from")
    return f"{since} – {certificate.get('valid_until') or '…'}" if since else None


def _check_bundle(settings: Settings, path: Path, genesis: str | None, json_: bool) -> int:
    """Check an evidence bundle without any service, and tell; the exit code."""
    from services.listings import bundle

    pinned = (genesis or settings.genesis).strip().lower().removeprefix("sha256:")
    if not pinned:
        raise BadRequest("--genesis: the digest of the register's first event is wanted", hint="or CERTMARK_GENESIS")
    found = bundle.check(path, pinned)
    if json_:
        told = {"good": found.holds, "seq": found.seq, "rows": found.rows, "records": found.records}
        say_json(told | {"wrong": found.wrong})
    else:
        sign = "✓" if found.holds else "✗"
        OUT.print(f"{sign} seq {found.seq}, {found.rows} 行 rows, {found.records} 条记录 records", markup=False)
        for name, why in found.wrong.items():
            OUT.print(f"  {name}: {why}", markup=False)
    return 0 if found.holds else NO
