"""Who may come in by a route: from the `Authorization` of a request to its caller, or to a 401 or 403."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Response, after_this_request, g, request
from flask_smorest import Api, Blueprint

from services.auth import Caller, NotAuthenticated, NotPermitted, Role, find
from services.postgres import Cursor
from services.settings import Settings

View = TypeVar("View", bound=Callable[..., Any])
_SCHEME = "token"
"""What the OpenAPI document calls the way in which a token is shown."""


class Gate:
    """Turns the `Authorization` of the request in hand into a caller, or into a 401 or 403.

    `read` runs a query and gives back its result. In production a demonstration's token opens nothing: it lay open.
    """

    def __init__(self, read: Callable[[Callable[[Cursor], Caller | None]], Caller | None], *, production: bool) -> None:
        self._read = read
        self._production = production

    def admits(self, *roles: Role) -> Callable[[View], View]:
        """Decorates a view that is for these roles alone: see `who_asks`.

        It stands above all others, so that nothing of a stranger's request is read, and tells the OpenAPI document.
        Raises, when asked:
            NotAuthenticated: no token, or none that counts. NotPermitted: another role.
        """

        def decorated(view: View) -> View:
            @wraps(view)
            def admitted(*args: Any, **kwargs: Any) -> Any:
                g.caller = self._required(roles)
                return view(*args, **kwargs)

            said = Blueprint.doc(security=[{_SCHEME: []}], **{"x-roles": [role.value for role in roles]})
            return cast(View, said(admitted))

        return decorated

    def _required(self, roles: Sequence[Role]) -> Caller:
        after_this_request(_keep_private)
        caller = self.holder_of(bearer(request.headers.get("Authorization", "")))
        if caller.role not in roles:
            raise NotPermitted(f"a token of the role {caller.role}; this is for {', '.join(roles)}")
        return caller

    def holder_of(self, token: str) -> Caller:
        """Raises NotAuthenticated where the token is unknown, revoked, past its day, or a demonstration's."""
        found = self._read(lambda cur: find(cur, token, demonstration=not self._production))
        if found is None:
            raise NotAuthenticated(
                "the token is unknown, revoked or past its last day", hint="tokens are made by `certmark tokens new`"
            )
        return found


def who_asks() -> Caller:
    """The caller that the gate has admitted to the view which is running (`Gate.admits`)."""
    return cast(Caller, g.caller)


def _keep_private(response: Response) -> Response:
    """No cache between gives one holder's answer to another."""
    response.headers.setdefault("Cache-Control", "private, no-store")
    response.vary.add("Authorization")
    return response


def bearer(authorization: str) -> str:
    """The token of an `Authorization` header.

    Raises:
        NotAuthenticated: it is empty or of another scheme.
    """
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("there is no token", hint="send the header Authorization: Bearer …")
    return token.strip()


def gate_of(api: Api, read: Callable[[Callable[[Cursor], Caller | None]], Caller | None], settings: Settings) -> Gate:
    """A gate for a service's routes; the way in which a token is shown to it is named in the OpenAPI document."""
    api.spec.components.security_scheme(_SCHEME, {"type": "http", "scheme": "bearer"})
    return Gate(read, production=settings.production)
