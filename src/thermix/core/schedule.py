"""Schedules: the temperature as a function of how far a run has come.

    linear(5.0, 1.0, until="80%")     a value: frozen, printable, callable on progress in [0, 1]

The public names, and the way back from plain data. The classes are in `ramps.py` (one piece) and
`pieces.py` (several), what all can do in `schedule_base.py`, their evaluation in `spans.py`. Every
moment is on the clock of the run. A piece owns its first moment and not its last: at `until` itself
the next one has begun. After the last one its last temperature is held.
"""

from __future__ import annotations

from typing import Final

from thermix.core.pieces import Join, Piecewise, Step, WarmupHold
from thermix.core.ramps import Constant, Cosine, Geometric, InverseLinear, Linear
from thermix.core.schedule_base import Schedule
from thermix.core.schedule_form import read

__all__ = [
    "Constant",
    "Cosine",
    "Geometric",
    "InverseLinear",
    "Join",
    "Linear",
    "Piecewise",
    "Schedule",
    "Step",
    "WarmupHold",
    "constant",
    "cosine",
    "geometric",
    "hold",
    "inverse_linear",
    "join",
    "linear",
    "piecewise",
    "schedule_from_dict",
    "step",
    "warmup_hold",
]


constant = Constant
hold = Constant  # how a constant reads inside a join
linear = Linear
inverse_linear = InverseLinear
geometric = Geometric
cosine = Cosine
step = Step
warmup_hold = WarmupHold


def piecewise(*points: tuple[str, float]) -> Piecewise:
    """Return `Piecewise` of the points given."""
    return Piecewise(points)


def join(*pieces: Schedule) -> Join:
    """Return `Join` of the pieces given."""
    return Join(pieces)


_BY_NAME: Final[dict[str, type[Schedule]]] = {
    "constant": Constant,
    "hold": Constant,
    "linear": Linear,
    "inverse_linear": InverseLinear,
    "geometric": Geometric,
    "cosine": Cosine,
    "step": Step,
    "piecewise": Piecewise,
    "warmup_hold": WarmupHold,
    "join": Join,
}


def schedule_from_dict(data: object, where: str = "temperature") -> Schedule:
    """Return the schedule that plain data says, as it comes from YAML, JSON or `to_dict`.

    Args:
        data: A number (constant), a dict (`schedule` and the arguments of that schedule), or a list
            of dicts (a join). A dict in a list may also say `from`, where the piece before it ends.
            "inf" stands for inf, as JSON has none.
        where: What error messages call it.

    Returns:
        The schedule; `schedule_from_dict(s.to_dict()) == s` for every schedule s.

    Raises:
        InvalidInput: An unknown or missing key (with the nearest known one), a value out of range,
            or pieces with a gap or an overlap.

    >>> schedule_from_dict({"schedule": "linear", "start": 5, "end": 1, "until": "80%"})
    linear(5.0, 1.0, until='80%')
    >>> schedule_from_dict("inf")
    constant(float('inf'))
    """
    return read(data, where, _BY_NAME)
