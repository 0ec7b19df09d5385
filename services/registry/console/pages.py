"""The console's frame: whose pages these are, and where they are."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from services.registry import rooms
from services.registry.console.visits import Visitor
from services.registry.console.wording import TEXTS
from services.registry.rooms import Room

ROOT = "/console"
ROOM = Room(ROOT, "console", ("rooms/room.css",), TEXTS)

_SOURCE = re.compile(r"urn:certmark:(authority|body|alliance|declarant):([A-Za-z0-9][A-Za-z0-9._-]{0,63})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame(rooms.Frame):
    """What a page needs beside its content: `source` is whose pages these are, `name` what it is called."""

    visitor: Visitor | None = None
    source: str | None = None
    name: str = ""

    def say(self, name: str, **named: object) -> str:
        return ROOM.say(name, self.language, **named)

    def link(self, path: str, **query: object) -> str:
        """An address within the pages of this source, or from the console's root where the path begins with a slash."""
        whole = ROOT + path if path.startswith("/") else f"{ROOT}/{place_of(self.source or '')}/{path}"
        return self.address(whole, query)

    @property
    def may_act(self) -> bool:
        return self.visitor is not None and self.source is not None and self.visitor.may_act_for(self.source)


def place_of(source: str) -> str:
    """`body/CNCA-R-2019-7901`: where the pages of a source are, below the console's root."""
    found = _SOURCE.fullmatch(source)
    return f"{found[1]}/{quote(found[2], safe='')}" if found else ""


def source_at(kind: str, name: str) -> str | None:
    """The URN of the source whose pages these are; None where there can be none."""
    source = f"urn:certmark:{kind}:{name}"
    return source if _SOURCE.fullmatch(source) else None
