"""Text as the bytes of its UTF-8: ids 0 to 255, end of document 256. Needs no tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput
from thermix.prepare.encoder_ids import decoded, refuse_half_pairs, smallest_dtype

__all__ = ["BytesEncoder"]

_END = 256
_NEVER_IN_UTF8 = b"\xff"


class BytesEncoder:
    """Ids are the bytes of the text in UTF-8; 256 ends a document.

    Args:
        end_of_document: None or "256".

    Raises:
        InvalidInput: another end of document.

    >>> encoder = BytesEncoder()
    >>> encoder.encode(["é", "", "ab"])
    (array([195, 169, 256, 256,  97,  98, 256], dtype=uint16), array([3, 1, 3]))
    >>> encoder.decode([195, 169, 256, 97])
    'éa'
    """

    def __init__(self, end_of_document: str | None = None) -> None:
        if end_of_document not in (None, str(_END)):
            raise InvalidInput(
                f"end of document: got {end_of_document!r}; with the tokenizer bytes it is {_END}. "
                "Leave it out."
            )
        self.vocabulary = _END + 1
        self.end_of_document = _END
        self.dtype = smallest_dtype(self.vocabulary)
        self.notices: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the ids."""
        return {"kind": "bytes", "vocabulary": self.vocabulary, "end_of_document": self.end_of_document}

    def check(self, texts: Sequence[str]) -> None:
        """Nothing: there is one way to encode."""

    def encode(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """As `Encoder.encode` says. Cost: three passes over memory."""
        try:
            encoded = [text.encode() for text in texts]
        except UnicodeEncodeError:
            refuse_half_pairs(texts)
            raise
        encoded.append(b"")  # so that the last text too is followed by a byte
        joined = np.frombuffer(_NEVER_IN_UTF8.join(encoded), np.uint8)
        lengths = np.fromiter(map(len, encoded[:-1]), np.int64, len(texts)) + 1
        tokens = joined.astype(self.dtype)
        tokens[np.cumsum(lengths) - 1] = _END
        return tokens, lengths

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """As `Encoder.decode` says."""
        return decoded(ids, _END, self.vocabulary, _text)

    def save(self, folder: Path) -> None:
        """Nothing: decoding needs no file."""


def _text(ids: NDArray[np.int64]) -> str:
    return ids.astype(np.uint8).tobytes().decode(errors="replace")
