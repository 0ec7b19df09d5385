"""Every error that a sender of events can meet says what to do about it, in both languages."""

import re

import pytest

from services import auth, parameters, problems
from services.domain import errors
from services.domain.advice import ADVICE, hint_for
from services.domain.errors import CertmarkError, every_error
from services.domain.identifiers import MalformedNumber

FAMILIES = (errors.Malformed, errors.Untrusted, errors.Refusal)
FAMILIES_THEMSELVES = {"untrusted", "refused"}
"""Not met by themselves (docs/connect.md)."""


def met_by_a_sender() -> list[type[CertmarkError]]:
    return [e for e in every_error().values() if issubclass(e, FAMILIES) and e.__module__ == errors.__name__]


@pytest.mark.parametrize("error", met_by_a_sender(), ids=lambda error: error.slug)
def test_an_error_of_a_sender_has_advice_in_both_languages(error: type[CertmarkError]) -> None:
    if error.slug in FAMILIES_THEMSELVES:
        return
    zh, en = ADVICE[error.slug]
    assert re.search("[一-鿿]", zh)
    assert not re.search("[一-鿿]", en)
    assert hint_for(error.slug, "") == f"{zh} · {en}"


def test_the_hint_of_the_case_at_hand_comes_first() -> None:
    assert hint_for("unknown-reason", "S01 S02") == "S01 S02"
    assert hint_for("internal-error", "") is None
    assert hint_for(None, None) is None


def test_all_advice_is_about_an_error_that_exists() -> None:
    assert {auth.NotPermitted.slug, problems.NotReady.slug} <= set(ADVICE)
    assert set(ADVICE) <= {*every_error(), MalformedNumber.slug, parameters.UnknownParameter.slug}
