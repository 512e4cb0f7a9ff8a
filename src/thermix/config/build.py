"""Models to a plan: sizes from the data or the file, sources, the mixture, then the edits one by one.

Invariant: the same file on the same data gives the same plan, and every refusal of the layers below
is given the key path it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from thermix.config.data import Data, SourceFiles
from thermix.config.edits import refused, resolved_edits
from thermix.config.model import ConfigModel
from thermix.config.moments import RunClock
from thermix.config.place import Place
from thermix.config.refusals import located, refusing
from thermix.config.sizes import Notice, Sizes
from thermix.core.clock import Moment
from thermix.core.schedule import Constant, Schedule
from thermix.errors import ConfigError, InvalidInput
from thermix.plan.edits import Edit
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config:
    """What a configuration says.

    Attributes:
        plan: the plan, with all its edits.
        files: name -> where a source's items are, as it stands at last; all of the plan's, in its order.
        places: name -> where in the file that is said.
        notices: how things were resolved that a reader of the file may want to know.
    """

    plan: Plan
    files: Mapping[str, SourceFiles]
    places: Mapping[str, Place]
    notices: tuple[Notice, ...]


def build(config: ConfigModel, place: Place, data: Data | None) -> Config:
    """The plan of a checked configuration.

    Args:
        config: the file, checked key by key and together.
        place: the file, for errors.
        data: finds and opens what paths name; None where no file is to be touched.

    Raises:
        ConfigError: a size that is not known, sources that do not go together, a plan that cannot be kept.
        DataError: data that is damaged.
    """
    _check_mixture(config, place)
    clock, rounded = _clock(config, place)
    sizes = Sizes(config.sequence_length, data, config.tokenizer is not None)
    sources = {
        name: sizes.source(name, source, place / "sources" / name) for name, source in config.sources.items()
    }
    mixture = _mixture(config, sources, place)
    plan = _plan(config, mixture, clock.steps, resolved_edits(config, clock, sizes, sources, place), place)
    files = {name: sizes.files[name] for name in plan.names}
    return Config(plan, files, sizes.places, (*rounded, *sizes.notices))


def _check_mixture(config: ConfigModel, place: Place) -> None:
    """Refuse what no sizes can mend, before any file is opened."""
    sources = {name: Source(s.score, s.weight, 1, s.max_epochs) for name, s in config.sources.items()}
    _mixture(config, sources, place)


def _mixture(config: ConfigModel, sources: Mapping[str, Source], place: Place) -> Mixture:
    schedule: Schedule | None = config.temperature if config.alpha is None else config.alpha
    with refusing(place, names=sources):
        return Mixture(
            sources, Constant(1.0) if schedule is None else schedule, config.max_epochs, config.when_capped
        )


def _clock(config: ConfigModel, place: Place) -> tuple[RunClock, tuple[Notice, ...]]:
    """The clock of the run, its steps whole, and what was rounded for that."""
    clock = RunClock(((0, 0, config.batch_size),), 0, config.sequence_length)
    steps, left_over = clock.whole_steps(config.steps)
    if steps < 1:
        raise (place / "steps").error(
            f": got {config.steps}, less than one step of {config.batch_size} draws. Make it longer."
        )
    notices = (_rounded(config.steps, steps, left_over, place / "steps"),) if left_over else ()
    return RunClock(clock.breaks, steps, config.sequence_length), notices


def _rounded(given: int | Moment, steps: int, left_over: Fraction, place: Place) -> Notice:
    unit = given.unit if isinstance(given, Moment) else "steps"
    return Notice(
        "steps_rounded",
        None,
        f"{place}: {given} are {steps:,} whole steps; {int(left_over):,} {unit} are left over.",
    )


def _plan(config: ConfigModel, mixture: Mixture, steps: int, edits: tuple[Edit, ...], place: Place) -> Plan:
    try:
        return _made(config, mixture, steps, edits)
    except InvalidInput as error:
        for count in range(len(edits) + 1):
            _raise_refusal(config, mixture, steps, edits[:count], place)
        raise ConfigError(f"{place}: {error}") from error


def _raise_refusal(
    config: ConfigModel, mixture: Mixture, steps: int, edits: tuple[Edit, ...], place: Place
) -> None:
    """Raise the error of the last of the edits, or of the plan without any, if the plan is refused."""
    try:
        _made(config, mixture, steps, edits)
    except InvalidInput as error:
        if edits:
            i = len(edits) - 1
            raise refused(str(error), config.edits[i], place / "edits" / i) from error
        message = str(error)
        if config.alpha is not None and message.startswith("temperature:"):
            message = message.replace("temperature:", "alpha:", 1)
        raise located(message, place, (), config.sources) from error


def _made(config: ConfigModel, mixture: Mixture, steps: int, edits: tuple[Edit, ...]) -> Plan:
    return Plan(
        mixture,
        steps=steps,
        batch_size=config.batch_size,
        seed=config.seed,
        order=config.order,
        pick=config.pick,
        sequence_length=config.sequence_length,
        edits=edits,
    )
