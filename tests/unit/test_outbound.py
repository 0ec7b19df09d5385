"""Which addresses a stranger may have us send to: the open internet, by https, and nothing that only looks like it."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.domain.errors import BadRequest
from services.outbound import Target, is_open, target_of
from services.registry.webhooks import LONGEST_WAIT, backoff

INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104  # nothing is bound to it here
    "0.1.2.3",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",  # where clouds keep their machines' credentials
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::",  # 6to4 is out of use
    "2001::1",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "not an address",
    "",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "2400:3200::1",
    "64:ff9b::101:101",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_open(address: str) -> None:
    assert not is_open(address)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_of_the_internet_is_open(address: str) -> None:
    assert is_open(address)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_counts_as_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for wrapped in ((0xFFFF << 32) | number, (0x64FF9B << 96) | number, (0x2002 << 112) | (number << 80)):
        assert not is_open(str(ipaddress.IPv6Address(wrapped))) or is_open(str(address))


@given(st.ip_addresses())
@example(ipaddress.ip_address("2002:100::"))
def test_nothing_that_is_not_global_is_open(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert address.is_global or not is_open(str(address))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://body.example/hooks?x=1", Target("https", "body.example", 443, "/hooks?x=1", within=False)),
        ("https://BODY.example.", Target("https", "body.example", 443, "/", within=False)),
        ("https://1.1.1.1:8443/", Target("https", "1.1.1.1", 8443, "/", within=False)),
        ("https://[2606:4700:4700::1111]/", Target("https", "2606:4700:4700::1111", 443, "/", within=False)),
        ("https://xn--fiqs8s.example/", Target("https", "xn--fiqs8s.example", 443, "/", within=False)),
    ],
)
def test_an_address_is_taken_apart(url: str, target: Target) -> None:
    assert target_of(url, within=False) == target


@pytest.mark.parametrize(
    "url",
    [
        "http://body.example/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://localhost./",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://user@body.example/",
        "https://user:password@body.example/",
        "https://body.example/#part",
        "https://body.example:99999/",
        "https://body.example:x/",
        "https:///path",
        "https://",
        "ftp://body.example/",
        "file:///etc/passwd",
        "gopher://body.example/",
        "//body.example/",
        "body.example",
        "",
        "https://body.example/ x",
        "https://body.example/\r\nX-Header: 1",
        "https://例.example/",
        "https://-body.example/",
        "https://body_example/",
        "https://[::1/",
        "https://body.example/" + "a" * 1000,
    ],
)
def test_an_address_that_may_not_be_reached_is_refused_by_its_form(url: str) -> None:
    with pytest.raises(BadRequest) as raised:
        target_of(url, within=False)
    assert raised.value.pointer == "/url"


def test_for_trying_out_this_machine_may_be_reached_and_by_http_it_alone() -> None:
    for url in ("http://127.0.0.1:9000/", "http://localhost:9000/", "http://[::1]:9000/", "https://10.0.0.1/"):
        assert target_of(url, within=True).within
    for url in ("http://body.example/", "http://10.0.0.1/", "http://169.254.169.254/"):
        with pytest.raises(BadRequest):
            target_of(url, within=True)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_bad_request(text: str) -> None:
    for url in (text, f"https://{text}"):
        try:
            target = target_of(url, within=False)
        except BadRequest:
            continue
        assert target.scheme == "https"
        assert not {"\r", "\n", " ", "\0"} & set(target.host + target.path)


def test_the_pause_doubles_up_to_an_hour() -> None:
    assert [backoff(failures, 1.0) for failures in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert backoff(12, 1.0) == backoff(10_000, 1.0) == LONGEST_WAIT
