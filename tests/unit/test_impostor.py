"""Addresses in QR codes: ours, imitations of ours, and other people's."""

import pytest

from services.domain.impostor import Origin, origin

HOSTS = ("verify.certmark.example", "certmark.example", "127.0.0.1:8080")
TOKEN = "1" * 60

OURS = (
    "https://verify.certmark.example/c/2023990703000117",
    "HTTPS://VERIFY.CERTMARK.EXAMPLE/01/06909900127449?m=" + TOKEN,
    "verify.certmark.example/m/M-SHB-P-2024-0031",
    "http://127.0.0.1:8080/c/SHB-P-2024-0031",
    "https://certmark.example/01/06909900127449/21/ABC",
)
IMPOSTORS = {
    "punycode": "https://xn--ertmark-xjg.example/c/x",
    "letters of another alphabet": "https://сertmark.example/c/x",
    "a letter changed": "https://verify.certnark.example/c/x",
    "a letter added": "https://verify.certmarks.example/",
    "a letter left out": "https://verify.certmrk.example/c/x",
    "two letters exchanged": "https://verify.certamrk.example/c/x",
    "digits for letters": "https://certmark.examp1e/c/x",
    "rn for m": "https://verify.certrnark.example/c/x",
    "an extra label": "https://verify.certmark.example.cheap.example/c/x",
    "a dash for a dot": "https://verify-certmark.example/c/x",
    "another top level": "https://verify.certmark.shop/c/x",
    "our name in another's": "https://my-verify-certmark-cn.example.org/q",
    "before an at sign": "https://verify.certmark.example@evil.example/c/x",
    "ours at another port": "https://verify.certmark.example:8443/c/x",
    "full width": "https://ｖｅｒｉｆｙ．ｃｅｒｔｍａｒｋ．ｓｈｏｐ/c/1",
    "our token on a strange host": "https://short.example/01/06909900127449?m=" + TOKEN,
    "our path on a strange host": "https://cheap.example/c/2023990703000117",
}
OTHERS = (
    "https://www.example.org/item/123456",
    "https://example.com/01/06909900127449",
    "https://example/c/x",
    "2023990703000117",
    "WIFI:T:WPA;S:x;P:y;;",
    "weixin://dl/chat?1",
    "https://verify.certmark.example/admin",
    "https://",
    "https://[::1",
    "https://xn--/c/1",
    "",
)


@pytest.mark.parametrize("text", OURS)
def test_ours(text: str) -> None:
    assert origin(text, HOSTS) is Origin.OURS


@pytest.mark.parametrize("name", IMPOSTORS)
def test_imitations(name: str) -> None:
    assert origin(IMPOSTORS[name], HOSTS) is Origin.IMPOSTOR


@pytest.mark.parametrize("text", OTHERS)
def test_others(text: str) -> None:
    assert origin(text, HOSTS) is Origin.OTHER
