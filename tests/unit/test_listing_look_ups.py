"""The check on a verify node asks the node's counts of look-ups: a code looked up too widely is L15."""

from datetime import date, timedelta
from pathlib import Path

from services.verify.listings import NodeSource
from services.verify.looked_up import code_unit
from services.verify.register import Register
from services.verify.scan_counts import Count, code_key
from services.verify.scan_store import ScanReader, ScanWriter

DAY = date(2026, 11, 1)
COPIED, USUAL, UNSEEN = "790326735468487452", "790326983690060267", "790326000000000000"


def test_look_ups_make_a_sighting(tmp_path: Path) -> None:
    writer = ScanWriter(tmp_path, "scans", 0)
    node = "0" * 16
    spread = [Count(node, DAY, code_key(code_unit(COPIED)), f"3101{at:02}", 4) for at in range(5)]
    few = [Count(node, DAY - timedelta(days=3), code_key(code_unit(USUAL)), "310115", 2)]
    writer.apply([*spread, *few], 1)
    writer.close()
    source = NodeSource(Register(tmp_path), (), DAY, ScanReader(tmp_path))
    told = source.look_ups({COPIED, USUAL, UNSEEN})
    assert told.keys() == {COPIED, USUAL}
    assert (told[COPIED].look_ups, told[COPIED].rule, told[COPIED].suggests_copy) == (20, "C01", True)
    assert (told[USUAL].look_ups, told[USUAL].suggests_copy) == (2, False)
    assert NodeSource(Register(tmp_path), (), DAY).look_ups({COPIED}) == {}
