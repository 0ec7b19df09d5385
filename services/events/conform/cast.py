"""Who speaks in the cases: the sources whose keys are at hand, and what each of them may do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.domain.errors import BadRequest
from services.events.conform.usual import PRODUCTS, SERVICES
from services.events.keys import ED25519, ES256, PrivateKey, load_key, new_key

REGISTRY = "registry"
SPECIAL = ("qms", "ccc", "green-product", "shanghai-brand")
"""Schemes that cases ask for by name."""
_SAID = {
    "other": "a second body",
    "receiver": "a second body that may issue under {}",
    "authority": "an authority",
    "alliance": "an alliance",
    "declarant": "a declarant",
}


class NotGiven(Exception):
    """Why a case cannot be played: who speaks in it is not here, or it is about another way in."""


@dataclass(frozen=True, slots=True)
class Cast:
    """`keys` by source (`registry`: a key of the register's own, which is not for events); `competent` and `foreign` by
    body: the schemes under which it may issue, and those under which it may not.
    """

    keys: Mapping[str, PrivateKey]
    competent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    foreign: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def bodies(self) -> tuple[str, ...]:
        return tuple(source for source in self.keys if source.startswith("urn:certmark:body:"))

    def body(self, scheme: str) -> tuple[str, str]:
        """(body, scheme): who issues, under what. Empty: under any scheme; `foreign`: under one that it may not.

        Raises:
            NotGiven: nobody here does.
        """
        if scheme == "foreign":
            for source in self.competent:
                if self.foreign.get(source):
                    return source, self.foreign[source][0]
            raise NotGiven("every body whose key is here may issue under every scheme that was tried")
        for wanted in (scheme,) if scheme else (*SERVICES, *PRODUCTS):
            for source, schemes in self.competent.items():
                if wanted in schemes:
                    return source, wanted
        raise NotGiven(f"no body whose key is here may issue under {scheme or 'any scheme'}")

    def source(self, role: str, scheme: str) -> str:
        """The source that plays a role.

        `body`, `other` (another body), `receiver` (another body that may issue the same), `authority`, `alliance` or
        `declarant`.

        Raises:
            NotGiven: nobody here does.
        """
        issuing = role in ("body", "other", "receiver")
        body, issued = self.body("" if scheme == "ccc-sdoc" else scheme) if issuing else ("", "")
        found: str | None
        match role:
            case "body":
                return body
            case "other":
                found = next((source for source in self.bodies if source != body), None)
            case "receiver":
                found = next((s for s, may in self.competent.items() if s != body and issued in may), None)
            case _:
                found = next((source for source in self.keys if source.startswith(f"urn:certmark:{role}:")), None)
        if found is None:
            raise NotGiven(f"no key of {_SAID[role].format(issued)} was given")
        return found

    def key(self, source: str) -> PrivateKey:
        if source not in self.keys:
            raise NotGiven(f"no key of {'the registry itself' if source == REGISTRY else source} was given")
        return self.keys[source]


def demonstration_keys(folder: Path, authority: str) -> dict[str, PrivateKey]:
    """The keys that the embedded demonstration has left in its folder, by source.

    Raises:
        BadRequest: there is no key of a body.
    """
    keys = dict(_found(folder, authority))
    if not any(source.startswith("urn:certmark:body:") for source in keys):
        raise BadRequest(
            f"there is no key of a certification body in {folder}",
            hint="start the demonstration with `make run`, or say who speaks with --as and --key",
        )
    return keys


def _found(folder: Path, authority: str) -> Iterator[tuple[str, PrivateKey]]:
    for file in sorted(folder.glob("*.pem")):
        name = file.stem
        if name == "regulator":
            yield f"urn:certmark:authority:{authority}", load_key(file)
        elif name.startswith("CNCA-"):
            yield f"urn:certmark:body:{name}", load_key(file)
        elif len(name) == 18 and name.isalnum() and name.isupper():
            yield f"urn:certmark:declarant:{name}", load_key(file)
        elif name == "shanghai-brand":
            yield f"urn:certmark:alliance:{name}", load_key(file)
        elif name == "mark":
            yield REGISTRY, load_key(file)


def made_key(name: str) -> PrivateKey:
    """A key for one case alone: `es…` on P-256, every other Ed25519."""
    return new_key(ES256 if name.startswith("es") else ED25519)
