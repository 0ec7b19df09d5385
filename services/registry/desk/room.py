"""What every page of the desk goes through: who is inside, whether the form is ours, and how errors are told."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from flask import Blueprint, Response, g, request
from werkzeug.wrappers import Request

from services.auth import NotPermitted, Role
from services.domain.errors import CertmarkError
from services.postgres import Cursor
from services.registry import door, rooms, store
from services.registry.checks import routes as checks
from services.registry.desk import captures, visits
from services.registry.desk.accounts import Account
from services.registry.desk.wording import TEXTS
from services.registry.door import FormNotOurs
from services.registry.rooms import Room, go, language_kept, language_now, other_href, tell_errors
from services.settings import Settings

T = TypeVar("T")
ROOT = "/desk"
COOKIE = "certmark_desk"
UPLOADS = {"desk.capture": captures.LARGEST + (64 << 10), "desk.new_check": checks.LARGEST}
"""The pages that take a file, and bytes of such a request; all others are held to the service's own limit."""
ROOM = Room(ROOT, "desk", ("rooms/room.css",), TEXTS)

SECTIONS: dict[str, tuple[Role, ...]] = {
    "checks": (Role.INSPECTOR, Role.REGULATOR),
    "cases": (Role.INSPECTOR, Role.REGULATOR),
    "reports": (Role.INSPECTOR, Role.REGULATOR),
    "rules": (Role.INSPECTOR, Role.REGULATOR),
    "accounts": (Role.ADMINISTRATOR,),
    "trail": (Role.REGULATOR, Role.ADMINISTRATOR),
}
"""The desk's sections in the order of the menu, and whose they are."""


class Reads(Protocol):
    """Runs a query in a transaction of its own."""

    def __call__(self, query: Callable[[Cursor], T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Frame(rooms.Frame):
    """What a page needs beside its content: who is inside, and which sections are his."""

    visitor: Account | None = None

    def say(self, name: str, **named: object) -> str:
        return ROOM.say(name, self.language, **named)

    @property
    def words(self) -> Literal["zh", "en"]:
        """The page's language, as words in two languages are kept under it."""
        return "en" if self.language == "en" else "zh"

    def link(self, path: str, **query: object) -> str:
        """An address of the desk; `path` begins with a slash."""
        return self.address(ROOT + path, query)

    @property
    def sections(self) -> tuple[str, ...]:
        if self.visitor is None or self.visitor.must_change:
            return ()
        return tuple(name for name, roles in SECTIONS.items() if self.visitor.role in roles)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the desk's pages share. Pages are added in groups, each a file of its own."""

    settings: Settings
    read: Reads
    open_to_strangers: tuple[str, ...] = ("desk.sign_in", "desk.sign_out", "desk.oidc_go", "desk.oidc_back")

    def blueprint(self) -> Blueprint:
        pages = Blueprint("desk", __name__, url_prefix=ROOT)
        pages.before_request(self.enter)
        pages.after_request(self.finish)
        tell_errors(pages, self.tell)
        return pages

    @property
    def demonstration_counts(self) -> bool:
        """Whether accounts let anybody in whose passwords lie open."""
        return not self.settings.production

    def enter(self) -> Response | None:
        """Before every page: the visit that the cookie belongs to, and the form's token. Strangers may only sign in."""
        g.now = datetime.now(UTC)
        g.language = request.args.get("lang", "")
        g.visitor = None
        g.cookie = request.cookies.get(COOKIE, "")
        g.fresh = not 20 <= len(g.cookie) <= 100
        if g.fresh:
            g.cookie = secrets.token_urlsafe(32)
        else:
            counts = self.demonstration_counts
            g.visitor = self.read(lambda cur: visits.visitor(cur, g.cookie, g.now, demonstration=counts))
        if request.method == "POST":
            self._check_form()
        if request.endpoint in self.open_to_strangers:
            return None
        if g.visitor is None:
            back = request.full_path.rstrip("?") if request.method == "GET" else ""
            words = {"to": back, "over": "" if g.fresh else "1", **language_kept()}
            return go(self.frame().link("/sign-in", **words))
        if g.visitor.must_change and request.endpoint != "desk.password":
            return go(self.frame().link("/password"))
        return None

    def knows(self, request: Request) -> bool:
        """Whether somebody who is inside sends it; asked before its body is taken in."""
        cookie, now = request.cookies.get(COOKIE, ""), datetime.now(UTC)
        counts = self.demonstration_counts
        return self.read(lambda cur: visits.visitor(cur, cookie, now, demonstration=counts)) is not None

    def _check_form(self) -> None:
        """Raises FormNotOurs. What a stranger sends is not even read, but for what he signs in with."""
        if g.visitor is None and request.endpoint not in self.open_to_strangers:
            raise FormNotOurs("there is no visit, or it is over", hint="sign in")
        if request.endpoint in UPLOADS:
            request.max_content_length = UPLOADS[request.endpoint]
        shown = request.form.get("form", "")
        g.language = g.language or request.form.get("lang", "")
        door.check_form("" if g.fresh else g.cookie, shown)

    def finish(self, response: Response) -> Response:
        """After every page: nothing of it stays in a cache; and a stranger gets the cookie that a form goes with."""
        response.headers.setdefault("Cache-Control", "no-store")
        if g.get("fresh"):
            door.set_cookie(response, COOKIE, g.cookie, ROOT, self.settings)
        return response

    def require(self, *roles: Role) -> Account:
        """Who is inside, and has one of these roles.

        Raises:
            NotPermitted: he has another.
        """
        visitor: Account = g.visitor
        if visitor.role not in roles:
            raise NotPermitted(f"an account of the role {visitor.role}; this is for {', '.join(roles)}")
        return visitor

    def frame(self) -> Frame:
        language, explicit = language_now()
        href = other_href(language)
        return Frame(language, explicit, door.form_token(g.cookie), href, self.is_demonstration(), g.visitor)

    def is_demonstration(self) -> bool:
        """Whether the register says of itself that it only demonstrates; asked once a request."""
        if "demonstration" not in g:
            g.demonstration = self.read(store.is_demonstration)
        return bool(g.demonstration)

    def show(self, template: str, section: str, title: str, frame: Frame, **content: Any) -> Response:
        return ROOM.page(template, frame, title, section=section, **content)

    # --- errors ------------------------------------------------------------------------------------------------

    def tell(self, error: CertmarkError) -> Response:
        g.setdefault("demonstration", False)  # where the database is gone, it is not asked again
        return ROOM.error(self.frame(), error)
