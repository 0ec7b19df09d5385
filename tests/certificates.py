"""Certificates for tests of what is true of them: one that is in force for five years, to be changed as wanted."""

from datetime import date
from typing import Any

from services.domain.certificate import Basis, Certificate, Item, Mark, Party, Product, Status, StatusInterval

BEGIN = date(2024, 3, 6)
END = date(2029, 3, 5)


def since(status: Status, day: date, until: date | None = None) -> StatusInterval:
    return StatusInterval(status, day, until, None, None, "a" * 64)


ACTIVE = since(Status.ACTIVE, BEGIN)


def a_certificate(**fields: Any) -> Certificate:
    given: dict[str, Any] = {
        "certificate_no": "2024990703000117",
        "declaration": False,
        "scheme": "ccc",
        "scheme_version": 1,
        "responsible": "urn:certmark:body:CNCA-R-2019-7901",
        "body": "CNCA-R-2019-7901",
        "certification_mode": None,
        "basis": (Basis("GB 4706.1", "2005"),),
        "holder": Party("示范公司"),
        "manufacturer": None,
        "factory": None,
        "product": Product("电器", "0101", None, (Item("A1", None), Item("A2", None))),
        "service_scope": None,
        "sites": (),
        "headcount": None,
        "first_issued_on": BEGIN,
        "issued_on": BEGIN,
        "valid_from": BEGIN,
        "valid_until": END,
        "surveillance_due": None,
        "approver": None,
        "audit_refs": (),
        "parent_no": None,
        "supersedes": None,
        "superseded_by": None,
        "accreditation": None,
        "grade": None,
        "organic": None,
        "green": None,
        "statuses": (ACTIVE,),
    }
    return Certificate(**(given | fields))


def a_mark(*statuses: StatusInterval) -> Mark:
    return Mark("M-1", "sample", None, "urn:certmark:alliance:a", (), (), None, None, (), BEGIN, END, statuses)
