"""What every encoder does with ids: their type, the end of each document, and the way back.

Knows no tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput

__all__ = ["choose_end", "decoded", "refuse_half_pairs", "smallest_dtype", "with_ends"]

_KNOWN_ENDS = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end▁of▁sentence|>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "[EOS]",
    "[SEP]",
)
_MOST_LISTED = 12


def smallest_dtype(vocabulary: int) -> str:
    """The smallest type of a Megatron-LM shard that holds the ids 0 to vocabulary - 1.

    Args:
        vocabulary: the highest id and 1.

    Returns:
        "uint8", "uint16" or "int32". Megatron-LM's own tools write uint16 below 65,500 ids and int32
        above, and read all three.

    Raises:
        InvalidInput: no type holds so many.

    >>> [smallest_dtype(n) for n in (256, 257, 65_536, 65_537)]
    ['uint8', 'uint16', 'uint16', 'int32']
    """
    for dtype in ("uint8", "uint16", "int32"):
        if vocabulary - 1 <= np.iinfo(dtype).max:
            return dtype
    raise InvalidInput(
        f"tokenizer: its highest id is {vocabulary - 1:,}; a token of a shard is at most "
        f"{np.iinfo(np.int32).max:,}. Take another tokenizer."
    )


def with_ends(
    ids: NDArray[Any], lengths: NDArray[np.int64], end_of_document: int, dtype: str
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The tokens of documents one after another, each followed by the end of document.

    Args:
        ids: of all documents, one after another.
        lengths: (d,) ids of each document; their sum is the number of ids.
        end_of_document: the id to put behind each.
        dtype: of the result.

    Returns:
        The tokens, and (d,) the tokens of each document, the end of document among them.

    >>> with_ends(np.array([5, 6, 7]), np.array([2, 0, 1]), 9, "uint16")
    (array([5, 6, 9, 9, 7, 9], dtype=uint16), array([3, 1, 2]))
    """
    longer = lengths + 1
    tokens = np.empty(len(ids) + len(lengths), dtype)
    is_text = np.ones(len(tokens), bool)
    ends = np.cumsum(longer) - 1
    is_text[ends] = False
    tokens[is_text] = ids
    tokens[ends] = end_of_document
    return tokens, longer


def decoded(
    ids: Sequence[int] | NDArray[Any],
    end_of_document: int,
    vocabulary: int,
    decode: Callable[[NDArray[np.int64]], str],
) -> str:
    """The text of ids: each document is decoded for itself, and its end is left out.

    Args:
        ids: in [0, vocabulary).
        end_of_document: the id that ends a document.
        vocabulary: the highest id and 1.
        decode: gives the text of the ids of one document, or of a part of one.

    Raises:
        DataError: an id that the tokenizer does not have.
    """
    array = np.asarray(ids).astype(np.int64)
    for wrong in array[(array < 0) | (array >= vocabulary)][:1].tolist():
        raise DataError(
            f"token {wrong}: the tokenizer has the ids 0 to {vocabulary - 1}. The tokens were made by "
            "another one: decode with that."
        )
    pieces = np.split(array, np.flatnonzero(array == end_of_document))
    texts = [piece[1:] if len(piece) and piece[0] == end_of_document else piece for piece in pieces]
    return "".join(decode(piece) for piece in texts if len(piece))


def refuse_half_pairs(texts: Sequence[str]) -> None:
    """Refuse text that is not Unicode: half of a surrogate pair, which no UTF-8 can hold.

    Raises:
        InvalidInput: the text, and where in it.
    """
    for number, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"texts[{number}], character {error.start}: half a surrogate pair, "
                f"\\u{ord(text[error.start]):04x}, which is no character. Mend the text, or leave it out."
            ) from error


def choose_end(
    given: str | None, named: Mapping[str, int], find: Callable[[str], int | None], has: Callable[[int], bool]
) -> int:
    """The id that ends a document: as given, or the one that the tokenizer has for that.

    Args:
        given: the text of a token or, in digits, its id; None for the tokenizer's own.
        named: the ids of the tokens that the tokenizer holds beside its vocabulary of text, by name.
        find: gives the id of a token's text.
        has: whether there is a token of an id.

    Raises:
        InvalidInput: there is no such token; or none is given and the tokenizer has none, or several.
    """
    if given is None:
        return _own_end(named)
    found = int(given) if given.isascii() and given.isdigit() else find(given)
    if found is None or not has(found):
        near = get_close_matches(given, named, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Name one of {_listed(named)}, or an id."
        raise InvalidInput(f"end of document: got {given!r}, which is no token of the tokenizer. {advice}")
    return found


def _own_end(named: Mapping[str, int]) -> int:
    own = {name: named[name] for name in _KNOWN_ENDS if name in named}
    if len(set(own.values())) == 1:
        return next(iter(own.values()))
    what = f"has {' and '.join(map(repr, own))}, each of which may be it" if own else "names none"
    raise InvalidInput(
        f"end of document: the tokenizer {what}; each document needs one at its end. Name it: "
        f"--end-of-document TOKEN, one of {_listed(named)}, or an id."
    )


def _listed(named: Mapping[str, int]) -> str:
    if not named:
        return "its tokens (it has no special ones)"
    names = ", ".join(map(repr, list(named)[:_MOST_LISTED]))
    return names if len(named) <= _MOST_LISTED else f"{names} and {len(named) - _MOST_LISTED} more"
