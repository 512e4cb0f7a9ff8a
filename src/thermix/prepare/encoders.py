"""From text to tokens and back: what an encoder is, and how one is opened.

Encoders are bytes (`encoder_bytes`), a tokenizer.json (`encoder_huggingface`) and tiktoken's encodings
(`encoder_tiktoken`). Their libraries are imported when one is opened.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermix.engines.threads import limit_threads
from thermix.errors import DataError, InvalidInput
from thermix.prepare.encoder_bytes import BytesEncoder
from thermix.prepare.encoder_huggingface import HuggingfaceEncoder
from thermix.prepare.encoder_tiktoken import TiktokenEncoder
from thermix.prepare.tokenizer_file import FILE, fetch, read_file

__all__ = ["Encoder", "encoder_from_identity", "limit_threads", "open_encoder"]

_FORMS = "bytes, the path of a tokenizer.json, tiktoken:NAME or hf:NAME"


class Encoder(Protocol):
    """Turns texts into tokens, the same ones in every process and on every machine. It can be pickled.

    Attributes:
        vocabulary: the highest id and 1.
        end_of_document: the id put behind each document.
        dtype: of tokens: the smallest of uint8, uint16 and int32 that holds every id.
        notices: what a person should know of how it encodes, a line each.
    """

    vocabulary: int
    end_of_document: int
    dtype: str
    notices: tuple[str, ...]

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that determines the ids, as JSON values: no path, no library, no hub's name.

        Returns:
            "kind" ("bytes", "tokenizer.json" or "tiktoken"), "vocabulary", "end_of_document"; of the
            last two kinds also "sha256" and of the last "name".
        """

    def check(self, texts: Sequence[str]) -> None:
        """Choose the library that encodes: a fast one only if its ids are right for a sample of texts.

        The sample is built in, and the beginnings of the texts given: 256 Ki characters at most.
        """

    def encode(self, texts: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The tokens of documents.

        Args:
            texts: one for each document.

        Returns:
            The tokens of all, one after another in `dtype`, each followed by the end of document; and
            (d,) the tokens of each, the end of document among them.

        Raises:
            InvalidInput: a text holds half a surrogate pair, or something that has no id.
        """

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """The text of tokens; they may begin and end inside a document, and hold several.

        Ends of documents are left out: cut at `end_of_document` first to see them. Bytes that are no
        UTF-8, as where a window cuts a character, come out as U+FFFD.

        Raises:
            DataError: an id that the tokenizer does not have.
        """

    def save(self, folder: Path) -> None:
        """Put beside the shards what decoding them needs: a copy of a tokenizer.json."""


def open_encoder(spec: str, *, end_of_document: str | None = None) -> Encoder:
    """Open the tokenizer that a user names.

    Args:
        spec: "bytes" (ids 0 to 255, end of document 256); the path of a tokenizer.json, or of a folder
            with one; "tiktoken:NAME"; "hf:NAME" or "hf:NAME@REVISION", whose tokenizer.json is fetched.
        end_of_document: the text of a token or, in digits, its id; left out, the tokenizer's own.

    Raises:
        InvalidInput: there is no such tokenizer or token; no end of document is known.
        DataError: the file is no tokenizer.json, or damaged.
        MissingExtra: the tokenizer's library is not installed.

    >>> encoder = open_encoder("bytes")
    >>> encoder.encode(["ab", "c"])
    (array([ 97,  98, 256,  99, 256], dtype=uint16), array([3, 2]))
    >>> encoder.identity
    {'kind': 'bytes', 'vocabulary': 257, 'end_of_document': 256}
    """
    encoder = _opened(spec, end_of_document)
    encoder.check(())
    return encoder


def _opened(spec: str, end_of_document: str | None) -> Encoder:
    kind, colon, name = spec.partition(":")
    if spec == "bytes":
        return BytesEncoder(end_of_document)
    if colon and kind == "tiktoken":
        return TiktokenEncoder(name, end_of_document)
    if colon and kind == "hf":
        return HuggingfaceEncoder(fetch(name), spec, end_of_document)
    if not os.path.exists(spec):
        _refuse_unknown(spec, kind)
    return HuggingfaceEncoder(read_file(Path(spec)), spec, end_of_document)


def _refuse_unknown(spec: str, kind: str) -> None:
    known = {"bytes": "bytes", "tiktoken": "tiktoken:NAME", "hf": "hf:NAME", "huggingface": "hf:NAME"}
    near = get_close_matches(kind.lower(), known, n=1, cutoff=0.7)
    did_you_mean = f" Did you mean {known[near[0]]!r}?" if near else ""
    raise InvalidInput(f"tokenizer: got {spec!r}, and there is no such file; it is {_FORMS}.{did_you_mean}")


def encoder_from_identity(identity: Mapping[str, Any], folder: Path) -> Encoder:
    """Open the tokenizer that made shards, to decode them.

    Args:
        identity: as the encoder stated it, out of a manifest.
        folder: of the manifest, where a tokenizer.json was put.

    Raises:
        DataError: the identity is damaged; the tokenizer is not the one that it was.
        InvalidInput: the tokenizer is not there any more.
        MissingExtra: its library is not installed.
    """
    try:
        encoder = _of_identity(identity, folder)
    except InvalidInput as error:
        raise InvalidInput(f"{folder}: {error}") from error
    if encoder.identity != dict(identity):
        raise _other_tokenizer(folder, identity, encoder.identity)
    return encoder


def _of_identity(identity: Mapping[str, Any], folder: Path) -> Encoder:
    match identity:
        case {"kind": "bytes", "end_of_document": int(end)}:
            return BytesEncoder(str(end))
        case {"kind": "tiktoken", "name": str(name), "end_of_document": int(end)}:
            return TiktokenEncoder(name, str(end))
        case {"kind": kind, "sha256": str(digest), "end_of_document": int(end)} if kind == FILE:
            raw = read_file(folder / FILE)
            found = hashlib.sha256(raw).hexdigest()
            if found != digest:  # before it is opened: another file may lack the end of document
                raise _other_tokenizer(folder, identity, {"kind": FILE, "sha256": found})
            return HuggingfaceEncoder(raw, str(folder / FILE), str(end))
    raise DataError(
        f"{folder}: its manifest says of the tokenizer {dict(identity)}; that is none of bytes, {FILE} and "
        "tiktoken with what belongs to it. Prepare the shards again."
    )


def _other_tokenizer(folder: Path, due: Mapping[str, Any], found: Mapping[str, Any]) -> DataError:
    return DataError(
        f"{folder}: the tokenizer here is {_shown(found)}; the shards were made with {_shown(due)}. "
        "Put that one back."
    )


def _shown(identity: Mapping[str, Any]) -> str:
    names = {"kind": "", "name": "", "sha256": "SHA-256 ", "vocabulary": "vocabulary "}
    names["end_of_document"] = "end of document "
    return ", ".join(f"{before}{str(identity[key])[:16]}" for key, before in names.items() if key in identity)
