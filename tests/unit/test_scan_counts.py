"""Counts on their way: once for each client and hour, nothing of a client kept, nothing counted twice."""

import ipaddress
import json
import sqlite3
from datetime import date, timedelta
from pathlib import Path

import pytest

from services.domain.copies import KEPT_DAYS, UNKNOWN
from services.domain.errors import LogUnavailable, NotConfigured
from services.events.log import Topic
from services.verify.districts import Districts
from services.verify.scan_counts import A_RECORD, Count, Counter, code_key, read_counts
from services.verify.scan_socket import ScanReceiver, ScanSender
from services.verify.scan_store import FILE, ScanReader
from services.verify.scans import Scans
from tests.sealed_register import ListLog

TODAY = date(2026, 11, 1)
TOPIC = Topic("test.scans.v1", keep_days=KEPT_DAYS)
CODE = code_key(b"010690990012300721A1")
HERE, THERE = ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("2001:db8::7")
TABLE = Districts([(ipaddress.ip_network("192.0.2.0/24"), "310115"), (ipaddress.ip_network("2001:db8::/32"), "310104")])


def a_node(log: ListLog, folder: Path) -> Scans:
    return Scans(log, TOPIC, folder, TABLE, 0.0)


def read_back(folder: Path) -> dict[tuple[date, str], int]:
    reader = ScanReader(folder)
    found = {(one.day, one.district): one.lookups for one in reader.tallies(CODE)}
    reader.close()
    return found


def test_a_table_of_streets_counts_by_district(tmp_path: Path) -> None:
    table = tmp_path / "streets.csv"
    table.write_text("network,district\n192.0.2.0/25,310115004\n192.0.2.128/25,310115004001\n2001:db8::/32,310104\n")
    assert Districts.in_file(table).of(HERE) == "310115"
    assert Districts.in_file(table).described(table).districts == 2
    table.write_text("network,district\n192.0.2.0/24,3101150\n")
    with pytest.raises(NotConfigured, match="line 2"):
        Districts.in_file(table)


# --- counting ---------------------------------------------------------------------------------------------------


def test_a_client_counts_once_an_hour_for_each_code() -> None:
    counter = Counter(0.0)
    assert counter.add(CODE, b"a", "310115", TODAY, 1.0)
    assert not counter.add(CODE, b"a", "310115", TODAY, 3599.0)
    assert counter.add(CODE, b"b", "310115", TODAY, 3599.0)
    assert counter.add(code_key(b"other"), b"a", "310115", TODAY, 3599.0)
    assert counter.add(CODE, b"a", "310115", TODAY, 3601.0)


def test_nothing_of_a_client_leaves_the_process() -> None:
    counter = Counter(0.0)
    counter.add(CODE, HERE.packed, TABLE.of(HERE), TODAY, 1.0)
    ((key, value),) = counter.unpublished()
    assert json.loads(value) == {"v": 1, "node": key, "counts": [["2026-11-01", CODE, "310115", 1]]}
    assert HERE.packed not in value
    assert b"192.0.2" not in value


def test_only_what_changed_is_published_and_failures_are_repeated() -> None:
    counter = Counter(0.0)
    counter.add(CODE, b"a", UNKNOWN, TODAY, 1.0)
    assert counter.unpublished() == counter.unpublished()
    counter.published(TODAY)
    assert counter.unpublished() == []
    counter.add(CODE, b"b", UNKNOWN, TODAY, 1.0)
    ((_, value),) = counter.unpublished()
    assert json.loads(value)["counts"][0][3] == 2, "so far, not since"


def test_many_counts_are_several_records() -> None:
    counter = Counter(0.0)
    for n in range(A_RECORD + 1):
        counter.add(code_key(b"%d" % n), b"a", "310115", TODAY, 1.0)
    records = counter.unpublished()
    assert [len(read_counts(value, TODAY)) for _, value in records] == [A_RECORD, 1]
    assert all(len(value) < 1_000_000 for _, value in records)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'{"v":2,"node":"0123456789abcdef","counts":[]}',
        b'{"v":1,"node":"short","counts":[]}',
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","%b","310115"]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","%b","310115",true]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","%b","310115",-1]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","%b","310115",99999999999]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","%b","here",1]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","%b",[],1]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-13-01","%b","310115",1]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-03","%b","310115",1]]}' % CODE.encode(),
        b'{"v":1,"node":"0123456789abcdef","counts":[["2026-11-01","x","310115",1]]}',
        b'{"v":1,"node":"0123456789abcdef","counts":' + b"[" * 100_000,
    ],
)
def test_what_is_no_count_counts_nothing(value: bytes) -> None:
    assert read_counts(value, TODAY) == []


def test_a_count_that_has_expired_is_not_read() -> None:
    node = "0123456789abcdef"
    rows = [[(TODAY - timedelta(days=n)).isoformat(), CODE, "310115", 1] for n in (0, KEPT_DAYS - 1, KEPT_DAYS)]
    value = json.dumps({"v": 1, "node": node, "counts": rows}).encode()
    assert [one.day for one in read_counts(value, TODAY)] == [TODAY, TODAY - timedelta(days=KEPT_DAYS - 1)]
    assert read_counts(value, TODAY)[0] == Count(node, TODAY, CODE, "310115", 1)


# --- nodes ------------------------------------------------------------------------------------------------------


def test_several_nodes_add_up_and_read_the_same(tmp_path: Path) -> None:
    log = ListLog([])
    nodes = [a_node(log, tmp_path / name) for name in "abc"]
    for turn, node in enumerate(nodes, 1):
        for client in range(turn):
            node.count(CODE, HERE + client, TODAY, 1.0)
        node.count(CODE, THERE, TODAY, 1.0)
        assert node.publish(TODAY) == 1
    for node, name in zip(nodes, "abc", strict=True):
        assert node.read(TODAY) == 3
        assert node.read(TODAY) == 0
        assert read_back(tmp_path / name) == {(TODAY, "310115"): 6, (TODAY, "310104"): 3}
        node.close()


def test_a_restart_counts_nothing_twice_and_loses_what_was_not_published(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    node.count(CODE, HERE, TODAY, 1.0)
    node.publish(TODAY)
    node.read(TODAY)
    node.count(CODE, THERE, TODAY, 1.0)
    node.close()  # a crash: the second look-up is gone
    again = a_node(log, tmp_path)
    again.count(CODE, HERE, TODAY, 1.0)
    again.publish(TODAY)
    again.publish(TODAY)
    again.read(TODAY)
    assert read_back(tmp_path) == {(TODAY, "310115"): 2}
    again.close()


def test_records_that_come_again_change_nothing(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    node.count(CODE, HERE, TODAY, 1.0)
    records = node.counter.unpublished()
    log.append(TOPIC, records + records)
    node.publish(TODAY)
    node.read(TODAY)
    assert read_back(tmp_path) == {(TODAY, "310115"): 1}
    node.close()


def test_while_the_log_is_away_counts_wait(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    node.count(CODE, HERE, TODAY, 1.0)

    def away(topic: Topic, records: object) -> list[int]:
        raise LogUnavailable("away")

    there, log.append = log.append, away  # type: ignore[method-assign]
    with pytest.raises(LogUnavailable):
        node.publish(TODAY)
    node.count(CODE, HERE + 1, TODAY, 1.0)
    log.append = there  # type: ignore[method-assign]
    node.publish(TODAY)
    node.read(TODAY)
    assert read_back(tmp_path) == {(TODAY, "310115"): 2}
    node.close()


def test_counts_expire_from_the_file(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    node.count(CODE, HERE, TODAY, 1.0)
    node.publish(TODAY)
    node.read(TODAY)
    assert node.expire(TODAY + timedelta(days=KEPT_DAYS - 1)) == 0
    assert node.expire(TODAY + timedelta(days=KEPT_DAYS)) == 1
    assert read_back(tmp_path) == {}
    node.close()


def test_a_file_that_cannot_be_used_is_built_from_the_topic(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    node.count(CODE, HERE, TODAY, 1.0)
    node.publish(TODAY)
    node.close()
    (tmp_path / FILE).write_bytes(b"not a database" * 1000)
    assert read_back(tmp_path) == {}, "an answer never fails for want of statistics"
    again = a_node(log, tmp_path)
    again.read(TODAY)
    assert read_back(tmp_path) == {(TODAY, "310115"): 1}
    again.close()


def test_where_the_topic_lost_our_place_counting_goes_on(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    for client in range(3):
        node.count(CODE, HERE + client, TODAY, 1.0)
        node.publish(TODAY)
    log.first = 2
    assert node.read(TODAY) == 1
    assert read_back(tmp_path) == {(TODAY, "310115"): 3}
    node.close()


def test_no_address_is_in_the_nodes_file(tmp_path: Path) -> None:
    log = ListLog([])
    node = a_node(log, tmp_path)
    node.count(CODE, HERE, TODAY, 1.0)
    node.publish(TODAY)
    node.read(TODAY)
    node.close()
    for file in tmp_path.iterdir():
        for trace in (HERE.packed, str(HERE).encode(), THERE.packed):
            assert trace not in file.read_bytes()
    columns = sqlite3.connect(tmp_path / FILE).execute("SELECT name FROM pragma_table_info('count')").fetchall()
    assert {name for (name,) in columns} == {"code", "day", "district", "node", "lookups"}


# --- districts --------------------------------------------------------------------------------------------------


def test_the_table_places_addresses(tmp_path: Path) -> None:
    file = tmp_path / "districts.csv"
    file.write_text(
        "\ufeffnetwork,district,note\n192.0.2.0/25,310115,浦东\n192.0.2.128/25,310104,\n2001:db8::/48,310101,\n"
    )
    table = Districts.in_file(file)
    places = ("192.0.2.0", "192.0.2.127", "192.0.2.128", "192.0.3.0", "2001:db8::1", "2001:db8:1::1", "198.51.100.1")
    assert [table.of(ipaddress.ip_address(one)) for one in places] == [
        *("310115", "310115", "310104", UNKNOWN, "310101", UNKNOWN, UNKNOWN)
    ]
    assert table.of(None) == UNKNOWN
    assert Districts.in_file(None).of(HERE) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "columns are network and district"),
        ("network,district\n192.0.2.1/24,310115\n", "line 2"),
        ("network,district\n192.0.2.0/24,3101\n", "GB/T 2260"),
        ("network,district\nhere,310115\n", "no network"),
        ("network,district\n192.0.2.0/24,310115\n192.0.2.128/25,310104\n", "overlap"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "districts.csv"
    file.write_text(text)
    with pytest.raises(NotConfigured, match=said):
        Districts.in_file(file)


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="No such file"):
        Districts.in_file(tmp_path / "none.csv")


# --- the way between processes ----------------------------------------------------------------------------------


def test_a_look_up_reaches_the_counting_process_through_a_long_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 40)
    sender = ScanSender(folder)
    assert not sender.tell(CODE, HERE), "nobody counts here yet, and nobody has to wait for that"
    receiver = ScanReceiver(folder)
    assert sender.tell(CODE, HERE)
    assert sender.tell(CODE, THERE)
    assert not sender.tell(CODE, None)
    assert receiver.receive(1.0) == (CODE, HERE)
    assert receiver.receive(1.0) == (CODE, THERE)
    assert receiver.receive(0.01) is None
    assert (folder / "scans.sock").stat().st_mode & 0o777 == 0o600
    receiver.close()
    sender.close()


def test_a_counting_process_that_cannot_keep_up_delays_nobody(tmp_path: Path) -> None:
    receiver, sender = ScanReceiver(tmp_path), ScanSender(tmp_path)
    told = 0
    while sender.tell(CODE, HERE):  # who waited for the other would wait for ever
        told += 1
    assert list(receiver.rest()) == [(CODE, HERE)] * told, "what had come is counted before the end"
    assert not sender.tell(CODE, HERE), "and nothing comes any more"
    receiver.close()
    sender.close()
