"""The policies of acceptance that this registry answers by: the shipped ones, and those of the deployment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import fastjsonschema

from services.domain.acceptance import Policy, PolicyVersion, version_on
from services.domain.errors import BadRequest, NotConfigured
from services.events.event_types import SCHEMAS, compile_schema
from services.settings import Settings


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version by which a question is judged."""

    policy: Policy
    version: PolicyVersion


def load_policies(settings: Settings) -> dict[str, Policy]:
    """Every policy by its id: of schemas/policies, and of the folder `policies` under `CERTMARK_DATA`.

    Raises:
        NotConfigured: a file is no policy, its name is not its id, an id is there twice, or versions are out of order.
    """
    check = compile_schema(json.loads((SCHEMAS / "policy.v1.json").read_text(encoding="utf-8")))
    found: dict[str, Policy] = {}
    for folder in (SCHEMAS / "policies", settings.data / "policies"):
        for file in sorted(folder.glob("*.json")):
            policy = _policy(file, check)
            if policy["id"] in found:
                raise NotConfigured(f"{file}: there is a policy {policy['id']!r} already")
            found[policy["id"]] = policy
    return found


def _policy(file: Path, check: Any) -> Policy:
    try:
        policy = cast(Policy, check(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, fastjsonschema.JsonSchemaValueException) as error:
        raise NotConfigured(f"{file} is no policy: {error}") from None
    order = [(version["effective_at"], version["version"]) for version in policy["versions"]]
    if file.stem != policy["id"] or any(
        after[0] < before[0] or after[1] <= before[1] for before, after in pairwise(order)
    ):
        raise NotConfigured(f"{file}: a policy's file is named by its id, and its versions follow each other")
    return policy


def choose(policies: Mapping[str, Policy], purpose: str, named: str | None, day: date) -> Chosen:
    """The policy for a purpose on a day; `named` is an id, or `id@version` whatever the day.

    Raises:
        BadRequest: no such purpose, policy or version, or several policies and none was named.
    """
    serving = {name: policy for name, policy in policies.items() if policy["purpose"] == purpose}
    if not serving:
        known = sorted({policy["purpose"] for policy in policies.values()})
        raise BadRequest(f"no policy for {purpose!r}", pointer="/purpose", hint=", ".join(known))
    name, _, number = (named or "").partition("@")
    if named is None and len(serving) > 1:
        raise BadRequest(f"several policies for {purpose!r}", pointer="/policy", hint=", ".join(serving))
    policy = serving.get(name) if named is not None else next(iter(serving.values()))
    if policy is None:
        raise BadRequest(f"no policy {name!r} for {purpose!r}", pointer="/policy", hint=", ".join(serving))
    if number:
        version = next((v for v in policy["versions"] if str(v["version"]) == number), None)
    else:
        version = version_on(policy, day)
    if version is None:
        first = policy["versions"][0]["effective_at"]
        raise BadRequest(
            f"{policy['id']} has no such version, or none on {day}", pointer="/policy", hint=f"from {first}"
        )
    return Chosen(policy, version)
