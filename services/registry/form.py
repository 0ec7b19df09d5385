"""Whether a database is in the form that this version of certmark reads: the states of its records tell."""

import json
from collections.abc import Callable
from typing import Any

import fastjsonschema

from services.domain.errors import MadeByAnotherVersion
from services.events.event_types import SCHEMAS, compile_schema
from services.postgres import Connection, transaction

OLDEST = 500
"""Records that are looked at: those that were changed the longest ago are in the oldest form that there is."""


def check_form(connection: Connection) -> None:
    """Before a database is brought to the present schema: a state of another form is neither guessed at nor changed.

    Its form alone: what a text or number may be like was judged when it came in, and by the rules of that day.

    Raises:
        MadeByAnotherVersion: a record is not as `schemas/state.v1.json` has it.
    """
    with transaction(connection) as cur:
        cur.execute("SELECT to_regclass('records') IS NOT NULL")
        if cur.fetchone() != (True,):
            return
        cur.execute("SELECT key, state FROM records ORDER BY revision LIMIT %s", (OLDEST,))
        rows: list[tuple[str, str]] = cur.fetchall()
    definitions = _form_of(json.loads((SCHEMAS / "state.v1.json").read_text(encoding="utf-8"))["$defs"])
    validators: dict[str, Callable[[Any], Any]] = {}
    for key, text in rows:
        state = json.loads(text)
        kind = state["kind"]
        if kind not in validators:
            validators[kind] = compile_schema({"$defs": definitions, **definitions.get(f"{kind}_state", {"not": {}})})
        try:
            validators[kind](state)
        except fastjsonschema.JsonSchemaValueException as error:
            raise MadeByAnotherVersion(
                f"{key}: {error.message[:200]}", hint="start it with the version that made it; nothing was changed"
            ) from None


def _form_of(part: Any) -> Any:
    """A schema without what it says of the insides of a text. An object may have members of these names."""
    if isinstance(part, list):
        return [_form_of(item) for item in part]
    if not isinstance(part, dict):
        return part
    inside = [name for name in ("pattern", "format") if isinstance(part.get(name), str)]
    return {name: _form_of(member) for name, member in part.items() if name not in inside}
