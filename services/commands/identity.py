"""Who speaks from this machine: a source by its short name, and the key file that is its own."""

from pathlib import Path

from services import genesis
from services.domain.errors import BadRequest, NotConfigured
from services.events import drafts
from services.events.keys import PrivateKey, load_key
from services.settings import Settings


def source_named(as_: str | None) -> str:
    """The URN of `--as`.

    Raises:
        BadRequest: nobody is named, or it could be several.
    """
    if as_ is None:
        raise BadRequest("a draft names no source", hint="say who speaks with --as")
    return drafts.source_of(as_, genesis.AUTHORITY)


def default_key(settings: Settings, source: str) -> Path:
    """`$CERTMARK_DATA/keys/<name of the source>.pem`."""
    kind, _, name = source.removeprefix("urn:certmark:").partition(":")
    if kind == "authority" and name == genesis.AUTHORITY:
        name = "regulator"
    return settings.keys / f"{file_name(name)}.pem"


def key_named(settings: Settings, told: str, folder: Path | None = None) -> Path:
    """A key file as people name it: by its path, or by its name alone under `folder` ($CERTMARK_DATA/keys)."""
    if told.endswith(".pem") or "/" in told or "\\" in told:
        return Path(told)
    return (folder or settings.keys) / f"{file_name(told)}.pem"


def file_name(name: str) -> str:
    """The name itself. Raises BadRequest where it would lead to another folder."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise BadRequest(f"{name!r} is not a name for a key file", hint="name the folder with --dir")
    return name


def load_key_file(path: Path, option: str) -> PrivateKey:
    """A key, or the error with a word on where else it may be."""
    try:
        return load_key(path)
    except NotConfigured as error:
        hint = f"keys are in $CERTMARK_DATA/keys: set CERTMARK_DATA, or say where with {option}"
        raise NotConfigured(error.detail, hint=hint) from None
