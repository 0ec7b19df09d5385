"""Bearer tokens: what they look like, where they may be, and what opens for whom."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from services import auth
from services.auth import Caller, NotAuthenticated, NotPermitted, Role
from services.postgres import Cursor
from services.registry.feeds import source_for
from services.registry.gate import Gate, bearer, who_asks

BODY = "urn:certmark:body:CNCA-R-2019-7901"
SOURCE = Caller("0123456789ab", Role.SOURCE, BODY, None)
REGULATOR = Caller("ba9876543210", Role.REGULATOR, "regulator", None)


def a_gate(caller: Caller | None) -> Gate:
    def read(query: Callable[[Cursor], Caller | None]) -> Caller | None:
        return caller

    return Gate(read, production=False)


def test_a_token_is_256_bits_of_chance_and_never_twice_the_same() -> None:
    tokens = {auth.new_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert token.startswith(auth.PREFIX)
        assert len(token.removeprefix(auth.PREFIX)) == 43  # 32 bytes in base64url
        assert token.isascii()


def test_a_tokens_name_does_not_give_it_away() -> None:
    token = auth.new_token()
    assert auth.hash_of(token).startswith(auth.id_of(token))
    assert auth.id_of(token) not in token
    assert len(auth.hash_of(token)) == 64


def test_a_token_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "platform.token"
    token = auth.new_token()
    auth.write_token(file, token)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert auth.read_token(file) == token
    with pytest.raises(FileExistsError):
        auth.write_token(file, auth.new_token())
    assert auth.read_token(file) == token


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "  Bearer   abc "])
def test_the_token_of_a_header(header: str) -> None:
    assert bearer(header) == "abc"


@pytest.mark.parametrize("header", ["", "abc", "Bearer", "Bearer ", "Basic YTpi", "Token abc"])
def test_a_header_without_a_token_is_401(header: str) -> None:
    with pytest.raises(NotAuthenticated):
        bearer(header)


@pytest.mark.parametrize("role", Role)
def test_only_the_roles_named_get_in(role: Role) -> None:
    app = Flask("test")
    caller = Caller("0123456789ab", role, "x", None)
    with app.test_request_context(headers={"Authorization": "Bearer x"}):
        assert a_gate(caller).admits(role)(who_asks)() is caller
        with pytest.raises(NotPermitted):
            a_gate(caller).admits(*(other for other in Role if other is not role))(never)()


def test_an_unknown_token_is_401_and_says_with_what_to_come() -> None:
    app = Flask("test")
    with app.test_request_context(headers={"Authorization": "Bearer x"}), pytest.raises(NotAuthenticated) as raised:
        a_gate(None).admits(*Role)(never)()
    assert raised.value.headers["WWW-Authenticate"].startswith("Bearer ")
    with app.test_request_context(), pytest.raises(NotAuthenticated):
        a_gate(SOURCE).admits(*Role)(never)()


def never() -> None:
    pytest.fail("somebody was let through")


def test_a_source_gets_its_own_and_a_regulator_what_it_asks_for() -> None:
    other = "urn:certmark:body:CNCA-R-2019-7902"
    assert source_for(SOURCE, None) == source_for(SOURCE, BODY) == BODY
    assert source_for(REGULATOR, None) is None
    assert source_for(REGULATOR, other) == other
    with pytest.raises(NotPermitted):
        source_for(SOURCE, other)
