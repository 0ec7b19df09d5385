"""CBOR in its one deterministic form (RFC 8949, 4.2.1), written, and read before anybody has checked a signature."""

from typing import Any, TypeAlias

import cbor2

from services.domain.errors import Malformed

Value: TypeAlias = "int | str | bytes | list[Value] | dict[int | str, Value] | None"
DEEPEST = 8
_NULL = 0xF6


class NotCbor(Malformed):
    slug = "not-cbor"
    title = "Not CBOR in its one deterministic form"
    zh = "不是确定性编码的 CBOR"


def dumps(value: object) -> bytes:
    """The deterministic bytes of integers, texts, byte strings, null, arrays and maps of these."""
    return bytes(cbor2.dumps(value, canonical=True))


def loads(data: bytes) -> Value:
    """The value whose deterministic encoding is exactly `data`.

    A general decoder would build dates, fractions and regular expressions out of tags; this reader knows integers,
    texts, byte strings, null, arrays, and maps whose keys are integers or texts. So two readers cannot understand
    the same bytes differently.

    Raises:
        NotCbor: anything else, a longer form than needed, keys twice or out of order, a rest behind it.
    """
    reader = Reader(data)
    value = reader.value()
    reader.end()
    return value


class Reader:
    """Reads one item after another; `at` never passes the end of the data."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def value(self, depth: int = 0) -> Value:
        """The next item, whole."""
        if depth > DEEPEST:
            raise NotCbor(f"nested deeper than {DEEPEST} levels")
        if self.data[self.at : self.at + 1] == bytes((_NULL,)):
            self.at += 1
            return None
        major, number = self.head()
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            try:
                return self.take(number).decode("utf-8")
            except UnicodeDecodeError:
                raise NotCbor("a text that is not UTF-8") from None
        if major == 4:
            return [self.value(depth + 1) for _ in range(self._count(number))]
        if major == 5:
            return self._map(self._count(number), depth)
        raise NotCbor("a tag, or a simple value other than null")

    def head(self) -> tuple[int, int]:
        """The major type of the next item and the number in its head, in its shortest form."""
        if self.at >= len(self.data):
            raise NotCbor("cut short")
        first = self.data[self.at]
        self.at += 1
        major, low = first >> 5, first & 0x1F
        if low < 24:
            return major, low
        if low > 27:
            raise NotCbor("an indefinite length")
        width = 1 << (low - 24)
        number = int.from_bytes(self.take(width), "big")
        if number < (24 if width == 1 else 1 << (4 * width)):
            raise NotCbor("a number in a longer form than it needs")
        return major, number

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise NotCbor("cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def expect(self, expected: bytes, what: str) -> None:
        """Raises NotCbor where other bytes follow; `what` says what should have."""
        if self.data[self.at : self.at + len(expected)] != expected:
            raise NotCbor(f"not {what}")
        self.at += len(expected)

    def bytes_(self) -> bytes:
        """The next item, a byte string."""
        major, number = self.head()
        if major != 2:
            raise NotCbor("something else where a byte string belongs")
        return self.take(number)

    def end(self) -> None:
        if self.at != len(self.data):
            raise NotCbor("more behind the end")

    def _count(self, number: int) -> int:
        """A count of items, each of which takes a byte at least: so no list is made for what cannot be there."""
        if number > len(self.data) - self.at:
            raise NotCbor("cut short")
        return number

    def _map(self, count: int, depth: int) -> "dict[int | str, Value]":
        found: dict[int | str, Value] = {}
        before = b""
        for _ in range(count):
            start = self.at
            key: Any = self.value(depth + 1)
            encoded = self.data[start : self.at]
            if type(key) not in (int, str):
                raise NotCbor("a key that is neither an integer nor a text")
            if encoded <= before:
                raise NotCbor("keys twice or out of order")
            before = encoded
            found[key] = self.value(depth + 1)
        return found
