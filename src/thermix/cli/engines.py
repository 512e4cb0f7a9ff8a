"""The options --engine and --address: where the tasks of a verb run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.engines import Engine

__all__ = ["chosen_engine"]


def chosen_engine(engine: str, address: str | None, processes: str | None) -> Engine | None:
    """The engine that was asked for; None for processes of this machine.

    Raises:
        InvalidInput: there is no such engine, or options that do not go together.
        MissingExtra: Ray is not installed.
    """
    if engine not in ("local", "ray"):
        raise InvalidInput(f"--engine: got {engine!r}; there are local and ray. Take one of them.")
    if engine == "local":
        if address is not None:
            raise InvalidInput(
                f"--address: got {address}, and --engine local, which has none. Add --engine ray."
            )
        return None
    from thermix.cli.output import whole
    from thermix.engines.ray import RayEngine

    return RayEngine(address, in_flight=None if processes is None else whole("processes", processes))
