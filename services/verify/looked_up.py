"""How often a unit's code has been looked up, beside the answer about it: told on every channel, counted on two."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.domain.copies import summed
from services.domain.unit_code import Form
from services.marks.token import MarkPath
from services.verify.answer import Answer
from services.verify.clients import Clients
from services.verify.scan_counts import code_key
from services.verify.scan_socket import ScanSender
from services.verify.scan_store import ScanReader
from services.verify.wording import Note


class LookedUp:
    """Reads the node's counts and tells its counting process of look-ups. Made once an application, used by all its
    threads."""

    def __init__(self, folder: Path, clients: Clients) -> None:
        self._folder = folder
        self._clients = clients
        self._mine = threading.local()

    def with_counts(self, answer: Answer) -> Answer:
        """The answer with the look-ups of its unit's code, and the note `possible_copy` where the rule says so."""
        unit = unit_of(answer)
        if unit is None:
            return answer
        try:
            reader: ScanReader = self._mine.reader
        except AttributeError:
            reader = self._mine.reader = ScanReader(self._folder)
        lookups = summed(reader.tallies(code_key(unit)), answer.day)
        notes = answer.notes
        if lookups is not None and lookups.rule is not None:
            notes = (*notes, Note.POSSIBLE_COPY)
        return replace(answer, lookups=lookups, notes=notes, is_unit=True)

    def tell(self, answer: Answer, environ: Mapping[str, Any]) -> None:
        """Count this look-up. For single look-ups only: who asks for a thousand at once holds no item in his hand."""
        unit = unit_of(answer)
        if unit is None:
            return
        try:
            sender: ScanSender = self._mine.sender
        except AttributeError:
            sender = self._mine.sender = ScanSender(self._folder)
        sender.tell(code_key(unit), self._clients.address(environ))


def unit_of(answer: Answer) -> bytes | None:
    """What stands for the one unit that an answer is about, None where it is about no unit.

    A serial counts behind a signature that holds, and any unit's code where the register has it: others can be made up.
    """
    question, unit = answer.question, answer.unit
    if answer.signed and question.serial is not None and question.path is not None:
        return question.path.aad
    if unit is None or not unit.issued:
        return None
    if unit.form is Form.SERIAL:  # typed or scanned, signed or not: one unit has one count
        return MarkPath.of_product(question.gtin or "", question.serial).aad
    return code_unit(unit.code)


def code_unit(code: str) -> bytes:
    """What stands for a unit's code that is no serial, in its canonical form."""
    return b"u" + code.encode()
