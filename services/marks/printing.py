"""A run of labels written to files: each code is read back before its file is there; what is there and right stays."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from PIL import Image

from services.domain.errors import BadRequest, CertmarkError
from services.marks import qr, sheets
from services.marks.label import FINE_MM, Label, Named, label_svg
from services.marks.sheets import A4, Paper

JOURNAL = ".printed.ndjson"
"""What was written, file by file, with what it was made from: a run that was cut goes on behind it."""

SINGLES = 50
"""Single images that are drawn and read back together."""

ON_SHEETS = 200
"""Labels in one PDF file, or as many as whole pages hold."""

TOKEN_COLUMNS = ("mark_no", "gtin", "serial", "url", "version", "side")


class TooFine(CertmarkError):
    slug = "too-fine"
    title = "The code's modules would be smaller than ordinary printing and telephones are good for"
    zh = "二维码的模块尺寸小于普通印刷和手机所能识读的限度"
    status = 400


class PrintForm(StrEnum):
    SVG = "svg"
    PNG = "png"
    A4 = "a4"
    ROLL = "roll"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Printed:
    """One code to print: its address, and what of it stands beside the code."""

    mark_no: str
    gtin: str | None
    serial: str
    url: str

    @property
    def name(self) -> str:
        """For a file; what another system's file names cannot hold is written as `_`."""
        parts = (self.mark_no, self.gtin or "", self.serial)
        return "-".join(re.sub(r"[^\w.+-]", "_", part) for part in parts if part)


@dataclass(frozen=True, slots=True)
class How:
    """How a run is printed. `width` is the side of a code with its quiet zone, in millimetres."""

    form: PrintForm
    width: float
    rough: bool = False
    force: bool = False
    dpi: int = 600
    across: int = 1
    cut: bool = False


def print_run(
    items: Iterable[Printed],
    names: Callable[[str], Named],
    how: How,
    out: Path,
    advance: Callable[[int], None] = lambda done: None,
    warn: Callable[[str], None] = lambda words: None,
) -> int:
    """Write the files of a run; how many codes they hold. Memory does not grow with the run.

    `names` gives what is printed beside the codes of a mark.

    Raises:
        TooFine: modules below 0.33 mm, unless forced. NotReadBack: a code does not; its file is not written.
        DoesNotFit: a label is larger than the page.
    """
    out.mkdir(parents=True, exist_ok=True)
    journal = _Journal(out / JOURNAL)
    if how.form is PrintForm.TOKENS:
        return _write_tokens(items, out, how, advance)
    done, number, at_once, warned = 0, 0, 0, False
    remaining = iter(items)
    while batch := list(islice(remaining, at_once or 1)):
        if not at_once:  # the first tells how large the labels are, and so how many go into a file
            first = _label(batch[0], names, how)
            at_once = _at_once(first, how)
            batch += islice(remaining, at_once - 1)
        widest = max(qr.size_of(item.url, rough_print=how.rough)[1] for item in batch)
        if how.width / widest < FINE_MM - 5e-4:
            said = f"modules of {how.width / widest:.3f} mm at {how.width:g} mm; {widest * FINE_MM:.1f} mm are needed"
            if not how.force:
                raise TooFine(said, hint="--width-mm, or --force")
            if not warned:
                warn(said)
                warned = True
        number += 1
        files = [f"{item.name}.{how.form}" for item in batch]
        if how.form in (PrintForm.A4, PrintForm.ROLL):
            files = [f"{how.form}-{number:05d}.pdf"]
        made_from = _digest(how, batch, names)
        if not journal.has(out, files, made_from):
            for file, content in zip(files, _drawn(batch, names, how), strict=True):
                part = out / f".{file}.part"
                part.write_bytes(content)
                part.replace(out / file)
                journal.note(file, content, made_from)
        done += len(batch)
        advance(len(batch))
    return done


def _label(item: Printed, names: Callable[[str], Named], how: How, *, mask: int | None = None) -> Label:
    named = names(item.mark_no)
    shown = Named(named.zh, named.en, named.mark_no, named.holder, item.serial)
    return Label(qr.symbol(item.url, rough_print=how.rough, mask=mask), shown, how.width)


def _paper(label: Label, how: How) -> Paper:
    if how.form is PrintForm.A4:
        return Paper(A4.width, A4.height, A4.margin, A4.gap, how.cut)
    if how.form is PrintForm.ROLL:
        return sheets.roll(label, how.across, cut=how.cut)
    return sheets.alone(label)


def _at_once(label: Label, how: How) -> int:
    if how.form in (PrintForm.SVG, PrintForm.PNG):
        return SINGLES
    a_page = len(sheets.places(_paper(label, how), label.outer))
    return max(1, ON_SHEETS // a_page) * a_page


def _drawn(batch: Sequence[Printed], names: Callable[[str], Named], how: How) -> list[bytes]:
    """The contents of a batch's files, every code read back out of what was drawn."""
    labels = [_label(item, names, how, mask=qr.FIXED_MASK if len(batch) > 1 else None) for item in batch]
    tallest = max(labels, key=lambda label: label.outer[1])
    paper = _paper(tallest, how)
    drawn = sheets.pdf(labels, paper, pixels=how.form is not PrintForm.SVG)
    sheets.check_read_back(drawn, labels, [item.url for item in batch], paper)
    if how.form is PrintForm.SVG:
        return [label_svg(label).encode() for label in labels]
    if how.form is PrintForm.PNG:
        return [_png(image, how.dpi) for image in sheets.images(drawn, how.dpi)]
    return [drawn]


def _png(image: Image.Image, dpi: int) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", dpi=(dpi, dpi), optimize=False)
    return out.getvalue()


def _digest(how: How, batch: Sequence[Printed], names: Callable[[str], Named]) -> str:
    """Of everything that a batch's files are made from."""
    said = [[*astuple(how)], [[*astuple(item), *astuple(names(item.mark_no))] for item in batch]]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


class _Journal:
    """Which files were written, and from what. A line that a crash cut short counts for nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[str, str]] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                try:
                    said = json.loads(line)
                    self._known[said["file"]] = (said["sha256"], said["of"])
                except (ValueError, KeyError, TypeError):
                    continue

    def has(self, folder: Path, files: Sequence[str], made_from: str) -> bool:
        """Whether all of these are there as they were written from the same."""
        for file in files:
            digest, known_from = self._known.get(file, ("", ""))
            try:
                content = (folder / file).read_bytes()
            except OSError:
                return False
            if known_from != made_from or hashlib.sha256(content).hexdigest() != digest:
                return False
        return True

    def note(self, file: str, content: bytes, made_from: str) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self._known[file] = digest, made_from
        with self._file.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"file": file, "sha256": digest, "of": made_from}) + "\n")


# --- token files ---------------------------------------------------------------------------------------------


def _write_tokens(items: Iterable[Printed], out: Path, how: How, advance: Callable[[int], None]) -> int:
    """`tokens.csv` for the printer: the addresses, and how large a code each makes."""
    part, done = out / ".tokens.csv.part", 0
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(TOKEN_COLUMNS)
        for item in items:
            version, side = qr.size_of(item.url, rough_print=how.rough)
            writer.writerow((item.mark_no, item.gtin or "", item.serial, item.url, version, side))
            done += 1
            advance(1)
    part.replace(out / "tokens.csv")
    return done


def tokens_in(file: Path) -> Iterator[Printed]:
    """The codes of a token file, CSV with its heading or NDJSON, one by one.

    Raises:
        BadRequest: it cannot be read, or a line of it; the line is named.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            first = lines.readline()
            lines.seek(0)
            rows: Iterator[dict[str, object]]
            if first.lstrip().startswith("{"):
                rows = (json.loads(line) for line in lines if line.strip())
            else:
                rows = iter(csv.DictReader(lines))
            for number, row in enumerate(rows, 1):
                url = row.get("url")
                if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > 2048:
                    raise BadRequest(f"code {number} of {file} has no address to print", hint=", ".join(TOKEN_COLUMNS))
                gtin = row.get("gtin")
                yield Printed(
                    str(row.get("mark_no") or ""), str(gtin) if gtin else None, str(row.get("serial") or ""), url
                )
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read: {error}") from None
    except (ValueError, csv.Error) as error:
        raise BadRequest(f"{file} is neither CSV with a heading nor NDJSON: {error}") from None
