"""Names in the read model: each name once, found by the pairs of characters in it, with the certificates that bear it.

Names repeat (ten thousand certificates are for a 房间空调器), so the text index holds names and not certificates: a
common word is then as quick as a rare one.
"""

import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache

from services.domain.certificate import Certificate, CertificateState, Course, Status

HOLDER, PRODUCT = "holder", "product"

NAME_TABLES = """
CREATE TABLE name (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, folded TEXT NOT NULL, UNIQUE (kind, folded));
CREATE TABLE named (
    name INTEGER NOT NULL, until INTEGER NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (name, until DESC, certificate)) WITHOUT ROWID;
CREATE VIRTUAL TABLE holder_text USING fts5 (pairs, content = '', columnsize = 0, tokenize = 'ascii');
CREATE VIRTUAL TABLE product_text USING fts5 (pairs, content = '', columnsize = 0, tokenize = 'ascii');
"""

FEWEST, LONGEST = 2, 100
"""Characters of a name that are looked for, and that are kept of one."""

MOST_NAMES = 100
"""Names that one search looks at. Who meets more of them is told to write more of the name."""

_ADD = {
    HOLDER: "INSERT INTO holder_text (rowid, pairs) VALUES (?, ?)",
    PRODUCT: "INSERT INTO product_text (rowid, pairs) VALUES (?, ?)",
}
_REMOVE = {
    HOLDER: "INSERT INTO holder_text (holder_text, rowid, pairs) VALUES ('delete', ?, ?)",
    PRODUCT: "INSERT INTO product_text (product_text, rowid, pairs) VALUES ('delete', ?, ?)",
}
_CONTAIN = {
    HOLDER: "SELECT rowid FROM holder_text WHERE pairs MATCH ? ORDER BY rowid LIMIT ?",
    PRODUCT: "SELECT rowid FROM product_text WHERE pairs MATCH ? ORDER BY rowid LIMIT ?",
}
_OF = {
    True: "SELECT certificate FROM named WHERE name = ? AND until >= ? ORDER BY until DESC, certificate LIMIT ?",
    False: "SELECT certificate FROM named WHERE name = ? AND until < ? ORDER BY until DESC, certificate LIMIT ?",
}


@lru_cache(maxsize=16_384)  # names repeat
def folded(name: str) -> str:
    """The letters, digits and Chinese characters of a name in one width and case: what two spellings share."""
    plain = unicodedata.normalize("NFKC", name[: 2 * LONGEST]).upper()
    if plain.isalnum():
        return plain[:LONGEST]  # nothing but letters and digits: most names are
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LN")[:LONGEST]


def pairs(text: str) -> str:
    """Each two characters that stand side by side, with spaces between: 房间空调 is 房间 间空 空调."""
    return " ".join(text[at : at + 2] for at in range(len(text) - 1))


def names_of(state: CertificateState) -> tuple[list[str], list[str]]:
    """What a certificate can be found by, folded: its holder; its product, trademark or service."""
    product = state["product"]
    told = [product["name"], product["trademark"]] if product else []
    told.append(state["service_scope"])
    return _folded([state["holder"]["name"]]), _folded(told)


def _folded(names: list[str | None]) -> list[str]:
    texts = [folded(name) for name in names if name]
    return list(dict.fromkeys([text for text in texts if len(text) >= FEWEST]))


def last_day_in_force(certificate: Certificate | Course) -> date:
    """The last day on which it is in force as far as is declared: of a suspended one the day before that."""
    last = certificate.statuses[-1] if certificate.statuses else None
    if last is not None and last.status is not Status.ACTIVE and last.since > date.min:
        declared = last.since - timedelta(days=1)
        return min(declared, certificate.valid_until or declared)
    return certificate.valid_until or date.max


def tell(connection: sqlite3.Connection, places: Mapping[str, str]) -> None:
    """Put what all records tell of each name in order, in the schema `beside`; `places` are where a kind's names stand
    in a record's `found_by`."""
    connection.execute("DROP TABLE IF EXISTS beside.told")
    connection.execute("CREATE TABLE beside.told (kind TEXT, folded TEXT, until INTEGER, certificate TEXT)")
    for kind, place in places.items():
        connection.execute(
            "INSERT INTO beside.told SELECT ?, one.value, until, substr(record.key, 13)"
            " FROM record, json_each(found_by, ?) one ORDER BY 2, 3 DESC, 4",
            (kind, place),
        )


def make(cur: sqlite3.Cursor) -> None:
    """Fill the tables from what was told: names get their numbers in its order, and what bears them is written along
    it."""
    cur.execute("INSERT INTO name (kind, folded) SELECT DISTINCT kind, folded FROM beside.told")
    for kind, add in _ADD.items():
        known = cur.connection.execute("SELECT id, folded FROM name WHERE kind = ? ORDER BY id", (kind,))
        cur.executemany(add, ((name, pairs(text)) for name, text in known))
    cur.execute(
        "INSERT INTO named SELECT (SELECT id FROM name WHERE name.kind = told.kind AND name.folded = told.folded),"
        " until, certificate FROM beside.told"
    )


def add(cur: sqlite3.Cursor, names: Iterable[tuple[str, str]], until: int, certificate: str) -> None:
    for kind, text in names:
        found = cur.execute("SELECT id FROM name WHERE kind = ? AND folded = ?", (kind, text)).fetchone()
        if found is None:
            cur.execute("INSERT INTO name (kind, folded) VALUES (?, ?)", (kind, text))
            found = (cur.lastrowid,)
            cur.execute(_ADD[kind], (*found, pairs(text)))
        cur.execute("INSERT OR IGNORE INTO named VALUES (?, ?, ?)", (*found, until, certificate))


def remove(cur: sqlite3.Cursor, names: Iterable[tuple[str, str]], until: int, certificate: str) -> None:
    """Take a certificate from its names, and the names away that nobody bears any more."""
    for kind, text in names:
        found = cur.execute("SELECT id FROM name WHERE kind = ? AND folded = ?", (kind, text)).fetchone()
        if found is None:
            continue
        cur.execute("DELETE FROM named WHERE name = ? AND until = ? AND certificate = ?", (*found, until, certificate))
        if cur.execute("SELECT 1 FROM named WHERE name = ? LIMIT 1", found).fetchone() is None:
            cur.execute("DELETE FROM name WHERE id = ?", found)
            cur.execute(_REMOVE[kind], (*found, pairs(text)))


def names_that_begin(connection: sqlite3.Connection, kind: str, text: str) -> tuple[list[int], list[int], bool]:
    """The name that is the text, if there is one; those that begin with it, in the order of their characters.

    The flag says that there are more of them than a search looks at. `text` is folded and has two characters or more.
    """
    beyond = text[:-1] + chr(ord(text[-1]) + 1)
    within = connection.execute(
        "SELECT id, folded = ? FROM name WHERE kind = ? AND folded >= ? AND folded < ? ORDER BY folded LIMIT ?",
        (text, kind, text, beyond, MOST_NAMES + 1),
    ).fetchall()
    exact = [name for name, same in within if same]
    beginning = [name for name, same in within if not same]
    return exact, beginning[:MOST_NAMES], len(within) > MOST_NAMES


def names_that_contain(connection: sqlite3.Connection, kind: str, text: str) -> list[int]:
    """Names that contain a text, those that begin with it among them, in the order in which the node came to know them.

    As many as a search looks at beside those that begin with it, and one more where there are more.
    """
    rows = connection.execute(_CONTAIN[kind], (f'"{pairs(text)}"', 2 * MOST_NAMES + 1))
    return [name for (name,) in rows]


def certificates_named(connection: sqlite3.Connection, name: int, day: int, limit: int, *, in_force: bool) -> list[str]:
    """Of a name the certificates in force on a day as declared, or those that are not; the longest in force first."""
    rows = connection.execute(_OF[in_force], (name, day, limit))
    return [certificate for (certificate,) in rows]
