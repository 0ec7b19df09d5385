"""Whatever is asked of the registry and of the events service: an answer as their documents say, and no fault."""

import re
from collections.abc import Iterator

import pytest

from services.auth import Role
from services.events import ingest
from services.events.envelope import open_envelope
from services.registry import api
from services.registry.relay import Relay
from tests.asked import Api, api_of
from tests.register import BODY, Register
from tests.served import a_token


@pytest.fixture(scope="module")
def registry(register: Register) -> Iterator[Api]:
    number = register.issue()
    digest = open_envelope(register.tell(BODY, "certificate.surveillance_passed", number, {})).digest
    register.decide_all()
    tokens = [a_token(register, role, BODY if role is Role.SOURCE else None) for role in Role]
    known = {
        "number": [number],
        "subject": [number],
        "source": [BODY],
        "digest": [digest],
        "kid": [register.keys[BODY].public.kid],
        "after": ["latest", "0"],
        "name": ["certificates-valid", "suspensions", "surveillance-overdue-share", "state.v1"],
        "by": ["region"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CERTMARK_DATA", str(register.settings.data))
        patch.setenv("CERTMARK_DATABASE_URL", register.settings.database_url)
        patch.setenv("CERTMARK_TOPIC_PREFIX", register.settings.topic_prefix)
        yield api_of(api.create_app(), known, tokens)


NEEDS_MORE = (
    "/v1/dumps/{name}/{file}",
    "/v1/webhooks/{name}",
    "/v1/code-sets/{digest}",
    "/v1/complaints/{no}",
    "/v1/checks/{job_id}",
    "/v1/cases/{case_no}/opening",
)
"""What is there only after something was done; tests of their own do it."""


def test_the_registry_answers_as_its_document_says(registry: Api) -> None:
    for method, path, operation in registry.operations():
        if method == "GET":
            missing = registry.holds_for_what_is_there(method, path, operation)
            assert not missing or path.startswith(NEEDS_MORE), (path, missing)
        registry.holds_for(method, path, operation, examples=20)


OPEN_TO = {
    "acceptance": {"platform", "inspector", "regulator"},
    "acceptance/log": {"regulator", "administrator"},
    "checks": {"platform", "inspector", "regulator"},
    "code-hashes": {"source"},
    "code-sets": {"source"},
    "complaints": {"inspector", "regulator"},
    "decisions": {"source", "regulator"},
    "feed": {"platform", "inspector", "regulator", "administrator"},
    "overdue": {"source", "regulator"},
    "webhooks": {"source", "platform", "administrator"},
    "webhooks/x": {"source", "platform"},
}
"""Who may ask what lies under each path that is not open to all: written down once more, by hand."""


def test_nobody_but_the_roles_named_is_let_in_and_nothing_of_a_stranger_is_read(registry: Api) -> None:
    client = registry.app.test_client()
    gated = set()
    for method, path, operation in registry.operations():
        if "security" not in operation:
            continue
        place = re.sub("{.*?}", "x", path)
        under = max((one for one in OPEN_TO if f"{place}/".startswith(f"/v1/{one}/")), key=len)
        assert set(operation["x-roles"]) == OPEN_TO[under], (method, path)
        gated.add(under)
        queries = [told["name"] for told in operation.get("parameters", ()) if told["in"] == "query"]
        for role, token in [*zip(Role, registry.tokens, strict=True), ("nobody", ""), ("a stranger", "certmark_x")]:
            if role in operation["x-roles"]:
                continue
            answer = client.open(
                f"{place}?{'&'.join(f'{name}=no' for name in queries)}",
                method=method,
                data=b"{not read",
                content_type="application/json",
                headers={"Authorization": f"Bearer {token}"} if token else {},
            )
            due = 403 if role in set(Role) else 401
            assert answer.status_code == due, (method, path, role, answer.text)
    assert gated == OPEN_TO.keys()


def test_the_events_service_answers_as_its_document_says(register: Register) -> None:
    relay = Relay(register.settings)
    while relay.step():
        pass
    relay.drop()
    app = ingest.app_for(register.settings)
    follower = app.extensions["certmark-ingest"].follower
    try:
        assert follower.await_key(register.keys[BODY].public.kid, 10)
        asked = api_of(app)
        for method, path, operation in asked.operations():
            asked.holds_for(method, path, operation, examples=40)
    finally:
        follower.stop()
