"""One system and one browser for the pages behind a sign-in."""

from collections.abc import Callable, Iterator

import pytest

from tests.system import System

BODY, REFUSED = "CNCA-R-2019-7901", "2023990703000117"


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[System]:
    """The demonstration, with two events of a body that are refused."""
    with System(tmp_path_factory.mktemp("rooms") / "data", free_ports(3)) as running:
        for words in (
            ("certificate.suspended", REFUSED, "reason=R07", "until=+60d"),
            ("certificate.resumed", REFUSED, "verified_on=today"),
        ):
            signed = running.certmark("sign", "--as", BODY, *words).encode()
            running.certmark("publish", "--wait", given=signed, code=1)
        yield running
