"""The records of recalls and warnings as `state/v1` holds them."""

from typing import TypedDict

from services.domain.scheme import Words


class RecallState(TypedDict):
    """Record `recall/<id>`: goods that are not to be sold or used from `opened_on` until the day before `closed_on`."""

    v: int
    kind: str
    id: str
    certificate_no: str | None
    gtin: str | None
    model: str | None
    batches: list[str]
    made_from: str | None
    made_until: str | None
    reason: str
    instrument: str
    text: Words
    opened_on: str
    digest: str
    closed_on: str | None
    closed_by: str | None
    note: str | None


WarningState = TypedDict(
    "WarningState",
    {
        "v": int,
        "kind": str,
        "id": str,
        "level": str,
        "certificate_no": str | None,
        "scheme": str | None,
        "class": str | None,
        "instrument": str,
        "text": Words,
        "issued_on": str,
        "until": str,
        "digest": str,
        "withdrawn_on": str | None,
        "withdrawn_by": str | None,
    },
)
"""Record `warning/<id>`: an alert that is shown from `issued_on` to `until`, or until the day before `withdrawn_on`."""
