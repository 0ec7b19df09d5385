"""What the supervisor of one machine does without starting anything."""

from pathlib import Path

import pytest

from services import up


def test_a_log_that_has_grown_long_begins_anew_and_its_process_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "LOG_BYTES", 100)
    path, kept = tmp_path / "worker.log", tmp_path / "worker.log.1"
    with path.open("ab", buffering=0) as writer:
        for line, (now, before) in enumerate([(60, None), (0, 120), (60, 120), (0, 120)]):
            writer.write(b"%d" % line * 60)
            up.begin_anew(path)
            assert (path.stat().st_size, kept.stat().st_size if kept.exists() else None) == (now, before)
    assert kept.read_bytes() == b"2" * 60 + b"3" * 60
    up.begin_anew(tmp_path / "none.log")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b'{"level": "error", "words": "relay stopped", "slug": "not-configured", "detail": "no key"}\n',
         ": relay stopped: not-configured: no key"),
        (b'{"level": "error", "words": "before"}\n{"level": "info", "words": "keyring complete"}\n', ""),
        (b"Killed\n", ""), (b"7\n", ""), (b"{}\n", ""), (b"", ""),
    ],
)  # fmt: skip
def test_the_last_words_of_a_process_are_told_where_they_are_for_a_person(
    tmp_path: Path, written: bytes, said: str
) -> None:
    (log := tmp_path / "relay.log").write_bytes(b"x" * 5000 + b"\n" + written if written else b"")
    assert up.last_words(log) == said
