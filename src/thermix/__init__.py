"""thermix mixes the sources of a training set by temperature.

The public names, and nothing else. Each is imported from its own module when it is first used, so
that `import thermix` is quick and, up to plans, needs NumPy only. `_HOMES` is the list for Python,
the block under `TYPE_CHECKING` the same list for type checkers, `__all__` for readers; a test keeps
them the same.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from thermix.config import load, load_plan
    from thermix.core.order import DRAW_ORDER
    from thermix.core.schedule import (
        constant,
        cosine,
        geometric,
        hold,
        inverse_linear,
        join,
        linear,
        piecewise,
        step,
        warmup_hold,
    )
    from thermix.core.temperature import (
        effective_sources,
        entropy,
        probabilities,
        temperature_for_share,
    )
    from thermix.errors import (
        CheckFailed,
        ConfigError,
        DataError,
        InvalidInput,
        MissingExtra,
        OutOfRange,
        PlanError,
        SlowSeekWarning,
        ThermixError,
    )
    from thermix.plan.forecast import Forecast
    from thermix.plan.mixture import Mixture, Source
    from thermix.plan.plan import Batch, Plan

__version__: Final = "0.1.0"

__all__ = [
    "DRAW_ORDER",
    "Batch",
    "CheckFailed",
    "ConfigError",
    "DataError",
    "Forecast",
    "InvalidInput",
    "MissingExtra",
    "Mixture",
    "OutOfRange",
    "Plan",
    "PlanError",
    "SlowSeekWarning",
    "Source",
    "ThermixError",
    "__version__",
    "constant",
    "cosine",
    "effective_sources",
    "entropy",
    "geometric",
    "hold",
    "inverse_linear",
    "join",
    "linear",
    "load",
    "load_plan",
    "piecewise",
    "probabilities",
    "step",
    "temperature_for_share",
    "warmup_hold",
]

_HOMES: Final[dict[str, tuple[str, ...]]] = {
    "thermix.config": ("load", "load_plan"),
    "thermix.core.order": ("DRAW_ORDER",),
    "thermix.core.schedule": (
        "constant",
        "cosine",
        "geometric",
        "hold",
        "inverse_linear",
        "join",
        "linear",
        "piecewise",
        "step",
        "warmup_hold",
    ),
    "thermix.core.temperature": (
        "effective_sources",
        "entropy",
        "probabilities",
        "temperature_for_share",
    ),
    "thermix.errors": (
        "CheckFailed",
        "ConfigError",
        "DataError",
        "InvalidInput",
        "MissingExtra",
        "OutOfRange",
        "PlanError",
        "SlowSeekWarning",
        "ThermixError",
    ),
    "thermix.plan.forecast": ("Forecast",),
    "thermix.plan.mixture": ("Mixture", "Source"),
    "thermix.plan.plan": ("Batch", "Plan"),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker that saw it would take any name for a public one

    def __getattr__(name: str) -> object:
        """Import a public name, or the package `thermix.torch`, when it is first used."""
        if name == "torch":
            return import_module("thermix.torch")
        if name not in _HOME_OF:
            raise AttributeError(
                f"module 'thermix' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
            )
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not, with what is loaded besides."""
    return sorted({*globals(), *__all__})
