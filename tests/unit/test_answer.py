"""The decision: every code by its precedence, and never a yes that the register does not hold."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from services.domain.certificate import Certificate, Item, Part, PartKind, Status, StatusInterval
from services.domain.scheme import SchemeRules
from services.domain.standing import Standing
from services.events.keys import new_key
from services.marks.token import MarkPath, mark_url, sign_token
from services.verify.answer import Answer, Judgement, decide, source_name, with_grace
from services.verify.projector import BATCH, Projector
from services.verify.recognise import Question, recognise
from services.verify.register import Register
from services.verify.wording import Code, Family, Note, wording
from tests.sealed_register import (
    DEMONSTRATION,
    NOW,
    SCHEMES,
    STATE,
    ListLog,
    SealedRegister,
    claims_of,
    demonstration,
)

HOSTS = ("127.0.0.1:8080",)
BASE = "http://127.0.0.1:8080"
DAY = timedelta(days=1)
STALE_AFTER = timedelta(hours=24)
Ask = Callable[..., Answer]


def built(register: SealedRegister, folder: Path) -> Register:
    projector = Projector(ListLog(register.values), STATE, register.genesis, folder)
    while projector.step():
        pass
    projector.close()
    return Register(folder)


@pytest.fixture(scope="module")
def sealed() -> SealedRegister:
    return SealedRegister().publish_all()


@pytest.fixture(scope="module")
def ask(sealed: SealedRegister, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    register = built(sealed, tmp_path_factory.mktemp("register"))

    def ask(text: str, now: datetime = NOW) -> Answer:
        return decide(recognise(text, HOSTS), register, now, STALE_AFTER)

    yield ask
    register.model.close()


def answer_to(text: str, register: SealedRegister, folder: Path, now: datetime = NOW) -> Answer:
    reader = built(register, folder)
    try:
        return decide(recognise(text, HOSTS), reader, now, STALE_AFTER)
    finally:
        reader.model.close()


@pytest.mark.parametrize("row", DEMONSTRATION["certificates"], ids=lambda row: row["number"])
def test_the_demonstration_stands_as_its_data_says(ask: Ask, row: dict[str, str]) -> None:
    answer = ask(row["number"])
    assert answer.standing == row["standing_then"]
    assert answer.code == row["standing_then"]


def test_nothing_but_valid_is_a_yes(ask: Ask) -> None:
    for row in DEMONSTRATION["certificates"]:
        answer = ask(row["number"])
        assert answer.code is not None
        is_yes = wording(answer.code, answer.notes).family is Family.YES
        assert is_yes == (answer.standing is Standing.VALID)


def test_a_number_alone_holds_for_the_listed_models_only(ask: Ask) -> None:
    assert ask("2023990703000117").notes == (Note.SCOPE_LIMITED,)
    assert ask("790624Q00123R0S").notes == ()  # a system has no models
    assert ask("SDOC-2025-000731").notes == (Note.SELF_DECLARED, Note.SCOPE_LIMITED)
    by_product = ask("06909900123007")
    assert (by_product.code, by_product.notes, by_product.interval) == (Code.VALID, (), None)
    assert by_product.item == Item("KFR-35GW/A1", "06909900123007")


def test_a_bodys_lost_approval_stands_beside_the_answer(ask: Ask, tmp_path: Path) -> None:
    answer = ask("790826Q00031R0S")
    assert (answer.code, answer.notes, answer.body_status) == (Code.VALID, (Note.BODY_DISQUALIFIED,), "disqualified")
    register = SealedRegister().publish_all()
    assert answer.certificate is not None
    register.publish_certificate(replace(demonstration("PZB-2025-00217"), body=answer.certificate.body))
    of_models = answer_to("PZB-2025-00217", register, tmp_path)
    assert of_models.notes == (Note.SCOPE_LIMITED, Note.BODY_DISQUALIFIED)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.MALFORMED_NUMBER),
        ("证书", Code.MALFORMED_NUMBER),
        ("<script>1</script>", Code.MALFORMED_NUMBER),
        ("2023990703999999", Code.UNKNOWN_NUMBER),
        ("06909900999992", Code.UNKNOWN_NUMBER),
        ("6909900123008", Code.MALFORMED_NUMBER),  # a bar code's length with a wrong check digit
        ("https://example.org/", Code.NOT_OURS),
        ("WIFI:T:WPA;S:x;P:12345678;;", Code.NOT_OURS),
        ("tel:4001234567", Code.NOT_OURS),
        ("https://evil.example/c/2023990703000117", Code.IMPOSTOR_HOST),
        (f"https://evil.example/01/06909900123007?m={'1' * 260}", Code.IMPOSTOR_HOST),
        ("https://id.gs1.org/01/06909900123007", Code.NOT_OURS),  # GS1's form is everybody's
        (f"{BASE}/01/06909900123007?m=12", Code.UNREADABLE),
        (f"{BASE}/01/06909900123007?m={'１' * 260}", Code.UNREADABLE),
        (f"{BASE}/01/06909900123008", Code.MALFORMED_NUMBER),
        (f"{BASE}/c/2022990201000204", Code.SUSPENDED),
        (f"{BASE}/m/M-SHB-P-2024-0031", Code.VALID),
        ("２０２２ ９９０２ ０１００ ０２０４", Code.SUSPENDED),
        ("shb－p－2024－0031", Code.VALID),
        ("(01)06909900123007", Code.VALID),
    ],
)
def test_what_is_typed_gets_its_code(ask: Ask, text: str, code: Code) -> None:
    assert ask(text).code is code


def test_only_who_mistypes_is_told_how_numbers_look(ask: Ask) -> None:
    assert ask("<script>").hints
    assert ask("https://example.org/").hints == ()


def test_a_marks_number_that_is_a_certificates_too_means_what_was_asked_for(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    register.publish_certificate(replace(soap, marks=(replace(soap.marks[0], mark_no="PZB-2025-00217"),)))
    reader = built(register, tmp_path)
    for path, number in (("m", soap.certificate_no), ("c", "PZB-2025-00217")):
        answer = decide(recognise(f"{BASE}/{path}/PZB-2025-00217", HOSTS), reader, NOW, STALE_AFTER)
        assert answer.certificate is not None
        assert answer.certificate.certificate_no == number
    reader.model.close()


def test_a_gtin_in_several_certificates_is_a_list_without_a_yes(ask: Ask) -> None:
    answer = ask("06909900126701")
    assert answer.code is None
    assert [one.certificate.certificate_no for one in answer.candidates if one.certificate] == [
        "GP-7907-2024-00102",
        "GP-7904-2024-00045",
    ]


def test_a_gtin_leads_to_its_own_item_and_to_the_mark_that_names_it(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    small, large = Item("250g", "06909900127449"), Item("500g", "06909900123014")
    marks = tuple(replace(soap.marks[0], mark_no=f"M-{item.model}", products=(item,)) for item in (small, large))
    register.publish_certificate(replace(soap, product=replace(soap.product, items=(small, large)), marks=marks))
    answer = answer_to("06909900123014", register, tmp_path)
    assert (answer.code, answer.item, answer.mark) == (Code.VALID, large, marks[1])


def test_an_unknown_number_is_told_what_the_register_holds_of_numbers_like_it(ask: Ask) -> None:
    alike, any_at_all = (ask(text).coverage for text in ("2023990703999999", "PZB-2025-99999"))
    assert [name["zh"] for name, _ in alike] == ["强制性产品认证"]
    assert len(any_at_all) > len(alike)


def test_who_said_something_is_named(ask: Ask) -> None:
    answer = ask("SDOC-2025-000731")
    assert answer.found is not None
    assert set(answer.sources.values()) == {answer.found.certificate.holder.name}


def test_a_source_is_named_as_what_it_is_or_not_at_all(tmp_path: Path) -> None:
    register = built(SealedRegister().publish_all(), tmp_path)
    directory, found = register.directory(register.meta()), register.certificate("SDOC-2025-000731")
    assert found is not None
    holder, body = found.certificate.holder, "CNCA-R-2019-7901"
    authority, state = next(iter(directory.authorities.items()))
    names = {
        f"body:{body}": directory.bodies[body]["name"],
        "alliance:shanghai-brand": directory.alliances["shanghai-brand"]["name"],
        f"authority:{authority}": state["name"],
        f"declarant:{holder.uscc}": holder.name,
    }
    for source, name in names.items():
        kind, _, id_ = source.partition(":")
        assert source_name(directory, f"urn:certmark:{source}", found) == name != id_
        for other in {"body", "alliance", "authority", "declarant"} - {kind}:
            assert source_name(directory, f"urn:certmark:{other}:{id_}", found) == id_
        assert source_name(directory, f"urn:certmark:{kind}:of-nobody", found) == "of-nobody"
    assert source_name(directory, "urn:certmark:body:", found) == "urn:certmark:body:"
    register.model.close()


def test_a_credit_code_leads_to_its_certificates(ask: Ask) -> None:
    answer = ask("91310114MAXX00816W")
    assert answer.code is None
    assert len(answer.candidates) == 2


def test_a_genuine_code_is_valid_and_signed(ask: Ask, sealed: SealedRegister) -> None:
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    answer = ask(sealed.url(soap, soap.product.items[0]))
    assert (answer.code, answer.signed, answer.notes) == (Code.VALID, True, ())
    assert answer.mark is not None
    assert (answer.mark.mark_no, answer.mark_standing) == ("M-SHB-P-2024-0031", Standing.VALID)
    service = demonstration("SHB-S-2024-0044")
    assert ask(sealed.url(service)).code is Code.VALID


def test_a_code_moved_to_another_product_is_refused_and_says_nothing(ask: Ask, sealed: SealedRegister) -> None:
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    token = sealed.url(soap, soap.product.items[0]).partition("?m=")[2]
    for path in ("/01/06909900123007", "/c/SHB-P-2024-0031", "/01/06909900127449/21/1"):
        answer = ask(f"{BASE}{path}?m={token}")
        assert answer.code is Code.BAD_SIGNATURE
        assert (answer.found, answer.mark, answer.item, answer.standing, answer.signed) == (None,) * 4 + (False,)


def test_a_certificate_number_that_the_token_does_not_name_is_a_bad_signature(ask: Ask, sealed: SealedRegister) -> None:
    """The signer signed another certificate's number into the token than the one in the address."""
    service, other = demonstration("SHB-S-2024-0044"), demonstration("SHB-S-2022-0019")
    path = MarkPath.of_certificate(service.certificate_no)
    token = sign_token(claims_of(other, other.marks[0], None), path, sealed.mark_key)
    assert ask(mark_url(BASE, path, token)).code is Code.BAD_SIGNATURE


def test_a_stranger_signs_nothing_here(ask: Ask) -> None:
    stranger = SealedRegister()
    assert ask(stranger.url(demonstration("SHB-S-2024-0044"))).code is Code.UNKNOWN_SIGNER


def test_a_suspension_shows_in_the_genuine_code_too(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    url = register.url(soap, soap.product.items[0])
    until = NOW.date() + 30 * DAY
    suspended = StatusInterval(Status.SUSPENDED, NOW.date(), until, "S03", NOW.date(), "9" * 64)
    register.publish_certificate(replace(soap, statuses=(*soap.statuses, suspended)))
    answer = answer_to(url, register, tmp_path)
    assert (answer.code, answer.standing, answer.interval) == (Code.SUSPENDED, Standing.SUSPENDED, suspended)


def with_mark_status(certificate: Certificate, status: Status) -> Certificate:
    mark = certificate.marks[0]
    ended = StatusInterval(status, NOW.date() - DAY, None, None, None, "9" * 64)
    return replace(certificate, marks=(replace(mark, statuses=(*mark.statuses, ended)),))


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.SUSPENDED, Status.REVOKED])
def test_a_valid_certificate_does_not_make_its_mark_authorized(tmp_path: Path, status: Status) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    url = register.url(soap, soap.product.items[0])
    register.publish_certificate(with_mark_status(suspended_since(soap, NOW.date()), status))
    assert answer_to(url, register, tmp_path).code is Code.SUSPENDED, "whatever its mark is"
    register.publish_certificate(with_mark_status(soap, status))
    reader = built(register, tmp_path)
    for text in (url, "M-SHB-P-2024-0031"):
        answer = decide(recognise(text, HOSTS), reader, NOW, STALE_AFTER)
        assert (answer.code, answer.notes) == (Code.MARK_NOT_AUTHORIZED, ())
        assert answer.standing is not Standing.VALID
    assert decide(recognise("SHB-P-2024-0031", HOSTS), reader, NOW, STALE_AFTER).code is Code.VALID
    reader.model.close()


def suspended_since(certificate: Certificate, day: date) -> Certificate:
    interval = StatusInterval(Status.SUSPENDED, day, day + 60 * DAY, "S03", day, "9" * 64)
    return replace(certificate, statuses=(*certificate.statuses, interval))


SMALL, LARGE = Item("250g", "06909900127449"), Item("500g", "06909900123014")


@pytest.mark.parametrize(
    ("items", "covered", "code"),
    [
        ((SMALL, LARGE), (LARGE, SMALL), Code.VALID),
        ((SMALL, LARGE), (), Code.VALID),  # a mark that names no products is for all
        ((SMALL, LARGE), (LARGE,), Code.OUT_OF_SCOPE),
        ((LARGE,), (SMALL, LARGE), Code.OUT_OF_SCOPE),
        ((SMALL,), None, Code.MARK_NOT_AUTHORIZED),  # the mark itself is gone
    ],
)
def test_a_genuine_code_is_held_to_the_scope_of_its_certificate_and_its_mark(
    tmp_path: Path, items: tuple[Item, ...], covered: tuple[Item, ...] | None, code: Code
) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    url = register.url(soap, SMALL)
    marks = (replace(soap.marks[0], products=covered),) if covered is not None else ()
    changed = replace(soap, product=replace(soap.product, items=items), marks=marks)
    register.publish_certificate(changed)
    assert answer_to(url, register, tmp_path).code is code
    register.publish_certificate(suspended_since(changed, NOW.date()))
    assert answer_to(url, register, tmp_path).code is Code.SUSPENDED, "which is graver than the scope"


def test_a_genuine_code_of_a_certificate_that_is_not_here_is_of_an_unknown_number(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    away = replace(demonstration("SHB-S-2024-0044"), certificate_no="SHB-S-2026-9999")
    assert answer_to(register.url(away), register, tmp_path).code is Code.UNKNOWN_NUMBER


def test_a_mark_is_told_by_the_gtin_that_was_asked_and_by_no_other(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    register.publish_certificate(
        replace(soap, marks=(replace(soap.marks[0], products=(Item("250g", None), SMALL)),)),
    )
    assert answer_to(SMALL.gtin or "", register, tmp_path).mark is not None
    assert answer_to(soap.certificate_no, register, tmp_path).mark is None
    by_mark = answer_to(f"{BASE}/m/M-SHB-P-2024-0031", register, tmp_path)
    assert (by_mark.code, by_mark.notes) == (Code.VALID, (Note.SCOPE_LIMITED,))


def test_a_child_tells_the_interval_that_it_stands_by(tmp_path: Path) -> None:
    """Its parent's where it falls with it, its own where it is suspended by itself."""
    register = SealedRegister().publish_all()
    parent = demonstration("PZB-2025-00217")
    child = replace(demonstration("7903OP2600128"), parent_no=parent.certificate_no)
    fallen, by_itself = suspended_since(parent, NOW.date()), suspended_since(child, NOW.date() - DAY)
    for one, other, since in (
        (parent, child, None),
        (fallen, child, NOW.date()),
        (parent, by_itself, NOW.date() - DAY),
        (fallen, by_itself, NOW.date() - DAY),
    ):
        register.publish_certificate(one)
        register.publish_certificate(other)
        answer = answer_to(child.certificate_no, register, tmp_path)
        assert (answer.code is Code.SUSPENDED) is (since is not None)
        assert (answer.interval and answer.interval.since) == since


@pytest.mark.parametrize(("status", "code"), [(Status.SUSPENDED, Code.SUSPENDED), (Status.ACTIVE, Code.VALID)])
def test_an_item_may_be_suspended_by_itself(tmp_path: Path, status: Status, code: Code) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    of_part = StatusInterval(status, NOW.date() - DAY, None, None, None, "9" * 64)
    part = Part(PartKind.ITEM, SMALL.model, SMALL.gtin, (of_part,))
    product = replace(soap.product, items=(SMALL, LARGE))
    register.publish_certificate(replace(soap, product=product, parts=(part,)))
    answer = answer_to(SMALL.gtin or "", register, tmp_path)
    assert (answer.code, answer.interval) == (code, of_part if code is Code.SUSPENDED else None)
    assert answer_to(LARGE.gtin or "", register, tmp_path).code is Code.VALID


def test_a_product_taken_out_of_the_scope_is_out_of_scope(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    soap = demonstration("SHB-P-2024-0031")
    assert soap.product is not None
    url = register.url(soap, soap.product.items[0])
    product = replace(soap.product, items=(Item("250g", None),))
    mark = replace(soap.marks[0], products=product.items)
    register.publish_certificate(replace(soap, product=product, marks=(mark,)))
    assert answer_to(url, register, tmp_path).code is Code.OUT_OF_SCOPE


def test_overdue_surveillance_and_review_stand_beside_the_answer(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    certificate = replace(demonstration("PZB-2025-00217"), surveillance_due=NOW.date() - DAY)
    register.publish_certificate(certificate, under_review=True)
    answer = answer_to("PZB-2025-00217", register, tmp_path)
    assert answer.code is Code.VALID
    assert answer.notes == (Note.SCOPE_LIMITED, Note.OVERDUE_SURVEILLANCE, Note.UNDER_REVIEW)
    register.publish_certificate(replace(certificate, surveillance_due=NOW.date()))
    assert answer_to("PZB-2025-00217", register, tmp_path).notes == (Note.SCOPE_LIMITED,), "on its last day"
    register.publish_certificate(suspended_since(certificate, NOW.date()))
    assert answer_to("PZB-2025-00217", register, tmp_path).notes == (), "nothing is asked of what is suspended"


@pytest.mark.parametrize(
    ("grace", "late", "noted"), [(30, 30, False), (30, 31, True), (0, 1, True), (None, 1, True), (30, None, True)]
)
def test_a_surveillance_is_noted_as_overdue_once_the_schemes_grace_is_over(
    grace: int | None, late: int | None, *, noted: bool
) -> None:
    due = NOW.date() - late * DAY if late else None
    certificate = replace(demonstration("PZB-2025-00217"), surveillance_due=due)
    rules = cast(SchemeRules, SCHEMES["pinzibiao"] | {"surveillance_grace_days": grace}) if grace is not None else None
    others = (Note.SCOPE_LIMITED, Note.UNDER_REVIEW)
    judged = Judgement(Code.VALID, Standing.VALID, (*others, Note.OVERDUE_SURVEILLANCE), None)
    told = with_grace(judged, certificate, rules, NOW.date())
    assert told.notes == (*others, *[Note.OVERDUE_SURVEILLANCE] * noted)


def test_a_superseded_certificate_names_its_successor(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    old = demonstration("PZB-2025-00217")
    ended = StatusInterval(Status.CANCELLED, NOW.date(), None, None, None, "9" * 64)
    register.publish_certificate(replace(old, statuses=(*old.statuses, ended), superseded_by="PZB-2026-00001"))
    answer = answer_to("PZB-2025-00217", register, tmp_path)
    assert (answer.code, answer.certificate and answer.certificate.superseded_by) == (Code.SUPERSEDED, "PZB-2026-00001")


# --- what the node itself cannot say -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2023990703000117", "2022990201000204", "2023990703999999", "06909900126701"])
def test_old_data_says_nothing_about_any_number(ask: Ask, text: str) -> None:
    limit = NOW - timedelta(minutes=1) + STALE_AFTER
    assert ask(text, limit).code is not Code.STATUS_UNKNOWN
    assert ask(text, limit + timedelta(seconds=1)).code is Code.STATUS_UNKNOWN


def test_a_false_code_is_false_on_old_data_too(ask: Ask, sealed: SealedRegister) -> None:
    url = sealed.url(demonstration("SHB-S-2024-0044"))
    tampered = url[:-1] + ("1" if url[-1] != "1" else "2")
    assert ask(tampered, NOW + 9 * DAY).code is Code.BAD_SIGNATURE
    assert ask(url, NOW + 9 * DAY).code is Code.STATUS_UNKNOWN
    assert ask("https://example.org/", NOW + 9 * DAY).code is Code.NOT_OURS


def test_without_a_file_nothing_is_known_and_nothing_denied(tmp_path: Path) -> None:
    empty = Register(tmp_path)

    def code(text: str) -> Code | None:
        return decide(recognise(text, HOSTS), empty, NOW, STALE_AFTER).code

    assert code("2023990703000117") is Code.STATUS_UNKNOWN
    assert code("?") is Code.MALFORMED_NUMBER
    assert code(SealedRegister().url(demonstration("SHB-S-2024-0044"))) is Code.STATUS_UNKNOWN
    assert code(f"{BASE}/c/SHB-S-2024-0044?m=12") is Code.UNREADABLE


def test_a_node_that_is_still_reading_knows_a_false_code_of_a_key_that_it_has_read(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    register.values += [register.values[-1]] * BATCH
    projector = Projector(ListLog(register.values), STATE, register.genesis, tmp_path)
    projector.step()
    reader = Register(tmp_path)
    assert not reader.meta().complete
    service = demonstration("SHB-S-2024-0044")
    url = register.url(service)
    tampered = url[:-1] + ("1" if url[-1] != "1" else "2")
    for text, code in ((tampered, Code.BAD_SIGNATURE), (SealedRegister().url(service), Code.STATUS_UNKNOWN)):
        assert decide(recognise(text, HOSTS), reader, NOW, STALE_AFTER).code is code
    projector.close()


def test_a_node_that_is_still_reading_denies_nothing(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    projector = Projector(ListLog(register.values), STATE, register.genesis, tmp_path)
    reader = Register(tmp_path)
    for text in ("2023990703000117", "2023990703999999", register.url(demonstration("SHB-S-2024-0044"))):
        assert decide(recognise(text, HOSTS), reader, NOW, STALE_AFTER).code is Code.STATUS_UNKNOWN
    projector.close()


# --- keys that ended -----------------------------------------------------------------------------------------


def test_what_a_retired_key_signed_before_stays_good(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    url = register.url(demonstration("SHB-S-2024-0044"))
    register.add_key(register.mark_key, "mark", retired_on="2026-01-01")
    assert answer_to(url, register, tmp_path).code is Code.VALID


def test_a_retired_key_signs_nothing_new(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    url = register.url(demonstration("SHB-S-2024-0044"))  # signed on 2024-06-09
    register.add_key(register.mark_key, "mark", retired_on="2024-06-09")
    assert answer_to(url, register, tmp_path).code is Code.UNKNOWN_SIGNER


def test_of_a_compromised_key_only_the_tokens_in_the_register_count(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    service = demonstration("SHB-S-2024-0044")
    recorded = register.url(service)
    unheard_of = register.url(replace(service, certificate_no="SHB-S-2026-9999"))
    two_items = demonstration("SHB-P-2024-0031")
    assert two_items.product is not None
    product = replace(two_items.product, items=(SMALL, LARGE))
    two_items = replace(two_items, product=product, marks=(replace(two_items.marks[0], products=(SMALL, LARGE)),))
    register.publish_certificate(two_items)
    path = MarkPath.of_certificate(service.certificate_no)
    claims = replace(claims_of(service, service.marks[0], None), index=2)
    forged = mark_url(BASE, path, sign_token(claims, path, register.mark_key))
    register.add_key(register.mark_key, "mark", compromised_since="2026-10-01T00:00:00.000Z")
    reader = built(register, tmp_path)
    assert decide(recognise(recorded, HOSTS), reader, NOW, STALE_AFTER).code is Code.VALID
    assert decide(recognise(register.url(two_items, LARGE), HOSTS), reader, NOW, STALE_AFTER).code is Code.VALID
    for text in (forged, unheard_of):
        assert decide(recognise(text, HOSTS), reader, NOW, STALE_AFTER).code is Code.UNKNOWN_SIGNER
    reader.model.close()


def test_two_keys_of_marks_work_side_by_side(tmp_path: Path) -> None:
    register = SealedRegister().publish_all()
    old_url = register.url(demonstration("SHB-S-2024-0044"))
    register.mark_key = new_key("ES256")
    register.add_key(register.mark_key, "mark")
    new_url = register.url(demonstration("SHB-S-2024-0044"))
    reader = built(register, tmp_path)
    for url in (old_url, new_url):
        assert decide(recognise(url, HOSTS), reader, NOW, STALE_AFTER).code is Code.VALID
    reader.model.close()


def test_the_day_is_chinas(ask: Ask) -> None:
    """A certificate holds on its last day until midnight at UTC+8, which is 16:00 UTC."""
    register_now = datetime(2026, 11, 1, 15, 59, 59, tzinfo=UTC)
    assert ask("2023990703000117", register_now).day == date(2026, 11, 1)
    assert ask("2023990703000117", register_now + timedelta(seconds=1)).day == date(2026, 11, 2)


def test_a_question_is_itself_and_nothing_more() -> None:
    assert recognise("2023990703000117", HOSTS) == Question("2023990703000117", number="2023990703000117")


# --- recalls and alerts ------------------------------------------------------------------------------------


def a_noticed_register() -> SealedRegister:
    register = SealedRegister().publish_all()
    day = NOW.date()
    register.publish_recall("R-1", day - DAY, certificate_no="2023990703000117", model="KFR-35GW/A1")
    register.publish_recall("R-2", day - DAY, certificate_no="2022990201000204")
    register.publish_recall("R-3", day - DAY, gtin="06909900200098")
    register.publish_recall("R-4", day - DAY, gtin="06909900124851")
    register.publish_recall("R-5", day - 9 * DAY, certificate_no="PZB-2025-00217", closed_on=day.isoformat())
    register.publish_recall("R-6", day + DAY, certificate_no="7903OP2600128")
    register.publish_recall("R-7", day, gtin="06909900999992")
    register.publish_warning("W-1", day, scheme="qms")
    register.publish_warning("W-2", day, **{"class": "0703"}, level="danger")
    register.heartbeat()
    return register


@pytest.mark.parametrize(
    ("text", "code", "recalls"),
    [
        ("2023990703000117", Code.DO_NOT_SELL, ["R-1"]),
        (f"{BASE}/01/06909900123007", Code.DO_NOT_SELL, ["R-1"]),
        (f"{BASE}/01/06909900200012", Code.VALID, []),
        ("2022990201000204", Code.DO_NOT_SELL, ["R-2"]),
        ("06909900200098", Code.DO_NOT_SELL, ["R-3"]),
        ("06909900200111", Code.UNKNOWN_NUMBER, []),
        ("06909900999992", Code.DO_NOT_SELL, ["R-7"]),  # nobody certifies it
        ("06909900124851", Code.DO_NOT_SELL, ["R-4"]),
        ("2025990701000062", Code.DO_NOT_SELL, ["R-4"]),
        ("PZB-2025-00217", Code.VALID, []),
        ("7903OP2600128", Code.VALID, []),
    ],
)
def test_a_recall_stands_above_the_standing(tmp_path: Path, text: str, code: Code, recalls: list[str]) -> None:
    answer = answer_to(text, a_noticed_register(), tmp_path)
    assert answer.code is code
    assert [recall.state["id"] for recall in answer.recalls] == recalls
    assert (answer.beneath is None) is (code is not Code.DO_NOT_SELL)


def test_an_alert_changes_no_verdict_and_the_most_urgent_is_first(tmp_path: Path) -> None:
    register = a_noticed_register()
    register.publish_warning("W-3", NOW.date(), scheme="ccc")
    answer = answer_to(f"{BASE}/01/06909900200012", register, tmp_path)
    assert answer.code is Code.VALID
    assert answer.notes == (Note.ALERT,)
    by_number = answer_to("2023990703000117", register, tmp_path)
    assert by_number.notes == (Note.SCOPE_LIMITED, Note.ALERT)
    assert [alert.state["id"] for alert in answer.alerts] == ["W-2", "W-3"]
