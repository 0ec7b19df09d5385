"""What will be missing soon, said while there is time: the next quarter's mark key, the next root, the working days."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

from services.domain.body import KeyState, Purpose, key_from_state
from services.domain.identifiers import civil_day
from services.domain.quarter import quarter_of
from services.marks.trust_list import Root, open_document
from services.postgres import Cursor
from services.registry import trust
from services.registry.store import calendars

KEY_AHEAD = timedelta(days=14)
ROOT_AHEAD = timedelta(days=45)
CALENDAR_AHEAD = timedelta(days=30)
"""The State Council publishes a year's days off in the November before; in December deadlines reach into it."""


def missing_soon(cur: Cursor, now: datetime) -> Iterator[tuple[str, str]]:
    """(fixed words, detail) of what a person should see to; nothing where all is in order."""
    following = quarter_of(civil_day(now)).following
    if following.first_day - civil_day(now) <= KEY_AHEAD and not _has_mark_key(cur, following.first_day.isoformat()):
        yield "no mark key is registered for the next quarter", f"{following} begins on {following.first_day}"
    cur.execute("SELECT EXISTS (SELECT FROM records WHERE key >= 'scheme/' AND key < 'scheme0')")
    ((begun,),) = cur.fetchall()  # calendars are published before the schemes, which alone count working days
    years = {civil_day(now).year, civil_day(now + CALENDAR_AHEAD).year} if begun else set()
    for year in sorted(years - calendars(cur).keys()):
        yield "no calendar of working days is published", f"{year}: Monday to Friday are counted until then"
    published = trust.published(cur)
    if published is None:
        return
    root = open_document(published.roots[-1]).content
    if isinstance(root, Root) and root.expires_at - now <= ROOT_AHEAD:
        yield "the last root runs out soon", f"root {root.version} until {root.expires_at.isoformat()}"


def _has_mark_key(cur: Cursor, day: str) -> bool:
    cur.execute("SELECT state FROM records WHERE key >= 'key/' AND key < 'key0'")
    keys = [key_from_state(cast(KeyState, json.loads(state))) for (state,) in cur.fetchall()]
    return any(
        key.purpose is Purpose.MARK
        and key.valid_from.isoformat() <= day
        and (key.valid_until is None or day <= key.valid_until.isoformat())
        and key.retired_on is None
        and key.compromised_since is None
        for key in keys
    )
