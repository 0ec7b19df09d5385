"""In and out of the desk: by name and password, or by the identity provider; and one's own password."""

import secrets
from functools import partial

from flask import Blueprint, Response, g, request

from services import telemetry
from services.domain.errors import CertmarkError, NotFound
from services.postgres import Cursor
from services.registry import door, trail
from services.registry.desk import accounts, oidc, visits
from services.registry.desk.accounts import Account, WeakPassword
from services.registry.desk.oidc import Provider, SignInRefused
from services.registry.desk.room import COOKIE, ROOM, ROOT, Desk
from services.registry.rooms import back_to, go, language_kept, page_below

ERRAND_COOKIE = "certmark_errand"
_ERRAND_PATH = f"{ROOT}/oidc"


class SignIn:
    """The pages before the first page."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.provider: Provider | None = oidc.provider(desk.settings)

    def add_to(self, pages: Blueprint) -> None:
        for rule, view, methods in (
            ("/sign-in", self.sign_in, ("GET", "POST")),
            ("/sign-out", self.sign_out, ("POST",)),
            ("/oidc/go", self.oidc_go, ("GET",)),
            ("/oidc/back", self.oidc_back, ("GET",)),
            ("/password", self.password, ("GET", "POST")),
        ):
            pages.add_url_rule(rule, view.__name__, view, methods=list(methods), strict_slashes=False)

    def sign_in(self) -> Response:
        if request.method == "GET":
            told = "visit_over" if request.args.get("over") else "signed_out" if request.args.get("out") else ""
            return self._page(told)
        address, name = door.address(self.desk.settings), request.form.get("name", "").strip()[:64]
        password, counts = request.form.get("password", ""), self.desk.demonstration_counts
        self.desk.read(lambda cur: door.require_unlocked(cur, address, g.now))
        if "\0" in name or "\0" in password:
            name = password = ""
        found = self.desk.read(lambda cur: accounts.let_in(cur, name, password, g.now, demonstration=counts))
        if found is None:
            self.desk.read(lambda cur: door.remember_knock(cur, address, g.now))
            telemetry.warning("desk: not let in", address=address)
            return self._page("wrong", 403)
        cookie = self._let_in(found, "password")
        response = back_to(ROOT, request.form.get("to", ""), f"{ROOT}/" + ("?lang=" + g.language if g.language else ""))
        return self._with(response, cookie)

    def _let_in(self, account: Account, how: str) -> str:
        """The cookie of a new visit: another one than before, so that nobody can have prepared it."""
        cookie = secrets.token_urlsafe(32)
        address = door.address(self.desk.settings)

        def come_in(cur: Cursor) -> None:
            door.forget_knocks(cur, address)
            visits.begin(cur, cookie, account.name, g.now)
            trail.record(cur, g.now, account.name, "signed-in", f"account/{account.name}", how=how)

        self.desk.read(come_in)
        telemetry.info("desk: signed in", role=account.role.value, how=how)
        return cookie

    def _with(self, response: Response, cookie: str) -> Response:
        g.fresh = False
        door.set_cookie(response, COOKIE, cookie, ROOT, self.desk.settings)
        return response

    def _page(self, told: str, status: int = 200) -> Response:
        frame = self.desk.frame()
        to = request.values.get("to", "")
        return ROOM.page(
            "sign_in",
            frame,
            frame.say("sign_in_title"),
            status,
            told=frame.say(told) if told else "",
            wrong=status >= 400,
            to=to,
            provider=self.provider is not None,
            section="",
        )

    def sign_out(self) -> Response:
        def leave(cur: Cursor) -> None:
            name = visits.end(cur, g.cookie)
            if name is not None:
                trail.record(cur, g.now, name, "signed-out", f"account/{name}")

        self.desk.read(leave)
        response = go(self.desk.frame().link("/sign-in", out="1", **language_kept()))
        response.delete_cookie(COOKIE, path=ROOT, httponly=True, samesite="Strict")
        g.fresh = False
        return response

    # --- by the identity provider ----------------------------------------------------------------------------------

    def oidc_go(self) -> Response:
        """Off to the provider. The cookie of the errand comes back with the visitor, who arrives from another site."""
        provider = self._provider()
        url, errand = provider.way_there(request.args.get("to", "")[:500], g.now)
        cookie = secrets.token_urlsafe(32)
        self.desk.read(lambda cur: visits.send(cur, cookie, errand, g.now))
        response = go(url)
        secure = self.desk.settings.production or request.is_secure
        response.set_cookie(
            ERRAND_COOKIE,
            cookie,
            max_age=int(visits.ERRAND.total_seconds()),
            httponly=True,
            samesite="Lax",
            secure=secure,
            path=_ERRAND_PATH,
        )
        return response

    def oidc_back(self) -> Response:
        """Back from the provider: a page of ours that leads on, as a cookie for our own pages alone is not sent along
        on a way that began at another site."""
        provider, address = self._provider(), door.address(self.desk.settings)
        self.desk.read(lambda cur: door.require_unlocked(cur, address, g.now))
        cookie = request.cookies.get(ERRAND_COOKIE, "")
        errand = self.desk.read(lambda cur: visits.welcome_back(cur, cookie, g.now)) if cookie else None
        if errand is None:
            raise SignInRefused("nobody left from here with this cookie, or too long ago", hint="sign in again")
        try:
            name = provider.name_in(request.args.to_dict(), errand, g.now)
        except SignInRefused as refused:
            telemetry.warning("desk: not let in", address=address, code=refused.slug)
            self.desk.read(lambda cur: door.remember_knock(cur, address, g.now))
            raise
        counts = self.desk.demonstration_counts
        account = self.desk.read(lambda cur: accounts.account(cur, name, demonstration=counts))
        if account is None:
            telemetry.warning("desk: no account for this identity", address=address)
            return self._page("no_account", 403)
        frame = self.desk.frame()
        to = page_below(ROOT, errand.to_page, f"{ROOT}/")
        response = ROOM.page("signed_in", frame, frame.say("signed_in"), to=to, section="")
        response.headers["Refresh"] = f"0; url={to}"
        response.delete_cookie(ERRAND_COOKIE, path=_ERRAND_PATH, httponly=True, samesite="Lax")
        return self._with(response, self._let_in(account, "provider"))

    def _provider(self) -> Provider:
        if self.provider is None:
            raise NotFound("no identity provider is named")
        return self.provider

    # --- one's own password ------------------------------------------------------------------------------------------

    def password(self) -> Response:
        visitor: Account = g.visitor
        if not visitor.by_password:
            raise NotFound("this account comes in by the identity provider")
        if request.method == "GET":
            return self._password_page("")
        now, new, counts = request.form.get("now", ""), request.form.get("new", ""), self.desk.demonstration_counts
        let_in = partial(accounts.let_in, name=visitor.name, password=now, now=g.now, demonstration=counts)
        if self.desk.read(lambda cur: let_in(cur)) is None:
            return self._password_page(self.desk.frame().say("password_wrong"), 403)
        cookie = secrets.token_urlsafe(32)

        def change(cur: Cursor) -> None:
            accounts.set_password(cur, visitor.name, new, must_change=False)
            visits.begin(cur, cookie, visitor.name, g.now)
            trail.record(cur, g.now, visitor.name, "password-changed", f"account/{visitor.name}")

        try:
            self.desk.read(change)
        except WeakPassword as weak:
            return self._password_page(self._worded(weak), 400)
        return self._with(go(self.desk.frame().link("/")), cookie)

    def _worded(self, error: CertmarkError) -> str:
        frame = self.desk.frame()
        return f"{error.title if frame.language == 'en' else error.zh} ({frame.say('password_hint')})"

    def _password_page(self, problem: str, status: int = 200) -> Response:
        frame = self.desk.frame()
        title = frame.say("password_title")
        return ROOM.page("password", frame, title, status, problem=problem, must=g.visitor.must_change, section="")
