"""Deliveries to a real receiver: signed, in order, at least once, and to nowhere that they must not go."""

import contextlib
import datetime as dt
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services import outbound
from services.auth import Role
from services.events import detached
from services.events.keys import ES256, PublicKey, new_key, public_key
from services.outbound import NotDelivered, post, target_of
from services.postgres import transaction
from services.registry import webhook_store
from services.registry.change_feed import gaps
from services.registry.decision_feed import BEGINNING
from services.registry.webhook_store import Kind
from services.registry.webhooks import Deliverer
from tests.conftest import ROOT
from tests.receiver import Received, Receiver, continues, drips, floods, hangs_up, speaks_something_else
from tests.register import BODY, OTHER, Register, a_suspension
from tests.served import a_token, ask, ask_json, served
from tests.system import wait_for


@pytest.fixture(scope="module")
def url(
    register: Register, free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    (port,) = free_ports(1)
    with served(register.settings, port, tmp_path_factory.mktemp("served")) as address:
        yield address


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def deliverer(register: Register) -> Iterator[Deliverer]:
    """One that is not running yet. What has failed waits until the test says that it is `due`."""
    made = Deliverer(register.settings, first_wait=60)
    yield made
    made.stopping = True
    made.run()
    register.rows("DELETE FROM webhooks RETURNING name")


def hooked(register: Register, receiver: Receiver, kind: Kind = Kind.DECISIONS, holder: str = BODY) -> str:
    """A webhook from now on; its name."""
    name = f"hook-{uuid.uuid4().hex[:8]}"
    with transaction(register.connection) as cur:
        cur.execute("SELECT size - 1, (SELECT coalesce(max(position), -1) FROM quarantine), revision FROM head")
        seq, put_aside, revision = cur.fetchall()[0]
        place = replace(BEGINNING, seq=seq, put_aside=put_aside)
        webhook_store.put(cur, holder, name, kind, receiver.url, (place, revision), again=True)
    return name


def the_hook(register: Register, name: str) -> webhook_store.Webhook:
    with transaction(register.connection) as cur:
        (found,) = [hook for hook in webhook_store.of_holder(cur, None) if hook.name == name]
    return found


def due(register: Register, name: str) -> None:
    """Let the pause after a failure be over."""
    register.rows("UPDATE webhooks SET next_at = clock_timestamp() WHERE name = %s RETURNING name", name)


def until(deliverer: Deliverer, condition: Callable[[], object], seconds: float = 30) -> None:
    """Let the deliverer work until it holds."""

    def worked() -> object:
        deliverer.step()
        return condition()

    wait_for(worked, seconds)


def subjects(receiver: Receiver) -> list[str]:
    return [item["subject"] for received in receiver.received for item in received.items]


def checked(register: Register, received: Received) -> detached.Signed:
    """What the signature says, checked with a key that the register knows for seals."""

    def seal(kid: str) -> PublicKey:
        ((state,),) = register.rows("SELECT state FROM records WHERE key = %s", f"key/{kid}")
        key = json.loads(state)
        assert key["purpose"] == "seal"
        return public_key(key["key"])

    return detached.check_detached(received.signature, received.body, seal)


# --- what is delivered --------------------------------------------------------------------------------------


def test_decisions_are_delivered_signed_and_in_order(
    register: Register, receiver: Receiver, deliverer: Deliverer
) -> None:
    name = hooked(register, receiver)
    first = register.issue()
    register.issue(source=OTHER)
    assert register.say(BODY, "certificate.suspended", first, a_suspension(reason="S77"))["decision"] == "refused"
    second = register.issue()
    until(deliverer, lambda: len(subjects(receiver)) == 3)
    third = register.issue()
    until(deliverer, lambda: len(subjects(receiver)) == 4)
    assert subjects(receiver) == [first, first, second, third]
    for received in receiver.received:
        signed = checked(register, received)
        said = received.said
        assert received.path == "/hooks"
        assert (said["id"], said["webhook"], said["kind"], said["attempt"]) == (signed.id, name, "decisions", 1)
        assert received.headers["certmark-delivery"] == signed.id
        assert received.headers["content-type"] == "application/json"
        assert said["register"] == register.settings.genesis
        assert abs(signed.at - dt.datetime.fromisoformat(said["sent_at"])) < dt.timedelta(seconds=2)
        assert said["page"]["next"] == received.items[-1]["cursor"]
    assert receiver.received[0].items[1]["code"] == "unknown-reason"
    assert len({received.said["id"] for received in receiver.received}) == len(receiver.received)


def test_changes_are_delivered_without_a_gap(register: Register, receiver: Receiver, deliverer: Deliverer) -> None:
    hooked(register, receiver, Kind.CHANGES, "platform")
    begun = register.head().revision
    for _ in range(3):
        number = register.issue()
        assert register.say(BODY, "certificate.suspended", number, a_suspension())["decision"] == "accepted"
        deliverer.step()
    until(deliverer, lambda: receiver.received and receiver.received[-1].said["page"]["complete_to"] == begun + 6)
    after = begun
    for received in receiver.received:
        checked(register, received)
        page = received.said["page"]
        assert page["after"] == after
        assert page["replaced"] == gaps(after, [item["revision"] for item in page["items"]], page["complete_to"])
        after = page["complete_to"]
    last = {item["key"]: item["standing"] for received in receiver.received for item in received.items}
    assert set(last.values()) == {"suspended"}


def test_a_long_past_comes_in_deliveries_of_a_hundred(
    register: Register, receiver: Receiver, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.webhooks.ITEMS", 3)
    monkeypatch.setattr("services.registry.webhooks.IN_A_ROW", 2)
    hooked(register, receiver)
    numbers = [register.issue() for _ in range(10)]
    until(deliverer, lambda: len(subjects(receiver)) == 10)
    assert subjects(receiver) == numbers
    assert [len(received.items) for received in receiver.received] == [3, 3, 3, 1]


# --- what goes wrong ----------------------------------------------------------------------------------------


def moved(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (500, "answered 500"),
        (404, "answered 404"),
        (moved, "answered 302; redirects are not followed"),
        (hangs_up, "the line was closed before an answer"),
        (drips, "no answer within 0.5 s"),
        (floods, "the head of the answer is longer than 16384 bytes"),
        (speaks_something_else, "the answer is not HTTP/1.1"),
    ],
)
def test_what_is_not_taken_is_delivered_again_as_it_was(
    register: Register, receiver: Receiver, deliverer: Deliverer, wrong: Any, said: str
) -> None:
    name = hooked(register, receiver)
    receiver.answers[:] = [wrong, 204]
    if wrong is drips:
        deliverer.patience = 0.5
    number = register.issue()
    until(deliverer, lambda: the_hook(register, name).failures == 1)
    assert the_hook(register, name).last_error == said
    deliverer.patience = outbound.SECONDS
    later = register.issue()
    due(register, name)
    until(deliverer, lambda: len(receiver.received) >= 3)
    first, again, following = receiver.received
    assert (again.said["id"], again.items) == (first.said["id"], first.items)
    assert (first.said["attempt"], again.said["attempt"]) == (1, 2)
    assert checked(register, again).id == checked(register, first).id
    assert [item["subject"] for item in following.items] == [later]
    assert subjects(receiver) == [number, number, later]
    assert {received.path for received in receiver.received} == {"/hooks"}
    until(deliverer, lambda: the_hook(register, name).failures == 0)
    assert the_hook(register, name).last_error is None


def test_interim_answers_come_before_the_answer(register: Register, receiver: Receiver, deliverer: Deliverer) -> None:
    name = hooked(register, receiver)
    receiver.answers[:] = [continues]
    register.issue()
    until(deliverer, lambda: receiver.received)
    until(deliverer, lambda: the_hook(register, name).delivered_at is not None)


def test_pauses_grow_and_a_busy_receiver_says_how_long(
    register: Register, receiver: Receiver, deliverer: Deliverer
) -> None:
    name = hooked(register, receiver)
    receiver.answers[:] = [500]
    register.issue()
    pauses: list[dt.timedelta] = []
    for failures in range(3):
        due(register, name)
        until(deliverer, lambda: the_hook(register, name).failures > len(pauses))
        pauses.append(the_hook(register, name).next_at - dt.datetime.now(dt.UTC))
        assert len(receiver.received) == failures + 1
        assert deliverer.step() == 0, "it pauses"
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]
    receiver.answers[:] = [503]
    receiver.headers["Retry-After"] = "120"
    deliverer.first_wait = 1
    due(register, name)
    until(deliverer, lambda: the_hook(register, name).failures == 4)
    assert the_hook(register, name).next_at - dt.datetime.now(dt.UTC) > dt.timedelta(seconds=100)


def test_a_webhook_that_fails_too_long_is_dead_until_it_is_put_again(
    register: Register, receiver: Receiver, url: str
) -> None:
    token = a_token(register, Role.SOURCE, BODY)
    deliverer = Deliverer(register.settings, first_wait=0.05, dead_after=0.2)
    receiver.answers[:] = [500]
    path = "/v1/webhooks/mine"
    status, _, body = ask(url, path, token, "PUT", body=json.dumps({"url": receiver.url}))
    assert status == 200, body
    number = register.issue()
    until(deliverer, lambda: ask_json(url, path, token)["state"] == "dead")
    dead = ask_json(url, "/v1/webhooks", token)["items"][0]
    assert (dead["state"], dead["last_error"], dead["next_attempt_at"]) == ("dead", "answered 500", None)
    assert dead["failures"] >= 2
    tried = len(receiver.received)
    assert deliverer.step() == 0
    receiver.answers[:] = [204]
    revived = json.loads(ask(url, path, token, "PUT", body=json.dumps({"url": receiver.url}))[2])
    assert (revived["state"], revived["failures"], revived["next"]) == ("active", 0, dead["next"])
    until(deliverer, lambda: len(receiver.received) > tried)
    assert receiver.received[-1].items[0]["subject"] == number, "it goes on where it was"
    assert ask(url, path, token, "DELETE")[0] == 204


def test_gone_is_dead_at_once(register: Register, receiver: Receiver, deliverer: Deliverer) -> None:
    name = hooked(register, receiver)
    receiver.answers[:] = [410]
    register.issue()
    until(deliverer, lambda: the_hook(register, name).state == "dead")
    assert the_hook(register, name).failures == 1


def test_a_slow_receiver_holds_up_nobody_else(register: Register, receiver: Receiver, deliverer: Deliverer) -> None:
    deliverer.patience = 30
    with contextlib.ExitStack() as stack:
        answered = threading.Event()
        stack.callback(answered.set)

        def thinks(_handler: BaseHTTPRequestHandler) -> None:
            answered.wait(30)

        slow = stack.enter_context(Receiver(answers=[thinks]))
        hooked(register, slow)
        hooked(register, receiver)
        register.issue()
        until(deliverer, lambda: receiver.received and slow.received)
        for _ in range(3):
            deliverer.step()
        assert len(slow.received) == 1, "a webhook that is being served is left alone"


def test_two_deliverers_share_and_do_not_deliver_twice(
    register: Register, receiver: Receiver, deliverer: Deliverer
) -> None:
    other = Deliverer(register.settings, first_wait=0.05)
    names = [hooked(register, receiver) for _ in range(4)]
    for _ in range(5):
        register.issue()
        deliverer.step()
        other.step()
    until(other, lambda: len(subjects(receiver)) == 20 or (deliverer.step() and False))
    delivered = [(received.said["webhook"], item["seq"]) for received in receiver.received for item in received.items]
    assert len(delivered) == len(set(delivered)) == 20
    for name in names:
        seen = [seq for hook, seq in delivered if hook == name]
        assert seen == sorted(seen)


def test_a_crash_before_it_is_noted_repeats_the_delivery(
    register: Register, receiver: Receiver, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = hooked(register, receiver)
    number = register.issue()
    whole = webhook_store.delivered

    def crashes(*_: Any) -> bool:
        monkeypatch.setattr(webhook_store, "delivered", whole)
        raise KeyError("the process ends here")

    monkeypatch.setattr(webhook_store, "delivered", crashes)
    until(deliverer, lambda: len(receiver.received) == 2)
    first, again = receiver.received
    assert first.said["id"] == again.said["id"]
    assert [item["subject"] for item in again.items] == [number]
    until(deliverer, lambda: the_hook(register, name).delivered_at is not None)


# --- where it may go ----------------------------------------------------------------------------------------


def test_in_production_no_webhook_leads_inside(
    register: Register, receiver: Receiver, free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    """Neither by what is registered, nor by what was registered before it was production."""
    (port,) = free_ports(1)
    token = a_token(register, Role.SOURCE, BODY)
    with served(register.settings, port, tmp_path, CERTMARK_PRODUCTION="1") as address:
        for url in (receiver.url, receiver.url.replace("http:", "https:"), "https://10.0.0.1/", "https://[::1]/"):
            assert ask(address, "/v1/webhooks/x", token, "PUT", body=json.dumps({"url": url}))[0] == 400, url
        asked = json.dumps({"url": "https://body.example/"})
        assert ask(address, "/v1/webhooks/x", token, "PUT", body=asked)[0] == 200
        assert ask(address, "/v1/webhooks/x", token, "DELETE")[0] == 204
    deliverer = Deliverer(replace(register.settings, production=True))
    name = hooked(register, receiver)
    register.issue()
    until(deliverer, lambda: the_hook(register, name).state == "dead")
    assert the_hook(register, name).last_error == "deliveries go by https"
    assert receiver.received == []
    register.rows("DELETE FROM webhooks RETURNING name")


@pytest.mark.parametrize("host", ["localhost.localdomain", "ip6-localhost", "loopback.test"])
def test_a_name_that_leads_inside_is_not_followed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Resolution by the machine's own names and, for the last, by a resolver that was told so."""
    found = socket.getaddrinfo

    def resolver(name: str, port: int, **how: Any) -> Any:
        return found("127.0.0.1", port, **how) if name.endswith(".test") else found(name, port, **how)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    target = target_of(f"https://{host}:{receiver.port}/", within=False)
    with pytest.raises(NotDelivered, match=r"not on the open internet|no address"):
        post(target, b"{}", {})
    assert receiver.received == []


def test_one_address_inside_spoils_the_name(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolver(name: str, port: int, **how: Any) -> Any:
        return [(2, 1, 6, "", ("1.1.1.1", port)), (2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(NotDelivered, match="not on the open internet"):
        post(target_of("https://rebound.example/", within=False), b"{}", {})


def a_certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for a name, and the file that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    alternative: x509.GeneralName = (
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


def test_a_receiver_is_believed_by_its_certificate_for_its_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, error in (("127.0.0.1", None), ("somebody.example", "CERTIFICATE_VERIFY_FAILED")):
        context, file = a_certificate(tmp_path, name)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        outbound._tls.cache_clear()
        with Receiver(tls=context) as receiver:
            target = target_of(receiver.url, within=True)
            if error is None:
                assert post(target, b"{}", {"X-Name": "value"}).status == 204
                assert receiver.received[0].headers["host"] == f"127.0.0.1:{receiver.port}"
            else:
                with pytest.raises(NotDelivered, match=error):
                    post(target, b"{}", {})
    outbound._tls.cache_clear()


def test_nobody_there_is_said_so(free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    with pytest.raises(NotDelivered, match="refused"):
        post(target_of(f"http://127.0.0.1:{port}/", within=True), b"{}", {})


# --- registering --------------------------------------------------------------------------------------------


def test_a_webhook_is_registered_seen_changed_and_taken_away_by_its_holder_alone(register: Register, url: str) -> None:
    mine, other = a_token(register, Role.SOURCE, OTHER), a_token(register, Role.SOURCE, BODY)
    path = "/v1/webhooks/decisions-1"

    def put(token: str, **asked: str) -> tuple[int, dict[str, Any]]:
        status, _, body = ask(url, path, token, "PUT", body=json.dumps(asked))
        return status, json.loads(body)

    status, made = put(mine, url="https://body.example/hooks")
    assert (status, made["kind"], made["holder"], made["state"]) == (200, "decisions", OTHER, "active")
    assert put(mine, url="https://body.example/other")[1]["next"] == made["next"]
    assert put(mine, url="https://body.example/other", after="beginning")[1]["next"] == BEGINNING.cursor()
    assert put(mine, url="https://body.example/other", after=made["next"])[1]["next"] == made["next"]
    assert put(mine, url="https://body.example/other", after="7")[0] == 400
    assert [hook["url"] for hook in ask_json(url, "/v1/webhooks", mine)["items"]] == ["https://body.example/other"]
    assert all(hook["holder"] == BODY for hook in ask_json(url, "/v1/webhooks", other)["items"])
    assert ask(url, path, other)[0] == ask(url, path, other, "DELETE")[0] == 404
    seen = ask_json(url, "/v1/webhooks", a_token(register, Role.ADMINISTRATOR))["items"]
    assert OTHER in {hook["holder"] for hook in seen}
    assert ask(url, path, mine, "DELETE")[0] == 204
    assert ask(url, path, mine, "DELETE")[0] == 404


def test_a_platforms_webhook_is_for_changes(register: Register, url: str) -> None:
    token = a_token(register, Role.PLATFORM, "shop-42")
    path = "/v1/webhooks/changes"
    for after, status, reached in (("0", 200, "0"), ("3", 200, "3"), ("latest", 200, None), ("999999", 400, None)):
        asked = json.dumps({"url": "https://shop.example/", "after": after})
        answered, _, body = ask(url, path, token, "PUT", body=asked)
        assert answered == status
        if status == 200:
            assert json.loads(body)["next"] == (reached or str(register.head().revision))
            assert json.loads(body)["kind"] == "changes"


@pytest.mark.parametrize("role", [Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR])
def test_others_have_no_webhooks(register: Register, url: str, role: Role) -> None:
    asked = json.dumps({"url": "https://body.example/"})
    assert ask(url, "/v1/webhooks/x", a_token(register, role), "PUT", body=asked)[0] == 403
    assert ask(url, "/v1/webhooks/x", None, "PUT", body=asked)[0] == 401


@pytest.mark.parametrize(
    ("name", "address"), [("Capital", "https://a.example/"), ("x", "ftp://a.example/"), ("x", "http://a.example/")]
)
def test_what_cannot_be_a_webhook_is_refused(register: Register, url: str, name: str, address: str) -> None:
    token = a_token(register, Role.SOURCE, BODY)
    assert ask(url, f"/v1/webhooks/{name}", token, "PUT", body=json.dumps({"url": address}))[0] == 400


def test_a_holder_has_ten_at_most(register: Register, url: str) -> None:
    token = a_token(register, Role.PLATFORM, "many")
    asked = json.dumps({"url": "https://a.example/"})
    statuses = [ask(url, f"/v1/webhooks/h{n}", token, "PUT", body=asked)[0] for n in range(11)]
    assert statuses == [200] * 10 + [400]
    assert ask(url, "/v1/webhooks/h3", token, "PUT", body=asked)[0] == 200


def test_the_example_receives_and_believes_the_signature_alone(
    register: Register, url: str, deliverer: Deliverer, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-I", str(ROOT / "docs" / "examples" / "receive.py"), str(port)]
    with subprocess.Popen(
        [*command, register.settings.genesis],
        env={"CERTMARK_REGISTRY_PORT": url.rpartition(":")[2]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as example:
        assert example.stdout is not None
        try:
            with Receiver() as receiver:
                name = hooked(register, receiver)
                number = register.issue()
                until(deliverer, lambda: receiver.received)
            genuine = receiver.received[0]
            wait_for(lambda: listens(port), 10)
            headers = {"Certmark_Signature": genuine.signature}
            here = f"http://127.0.0.1:{port}"
            for body in (genuine.body.replace(b"accepted", b"refused!"), genuine.body + b" "):
                assert ask(here, "/", method="POST", body=body.decode(), **headers)[0] == 400
            other = new_key(ES256)  # a seal of the other kind, which follows the first
            register.add_key("urn:certmark:registry:main", other, "seal")
            register.decide_all()
            anew = detached.sign_detached(genuine.body, json.loads(genuine.body)["id"], dt.datetime.now(dt.UTC), other)
            for signature in (genuine.signature, anew):
                told = {"Certmark_Signature": signature}
                assert ask(here, "/", method="POST", body=genuine.body.decode(), **told)[0] == 204
            with transaction(register.connection) as cur:
                webhook_store.put(cur, BODY, name, Kind.DECISIONS, f"{here}/hooks", (BEGINNING, 0), again=False)
            later = register.issue()
            until(deliverer, lambda: the_hook(register, name).place.seq == register.head().size - 1)
            assert [example.stdout.readline() for _ in range(2)] == [f"accepted {n}\n" for n in (number, later)]
        finally:
            example.kill()


def listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0
