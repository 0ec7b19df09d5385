"""The code of one unit: of its set, its model, its day and its certificate; voided, undone or of nobody."""

import struct
from copy import copy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services import base64url
from services.domain.certificate import Certificate, Item, Json, Mark, Status, StatusInterval, Voided
from services.domain.standing import Standing
from services.domain.unit_code import SALT_BYTES, Form, hash_text, hashed, hashed_serial, unit_hash
from services.marks.token import MarkPath, mark_url, sign_token
from services.verify.answer import Answer, decide
from services.verify.recognise import recognise
from services.verify.register import Register
from services.verify.wording import Code, Note
from tests.sealed_register import NOW, SealedRegister, claims_of, demonstration
from tests.unit.test_answer import BASE, HOSTS, STALE_AFTER, built

DAY = timedelta(days=1)
TODAY = NOW.date()
SALT = bytes(SALT_BYTES)
SMALL, LARGE = Item("250g", "06909900127449"), Item("500g", "06909900123014")
CODED, SERIAL, STRANGE = "79032612345678901", "A1B2C3", "79032600000000000"


def a_set(run: str, product: Item, form: Form, **said: str) -> Json:
    told: dict[str, Json] = {
        "run": run,
        "product": product.model,
        "form": form.value,
        "effective_at": (TODAY - 9 * DAY).isoformat(),
    }
    return told | ({"gtin": product.gtin or ""} if form is Form.SERIAL else {}) | said


def what(form: Form, product: Item = SMALL) -> bytes:
    return hashed(CODED) if form is Form.CODE else hashed_serial(product.gtin or "", SERIAL)


BASE_REGISTER = SealedRegister().publish_all()


class Units:
    """The demonstration, and of one of its certificates (two models, the mark of both) a unit of each form."""

    def __init__(self, folder: Path, number: str = "SHB-P-2024-0031") -> None:
        self.register = copy(BASE_REGISTER)
        self.register.values = list(BASE_REGISTER.values)
        self.folder = folder
        soap = demonstration(number)
        assert soap.product is not None
        sets = tuple(a_set(form.value, SMALL, form) for form in Form)
        mark = replace(soap.marks[0], products=(SMALL, LARGE), code_sets=sets)
        self.certificate = replace(soap, product=replace(soap.product, items=(LARGE, SMALL)), marks=(mark,))
        for form in Form:
            self.keep(form.value, form, what(form))

    @property
    def mark(self) -> Mark:
        return self.certificate.marks[0]

    def keep(self, run: str, form: Form, code: bytes) -> None:
        """A set's hashes come as a record of their own."""
        state = {"v": 1, "kind": "codes", "run": run, "certificate_no": self.certificate.certificate_no}
        state |= {"mark_no": self.mark.mark_no, "form": form.value, "salt": base64url.encoded(SALT)}
        packed = struct.pack(">q", unit_hash(SALT, code))
        self.register.publish(f"codes/{run}/0000", state | {"hashes": base64url.encoded(packed)})

    def answer(self, text: str, certificate: Certificate | None = None, mark: Mark | None = None) -> Answer:
        certificate = certificate or self.certificate
        self.register.publish_certificate(replace(certificate, marks=(mark,)) if mark else certificate)
        self.register.heartbeat()
        reader: Register = built(self.register, self.folder)
        try:
            return decide(recognise(text, HOSTS), reader, NOW, STALE_AFTER)
        finally:
            reader.model.close()

    def signed(self, serial: str = SERIAL, item: Item = SMALL) -> str:
        path = MarkPath.of_product(item.gtin or "", serial)
        return mark_url(
            BASE, path, sign_token(claims_of(self.certificate, self.mark, item), path, self.register.mark_key)
        )


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path)


PLAIN = f"{BASE}/01/{SMALL.gtin}/21/{SERIAL}"


def asked(units: Units, how: str) -> str:
    return {"typed": CODED, "plain": PLAIN, "signed": units.signed()}[how]


HOW = pytest.mark.parametrize("how", ["typed", "plain", "signed"])


@HOW
def test_a_unit_is_answered_with_its_set_its_model_and_its_mark(units: Units, how: str) -> None:
    answer = units.answer(asked(units, how))
    assert (answer.code, answer.notes, answer.item, answer.signed) == (Code.VALID, (), SMALL, how == "signed")
    assert answer.mark == units.mark
    unit = answer.unit
    assert unit is not None
    assert (unit.code, unit.form) == ((CODED, Form.CODE) if how == "typed" else (SERIAL, Form.SERIAL))
    assert (unit.issued, unit.product, unit.issued_on, unit.name) == (True, SMALL.model, TODAY - 9 * DAY, None)


@HOW
@pytest.mark.parametrize(("since", "code"), [(0, Code.MARK_NOT_AUTHORIZED), (1, Code.VALID)])
def test_a_voided_unit_counts_no_more_from_its_day_on(units: Units, how: str, since: int, code: Code) -> None:
    hash_ = hash_text(unit_hash(SALT, what(Form.CODE if how == "typed" else Form.SERIAL)))
    voided = Voided(hash_, TODAY + since * DAY, "V01", "d" * 64)
    others = replace(voided, code="0" * 16)
    answer = units.answer(asked(units, how), mark=replace(units.mark, voided=(others, voided)))
    assert answer.code is code
    assert answer.unit is not None
    assert answer.unit.voided == voided
    if code is not Code.VALID:
        assert (answer.standing, answer.notes) == (Standing.CANCELLED, ())
        assert answer.interval is not None
        assert (answer.interval.status, answer.interval.reason) == (Status.WITHDRAWN, "V01")
    alone = units.answer(asked(units, how), mark=replace(units.mark, voided=(others,)))
    assert (alone.code, alone.unit and alone.unit.voided) == (Code.VALID, None)


@HOW
def test_an_ended_certificate_is_graver_than_a_voided_unit(units: Units, how: str) -> None:
    hash_ = hash_text(unit_hash(SALT, what(Form.CODE if how == "typed" else Form.SERIAL)))
    mark = replace(units.mark, voided=(Voided(hash_, TODAY, "V01", "d" * 64),))
    revoked = StatusInterval(Status.REVOKED, TODAY, None, "R05", None, "e" * 64)
    ended = replace(units.certificate, statuses=(*units.certificate.statuses, revoked))
    answer = units.answer(asked(units, how), ended, mark)
    assert (answer.code, answer.interval) == (Code.REVOKED, revoked)


@HOW
@pytest.mark.parametrize("gone", ["undone", "ahead", "another run", "mark"])
def test_a_unit_whose_set_does_not_stand_is_nobodys(units: Units, how: str, gone: str) -> None:
    sets = {
        "undone": (),
        "ahead": tuple(a_set(f.value, SMALL, f, effective_at=(TODAY + DAY).isoformat()) for f in Form),
        "another run": tuple(a_set(f"another {f}", SMALL, f) for f in Form),
        "mark": units.mark.code_sets,
    }[gone]
    mark_no = "M-ANOTHER" if gone == "mark" else units.mark.mark_no
    answer = units.answer(asked(units, how), mark=replace(units.mark, mark_no=mark_no, code_sets=sets))
    assert answer.code is Code.UNKNOWN_NUMBER
    assert answer.found is None


@HOW
def test_a_set_of_today_stands(units: Units, how: str) -> None:
    sets = tuple(a_set(f.value, SMALL, f, effective_at=TODAY.isoformat()) for f in Form)
    assert units.answer(asked(units, how), mark=replace(units.mark, code_sets=sets)).code is Code.VALID


def test_a_certificate_that_is_not_here_has_no_units(tmp_path: Path) -> None:
    units = Units(tmp_path)
    away = replace(units.certificate, certificate_no="SHB-P-2026-9999")
    units.certificate = away
    units.keep("lost", Form.CODE, hashed(STRANGE))
    units.certificate = replace(away, certificate_no="SHB-P-2024-0031")
    assert units.answer(STRANGE).code is Code.UNKNOWN_NUMBER


@pytest.mark.parametrize("how", ["typed", "plain"])
def test_a_unit_whose_model_left_the_scope_is_out_of_it(units: Units, how: str) -> None:
    product = units.certificate.product
    assert product is not None
    left = replace(units.certificate, product=replace(product, items=(LARGE,)))
    answer = units.answer(asked(units, how), left)
    assert (answer.code, answer.item) == (Code.OUT_OF_SCOPE, None)
    suspended = StatusInterval(Status.SUSPENDED, TODAY, TODAY + 30 * DAY, "S03", TODAY, "9" * 64)
    graver = replace(left, statuses=(*left.statuses, suspended))
    assert units.answer(asked(units, how), graver).code is Code.SUSPENDED
    for without in (replace(left, product=replace(product, items=())), replace(left, product=None)):
        assert units.answer(asked(units, how), without).code is Code.VALID, "nothing is listed, so all is covered"


def test_of_two_items_of_a_model_the_one_with_the_asked_gtin_is_meant(units: Units) -> None:
    product = units.certificate.product
    assert product is not None
    twins = (Item(SMALL.model, LARGE.gtin), SMALL)
    certificate = replace(units.certificate, product=replace(product, items=twins))
    assert units.answer(PLAIN, certificate).item == SMALL
    assert units.answer(CODED, certificate).item == twins[0]


def test_a_serial_is_unknown_only_where_serials_were_issued(units: Units) -> None:
    strange = f"{BASE}/01/{SMALL.gtin}/21/Z9"
    answer = units.answer(strange)
    assert (answer.code, answer.unit and (answer.unit.code, answer.unit.issued)) == (Code.UNKNOWN_NUMBER, ("Z9", False))
    for sets in (
        (a_set("1", SMALL, Form.CODE, gtin=SMALL.gtin or ""),),
        (a_set("1", LARGE, Form.SERIAL),),
        (),
    ):
        answer = units.answer(strange, mark=replace(units.mark, code_sets=sets))
        assert (answer.code, answer.unit and answer.unit.code) == (Code.VALID, "Z9")
    assert units.answer(f"{BASE}/01/06909900999992/21/Z9").code is Code.UNKNOWN_NUMBER, "nobody's product"


def test_one_certificate_with_serials_is_enough(units: Units) -> None:
    """Where another body certifies the same product and issues none."""
    other = replace(units.certificate, certificate_no="SHB-P-2024-0099", marks=())
    units.register.publish_certificate(other)
    assert units.answer(f"{BASE}/01/{SMALL.gtin}/21/Z9").code is Code.UNKNOWN_NUMBER


def test_a_code_is_called_as_its_scheme_calls_it(tmp_path: Path) -> None:
    organic = Units(tmp_path, "7903OP2600128")
    answer = organic.answer(CODED)
    assert answer.code is Code.VALID
    assert answer.unit is not None
    assert answer.unit.name == {"zh": "有机码", "en": "organic code"}
    serial = organic.answer(PLAIN)
    assert serial.unit is not None
    assert serial.unit.name is None
    strange = organic.answer(STRANGE)
    assert (strange.code, [name["zh"] for name, _ in strange.coverage]) == (Code.UNKNOWN_NUMBER, ["有机产品认证"])
    assert strange.unit is not None
    assert (strange.unit.code, strange.unit.issued, strange.unit.name) == (STRANGE, False, answer.unit.name)


def test_whoever_asks_for_a_mark_is_told_of_no_unit(units: Units) -> None:
    assert units.answer(f"{BASE}/m/{CODED}").code is Code.UNKNOWN_NUMBER
    assert Note.SCOPE_LIMITED not in units.answer(CODED).notes
