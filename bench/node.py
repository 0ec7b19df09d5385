"""A verify node with very many certificates: real sealed records, made faster than a registry would decide them."""

import json
import random
import re
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from rich.progress import Progress

from bench.lives import gtin_of, number_of
from bench.stage import Stage, wait_for
from services.domain.errors import LogTruncated
from services.events.keys import load_key
from services.events.log import Record, Topic
from services.events.record import SealedRecord, open_sealed, read_record, seal_record, seal_texts
from services.verify.ahead import rarely_collected
from services.verify.projector import Projector

_PLACES = [
    "上海",
    "北京",
    "天津",
    "重庆",
    "杭州",
    "宁波",
    "苏州",
    "南京",
    "无锡",
    "合肥",
    "青岛",
    "济南",
    "广州",
    "深圳",
    "佛山",
    "东莞",
    "厦门",
    "福州",
    "成都",
    "武汉",
]
_WORDS = [
    "华",
    "星",
    "海",
    "恒",
    "泰",
    "瑞",
    "丰",
    "宏",
    "盛",
    "德",
    "信",
    "安",
    "康",
    "达",
    "通",
    "联",
    "创",
    "新",
    "东",
    "方",
    "中",
    "天",
    "金",
    "永",
    "嘉",
    "明",
    "光",
    "远",
    "博",
    "正",
]
_TRADES = [
    "电器",
    "电子",
    "科技",
    "家具",
    "建材",
    "食品",
    "纺织",
    "机械",
    "照明",
    "玩具",
    "化工",
    "汽车配件",
    "五金",
    "仪器",
    "包装",
    "涂料",
]
_KINDS = [
    "智能",
    "家用",
    "商用",
    "便携式",
    "台式",
    "立式",
    "壁挂式",
    "嵌入式",
    "节能型",
    "变频",
    "无线",
    "户外",
    "车载",
    "儿童",
    "工业用",
]
_THINGS = [
    "空调器",
    "电冰箱",
    "洗衣机",
    "电饭煲",
    "电水壶",
    "插座",
    "延长线",
    "照明灯具",
    "显示器",
    "打印机",
    "路由器",
    "充电器",
    "移动电源",
    "电风扇",
    "取暖器",
    "吸尘器",
    "微波炉",
    "热水器",
    "吸油烟机",
    "消毒柜",
    "音箱",
    "电视机",
    "摄像机",
    "玩具车",
    "婴儿车",
    "安全座椅",
    "头盔",
    "轮胎",
    "玻璃",
    "水性涂料",
]


AIR_CONDITIONER = "2023990703000117"
"""A certificate of the demonstration that is in force, with a mark, a token and years behind it."""


class FileLog:
    """The state topic as a file, so that a million records need no memory: what a projector reads of the log port."""

    def __init__(self, path: Path, starts: "array[int] | None" = None) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._starts = starts or self._found()

    def __reduce__(self) -> tuple[type["FileLog"], tuple[Path, "array[int]"]]:
        return FileLog, (self._path, self._starts)

    def _found(self) -> "array[int]":
        """Where in the file each record begins."""
        starts = array("Q")
        while head := self._file.read(8):
            starts.append(self._file.tell() - 8)
            self._file.seek(sum(struct.unpack("<II", head)), 1)
        return starts

    def ensure(self, topics: Sequence[Topic]) -> None: ...

    def append(self, topic: Topic, records: Sequence[tuple[str, bytes]]) -> list[int]:
        raise NotImplementedError

    def expire(self, topic: Topic) -> None: ...

    def bounds(self, topic: Topic) -> tuple[int, int]:
        return 0, len(self._starts)

    def read(self, topic: Topic, position: int, limit: int, wait: float = 0.0) -> list[Record]:
        _, end = self.bounds(topic)
        if not 0 <= position <= end:
            raise LogTruncated(f"0 to {end}")
        if position < end:
            self._file.seek(self._starts[position])
        found: list[Record] = []
        now = datetime.now(UTC)
        for at in range(position, min(end, position + limit)):
            key, value = struct.unpack("<II", self._file.read(8))
            found.append(Record(at, self._file.read(key).decode(), self._file.read(value), now))
        return found

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class Names:
    """Holders and products as unevenly spread as they are: a few have very many certificates, most have few."""

    holders: list[str]
    products: list[str]

    @classmethod
    def drawn(cls, count: int) -> "Names":
        chance = random.Random(7)
        holders = {
            f"{chance.choice(_PLACES)}{chance.choice(_WORDS)}{chance.choice(_WORDS)}{chance.choice(_WORDS)}"
            f"{chance.choice(_TRADES)}{chance.choice(('有限公司', '股份有限公司', '厂'))}"
            for _ in range(max(100, count // 8))
        }
        products = [f"{kind}{thing}" for kind in ("", *_KINDS) for thing in _THINGS]
        return cls(sorted(holders), products)


def founded(stage: Stage) -> list[tuple[str, SealedRecord, bytes]]:
    """The state topic of a register with the demonstration in it, as worker and relay have made it."""
    stage.found()
    end = stage.log.bounds(stage.topics.events)[1]
    with stage.running("registry-worker", "registry-relay"):
        wait_for(lambda: stage.position() >= end and stage.unrelayed() == 0, 60, "the demonstration")
    first, end = stage.log.bounds(stage.topics.state)
    found = []
    while first < end:
        records = stage.log.read(stage.topics.state, first, 500)
        found += [(r.key, read_record(open_sealed(r.value).payload), r.value) for r in records if r.value]
        first = records[-1].position + 1
    return found


def topic_of(stage: Stage, count: int, path: Path, progress: Progress) -> None:
    """Write the topic: the demonstration, then `count` certificates like its air conditioner, then a heartbeat."""
    known = founded(stage)
    task = progress.add_task(f"{count:,} sealed records", total=count)
    with path.open("wb") as file:
        for key, _, value in known:
            _write(file, key, value)
        last = max(record.revision for _, record, _ in known)
        for place, (key, value) in enumerate(_certificates(stage, known, count, last), 1):
            _write(file, key, value)
            if place % 1000 == 0:
                progress.update(task, completed=place)
        beat = SealedRecord("heartbeat", last + count + 1, last + count, datetime.now(UTC), None, None, (), False, None)
        _write(file, "heartbeat", seal_record(beat, load_key(stage.settings.seal_key)))
    progress.remove_task(task)


def _write(file: BinaryIO, key: str, value: bytes) -> None:
    name = key.encode()
    file.write(struct.pack("<II", len(name), len(value)) + name + value)


def _certificates(
    stage: Stage, known: list[tuple[str, SealedRecord, bytes]], count: int, revision: int
) -> Iterator[tuple[str, bytes]]:
    """Numbers, models, GTINs, names and dates vary; everything else, the token's bytes too, is the template's."""
    template = next(r for key, r, _ in known if key == f"certificate/{AIR_CONDITIONER}")
    assert template.state is not None
    assert template.tokens
    assert template.history
    seal_key, names, chance = load_key(stage.settings.seal_key), Names.drawn(count), random.Random(11)
    payload = json.loads(open_sealed(seal_record(template, seal_key)).payload)
    tokens = payload["tokens"]
    states = [_earlier({**template.state, "history": payload["history"]}, days) for days in range(0, 700, 7)]
    told = [(one, json.dumps(one.pop("history"), ensure_ascii=False, separators=(",", ":"))) for one in states]
    recorded_at = datetime.now(UTC)
    for place in range(count):
        number, gtin = number_of(place), gtin_of(place)
        holder = names.holders[int(len(names.holders) * chance.random() ** 2)]
        state, history = chance.choice(told)
        state |= {"certificate_no": number}
        state["holder"] |= {"name": holder, "uscc": f"9131011{place % 97:02d}MA{hash(holder) % 10**7:07d}"[:18]}
        item = {"model": f"KFR-{place:07d}", "gtin": gtin}
        state["product"] |= {"name": names.products[int(len(names.products) * chance.random() ** 2)], "items": [item]}
        for mark in state["marks"]:
            mark |= {"mark_no": number, "products": [item]}
        tokens[:1] = [tokens[0] | {"mark_no": number, **item}]
        revision += 1
        yield (
            f"certificate/{number}",
            seal_texts(
                f"certificate/{number}",
                revision,
                revision,
                recorded_at,
                template.digest,
                False,
                None,
                state=json.dumps(state, ensure_ascii=False, separators=(",", ":")),
                tokens=json.dumps(tokens[:1], ensure_ascii=False, separators=(",", ":")),
                history=history,
                seal_key=seal_key,
            ),
        )


def _earlier(state: object, days: int) -> Any:
    """The same with every date in it so many days earlier."""
    told = json.dumps(state)
    dates = re.compile(r'"([0-9]{4}-[0-9]{2}-[0-9]{2})"')
    return json.loads(dates.sub(lambda one: f'"{date.fromisoformat(one[1]) - timedelta(days)}"', told))


def build(stage: Stage, topic: Path, folder: Path, progress: Progress) -> tuple[float, int]:
    """Build the node's file from the topic as a projector does; (seconds, records)."""
    import time

    log = FileLog(topic)
    _, end = log.bounds(stage.topics.state)
    task = progress.add_task(f"rebuild of {end:,} records", total=end)
    rarely_collected()  # as the projector's own process says at its start
    began = time.perf_counter()
    projector = Projector(log, stage.topics.state, stage.settings.genesis, folder)
    while done := projector.step(0):
        progress.advance(task, done)
    seconds = time.perf_counter() - began
    projector.close()
    log.close()
    progress.remove_task(task)
    return seconds, end
