"""A catalogue: which product classes are certified by a third party, which declared by their maker, from when on."""

from datetime import date, timedelta
from typing import TypedDict

from services.domain.scheme import Words

ModeState = TypedDict("ModeState", {"mode": str, "from": str, "until": str | None})
ClassState = TypedDict(
    "ClassState",
    {
        "class": str,
        "name": Words,
        "modes": list[ModeState],
        "removed_on": str | None,
        "digest": str | None,
    },
)
"""`modes` in order; a mode that another followed has `until`, the last day of the transition. `digest` is that of the
event that removed the class."""


class CatalogueState(TypedDict):
    v: int
    kind: str
    id: str
    name: Words
    version: int
    classes: list[ClassState]


def class_of(catalogue: CatalogueState, product_class: str) -> ClassState | None:
    return next((c for c in catalogue["classes"] if c["class"] == product_class), None)


def modes_on(catalogue: CatalogueState, product_class: str, day: date) -> tuple[str, ...]:
    """How a class may be assessed on a day: none where it is not in the catalogue, two in a transition."""
    listed, text = class_of(catalogue, product_class), day.isoformat()
    if listed is None or (listed["removed_on"] is not None and listed["removed_on"] <= text):
        return ()
    return tuple(m["mode"] for m in listed["modes"] if m["from"] <= text and (m["until"] is None or text <= m["until"]))


def with_mode(
    catalogue: CatalogueState,
    product_class: str,
    mode: str,
    effective_at: str,
    transition_until: str | None,
    name: Words,
) -> CatalogueState:
    """The catalogue with a class in a mode from a day on; the mode before it ends with the transition, or the eve."""
    listed = class_of(catalogue, product_class)
    begun: ModeState = {"mode": mode, "from": effective_at, "until": None}
    if listed is None:
        fresh: ClassState = {"class": product_class, "name": name, "modes": [begun], "removed_on": None, "digest": None}
        return {**catalogue, "classes": [*catalogue["classes"], fresh]}
    if listed["modes"][-1]["mode"] == mode and listed["removed_on"] is None:
        changed: ClassState = {**listed, "name": name}
    else:
        eve = (date.fromisoformat(effective_at) - timedelta(days=1)).isoformat()
        ended: ModeState = {**listed["modes"][-1], "until": listed["modes"][-1]["until"] or transition_until or eve}
        modes = [*listed["modes"][:-1], ended, begun]
        changed = {**listed, "name": name, "modes": modes, "removed_on": None, "digest": None}
    return {**catalogue, "classes": [changed if c["class"] == product_class else c for c in catalogue["classes"]]}


def without_class(catalogue: CatalogueState, product_class: str, effective_at: str, digest: str) -> CatalogueState:
    """The catalogue after a class has left it; what it was stays on record."""
    classes: list[ClassState] = [
        {**c, "removed_on": effective_at, "digest": digest} if c["class"] == product_class else c
        for c in catalogue["classes"]
    ]
    return {**catalogue, "classes": classes}
