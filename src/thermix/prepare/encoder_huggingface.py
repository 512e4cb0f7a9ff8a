"""A `tokenizer.json`, encoded in bulk by `fastokens` where its ids are those of `tokenizers`.

Invariant: ids are those of `tokenizers`. `fastokens` is used only after `check` has compared the two,
and which of them encodes is no part of what the encoder is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput
from thermix.prepare.encoder_ids import choose_end, decoded, refuse_half_pairs, smallest_dtype, with_ends
from thermix.prepare.tokenizer_file import (
    FILE,
    first_line,
    open_fastokens,
    open_tokenizers,
    rust_errors,
    settings,
    settled,
)
from thermix.prepare.tokenizer_sample import sample

if TYPE_CHECKING:
    import fastokens
    import tokenizers

__all__ = ["HuggingfaceEncoder"]

_SLOWER = "which takes many times as long"
_SHOWN = 40


class HuggingfaceEncoder:
    """Ids of a tokenizer.json, without those that its post-processor would put around a text.

    A special token typed in a text ("<|endoftext|>", "[SEP]") is text like any other. Added tokens that
    are not special are part of the vocabulary of text, and are matched.

    Args:
        raw: the file.
        where: it is from, for errors.
        end_of_document: the text or the id of a token; left out, the tokenizer's own.

    Raises:
        DataError: it is no tokenizer.json, or `tokenizers` cannot read it.
        InvalidInput: no such token, no end of document or several, ids drawn at random.
        MissingExtra: tokenizers is not installed.
    """

    def __init__(self, raw: bytes, where: str, end_of_document: str | None = None) -> None:
        says = settings(raw, where)
        plain = open_tokenizers(raw.decode("utf-8"), where)
        self._raw, self._where = raw, where
        self._sha256 = hashlib.sha256(raw).hexdigest()
        self.vocabulary = max(plain.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        self.dtype = smallest_dtype(self.vocabulary)
        self._named = {token.content: number for number, token in plain.get_added_tokens_decoder().items()}
        self.end_of_document = choose_end(
            end_of_document, self._named, plain.token_to_id, lambda token: _has(plain, token)
        )
        names = {number: name for name, number in self._named.items()}
        self._text = settled(raw, says, names.get(self.end_of_document))
        same = self._text == raw.decode("utf-8")
        self._plain = plain if same else open_tokenizers(self._text, where)
        self._fast: fastokens.Tokenizer | None = None
        self._fell_back = False
        self.notices: tuple[str, ...] = tuple(_typed_end(self._plain, self.end_of_document))

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the ids: the file and the end of document."""
        return {
            "kind": FILE,
            "sha256": self._sha256,
            "vocabulary": self.vocabulary,
            "end_of_document": self.end_of_document,
        }

    @property
    def uses_fastokens(self) -> bool:
        """Whether fastokens encodes; False before the first check."""
        return self._fast is not None

    def check(self, texts: Sequence[str]) -> None:
        """As `Encoder.check` says. Cost: about 0.2 s, and once the time fastokens takes to open."""
        if self._fell_back:
            return
        try:
            fast = self._fast or open_fastokens(self._text)
            objection = self._difference(fast, texts)
        except ImportError:
            objection = "fastokens is not installed (pip install 'thermix[data]')"
        except Exception as error:
            objection = f"fastokens {version('fastokens')} does not take it ({first_line(error)[:-1]})"
        if objection is None:
            self._fast = fast
            return
        self._fast, self._fell_back = None, True
        self.notices += (f"tokenizer: {objection}; encoding with tokenizers, {_SLOWER}.",)

    def encode(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """As `Encoder.encode` says. Without fastokens, some 80 bytes of memory a byte of text."""
        ids, lengths = self._ids(texts)
        return with_ends(ids, lengths, self.end_of_document, self.dtype)

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """As `Encoder.decode` says; how spaces come out is up to the tokenizer's decoder."""
        return decoded(
            ids,
            self.end_of_document,
            self.vocabulary,
            lambda piece: str(self._plain.decode(piece.tolist(), skip_special_tokens=False)),
        )

    def save(self, folder: Path) -> None:
        """Put a copy of the tokenizer.json into a folder, whole or not at all."""
        path = folder / FILE
        temporary = folder / f".{FILE}.{os.getpid()}.part"
        try:
            with temporary.open("wb") as file:
                file.write(self._raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise DataError(
                f"{path}: it cannot be written: {error.strerror}. Make room, or mend the folder."
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        end = str(self.end_of_document)
        return _reopened, (self._raw, self._where, end, self.uses_fastokens, self._fell_back, self.notices)

    def _ids(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        if self._fast is not None:
            try:
                return _by_fastokens(self._fast, texts)
            except Exception as error:
                refuse_half_pairs(texts)
                self._note_failure(error)
        try:
            return _by_tokenizers(self._plain, texts)
        except Exception as error:
            refuse_half_pairs(texts)
            raise InvalidInput(
                f"tokenizer: {self._where}: tokenizers cannot encode a text: {first_line(error)} Take a "
                "tokenizer that has an id for every character."
            ) from error

    def _note_failure(self, error: Exception) -> None:
        notice = (
            f"tokenizer: fastokens failed on a batch of texts ({first_line(error)[:-1]}); it was encoded "
            f"with tokenizers, {_SLOWER}."
        )
        if notice not in self.notices:
            self.notices += (notice,)

    def _difference(self, fast: fastokens.Tokenizer, texts: Sequence[str]) -> str | None:
        """In what fastokens differs from tokenizers; None where it does not."""
        tried = sample(texts, self._named)
        ids, lengths = _by_fastokens(fast, tried)
        found = np.split(ids, np.cumsum(lengths)[:-1])
        for text, given in zip(tried, found, strict=True):
            # one by one: a batch would start threads, and a fork after that prints a warning
            due = self._plain.encode(text, add_special_tokens=False).ids
            if given.tolist() != due:
                shown = repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
                return f"fastokens {version('fastokens')} gives other ids than tokenizers for {shown}"
        return None


def _by_fastokens(
    fast: fastokens.Tokenizer, texts: Sequence[str]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    with rust_errors():
        ids, offsets = fast.encode_batch_flat(
            list(texts), add_special_tokens=False, split_special_tokens=True
        )
    bounds = np.frombuffer(offsets, "<u8").astype(np.int64)
    return np.frombuffer(ids, "<u4"), bounds[1:] - bounds[:-1]


def _by_tokenizers(
    plain: tokenizers.Tokenizer, texts: list[str]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    with rust_errors():
        encodings = plain.encode_batch_fast(texts, add_special_tokens=False)
    arrays = [np.array(encoding.ids, np.uint32) for encoding in encodings]
    lengths = np.fromiter(map(len, arrays), np.int64, len(texts))
    return np.concatenate(arrays) if arrays else np.empty(0, np.uint32), lengths


def _has(plain: tokenizers.Tokenizer, token: int) -> bool:
    try:
        return plain.id_to_token(token) is not None
    except OverflowError:
        return False


def _typed_end(plain: tokenizers.Tokenizer, end_of_document: int) -> Iterator[str]:
    """What to tell of a tokenizer whose end of document can be typed: a model may hold it as a word."""
    typed = plain.decode([end_of_document], skip_special_tokens=False)
    for text in (typed, f"a {typed} b", f"a{typed}b"):
        with contextlib.suppress(Exception), rust_errors():  # one that cannot encode this holds no such word
            if end_of_document in plain.encode(text, add_special_tokens=False).ids:
                yield (
                    f"tokenizer: a document in which {typed!r} is typed ends there, as the tokenizer has it "
                    "as a word of text. Name another end of document if your texts hold it."
                )
                return


@lru_cache(maxsize=2)
def _reopened(
    raw: bytes, where: str, end_of_document: str, fast: bool, fell_back: bool, notices: tuple[str, ...]
) -> HuggingfaceEncoder:
    """A pickled encoder in its new process, which opens it once, however often it is sent there."""
    encoder = HuggingfaceEncoder(raw, where, end_of_document)
    encoder._fast = open_fastokens(encoder._text) if fast else None
    encoder._fell_back, encoder.notices = fell_back, notices
    return encoder
