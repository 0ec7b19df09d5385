"""Every error that the program has: a class knows of its subclasses only once their modules are imported."""

import importlib
import pkgutil

import services
from services.domain.errors import every_error

__all__ = ["every_error"]

for module in pkgutil.walk_packages(services.__path__, "services."):
    importlib.import_module(module.name)
