"""Pages that are filled in from a shape: byte for byte what is made from each record by itself, or not shared."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from services.domain.certificate import Certificate, to_state
from services.language import LANGUAGES, Language
from services.verify.answer import answer_of
from services.verify.page_shapes import PageShapes, _Day, _Reckoned, take_out
from services.verify.pages import Frame
from services.verify.read_model import certificate_key
from services.verify.register import Found, Register, found_in
from services.verify.verdict_page import verdict_page
from tests.sealed_register import NOW, SealedRegister, demonstration, demonstration_certificates, history_of
from tests.verify_service import Service

TODAY = NOW.date()
CERTIFICATE = demonstration("2023990703000117")
EACH = 6
NUMBERS = [one.certificate_no for one in demonstration_certificates()]
PLAIN = [n for n in NUMBERS if not demonstration(n).declaration]
OTHERS = ("示范甲 & <b>乙</b>", 'O\'Brien "A/B" + 100%', "Ünïcode ß", "示范?a=b&c=d#e", "{{ 7*7 }} %s {0}", "甲")
"""Texts with everything that HTML, addresses and templates have signs of their own for."""


def alike(certificate: Certificate, place: int) -> Certificate:
    """Another certificate of the same shape: other texts, and every date earlier by some days."""
    earlier = timedelta(days=place % 3)
    text = OTHERS[place % len(OTHERS)]

    def day(value: date) -> date:
        return value - earlier

    def moved(value: Any) -> Any:
        if type(value) is date:
            return day(value)
        if type(value) is tuple:
            return tuple(moved(one) for one in value)
        if hasattr(value, "__dataclass_fields__"):
            return replace(value, **{name: moved(getattr(value, name)) for name in value.__dataclass_fields__})
        return value

    other: Certificate = moved(certificate)
    number = f"{certificate.certificate_no}-{place}"
    holder = replace(other.holder, name=f"{other.holder.name}{text}")
    product = other.product
    if product is not None:
        items = tuple(replace(item, model=f"{item.model}{text}") for item in product.items)
        product = replace(product, name=f"{text}{product.name}", items=items)
    marks = tuple(
        replace(m, mark_no=number if m.mark_no == certificate.certificate_no else f"{m.mark_no}-{place}", products=())
        for m in other.marks
    )
    return replace(other, certificate_no=number, holder=holder, product=product, marks=marks)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Each certificate of the demonstration, and six of its shape."""
    register = SealedRegister().publish_all()
    for certificate in demonstration_certificates():
        for place in range(EACH):
            register.publish_certificate(alike(certificate, place))
    register.heartbeat()
    return Service(tmp_path_factory.mktemp("shapes"), register)


def made(language: Language, register: Register, day: date) -> Callable[[Found, datetime], bytes]:
    directory = register.directory()

    def render(found: Found, as_of: datetime) -> bytes:
        frame = Frame(language, other_href="?lang=en", demonstration=True)
        answer = answer_of(found, directory, day, as_of, as_of)
        return verdict_page(answer, frame, "https://v.example", "https://r.example")[1]

    return render


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_that_is_filled_in_is_the_page_that_is_made(many: Service, language: Language) -> None:
    """Every sample, before and after each day on which its answer turns, and others of its shape."""
    register = Register(many.folder)
    filled = 0
    for number in NUMBERS:
        certificate = demonstration(number)
        began, ended = certificate.statuses[-1].since, certificate.valid_until or TODAY
        for day in {TODAY, began - timedelta(days=1), ended, ended + timedelta(days=1)}:
            render = made(language, register, day)
            shapes = PageShapes(render, register.directory().notices, day)
            for place in range(EACH):
                stored = register.model.record(certificate_key(f"{number}-{place}"))
                assert stored is not None
                page = shapes.page(stored, NOW)
                assert page.tagged == render(found_in(stored), NOW), (stored.key, day)
            filled += sum(shape.filled for shape in shapes._shapes.values() if shape is not None)
            assert None not in shapes._shapes.values(), number
    assert filled > EACH * len(PLAIN)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_service_gives_out_what_flask_would(many: Service, language: Language) -> None:
    for number in NUMBERS:
        for place in range(EACH):
            path = f"/c/{quote(f'{number}-{place}', safe='')}?lang={language}"
            here, behind = many.client.get(path), many.client.get(f"{path}&")
            assert here.data == behind.data
            assert here.headers["ETag"] == behind.headers["ETag"]


def taken(certificate: Certificate) -> Any:
    payload = {
        "state": to_state(certificate),
        "tokens": [],
        "history": [
            {
                "seq": one.seq,
                "type": one.type,
                "source": one.source,
                "digest": one.digest,
                "effective_at": one.effective_at.isoformat() if one.effective_at else None,
                "recorded_at": one.recorded_at.isoformat(),
            }
            for one in history_of(certificate, 1)
        ],
        "digest": "a" * 64,
        "under_review": False,
    }
    return take_out(orjson.loads(orjson.dumps(payload)), "kid", TODAY.isoformat())


def test_no_name_number_or_date_of_a_certificate_is_left_in_its_shape() -> None:
    certificate = demonstration("2023990703000117")
    shape = taken(certificate).shape.decode()
    assert certificate.product is not None
    for own in (certificate.certificate_no, certificate.holder.name, certificate.valid_from.isoformat(), "a" * 64):
        assert own not in shape
    assert certificate.scheme in shape
    assert str(certificate.body) in shape


@pytest.mark.parametrize(
    "other",
    [
        replace(CERTIFICATE, valid_until=TODAY - timedelta(days=1)),  # another order of dates and today
        replace(CERTIFICATE, valid_until=TODAY),
        replace(CERTIFICATE, scheme="organic"),
        replace(CERTIFICATE, body="CNCA-R-2019-7902"),
        replace(CERTIFICATE, manufacturer=CERTIFICATE.holder),  # who makes it is named when it is somebody else
        replace(CERTIFICATE, holder=replace(CERTIFICATE.holder, name="Made of ASCII Ltd")),
        replace(CERTIFICATE, holder=replace(CERTIFICATE.holder, uscc=None)),
        replace(CERTIFICATE, certification_mode="其他"),
    ],
    ids=range(8),
)
def test_what_a_page_depends_on_is_part_of_the_shape(other: Certificate) -> None:
    assert taken(other).shape != taken(CERTIFICATE).shape


@pytest.mark.parametrize(
    "other",
    [
        replace(CERTIFICATE, holder=replace(CERTIFICATE.holder, name="两\n行")),
        replace(
            CERTIFICATE, holder=replace(CERTIFICATE.holder, name="\ue0010 \ue002")
        ),  # what looks like a placeholder
        replace(CERTIFICATE, annulled=("b" * 64,)),
        replace(CERTIFICATE, parent_no="2023990703000118"),
    ],
    ids=range(4),
)
def test_what_is_not_plain_takes_the_long_way(other: Certificate) -> None:
    assert taken(other) is None


def test_a_placeholder_of_a_date_refuses_to_be_reckoned_with() -> None:
    day, other = _Day(1100, 1, 1), _Day(1100, 1, 2)
    day.of_answer = other.of_answer = TODAY
    assert day < other < TODAY
    assert sorted([TODAY, other, day]) == [day, other, TODAY]
    assert f"{day} {day.isoformat()}" == "1100-01-01 1100-01-01"
    reckonings: list[Callable[[], object]] = [
        lambda: TODAY - day,
        lambda: day - TODAY,
        lambda: day + timedelta(days=1),
        lambda: day < date(2020, 1, 1),
        lambda: date(2020, 1, 1) < day,
        lambda: day == date(2020, 1, 1),
        lambda: day.year,
        lambda: day.replace(year=2000),
        lambda: day.toordinal(),
        lambda: f"{day:%Y}",
    ]
    for reckoning in reckonings:
        with pytest.raises(_Reckoned):
            reckoning()


def test_a_page_that_reckons_with_dates_is_shared_with_nobody(many: Service) -> None:
    register = Register(many.folder)
    render = made("zh", register, TODAY)

    def reckoning(found: Found, as_of: datetime) -> bytes:
        return render(found, as_of) + str((found.certificate.valid_from - TODAY).days).encode()

    _all_true(register, reckoning)


def test_a_page_that_hides_what_it_depends_on_is_found_out(many: Service) -> None:
    register = Register(many.folder)
    render = made("zh", register, TODAY)

    def hiding(found: Found, as_of: datetime) -> bytes:
        return render(found, as_of) + str(len(found.certificate.holder.name)).encode()

    _all_true(register, hiding, until=1)


def _all_true(register: Register, render: Callable[[Found, datetime], bytes], until: int = 0) -> None:
    """No page differs from what it should be, and none is filled in from a shape after `until` of them."""
    shapes = PageShapes(render, register.directory().notices, TODAY)
    for place in range(EACH):
        stored = register.model.record(certificate_key(f"{PLAIN[0]}-{place}"))
        assert stored is not None
        assert shapes.page(stored, NOW).tagged == render(found_in(stored), NOW)
    assert set(shapes._shapes.values()) == {None}
