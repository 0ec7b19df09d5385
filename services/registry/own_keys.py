"""The registry's own signing keys of one purpose: those that lie ready, and the one that is in force."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from services import telemetry
from services.domain.body import Key, Purpose
from services.domain.errors import NotConfigured
from services.events.keys import PrivateKey, load_key


def in_force(
    keys: Iterable[PrivateKey], registered: Callable[[str], Key | None], purpose: Purpose, instant: datetime
) -> PrivateKey | None:
    """The key that signs at an instant; None where there is none.

    Of those that the register knows, for the purpose and valid then, it is the one whose days began last: so a new
    quarter's takes over from one that still runs.
    """
    ready = [(known, key) for key in keys if (known := registered(key.public.kid)) is not None]
    ready = [(known, key) for known, key in ready if known.purpose is purpose and known.valid_at(instant)]
    return max(ready, key=lambda pair: (pair[0].valid_from, pair[0].kid))[1] if ready else None


class KeyFiles:
    """The PEM files of a folder, or a file and the dated ones beside it (`mark.pem`, `mark-2027Q1.pem`).

    A file that comes later is met without a restart.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: list[tuple[Path, int]] = []
        self._keys: list[PrivateKey] = []

    def ready(self) -> list[PrivateKey]:
        """Every key that lies ready now, in order of the files' names."""
        seen = [(file, _changed(file)) for file in key_files(self._path)]
        if seen != self._seen:
            self._keys = [key for file, _ in seen if (key := _loaded(file)) is not None]
            self._seen = seen
        return self._keys


def key_files(path: Path) -> list[Path]:
    """The files that a setting names."""
    if path.is_dir():
        return sorted(path.glob("*.pem"))
    beside = sorted(path.parent.glob(f"{path.stem}-*.pem"))
    return [path, *beside] if path.exists() else beside


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _loaded(file: Path) -> PrivateKey | None:
    """A file that is no key, or is just being written, does not stop who has another."""
    try:
        return load_key(file)
    except NotConfigured as error:
        telemetry.warning("a key file cannot be used", file=file.name, detail=error.detail)
        return None
