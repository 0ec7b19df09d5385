"""Answers that take long are made in a thread of their own, and are asked for again until they are there.

A worker has one thread for everything that it is asked: more would make each look-up dearer. Whoever waited in it for a
photo to be read or a receipt to be made would keep everybody else waiting. So what takes long is begun and left, the
asker is told to come again in a second (a browser does so by itself), and what was made is kept for a minute, in files
that every worker of the node sees.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import Response

from services import telemetry
from services.domain.errors import CertmarkError, Fault
from services.verify import pages
from services.verify.node import Node
from services.verify.wording import Text

KEPT_S = 60
"""Seconds for which what was made lies there; then nobody has come for it."""

AT_ONCE = 2
"""Long answers that one worker has under way. They mostly wait for a process of their own."""

AGAIN_S = 1
_GIVEN_UP_S = 60
"""Seconds after which what was begun and never ended is begun anew: its worker is gone."""

_HEADING = Text("正在处理", "Working on it")
_TEXT = Text("请稍候，本页会自动显示结果。", "One moment: the answer will show here by itself.")
_AGAIN = Text("立即查看", "Look now")


class WorkingAtCapacity(Fault):
    slug = "working-at-capacity"
    title = "Photos and receipts are made a few at a time; ask again in a moment"
    zh = "照片识读和凭证生成同时只能进行几份，请稍后再试"
    retry_after = 2


class NotKept(CertmarkError):
    slug = "not-kept"
    title = "What was made has been thrown away: it is kept for a minute only"
    zh = "结果只保留一分钟，现已删除，请重新提交"
    status = 404


class Later:
    """What one application has under way and has made. `refusals` are the errors with which the making may end."""

    def __init__(self, folder: Path, *refusals: type[CertmarkError]) -> None:
        self._folder = folder / "later"
        self._refusals = {one.slug: one for one in refusals}
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def begin(self, key: str, work: Callable[[], bytes]) -> None:
        """Begin to make what will be had by this key, unless that is under way already. Keys are names of files.

        Raises:
            WorkingAtCapacity: this worker has enough under way.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clear()
        try:
            os.close(os.open(self._begun(key), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return
        if not self._free.acquire(blocking=False):
            self._begun(key).unlink(missing_ok=True)
            raise WorkingAtCapacity(f"{AT_ONCE} are under way")
        threading.Thread(target=self._work, args=(key, work), name="later", daemon=True).start()

    def made(self, key: str) -> bytes | None:
        """What was made; None while it is under way.

        Raises:
            NotKept: it is neither made nor under way. CertmarkError: one of the `refusals`, with which the making
                ended: told once.
        """
        is_begun = self._begun(key).exists()  # asked first: what ends in between is found made, or at the next look
        path = self._folder / key
        try:
            head, _, content = path.read_bytes().partition(b"\n")
        except OSError:
            if is_begun:
                return None
            raise NotKept("ask for it anew") from None
        error = json.loads(head)
        if error is None:
            return content
        path.unlink(missing_ok=True)
        raise self._refusals[error["slug"]](error["detail"])

    def _work(self, key: str, work: Callable[[], bytes]) -> None:
        try:
            try:
                content = b"null\n" + work()
            except tuple(self._refusals.values()) as error:
                content = json.dumps({"slug": error.slug, "detail": error.detail}).encode() + b"\n"
            part = self._folder / f"{key}.part"
            part.write_bytes(content)
            part.chmod(0o600)
            part.replace(self._folder / key)
        except Exception as error:  # noqa: BLE001  # whoever asks again finds it neither made nor under way
            telemetry.error("what takes long could not be made", error)
        finally:
            self._begun(key).unlink(missing_ok=True)
            self._free.release()

    def _begun(self, key: str) -> Path:
        return self._folder / f"{key}.begun"

    def _clear(self) -> None:
        """Throw away what nobody has come for, and the marks of workers that are gone."""
        now = time.time()  # by which the file system has dated them
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                oldest = _GIVEN_UP_S if path.suffix else KEPT_S
                if now - path.stat().st_mtime > oldest:
                    path.unlink()


def waiting(node: Node, href: str) -> Response:
    """The answer to who asks before it is there: to come again, at this address."""
    frame = node.frame(other_language=False)
    view = {"text": _TEXT[frame.language], "again": _AGAIN[frame.language], "href": href}
    page = pages.rendered("waiting.html", frame, _HEADING[frame.language], v=view)
    response = node.html(page, frame, 202)
    response.headers["Refresh"] = f"{AGAIN_S}; url={href}"
    response.headers["Retry-After"] = str(AGAIN_S)
    response.headers["Cache-Control"] = "no-store"
    return response
