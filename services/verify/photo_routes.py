"""A photo sent by the front page's form, without script: each code in it is answered, nothing of it is kept."""

import contextlib
import json
import re
import secrets
import subprocess
from dataclasses import dataclass

from flask import Response, request

from services import confined
from services.domain.errors import BadRequest
from services.language import LANGUAGES
from services.marks.photo import LARGEST_FILE, NotAPicture, PictureTooLarge
from services.verify import pages
from services.verify.answer import Answer
from services.verify.answer_schemas import AnswerSchema, AnswersSchema
from services.verify.as_json import as_json, dumps
from services.verify.clients import must_wait
from services.verify.later import Later, NotKept, waiting
from services.verify.node import HTML, JSON, Node, wanted
from services.verify.pages import Frame
from services.verify.recognise import Question, recognise
from services.verify.search_routes import HitsSchema
from services.verify.typed import typed_or_answered
from services.verify.wording import LABELS, SEVERAL, SILENT, Code, Family, Text, wording
from services.web import Blueprint

PER_MINUTE, AT_ONCE = 20, 6
"""Photos of one client. Reading one takes a fifth of a second of a processor."""

LIMITS = confined.Limits(memory=1 << 30, seconds=5, files=32, nice=5)
_PATIENCE_S = 10
_KEY = re.compile("[0-9a-f]{32}")
_TITLE = Text("找到多个二维码", "Several codes")
_EACH = Text(
    "照片中有多个二维码，逐一答复如下。总体上不作“有效”的判断。",
    "There are several codes in the photo; each has its own answer below. There is no overall yes.",
)
_CODE = Text("第 {n} 个二维码", "Code {n}")


@dataclass(frozen=True, slots=True)
class _Code:
    name: str
    href: str
    title: str
    family: str
    number: str


@dataclass(frozen=True, slots=True)
class _View:
    family: str
    word: str
    title: str
    explanation: str
    codes: list[_Code]


def add_photo(public: Blueprint, node: Node) -> None:
    later = Later(node.settings.data / "verify", PictureTooLarge, NotAPicture)

    @public.post("/photo")
    @public.doc(
        summary="A photo's codes, each answered; by the form of the front page",
        requestBody={
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": {"photo": {"type": "string", "format": "binary"}}}
                }
            }
        },
        responses={
            303: {"description": "To where the answers will be had"},
            400: {"description": "No picture was sent"},
            413: {"description": "Too many bytes"},
            429: {"description": "This client has sent too many; `Retry-After` says how long to wait"},
            503: {"description": "Enough photos are being read at present"},
        },
    )
    def photo() -> Response:
        must_wait(node.clients.wait(request.environ, "photo", PER_MINUTE, AT_ONCE))
        sent = request.files.get("photo")
        if sent is None:
            raise BadRequest("no picture was sent", pointer="/photo")
        with contextlib.closing(sent):
            picture = sent.stream.read(LARGEST_FILE + 1)
        key = secrets.token_hex(16)
        later.begin(key, lambda: json.dumps(codes_read(picture)).encode())
        response = Response(status=303)
        response.headers["Location"] = _href(key)
        return _uncached(response)

    @public.get("/photo/<key>")
    @public.doc(
        summary="The answers to a photo's codes, for a minute",
        responses={
            200: {
                "description": "The answers",
                "content": {HTML: {}, JSON: {"schema": {"oneOf": [AnswersSchema, AnswerSchema, HitsSchema]}}},
            },
            202: {
                "description": "The photo is still being read; `Retry-After` says when to ask again",
                "content": {HTML: {}},
            },
            303: {"description": "To the page of the only code"},
            400: {"description": "It was no picture"},
            404: {"description": "There is no such photo, or its minute is over"},
            413: {"description": "Too many pixels"},
        },
    )
    def photo_read(key: str) -> Response:
        if not _KEY.fullmatch(key):
            raise NotKept("no photo has such an address")
        texts = later.made(key)
        return waiting(node, _href(key)) if texts is None else _answered(node, json.loads(texts))


def _href(key: str) -> str:
    language = request.args.get("lang", "")
    return f"/photo/{key}" + (f"?lang={language}" if language in LANGUAGES else "")


def codes_read(picture: bytes) -> list[str]:
    """The texts of a picture's codes, read in a process of its own that has no more than it needs.

    Raises:
        PictureTooLarge: too many bytes or pixels, or it took too long. NotAPicture: it is none, or broke the reader.
    """
    if len(picture) > LARGEST_FILE:
        raise PictureTooLarge(f"a picture has at most {LARGEST_FILE} bytes")
    try:
        done = confined.answer("services.verify.photo_child", LIMITS, picture, _PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise PictureTooLarge("the picture takes too long to read") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise NotAPicture("the image is of another kind, or damaged") from None
    if answer.get("error") == PictureTooLarge.slug:
        raise PictureTooLarge(str(answer["detail"]))
    if "texts" not in answer:
        raise NotAPicture(str(answer.get("detail", "")))
    return [str(text) for text in answer["texts"]]


def _answered(node: Node, texts: list[str]) -> Response:
    if not texts:
        return _uncached(node.respond(Question("", decided=Code.UNREADABLE)))
    if len(texts) == 1:
        return _uncached(typed_or_answered(node, texts[0]))
    answers = [node.decide(recognise(text, node.settings.hosts)) for text in texts]
    if wanted() != HTML:
        content = dumps({"items": [as_json(answer) for answer in answers], "next": None})
        return _uncached(Response(content, content_type=JSON))
    frame = node.frame(other_language=False)
    return _uncached(node.html(_page(answers, frame), frame))


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers.pop("ETag", None)
    return response


def _page(answers: list[Answer], frame: Frame) -> bytes:
    language = frame.language
    view = _View(
        family=Family.INPUT.value,
        word=LABELS["several"][language],
        title=_TITLE[language],
        explanation=_EACH[language],
        codes=[_code(answer, n, frame) for n, answer in enumerate(answers, 1)],
    )
    return pages.rendered("photo.html", frame, _TITLE[language], v=view)


def _code(answer: Answer, n: int, frame: Frame) -> _Code:
    """One line; of a code that cannot be trusted nothing that it says, not even in a link."""
    worded = wording(answer.code, answer.notes) if answer.code else SEVERAL
    question, href = answer.question, ""
    if answer.code not in SILENT and question.decided is None:
        if question.path is not None and question.token is not None and question.token.isascii():
            href = f"{question.path.url_path}?m={question.token}"
            href += f"&lang={frame.language}" if frame.explicit else ""
        elif answer.certificate is not None:
            href = frame.link(pages.certificate_path(answer.certificate.certificate_no))
    return _Code(
        name=_CODE[frame.language].format(n=n),
        href=href,
        title=worded.title[frame.language],
        family=worded.family.value,
        number=answer.certificate.certificate_no if answer.certificate else "",
    )
