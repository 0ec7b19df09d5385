"""`certmark verify --offline` and `--refresh`: a mark judged by the lists at hand, and those lists renewed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.commands.held_lists import Renewed, default_folder, held_in, renew
from services.commands.terminal import NO, OUT, SIGNS, say_json
from services.domain.errors import BadRequest
from services.domain.identifiers import CHINA, instant_text
from services.marks.photo import LARGEST_FILE, codes_in
from services.settings import Settings
from services.verify.offline import OfflineAnswer, check
from services.verify.scan_wording import BECAUSE, NEITHER, OFFLINE, SCAN, WITHOUT_PRODUCT, Why
from services.verify.wording import ANSWERS, LABELS, SILENT, Code, Text


def texts_in(path: Path) -> list[str]:
    """The texts of all QR codes in an image.

    Raises:
        BadRequest: no such file, or no QR code in it. NotAPicture, PictureTooLarge: see services/marks/photo.py.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None
    return texts_of(data, str(path))


def texts_of(data: bytes, name: str) -> list[str]:
    """The same of an image's bytes; `name` is what to call it."""
    found = codes_in(data)
    if not found:
        raise BadRequest(f"there is no QR code in {name}")
    return found


def refresh(
    settings: Settings, url: str | None, folder: Path | None, root: str | None, *, quiet: bool
) -> dict[str, Any]:
    """Renew the lists of the folder, and tell what came."""
    folder = folder or default_folder()
    brought = renew(folder, url or settings.service_url("verify"), root, datetime.now(UTC))
    if not quiet:
        _tell_renewal(folder, brought)
    return {
        "trust": {**_age(brought.trusted.list), "version": brought.trusted.list.version, "root": brought.trusted.pin},
        "status_lists": list(brought.lists),
        "refused": {str(number): code for number, code in brought.refused.items()},
        "folder": str(folder),
    }


def _tell_renewal(folder: Path, brought: Renewed) -> None:
    trust = brought.trusted.list
    OUT.print(f"信任列表 trust list {trust.version}, {_until(trust.issued_at, trust.expires_at)}", markup=False)
    OUT.print(f"状态列表 status lists: {len(brought.lists)} → {folder}", markup=False)
    if brought.first:
        OUT.print(f"根 root pinned as this host gave it: {brought.trusted.pin} (--root names another)", markup=False)
    for number, code in brought.refused.items():
        OUT.print(f"  {number}: {code}", markup=False)


def judge(settings: Settings, texts: Sequence[str], folder: Path | None, *, json_: bool) -> int:
    """Judge every text by the lists at hand; the exit code: 0 only where all are valid."""
    now = datetime.now(UTC)
    held = held_in(folder or default_folder(), now, settings.hosts)
    answers = [check(text, held, now) for text in texts]
    if json_:
        for answer in answers:
            say_json(as_json(answer))
    else:
        for answer in answers:
            _show(answer)
    return 0 if all(answer.code is Code.VALID for answer in answers) else NO


def as_json(answer: OfflineAnswer) -> dict[str, Any]:
    """The answer's members; `claims` only where a registered signer stands behind them."""
    worded, explanation = ANSWERS[answer.code], _explanation(answer)
    claims, question = answer.claims, answer.question
    return {
        "code": answer.code.value,
        "why": answer.why.value if answer.why else None,
        "family": worded.family.value,
        "title": {"zh": worded.title.zh, "en": worded.title.en},
        "explanation": {"zh": explanation.zh, "en": explanation.en},
        "claims": claims
        and {
            "mark_no": claims.mark_no,
            "certificate_no": claims.certificate_no,
            "gtin": question.path.gtin if question.path else None,
            "serial": question.path.serial if question.path else None,
            "model": claims.model,
            "issued_on": claims.issued_on.isoformat(),
            "valid_until": claims.last_valid_day.isoformat() if claims.last_valid_day else None,
        },
        "trust": answer.trust and {"version": answer.trust.version, **_age(answer.trust)},
        "status_list": answer.status and {"uri": answer.status.uri, **_age(answer.status)},
        "offline": True,
        "checked_at": instant_text(answer.checked_at),
    }


def _age(dated: Any) -> dict[str, str]:
    return {"issued_at": instant_text(dated.issued_at), "expires_at": instant_text(dated.expires_at)}


def _explanation(answer: OfflineAnswer) -> Text:
    if answer.why is not None:
        because = BECAUSE[answer.why]
        return Text(because.zh + NEITHER.zh, f"{because.en} {NEITHER.en}")
    if answer.code is Code.VALID and answer.question.path is not None and answer.question.path.gtin is None:
        return WITHOUT_PRODUCT
    return OFFLINE.get(answer.code, ANSWERS[answer.code].explanation)


def _show(answer: OfflineAnswer) -> None:
    worded, explanation = ANSWERS[answer.code], _explanation(answer)
    OUT.print(SIGNS[worded.family.value], end=" ")
    OUT.print(f"{worded.title.zh} {worded.title.en} ({answer.code.value})", markup=False)
    for line in (explanation.zh, explanation.en, *_facts(answer)):
        OUT.print(f"  {line}", markup=False)


def _facts(answer: OfflineAnswer) -> Iterable[str]:
    def row(label: Text, value: object) -> str:
        return f"{label.zh} {label.en.lower()}: {value}"

    claims, path = answer.claims, answer.question.path
    if claims is not None and answer.code not in SILENT:
        last = claims.last_valid_day or LABELS["no_end"].zh
        shown = (
            (SCAN["model"], claims.model),
            (SCAN["gtin"], path.gtin if path else None),
            (SCAN["serial"], path.serial if path else None),
            (SCAN["mark_no"], claims.mark_no),
            (SCAN["certificate_no"], claims.certificate_no),
            (SCAN["printed"], f"{claims.issued_on} – {last}"),
        )
        yield from (row(label, value) for label, value in shown if value)
    for label, dated in ((SCAN["trust_list"], answer.trust), (SCAN["status_list"], answer.status)):
        if dated is None:
            needed = answer.trust is None or answer.why is Why.NO_STATUS_LIST
            yield row(label, SCAN["none_yet" if needed else "not_asked"].zh)
            continue
        ran_out = f" {SCAN['ran_out'].zh}" if dated.expires_at <= answer.checked_at else ""
        yield row(label, _until(dated.issued_at, dated.expires_at, answer.checked_at) + ran_out)


def _until(issued_at: datetime, expires_at: datetime, now: datetime | None = None) -> str:
    hours = f" ({int((now - issued_at).total_seconds() // 3600)} h)" if now else ""
    return f"{issued_at.astimezone(CHINA):%Y-%m-%d %H:%M}{hours} → {expires_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
