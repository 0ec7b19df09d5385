"""Every error that the program has: a class knows of its subclasses only once their modules are imported."""

import importlib
import pkgutil

import services
from services.domain import errors
from services.domain.errors import CertmarkError


def every_error() -> dict[str, type[CertmarkError]]:
    """As `services.domain.errors.every_error`, whatever other tests have imported before."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if "supervisor" not in module.name:  # which is a program without a name of its own
            importlib.import_module(module.name)
    return errors.every_error()
