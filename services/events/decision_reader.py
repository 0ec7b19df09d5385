"""Reads a source's decisions from the registry: page by page, or as a stream that is taken up again where it broke."""

import http.client
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.domain.errors import BadRequest
from services.events.client import Refused, Unreachable

SILENCE = 45.0
"""Seconds without even a heartbeat, of which one comes every fifteen, after which the line counts as dead."""

PATIENCE = (1.0, 2.0, 5.0, 10.0)
"""Seconds between attempts to get through, the last one for good."""

_BUSY = (429, 502, 503, 504)


class DecisionReader:
    """The decisions about the events of `source` (None: whom the token lets see), asked for with a token."""

    def __init__(self, url: str, token: str, source: str | None) -> None:
        """Raises BadRequest where the URL is not http(s)://host[:port]."""
        self._address = urlsplit(url)
        if self._address.scheme not in ("http", "https") or not self._address.hostname:
            raise BadRequest(f"{url!r} is not the http:// or https:// address of a service")
        self._token = token
        self._source = source

    def read(self, after: str | None) -> Iterator[dict[str, Any]]:
        """What there is now behind a cursor, or from the beginning.

        Raises:
            Refused: the registry says no. Unreachable: it does not answer.
        """
        while True:
            with closing(self._asked("application/json", after)) as answer:
                page = json.loads(answer.read())
            yield from page["items"]
            if not page["items"]:
                return
            after = page["next"]

    def follow(self, after: str | None) -> Iterator[dict[str, Any]]:
        """What there is and what comes, for ever; a broken line is taken up again behind the last decision.

        Raises:
            Refused: the registry says no, and asking again would not help.
        """
        failures = 0
        while True:
            try:
                with closing(self._asked("text/event-stream", after)) as stream:
                    for item in events(stream):
                        after, failures = item["cursor"], 0
                        yield item
            except Refused as refused:
                if refused.answered not in _BUSY:
                    raise
            except (OSError, http.client.HTTPException, Unreachable):
                pass
            time.sleep(PATIENCE[min(failures, len(PATIENCE) - 1)])
            failures += 1

    def _asked(self, accept: str, after: str | None) -> http.client.HTTPResponse:
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=SILENCE)
        asked = {name: value for name, value in (("source", self._source), ("after", after)) if value is not None}
        path = f"{self._address.path.rstrip('/')}/v1/decisions?{urlencode(asked)}"
        headers = {"Accept": accept, "Authorization": f"Bearer {self._token}", "Connection": "close"}
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self._address.netloc}: {str(error) or type(error).__name__}") from None
        if answer.status != 200:
            with closing(answer):
                raise Refused(_problem(answer.read()), answer.status)
        return answer  # it holds the connection and closes with it


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The decisions of a stream of Server-Sent Events; an event that was cut off is none."""
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield json.loads("\n".join(data))
            data = []
