"""The desk's door against a real register: who is let in, by password or provider, what an administrator does, and that
everything leaves its line in the trail."""

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import OctKey, RSAKey
from werkzeug.test import TestResponse

from services.auth import Role
from services.embedded import EmbeddedPostgres
from services.postgres import transaction
from services.registry import api, door, trail
from services.registry.desk import accounts, administration, visits
from services.settings import Settings, settings_from
from tests.conftest import a_database
from tests.oidc_provider import CLIENT, SECRET, Provider, provider
from tests.register import Register
from tests.system import CERTMARK

PASSWORD = "a kettle that whistles"


@pytest.fixture(scope="module")
def identity(free_ports: Callable[[int], list[int]]) -> Iterator[Provider]:
    with provider(free_ports(1)[0]) as made:
        yield made


@pytest.fixture(scope="module")
def settings(
    postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, identity: Provider
) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("desk")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n", encoding="utf-8")
    with a_database(postgres_server) as url, pytest.MonkeyPatch.context() as patch:
        environment = {
            "CERTMARK_DATA": str(folder / "data"),
            "CERTMARK_DATABASE_URL": url,
            "CERTMARK_TOPIC_PREFIX": f"t{uuid.uuid4().hex[:12]}",
            "CERTMARK_REGISTRY_URL": "http://desk.example",
            "CERTMARK_OIDC_ISSUER": identity.issuer,
            "CERTMARK_OIDC_CLIENT": CLIENT,
            "CERTMARK_OIDC_SECRET_FILE": str(secret),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        yield settings_from(environment)


@pytest.fixture(scope="module")
def ours(settings: Settings) -> Iterator[Register]:
    with closing(Register.begin(settings)) as register:
        with transaction(register.connection) as cur:
            for name, role, division in (
                ("pudong-01", Role.INSPECTOR, "310115"),
                ("regulator-01", Role.REGULATOR, None),
                ("admin-01", Role.ADMINISTRATOR, None),
            ):
                accounts.create(cur, name, role, division, PASSWORD, must_change=False)
        yield register


@pytest.fixture(scope="module")
def app(ours: Register) -> Flask:
    return api.create_app()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """Somebody's browser, at an address of its own."""
    client = app.test_client()
    octets = uuid.uuid4().bytes
    client.environ_base["REMOTE_ADDR"] = f"203.{octets[0]}.{octets[1]}.{octets[2]}"
    return client


@pytest.fixture
def administrator(stranger: FlaskClient) -> FlaskClient:
    assert sign_in(stranger, "admin-01").status_code == 303
    return stranger


def form_of(page: TestResponse) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    page = client.get("/desk/sign-in?lang=zh")
    return client.post("/desk/sign-in", data={"form": form_of(page), "name": name, "password": password} | fields)


def post(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    page = client.get("/desk/accounts")
    return client.post(path, data={"form": form_of(page)} | fields)


def acts(ours: Register, about: str) -> list[tuple[str, str]]:
    with transaction(ours.connection) as cur:
        return [(line.account, line.act) for line in trail.lines(cur, about=about)]


# --- by password -------------------------------------------------------------------------------------------------


def test_the_right_password_lets_in_and_leads_back_to_the_page_that_was_wanted(
    stranger: FlaskClient, ours: Register
) -> None:
    turned_away = stranger.get("/desk/trail?about=x")
    assert turned_away.status_code == 303
    assert turned_away.location.startswith("/desk/sign-in?to=%2Fdesk%2Ftrail%3Fabout%3Dx")
    answer = sign_in(stranger, "regulator-01", to="/desk/trail?about=x")
    assert (answer.status_code, answer.location) == (303, "/desk/trail?about=x")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/desk" in cookie
    shown = stranger.get("/desk/trail")
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert "script" not in shown.headers["Content-Security-Policy"]
    assert ("regulator-01", "signed-in") in acts(ours, "account/regulator-01")


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/desk/\\evil.example", "/other"])
def test_signing_in_leads_to_no_other_site(stranger: FlaskClient, to: str) -> None:
    assert sign_in(stranger, "regulator-01", to=to).location == "/desk/"


@pytest.mark.parametrize(
    ("name", "password"),
    [("regulator-01", "wrong"), ("nobody", PASSWORD), ("", ""), ("regulator-01", "\0"), ("x" * 3000, "y" * 3000)],
)
def test_whatever_is_wrong_is_said_in_the_same_words(stranger: FlaskClient, name: str, password: str) -> None:
    answer = sign_in(stranger, name, password)
    assert answer.status_code == 403
    assert "账号或口令不对" in answer.text


def test_five_wrong_tries_lock_an_address_and_ten_an_account(app: Flask, ours: Register) -> None:
    name = f"n{uuid.uuid4().hex[:12]}"
    with transaction(ours.connection) as cur:
        accounts.create(cur, name, Role.REGULATOR, None, PASSWORD, must_change=False)
    clients = []
    for place in range(3):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"198.51.100.{place}"
        clients.append(client)
    for client in clients[:2]:
        for _ in range(door.STRIKES):
            assert sign_in(client, name, "wrong").status_code == 403
        locked = sign_in(client, name)
        assert locked.status_code == 429
        assert int(locked.headers["Retry-After"]) > 0
    # From an address that has done nothing: the account itself waits, and says no more than that something is wrong.
    assert sign_in(clients[2], name).status_code == 403
    with transaction(ours.connection) as cur:
        cur.execute("UPDATE accounts SET wrong_at = wrong_at - %s WHERE name = %s", (accounts.LOCKED, name))
    assert sign_in(clients[2], name).status_code == 303


def test_a_form_of_another_visit_or_of_none_does_nothing(stranger: FlaskClient) -> None:
    assert sign_in(stranger, "admin-01").status_code == 303
    assert stranger.post("/desk/accounts", data={"form": "0" * 64, "name": "x1"}).status_code == 403
    assert stranger.post("/desk/accounts", data={"name": "x1"}).status_code == 403


def test_a_visit_ends_when_idle_when_signed_out_and_when_the_account_is_closed(app: Flask, ours: Register) -> None:
    name = f"n{uuid.uuid4().hex[:12]}"
    with transaction(ours.connection) as cur:
        accounts.create(cur, name, Role.REGULATOR, None, PASSWORD, must_change=False)
    client = app.test_client()
    assert sign_in(client, name).status_code == 303
    form = form_of(client.get("/desk/trail"))
    assert client.post("/desk/sign-out", data={"form": form}).status_code == 303
    assert client.get("/desk/trail").status_code == 303

    assert sign_in(client, name).status_code == 303
    assert client.get("/desk/trail").status_code == 200
    with transaction(ours.connection) as cur:
        cur.execute("UPDATE desk_visits SET seen_at = seen_at - %s WHERE account = %s", (door.IDLE, name))
    assert client.get("/desk/trail").status_code == 303

    assert sign_in(client, name).status_code == 303
    with transaction(ours.connection) as cur:
        accounts.close(cur, name)
    assert client.get("/desk/trail").status_code == 303
    assert sign_in(client, name).status_code == 403
    assert [act for _, act in acts(ours, f"account/{name}")] == ["signed-in", "signed-in", "signed-out", "signed-in"]


def test_each_role_sees_its_own_sections(app: Flask, ours: Register) -> None:
    inspector = app.test_client()
    sign_in(inspector, "pudong-01")
    assert inspector.get("/desk/accounts").status_code == 403
    assert inspector.get("/desk/trail").status_code == 403
    regulator = app.test_client()
    sign_in(regulator, "regulator-01")
    assert regulator.get("/desk/accounts").status_code == 403
    assert regulator.get("/desk/trail").status_code == 200


# --- passwords ---------------------------------------------------------------------------------------------------


def test_a_first_password_has_to_be_changed_before_anything_else(
    administrator: FlaskClient, app: Flask, ours: Register
) -> None:
    name = f"n{uuid.uuid4().hex[:12]}"
    opened = post(
        administrator, "/desk/accounts", name=name, role="inspector", division="310104", password="the first of two"
    )
    assert opened.status_code == 200
    assert name in opened.text
    client = app.test_client()
    assert sign_in(client, name, "the first of two").status_code == 303
    led = client.get("/desk/")
    assert (led.status_code, led.location) == (303, "/desk/password")
    form = form_of(client.get("/desk/password"))
    wrong = client.post("/desk/password", data={"form": form, "now": "not it", "new": "the second of two"})
    assert wrong.status_code == 403
    weak = client.post("/desk/password", data={"form": form, "now": "the first of two", "new": "short"})
    assert weak.status_code == 400
    assert "口令过短" in weak.text
    right = client.post("/desk/password", data={"form": form, "now": "the first of two", "new": "the second of two"})
    assert right.status_code == 303
    assert client.get("/desk/password").status_code == 200
    assert sign_in(app.test_client(), name, "the first of two").status_code == 403
    assert sign_in(app.test_client(), name, "the second of two").status_code == 303


@pytest.mark.parametrize("password", ["short", "a" * 300, "pudong-01-pudong", "aaaaaaaaaaaaaaaa", "abababababababab"])
def test_weak_passwords(password: str) -> None:
    with pytest.raises(accounts.WeakPassword):
        accounts.checked_password(password, "pudong-01")


def test_passwords_are_kept_as_argon2id_alone(ours: Register) -> None:
    with transaction(ours.connection) as cur:
        cur.execute("SELECT password FROM accounts WHERE password IS NOT NULL")
        assert all(str(kept).startswith("$argon2id$") for (kept,) in cur.fetchall())


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "张三", "role": "inspector", "division": "310104"}, "a staff number"),
        ({"name": "x1", "role": "source"}, "role is one of"),
        ({"name": "x1", "role": "chief"}, "no such role"),
        ({"name": "x1", "role": "inspector"}, "belongs to a district"),
        ({"name": "x1", "role": "inspector", "division": "31"}, "six digits"),
        ({"name": "admin-01", "role": "regulator"}, "taken"),
        ({"name": "x1", "role": "regulator", "password": "short"}, "12 to 256"),
    ],
)
def test_an_account_that_cannot_be_opened_is_explained(
    administrator: FlaskClient, fields: dict[str, str], told: str
) -> None:
    answer = post(administrator, "/desk/accounts?lang=en", **fields)
    assert answer.status_code in (400, 409)
    assert told in unescape(answer.text)


def test_an_administrator_closes_others_but_not_himself(administrator: FlaskClient, ours: Register) -> None:
    name = f"n{uuid.uuid4().hex[:12]}"
    post(administrator, "/desk/accounts", name=name, role="regulator")
    assert post(administrator, f"/desk/accounts/{name}/password", password="a password for now").status_code == 200
    assert post(administrator, f"/desk/accounts/{name}/close").status_code == 200
    assert post(administrator, f"/desk/accounts/{name}/close").status_code == 404
    assert post(administrator, "/desk/accounts/admin-01/close").status_code == 400
    assert acts(ours, f"account/{name}") == [
        ("admin-01", "account-closed"),
        ("admin-01", "password-set"),
        ("admin-01", "account-opened"),
    ]


def test_accounts_come_by_pages_and_a_page_reads_no_more_than_it_shows(
    administrator: FlaskClient, ours: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administration, "PAGE", 2)
    found, path = list[str](), "/desk/accounts"
    while path:
        page = administrator.get(path).text
        names = re.findall(r'<th scope="row">([^<]+)</th>', page)
        assert 0 < len(names) <= 2
        found += names
        path = unescape("".join(re.findall(r'href="([^"]+)" rel="next"', page)))
    with transaction(ours.connection) as cur:
        assert found == [one.name for one in accounts.listed(cur)]
        cur.execute("SAVEPOINT few")
        cur.execute(
            "INSERT INTO accounts (name, role, must_change, demonstration)"
            " SELECT 'n' || n, 'regulator', false, false FROM generate_series(1, 5000) n"
        )
        cur.execute("ANALYZE accounts")
        cur.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {accounts.LISTED}", ("n2500", 101))
        ((plan,),) = cur.fetchall()
        cur.execute("ROLLBACK TO SAVEPOINT few")
    (read,) = plan[0]["Plan"]["Plans"]
    assert (read["Index Name"], read["Actual Rows"], read.get("Rows Removed by Filter", 0)) == ("accounts_pkey", 101, 0)


# --- the trail ---------------------------------------------------------------------------------------------------


def test_the_trail_holds_and_a_change_in_the_database_shows(
    administrator: FlaskClient, ours: Register, settings: Settings
) -> None:
    for place in range(3):
        with transaction(ours.connection) as cur:
            trail.record(cur, datetime.now(UTC), "admin-01", "looked", f"page/{place}")
    page = administrator.get("/desk/trail?check=1&lang=en")
    assert "follow from each other" in page.text
    with transaction(ours.connection) as cur:
        number, _ = trail.last(cur)
        cur.execute("SELECT account FROM trail WHERE number = %s", (number - 1,))
        row = cur.fetchone()
        assert row is not None
        cur.execute("UPDATE trail SET account = 'somebody' WHERE number = %s", (number - 1,))
    try:
        assert f"from line {number - 1} on" in administrator.get("/desk/trail?check=1&lang=en").text
        told = subprocess.run(
            [CERTMARK, "accounts", "trail", "--json"], capture_output=True, text=True, check=False, timeout=60
        )
        assert (told.returncode, json.loads(told.stdout)["first_broken"]) == (1, number - 1)
    finally:
        with transaction(ours.connection) as cur:
            cur.execute("UPDATE trail SET account = %s WHERE number = %s", (row[0], number - 1))
    with transaction(ours.connection) as cur:
        assert trail.check(cur) is None


def test_accounts_by_command(ours: Register) -> None:
    name = f"n{uuid.uuid4().hex[:12]}"

    def run(*words: str) -> tuple[int, list[dict[str, object]]]:
        done = subprocess.run(
            [CERTMARK, "accounts", *words, "--json"], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    code, (opened,) = run("new", name, "inspector", "--division", "310104")
    assert code == 0
    assert len(str(opened["password"])) >= accounts.SHORTEST
    _, listed = run("list")
    assert name in [one["name"] for one in listed]
    with transaction(ours.connection) as cur:
        assert name not in trail.not_opened_so(cur)
        cur.execute("UPDATE accounts SET role = 'regulator' WHERE name = %s", (name,))
        assert name in trail.not_opened_so(cur), "somebody gave it another role past the desk"
        cur.execute("UPDATE accounts SET role = 'inspector' WHERE name = %s", (name,))
    _, (reset,) = run("password", name)
    assert reset["password"] != opened["password"]
    assert run("close", name)[0] == 0
    assert run("close", name)[0] != 0
    assert ("operator", "account-opened") in acts(ours, f"account/{name}")


# --- by the identity provider ------------------------------------------------------------------------------------


def there_and_back(client: FlaskClient, to: str = "/desk/password") -> TestResponse:
    """The way of a browser: off from our page, through the provider, and back with its answer."""
    left = client.get(f"/desk/oidc/go?to={to}")
    assert left.status_code == 303
    answer = requests.get(left.location, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    assert back.netloc == "desk.example"
    return client.get(f"{back.path}?{back.query}")


def test_the_provider_lets_in_whom_it_names(stranger: FlaskClient, identity: Provider, ours: Register) -> None:
    answer = there_and_back(stranger)
    assert answer.status_code == 200
    assert answer.headers["Refresh"] == "0; url=/desk/password"
    assert stranger.get("/desk/password").status_code == 200
    assert ("pudong-01", "signed-in") in acts(ours, "account/pudong-01")


def test_whom_the_provider_names_needs_an_account(stranger: FlaskClient, identity: Provider) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "name", "somebody")
        answer = there_and_back(stranger)
    assert answer.status_code == 403
    assert "没有工作台账号" in answer.text
    assert stranger.get("/desk/password").status_code == 303


LIES: dict[str, dict[str, object]] = {
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "for another program": {"claims": {"aud": "another"}},
    "made for two, handed to another": {"claims": {"azp": "another"}},
    "past its end": {"claims": {"exp": int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())}},
    "without an end": {"claims": {"exp": None}},
    "of another errand": {"claims": {"nonce": "another"}},
    "without a nonce": {"claims": {"nonce": None}},
    "names nobody": {"claims": {"preferred_username": None}},
    "names a list": {"claims": {"preferred_username": ["pudong-01"]}},
    "another key": {"sign_with": RSAKey.generate_key(2048, {"kid": "one"}, private=True)},
    "a shared secret": {"header": {"alg": "HS256"}, "sign_with": OctKey.import_key(SECRET * 3)},
    "no signature": {"header": {"alg": "none"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_lies_lets_nobody_in(stranger: FlaskClient, identity: Provider, lie: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LIES[lie].items():
            patch.setattr(identity, name, value)
        answer = there_and_back(stranger)
    assert answer.status_code == 403, answer.text
    assert "sign-in-refused" in answer.text
    assert stranger.get("/desk/password").status_code == 303


def test_an_answer_that_nobody_asked_for_lets_nobody_in(stranger: FlaskClient, app: Flask) -> None:
    assert stranger.get("/desk/oidc/back?code=1&state=2").status_code == 403
    left = stranger.get("/desk/oidc/go")
    answer = requests.get(left.location, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    # Somebody else's browser gets the link: it has no errand.
    assert app.test_client().get(f"{back.path}?{back.query}").status_code == 403
    forged = parse_qs(back.query) | {"state": ["another"]}
    assert stranger.get(f"{back.path}?code={forged['code'][0]}&state=another").status_code == 403
    # The errand is spent by the wrong answer.
    assert stranger.get(f"{back.path}?{back.query}").status_code == 403


def test_an_errand_that_took_too_long_has_to_begin_again(stranger: FlaskClient, ours: Register) -> None:
    left = stranger.get("/desk/oidc/go")
    with transaction(ours.connection) as cur:
        cur.execute("UPDATE desk_errands SET begun_at = begun_at - %s", (visits.ERRAND + timedelta(seconds=1),))
    answer = requests.get(left.location, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    assert stranger.get(f"{back.path}?{back.query}").status_code == 403


def test_a_provider_that_changes_its_key_is_asked_for_the_new_one(stranger: FlaskClient, identity: Provider) -> None:
    assert there_and_back(stranger).status_code == 200
    identity.key = RSAKey.generate_key(2048, {"kid": "two"}, private=True)
    identity.header = {"alg": "RS256", "kid": "two"}
    assert there_and_back(stranger).status_code == 200
