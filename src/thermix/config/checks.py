"""What keys mean together: refusals that no key alone can give, before anything is opened or computed.

All independent problems are found at once. Invariant: nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Iterator

from thermix.config.model import ConfigModel, EditModel, SourceEditModel, SourceModel
from thermix.config.place import Place
from thermix.config.problems import raise_all
from thermix.core.clock import Moment
from thermix.core.schedule import Schedule
from thermix.errors import ConfigError
from thermix.plan.mixture import Unit

__all__ = ["check_sizes", "check_together", "default_unit"]


def check_together(config: ConfigModel, place: Place) -> None:
    """Refuse keys that exclude each other, or that need another one.

    Raises:
        ConfigError: all such problems.
    """
    raise_all(_problems(config, place))


def _problems(config: ConfigModel, place: Place) -> Iterator[ConfigError]:
    yield from _clock_problems(config, config.sequence_length, place)
    yield from _tokenizer_problems(config, place)
    if "://" in (config.prepared or ""):
        yield (place / "prepared").error(
            f": got {config.prepared}, an address; the shards of a configuration lie in a folder. Prepare "
            "each source by itself, thermix prepare RAW --out ADDRESS, and give the address as its path."
        )
    for name, source in config.sources.items():
        yield from _both_problems(source, place / "sources" / name)
        yield from check_sizes(
            source, config.sequence_length, config.tokenizer is not None, place / "sources" / name
        )
    for i, edit in enumerate(config.edits):
        here = place / "edits" / i
        yield from _clock_problems(edit, config.sequence_length, here)
        if isinstance(edit.at, Moment) and edit.at.unit == "tokens" and config.sequence_length is None:
            yield (here / "at").error(_no_length(str(edit.at)))
        if not edit.model_fields_set - {"at"} or edit.sources == {}:
            yield here.error("it changes nothing. Give what is to change, or remove it.")
        for name, changed in (edit.sources or {}).items():
            if changed is not None:
                yield from _both_problems(changed, here / "sources" / name)


def _tokenizer_problems(config: ConfigModel, place: Place) -> Iterator[ConfigError]:
    if config.tokenizer is not None and config.sequence_length is None:
        yield (place / "tokenizer").error(
            f": got {config.tokenizer}, and no sequence_length; what is prepared are sequences of that many "
            "tokens. Set sequence_length."
        )
    if config.tokenizer is None and config.end_of_document is not None:
        yield (place / "end_of_document").error(
            ": got it without a tokenizer, which it is about. Add tokenizer, or remove it."
        )


def _clock_problems(
    keys: ConfigModel | EditModel, sequence_length: int | None, place: Place
) -> Iterator[ConfigError]:
    if keys.temperature is not None and keys.alpha is not None:
        yield place.error("got both temperature and alpha; alpha is 1/temperature. Remove one.")
    if sequence_length is not None:
        return
    if isinstance(keys.steps, Moment) and keys.steps.unit == "tokens":
        yield (place / "steps").error(_no_length(str(keys.steps)))
    for key, schedule in (("temperature", keys.temperature), ("alpha", keys.alpha)):
        moment = next(_token_moments(schedule), None) if schedule is not None else None
        if moment is not None:
            yield (place / key).error(_no_length(moment))


def _token_moments(schedule: Schedule) -> Iterator[str]:
    for span in schedule.spans:
        yield from (
            str(moment) for moment in (span.begin, span.end) if moment is not None and moment.unit == "tokens"
        )


def _no_length(given: str) -> str:
    return (
        f": got {given}, and no sequence_length; tokens are counted in sequences. "
        "Set sequence_length, or write it in steps or draws."
    )


def _both_problems(source: SourceModel | SourceEditModel, place: Place) -> Iterator[ConfigError]:
    if source.score is not None and source.weight is not None:
        yield place.error("got both score and weight; a score is a log weight. Remove one.")
    if source.tokens is not None and source.items is not None:
        yield place.error("got both tokens and items; each of them is the size. Remove one.")
    if isinstance(source, SourceEditModel) and not source.model_fields_set:
        yield place.error("it changes nothing. Give what is to change, or remove it; null ends a source.")


def check_sizes(
    source: SourceModel, sequence_length: int | None, tokenized: bool, place: Place
) -> Iterator[ConfigError]:
    """What is wrong with how a whole source says its size."""
    if source.path is None and source.tokens is None and source.items is None:
        yield place.error("got none of path, tokens and items; a source must have a size. Add one of them.")
    if source.path is None:
        for key in ("field", "dtype"):
            if getattr(source, key) is not None:
                yield (place / key).error(
                    f": got it without a path; {key} is about files. Add path, or remove it."
                )
    if source.tokens is None:
        return
    if default_unit(source, tokenized=tokenized) == "document":
        yield (place / "tokens").error(
            f": got {source.tokens} for documents, which have no fixed number of tokens. Write items:."
        )
    elif sequence_length is None:
        yield (place / "tokens").error(_no_length(str(source.tokens)))
    elif source.tokens < sequence_length:
        yield (place / "tokens").error(
            f": got {source.tokens}, less than one sequence (sequence_length: {sequence_length}); "
            "a source needs at least one item. Remove it, or shorten the sequences."
        )


def default_unit(source: SourceModel, *, tokenized: bool) -> Unit:
    """What an item of a source is as far as its keys say: with a field, and no tokenizer, a document."""
    return source.unit or ("document" if source.field is not None and not tokenized else "sequence")
