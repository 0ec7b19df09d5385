"""What a text is taken for: ours, an impostor's or nobody's; and input that nobody should have sent."""

import pytest

from services.verify.recognise import LONGEST, recognise
from services.verify.wording import Code

HOSTS = ("certmark.example.cn", "127.0.0.1:8080")
NO = "2023990703000117"
TOKEN = "1" * 200

OURS = "ours"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the host itself, however it may be written
        (f"https://certmark.example.cn/c/{NO}", OURS),
        (f"http://certmark.example.cn/c/{NO}", OURS),
        (f"HTTPS://CERTMARK.EXAMPLE.CN/c/{NO}", OURS),
        (f"https://certmark.example.cn./c/{NO}", OURS),
        (f"https://certmark.example.cn:443/c/{NO}", OURS),
        (f"http://certmark.example.cn:80/c/{NO}", OURS),
        (f"certmark.example.cn/c/{NO}", OURS),
        (f"//certmark.example.cn/c/{NO}", OURS),
        (f"http://127.0.0.1:8080/c/{NO}", OURS),
        # another port, a name before an @, another label
        (f"https://certmark.example.cn:8443/c/{NO}", Code.IMPOSTOR_HOST),
        (f"http://certmark.example.cn:443/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://certmark.example.cn:99999/c/{NO}", Code.NOT_OURS),  # no address at all
        (f"http://127.0.0.1:8081/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://certmark.example.cn@evil.example/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://evil@certmark.example.cn/c/{NO}", Code.IMPOSTOR_HOST),
        ("https://certmark.example.cn:pass@evil.example/", Code.IMPOSTOR_HOST),
        (f"https://certmark.example.cn.evil.example/c/{NO}", Code.IMPOSTOR_HOST),
        ("https://certmark.example.cn.evil.example/verify.html", Code.IMPOSTOR_HOST),
        (f"https://www.certmark.example.cn/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://certmark.example.cn.cn/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://certmark-example.cn/c/{NO}", Code.IMPOSTOR_HOST),
        # one letter off
        ("https://certmrk.example.cn/", Code.IMPOSTOR_HOST),
        ("https://certmarks.example.cn/", Code.IMPOSTOR_HOST),
        ("https://certmaark.example.cn/", Code.IMPOSTOR_HOST),
        ("https://cetrmark.example.cn/", Code.IMPOSTOR_HOST),
        ("https://certrnark.example.cn/", Code.IMPOSTOR_HOST),
        ("https://certmark.examp1e.cn/", Code.IMPOSTOR_HOST),
        ("https://certmark.example.co/", Code.IMPOSTOR_HOST),
        # letters of other alphabets, as such and as punycode
        ("https://сertmark.example.cn/", Code.IMPOSTOR_HOST),  # a Cyrillic es
        (f"сertmark.example.cn/c/{NO}", Code.IMPOSTOR_HOST),
        ("https://xn--ertmark-xjg.example.cn/", Code.IMPOSTOR_HOST),  # the same in punycode
        ("https://certmárk.example.cn/", Code.IMPOSTOR_HOST),
        ("https://cert\u200bmark.example.cn/", Code.IMPOSTOR_HOST),
        ("https://ｃertmark.example.cn/", Code.IMPOSTOR_HOST),
        (f"https://certmark。example。cn/c/{NO}", Code.IMPOSTOR_HOST),
        # our host in another's path, and what browsers take for a slash
        (f"https://evil.example/certmark.example.cn/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://certmark.example.cn\\@evil.example/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://evil.example\\.certmark.example.cn/c/{NO}", Code.IMPOSTOR_HOST),
        # our forms on a strange host
        (f"https://evil.example/c/{NO}", Code.IMPOSTOR_HOST),
        (f"https://evil.example/c/{NO}/", Code.IMPOSTOR_HOST),
        (f"https://evil.example/01/06909900123007?m={TOKEN}", Code.IMPOSTOR_HOST),
        # none of our business
        ("https://id.gs1.example/01/06909900123007", Code.NOT_OURS),
        ("https://example.org/news", Code.NOT_OURS),
        ("https://example.org/c/about", Code.NOT_OURS),
        (f"https://share.example.org/?u=https://certmark.example.cn/c/{NO}", Code.NOT_OURS),
        ("https://certificates.example.org/", Code.NOT_OURS),
        ("https://certmark.example.cn/login", Code.NOT_OURS),
        ("https:///c/2023", Code.NOT_OURS),
        ("https://[::1/c/2023", Code.NOT_OURS),
    ],
)
def test_hosts_that_look_alike_are_told_apart(text: str, expected: Code | str) -> None:
    question = recognise(text, HOSTS)
    if expected is OURS:
        assert (question.decided, question.number) == (None, NO)
    else:
        assert question.decided is expected
        assert question.number is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Code.MALFORMED_NUMBER),
        (" \t\n", Code.MALFORMED_NUMBER),
        ("\x00", Code.MALFORMED_NUMBER),
        ("2023990703\x000117", Code.MALFORMED_NUMBER),
        ("٢٠٢٣٩٩٠٧٠٣٠٠٠١١٧", Code.MALFORMED_NUMBER),  # Arabic digits
        ("२०२३९९०७०३०००११७", Code.MALFORMED_NUMBER),  # Devanagari digits
        ("𝟚𝟘𝟚𝟛𝟡𝟡𝟘𝟟𝟘𝟛𝟘𝟘𝟘𝟙𝟙𝟟", None),  # mathematical digits are the same digits in another dress
        ("２０２３９９０７０３０００１１７", None),
        ("２０２３ ９９０７ ０３００ ０１１７", None),
        ("\u202e2023990703000117", None),  # an invisible turn of direction is no part of a number
        ("证书编号：2023990703000117。", None),  # as copied from a page or a message
        ("强制性产品认证证书编号 ２０２３９９０７０３０００１１７", None),
        ("Certificate No.: 2023990703000117", None),
        ("证书编号：", Code.MALFORMED_NUMBER),
        ("二〇二三九九〇七〇三", Code.MALFORMED_NUMBER),
        ("x" * (LONGEST + 1), Code.NOT_OURS),
        ("1" * 65, Code.MALFORMED_NUMBER),
        ("javascript:alert(1)", Code.NOT_OURS),
        ("WIFI:S:net;P:secret;;", Code.NOT_OURS),
        ("weixin://dl/business", Code.NOT_OURS),
        ("data:text/html,<b>", Code.NOT_OURS),
    ],
)
def test_what_nobody_should_have_sent_has_a_code(text: str, expected: Code | None) -> None:
    question = recognise(text, HOSTS)
    assert question.decided is expected
    if expected is None:
        assert question.number == NO


def test_a_token_is_the_first_m_and_exactly_as_written() -> None:
    asked = recognise(f"https://certmark.example.cn/c/{NO}?m=12&m=34", HOSTS)
    assert asked.token == "12"
    assert recognise(f"https://certmark.example.cn/c/{NO}?m=%31%32", HOSTS).token == "%31%32"


def test_ten_megabytes_are_looked_at_for_no_time() -> None:
    assert recognise("1" * 10_000_000, HOSTS).decided is Code.NOT_OURS
