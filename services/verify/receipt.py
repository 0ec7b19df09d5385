"""Receipts: the answer to a look-up as a PDF, made from the page's own template by a press that cannot take over."""

import atexit
import base64
import contextlib
import fcntl
import hashlib
import json
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from flask import Response, request
from markupsafe import Markup
from werkzeug.urls import iri_to_uri

from services import confined
from services.domain.errors import BadRequest, CertmarkError, Fault
from services.domain.identifiers import instant_text
from services.language import Language
from services.marks import qr
from services.verify import pages
from services.verify.answer import Answer
from services.verify.as_json import as_json, dumps
from services.verify.later import Later, NotKept, waiting
from services.verify.node import Node
from services.verify.pages import Frame, certificate_path
from services.verify.receipt_press import read_frame, write_frame
from services.verify.recognise import Question, of_certificate, recognise
from services.verify.verdict_page import Receipt, verdict_page
from services.verify.wording import SILENT, Code, Family, wording
from services.web import Blueprint

LONGEST = 200_000
"""Characters of a page that are put on paper: some forty sheets."""

LIMITS = confined.Limits(memory=1536 << 20, nice=5, writes=True)
"""The fonts, which are mapped and shared, are half a gigabyte of it. It is ended when it lets a page's time pass."""

PATIENCE_S = 20.0
_REST, _LONGEST_REST_S = 3, 6.0


class ReceiptsBusy(Fault):
    slug = "receipts-busy"
    title = "Receipts are made one at a time and not without a pause; ask again in a moment"
    zh = "凭证逐份生成且有间隔，请稍后再试"
    retry_after = int(_LONGEST_REST_S)


class ReceiptTooLong(CertmarkError):
    slug = "receipt-too-long"
    title = "The answer is too long for a receipt; print the page instead"
    zh = "内容过长，无法生成凭证，请打印页面"
    status = 422


class NoReceiptsHere(CertmarkError):
    slug = "no-receipts-here"
    title = "This server cannot make PDF files: a library or a Chinese font is missing"
    zh = "这台服务器缺少程序库或中文字体，不能生成 PDF"
    status = 501


_PDF = {
    200: {"description": "The receipt; the answer's JSON is attached to it", "content": {"application/pdf": {}}},
    422: {"description": "The answer is too long"},
    501: {"description": "This server lacks fonts or libraries"},
    202: {"description": "It is being made; `Retry-After` says when to ask again", "content": {"text/html": {}}},
    503: {"description": "Another one is being made, or this node cannot say at present"},
}
_LANG = {"name": "lang", "in": "query", "schema": {"type": "string", "enum": ["zh", "en"]}}


def blueprint(node: Node) -> Blueprint:
    """`/c/{no}/receipt.pdf` and `/receipt.pdf?q=`."""
    receipts = Blueprint("receipts", __name__, description="Answers on paper")
    press = Press(node.settings.data / "verify")
    later = Later(node.settings.data / "verify", ReceiptsBusy, ReceiptTooLong, NoReceiptsHere)

    @receipts.get("/c/<path:number>/receipt.pdf")
    @receipts.doc(summary="The answer on a certificate as a PDF", parameters=[_LANG], responses=_PDF)
    def of_a_certificate(number: str) -> Response:
        return _receipt(node, press, later, of_certificate(number))

    @receipts.get("/receipt.pdf")
    @receipts.doc(
        summary="The answer to any number as a PDF, «not found» included",
        parameters=[{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}, _LANG],
        responses=_PDF,
    )
    def of_anything() -> Response:
        text = request.args.get("q", "").strip()
        if not text:
            raise BadRequest("nothing is asked for", pointer="/q")
        return _receipt(node, press, later, recognise(text, node.settings.hosts))

    return receipts


def _receipt(node: Node, press: "Press", later: Later, question: Question) -> Response:
    answer = node.decide(question)
    if answer.code is Code.STATUS_UNKNOWN:
        raise node.cannot_say("there is no answer that a receipt could record")
    if answer.code is None or wording(answer.code, answer.notes).family is Family.INPUT:
        raise BadRequest("what was asked is no question that has one answer", pointer="/q")
    frame = node.frame(other_language=False)
    key = _key(answer, frame.language)
    try:
        made = later.made(key)
    except NotKept:
        _begin(node, press, later, key, answer, frame)
        made = None
    if made is None:
        return waiting(node, iri_to_uri(request.full_path.rstrip("?")))
    response = Response(made, content_type="application/pdf")
    name = answer.certificate.certificate_no if answer.certificate else answer.code
    day = instant_text(answer.checked_at)[:10]
    response.headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(f'certmark-{name}-{day}.pdf', safe='')}"
    response.headers["Cache-Control"] = "no-store"
    return response


def _key(answer: Answer, language: Language) -> str:
    """One for each answer that would be another receipt, the time of asking apart."""
    revision = answer.found.revision if answer.found else None
    told = (_path(answer), answer.question.text, answer.code, answer.notes, revision, answer.day.isoformat(), language)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _begin(node: Node, press: "Press", later: Later, key: str, answer: Answer, frame: Frame) -> None:
    content = dumps(as_json(answer))
    url = node.settings.public_url + _path(answer)
    html, _ = verdict_page(
        answer,
        frame,
        node.settings.public_url,
        node.settings.registry_url,
        Receipt(hashlib.sha256(content).hexdigest(), url, _code(url)),
    )
    later.begin(key, lambda: press.make(html.decode(), content.decode(), answer.checked_at))


def _path(answer: Answer) -> str:
    """Where the same is asked again. What a refused code said is in no address either."""
    asked = answer.question
    if answer.mark is not None:
        return pages.mark_path(answer.mark.mark_no)
    if answer.certificate is not None and asked.gtin is None:
        return certificate_path(answer.certificate.certificate_no)
    text = asked.gtin or asked.number or ""
    return f"/?q={quote(text, safe='')}" if text and answer.code not in SILENT else "/"


def _code(url: str) -> Markup:
    image = base64.b64encode(qr.svg(qr.symbol(url), url)).decode()
    return Markup('<img alt="" src="data:image/svg+xml;base64,{}">').format(image)


class Press:
    """The process that makes PDF files, begun when the first is wanted. One page at a time on the whole node.

    It shares its processors with look-ups, so after each receipt it rests three times as long as that one took. It has
    its own limits of memory and ends itself when nobody wants anything.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._rests_until = 0.0
        atexit.register(self.close)

    def make(self, html: str, attachment: str, made_at: datetime) -> bytes:
        """The PDF of a page.

        Raises:
            ReceiptsBusy: another one is being made, the press rests, or it took too long. ReceiptTooLong,
            NoReceiptsHere.
        """
        if len(html) > LONGEST:
            raise ReceiptTooLong(f"{len(html)} characters; a receipt has at most {LONGEST}")
        with self._alone():
            began = time.monotonic()
            try:
                process = self._running(began + PATIENCE_S)
                asked = {"html": html, "attachment": attachment, "made_at": made_at.isoformat()}
                assert process.stdin is not None
                write_frame(process.stdin, json.dumps(asked).encode())
                made = self._answer(process, began + PATIENCE_S)
            except (OSError, _Late) as error:
                self._end()
                raise ReceiptsBusy(f"the press did not answer: {error}") from None
            finally:
                now = time.monotonic()
                self._rests_until = now + min(_REST * (now - began), _LONGEST_REST_S)
            if not made:
                self._end()
                raise ReceiptTooLong("the page could not be made within the memory that a receipt may take")
            return made

    def close(self) -> None:
        with self._lock:
            self._end()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            raise ReceiptsBusy("another receipt is being made")
        try:
            if time.monotonic() < self._rests_until:
                raise ReceiptsBusy("the press rests")
            try:
                lock = (self._folder / "receipt.lock").open("w")
            except OSError:
                raise ReceiptsBusy("this node has no folder yet") from None
            with lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise ReceiptsBusy("another receipt is being made on this node") from None
                yield
        finally:
            self._lock.release()

    def _running(self, deadline: float) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        # It outlives the thread that starts it, and ends when nobody holds the other end of its standard input.
        self._process = subprocess.Popen(
            confined.command(confined.module("services.verify.receipt_press"), LIMITS, outlives=True),
            env=confined.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        reason = self._answer(self._process, deadline)
        if reason:
            self._end()
            raise NoReceiptsHere(reason.decode(), hint="the page can be printed")
        return self._process

    @staticmethod
    def _answer(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise _Late("too late")
        found = read_frame(process.stdout)
        if found is None:
            raise _Late("it ended")
        return found

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


class _Late(Exception):
    """The press ended, or let its time pass."""
