"""tiktoken's encodings by name: "cl100k_base", "o200k_base", or what a plugin of it adds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thermix.engines.threads import threads
from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.prepare.encoder_ids import choose_end, decoded, refuse_half_pairs, smallest_dtype, with_ends

if TYPE_CHECKING:
    import tiktoken

__all__ = ["TiktokenEncoder"]


class TiktokenEncoder:
    """An encoding of tiktoken; a special token typed in a text is text like any other.

    tiktoken keeps what it downloads in the folder that TIKTOKEN_CACHE_DIR names.

    Args:
        name: of the encoding.
        end_of_document: the text or the id of a token; left out, the encoding's "<|endoftext|>".

    Raises:
        InvalidInput: no such encoding or token; the encoding cannot be had.
        MissingExtra: tiktoken is not installed.
    """

    def __init__(self, name: str, end_of_document: str | None = None) -> None:
        self._name = name
        self._encoding = _open(name)
        self.vocabulary = self._encoding.max_token_value + 1
        self.dtype = smallest_dtype(self.vocabulary)
        self.end_of_document = choose_end(
            end_of_document, self._encoding._special_tokens, self._find, self._has
        )
        self.notices: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the ids: the hash is of the pattern, the ranks and the special tokens."""
        return {
            "kind": "tiktoken",
            "name": self._name,
            "sha256": _sha256(self._encoding),
            "vocabulary": self.vocabulary,
            "end_of_document": self.end_of_document,
        }

    def check(self, texts: Sequence[str]) -> None:
        """Nothing: there is one library that encodes."""

    def encode(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """As `Encoder.encode` says."""
        refuse_half_pairs(texts)  # tiktoken would put other characters in their place
        with ThreadPoolExecutor(threads()) as pool:
            arrays = list(pool.map(self._ids, texts))
        lengths = np.fromiter(map(len, arrays), np.int64, len(texts))
        ids = np.concatenate(arrays) if arrays else np.empty(0, np.uint32)
        return with_ends(ids, lengths, self.end_of_document, self.dtype)

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """As `Encoder.decode` says."""
        return decoded(ids, self.end_of_document, self.vocabulary, self._text)

    def save(self, folder: Path) -> None:
        """Nothing: tiktoken keeps its files itself."""

    def _ids(self, text: str) -> NDArray[np.uint32]:
        return self._encoding.encode_to_numpy(text, disallowed_special=())

    def _text(self, ids: NDArray[np.int64]) -> str:
        try:
            return self._encoding.decode(ids.tolist())
        except KeyError as error:
            raise DataError(
                f"token {error}: tiktoken's {self._name} has no such token. The tokens were made by "
                "another one: decode with that."
            ) from error

    def _find(self, text: str) -> int | None:
        try:
            return self._encoding.encode_single_token(text)
        except KeyError:
            return None

    def _has(self, token: int) -> bool:
        try:
            return bool(self._encoding.decode_single_token_bytes(token))
        except (KeyError, OverflowError):
            return False


def _open(name: str) -> tiktoken.Encoding:
    try:
        import tiktoken
    except ImportError as error:
        raise MissingExtra("tiktoken", "data", f"the tokenizer tiktoken:{name}") from error
    known = tiktoken.list_encoding_names()
    if name not in known:
        raise InvalidInput(f"tokenizer: got 'tiktoken:{name}'; {_advice(name, known)}")
    try:
        return tiktoken.get_encoding(name)
    except Exception as error:  # of the library that downloads, of a full disk, of a wrong checksum
        raise InvalidInput(
            f"tokenizer: 'tiktoken:{name}' cannot be opened: {type(error).__name__}: {_first_line(error)}. "
            "tiktoken downloads it once: do that where there is a network, and name the folder of its "
            "files here in TIKTOKEN_CACHE_DIR."
        ) from error


def _advice(name: str, known: Sequence[str]) -> str:
    from tiktoken.model import encoding_name_for_model

    try:
        return (
            f"{name} is a model, and its encoding is 'tiktoken:{encoding_name_for_model(name)}'. Name that."
        )
    except KeyError:
        near = get_close_matches(name, known, n=1)
        did_you_mean = f" Did you mean 'tiktoken:{near[0]}'?" if near else ""
        return f"tiktoken knows {', '.join(sorted(known))}.{did_you_mean}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")


def _sha256(encoding: tiktoken.Encoding) -> str:
    """Of all that determines the ids, in tiktoken's own names for it (it has no public ones)."""
    digest = hashlib.sha256(encoding._pat_str.encode())
    for token, rank in sorted(encoding._mergeable_ranks.items()):
        digest.update(b"\n%d %s" % (rank, token.hex().encode()))
    for text, rank in sorted(encoding._special_tokens.items()):
        digest.update(f"\nspecial {rank} {text!r}".encode())
    return digest.hexdigest()
