"""Text: from documents in JSON Lines to the last batch of packed sequences."""

from __future__ import annotations

from types import ModuleType

from benchmarks.cases import Size
from benchmarks.checks import checked_tokens
from benchmarks.data import text_file, text_tokens
from benchmarks.harness import Group
from benchmarks.measure import seconds
from benchmarks.settings import Settings

NAME = "text"
TITLE = "Text to batches"
UNIT = "MB of text a second"
BETTER = "higher"
NOTE = (
    "Text found on this machine, one BPE tokenizer of 32,768 ids trained on it, packed to 2,048 tokens, then "
    "every sequence delivered once in batches of 64. thermix encodes with fastokens, which is its choice; "
    "the row below has it encode with tokenizers, as the others do."
)

CONTENDERS: tuple[str, ...] = (
    "thermix",
    "thermix_tokenizers",
    "numpy_steps",
    "hf_datasets",
    "litdata_streams",
    "mosaic",
)
CONTENDERS += ("megatron",)
MEGABYTES = {"tiny": 1, "quick": 4, "full": 20}


def groups(size: Size) -> list[Group]:
    """One text."""
    settings = Settings(label="JSON Lines to batches of 64 x 2,048", megabytes=MEGABYTES[size])
    return [Group(NAME, (settings,), CONTENDERS, 3 if size == "full" else 1, 120)]


def measure(contender: ModuleType, settings: Settings) -> dict[str, float]:
    """Bytes of the file by the time of what `contender.text` gives: a function that counts its tokens.

    A twentieth of the tokens may be missing, beside a batch: some pack a thousand documents at a time.
    """
    run, found = contender.text(settings), []
    took = seconds(lambda: found.append(run()))
    written = text_tokens(settings.folder)
    checked_tokens(found[0], written, int(0.95 * written) - 64 * settings.length)
    return {settings.label: text_file(settings.folder).stat().st_size / 1e6 / took}
