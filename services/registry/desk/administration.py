"""The administrator's pages: accounts, and what was done at the desk."""

from collections.abc import Callable

from flask import Blueprint, Response, g, request

from services.auth import Role
from services.domain.errors import BadRequest, CertmarkError, NotFound
from services.postgres import Cursor
from services.registry import trail
from services.registry.desk import accounts
from services.registry.desk.room import Desk

PAGE = 100


class Administration:
    """Pages for those who look after the desk. An administrator sees no cases, and nobody opens his own account."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def add_to(self, pages: Blueprint) -> None:
        for rule, view, methods in (
            ("/accounts", self.accounts, ("GET", "POST")),
            ("/accounts/<name>/close", self.close_account, ("POST",)),
            ("/accounts/<name>/password", self.reset_password, ("POST",)),
            ("/trail", self.trail, ("GET",)),
        ):
            pages.add_url_rule(rule, view.__name__, view, methods=list(methods), strict_slashes=False)

    def accounts(self) -> Response:
        by = self.desk.require(Role.ADMINISTRATOR)
        if request.method == "GET":
            return self._accounts_page()
        name, division = request.form.get("name", "").strip(), request.form.get("division", "").strip() or None
        password = request.form.get("password", "") or None

        def open_one(cur: Cursor) -> None:
            try:
                role = Role(request.form.get("role", ""))
            except ValueError:
                raise BadRequest("no such role", pointer="/role") from None
            opened = accounts.create(cur, name, role, division, password)
            trail.record(
                cur, g.now, by.name, "account-opened", f"account/{opened.name}", role=role.value, division=division
            )

        return self._done(open_one, "account_opened", name)

    def close_account(self, name: str) -> Response:
        by = self.desk.require(Role.ADMINISTRATOR)
        if name == by.name:
            raise BadRequest("nobody closes the account that he is using")

        def close_one(cur: Cursor) -> None:
            if not accounts.close(cur, name):
                raise NotFound("no open account of this name")
            trail.record(cur, g.now, by.name, "account-closed", f"account/{name}")

        return self._done(close_one, "account_closed", name)

    def reset_password(self, name: str) -> Response:
        by = self.desk.require(Role.ADMINISTRATOR)

        def reset_one(cur: Cursor) -> None:
            if not accounts.set_password(cur, name, request.form.get("password", ""), must_change=True):
                raise NotFound("no open account of this name")
            trail.record(cur, g.now, by.name, "password-set", f"account/{name}")

        return self._done(reset_one, "account_reset", name)

    def _done(self, deed: Callable[[Cursor], None], told: str, name: str) -> Response:
        frame = self.desk.frame()
        try:
            self.desk.read(deed)
        except (BadRequest, accounts.AccountExists) as error:
            return self._accounts_page(problem=error)
        return self._accounts_page(done=frame.say(told, account=name))

    def _accounts_page(self, done: str = "", problem: CertmarkError | None = None) -> Response:
        frame = self.desk.frame()
        since = request.args.get("since", "").strip()[:64].replace("\0", "")
        listed = self.desk.read(lambda cur: accounts.listed(cur, since, PAGE + 1))
        words = "" if problem is None else problem.title if frame.language == "en" else problem.zh
        response = self.desk.show(
            "accounts",
            "accounts",
            frame.say("accounts"),
            frame,
            listed=listed[:PAGE],
            since=since,
            next=frame.link("/accounts", since=listed[PAGE].name) if len(listed) > PAGE else "",
            roles=[(role.value, frame.say(f"role_{role.value}")) for role in accounts.ROLES],
            done=done,
            problem=words,
            detail=problem.detail if problem else "",
        )
        response.status_code = problem.status if problem else 200
        return response

    def trail(self) -> Response:
        self.desk.require(Role.REGULATOR, Role.ADMINISTRATOR)
        before, about = request.args.get("before", ""), request.args.get("about", "").strip()[:200].replace("\0", "")
        account = request.args.get("account", "").strip()[:64].replace("\0", "")
        place = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None

        checking = "check" in request.args

        def look(cur: Cursor) -> tuple[list[trail.Line], int | None, int]:
            found = trail.lines(cur, about=about or None, account=account or None, before=place, limit=PAGE)
            return found, trail.check(cur) or trail.first_forged(cur) if checking else None, trail.last(cur)[0]

        found, broken, count = self.desk.read(look)
        frame = self.desk.frame()
        return self.desk.show(
            "trail",
            "trail",
            frame.say("trail"),
            frame,
            found=found,
            broken=frame.say("trail_broken", number=broken) if broken is not None else "",
            holds=frame.say("trail_holds", count=count) if checking and broken is None else "",
            about=about,
            account=account,
            next=frame.link("/trail", about=about, account=account, before=found[-1].number)
            if len(found) == PAGE
            else "",
        )
