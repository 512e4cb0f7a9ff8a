"""A `tokenizer.json`: reading it, fetching it, and opening it with the two libraries that encode.

What both are given is the file's text with three things settled, so that they agree: nothing is cut
(`truncation`) or filled up (`padding`), and the end of document is a special token, so that a document
in which it is typed does not end there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thermix.errors import DataError, InvalidInput, MissingExtra

if TYPE_CHECKING:
    import fastokens
    import tokenizers

__all__ = [
    "FILE",
    "fetch",
    "first_line",
    "open_fastokens",
    "open_tokenizers",
    "read_file",
    "rust_errors",
    "settings",
    "settled",
]

FILE = "tokenizer.json"
_WHAT = "A tokenizer.json is what `tokenizers` saves"


def read_file(path: Path) -> bytes:
    """The bytes of a tokenizer.json, by its path or the folder it is in.

    Raises:
        InvalidInput: there is none.
        DataError: it cannot be read.
    """
    file = path / FILE if path.is_dir() else path
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        where = f"the folder {path} has no {FILE}" if file != path else f"{path}: no such file"
        raise InvalidInput(f"tokenizer: {where}. Name a tokenizer.json, or a folder with one.") from error
    except OSError as error:
        raise DataError(
            f"tokenizer: {file}: {error.strerror}. Check its permissions, or the disk."
        ) from error


def fetch(name: str) -> bytes:
    """The bytes of a tokenizer.json of a hub, through `huggingface_hub`, which keeps what it downloads.

    Args:
        name: of a repository, "openai-community/gpt2", with "@" and a revision behind it if wanted.

    Raises:
        InvalidInput: there is none, or it cannot be had.
        MissingExtra: huggingface_hub is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtra("huggingface_hub", "data", f"the tokenizer hf:{name}") from error
    repository, _, revision = name.partition("@")
    try:
        path = huggingface_hub.hf_hub_download(repository, FILE, revision=revision or None)
        return Path(path).read_bytes()
    except Exception as error:  # of the hub, of the network, of the disk: any of five libraries' own
        raise InvalidInput(
            f"tokenizer: 'hf:{name}' cannot be had: {type(error).__name__}: {first_line(error)} "
            f"Check the name and the network; or download its {FILE} and give the path of that."
        ) from error


def settings(raw: bytes, where: str) -> dict[str, Any]:
    """What a tokenizer.json says.

    Args:
        raw: the file.
        where: it is from, for errors.

    Raises:
        DataError: it is no tokenizer.json.
        InvalidInput: its ids are drawn at random.
    """
    try:
        says = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"tokenizer: {where}, byte {error.start}: not UTF-8. {_WHAT}.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"tokenizer: {where}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}. {_WHAT}."
        ) from error
    except RecursionError as error:
        raise DataError(f"tokenizer: {where}: JSON nested too deeply. {_WHAT}.") from error
    if not isinstance(says, dict) or not isinstance(says.get("model"), dict):
        raise DataError(f"tokenizer: {where}: it is JSON without a 'model'. {_WHAT}.")
    if says["model"].get("dropout"):
        raise InvalidInput(
            f"tokenizer: {where}: model.dropout is {says['model']['dropout']}, with which the same text gets "
            "other ids each time; prepared shards are the same each time. Set it to null in a copy."
        )
    return says


def settled(raw: bytes, says: dict[str, Any], end_of_document: str | None) -> str:
    """The text that both libraries are given (see the top of this file): the file's own where it can be.

    Args:
        raw: the file.
        says: the same as values.
        end_of_document: its text, where it is an added token.
    """
    added = [
        {**token, "special": True} if token["content"] == end_of_document else token
        for token in says.get("added_tokens") or ()
    ]
    changes = {"truncation": None, "padding": None, "added_tokens": added}
    if all((says.get(key) or None) == (value or None) for key, value in changes.items()):
        return raw.decode("utf-8")
    return json.dumps({**says, **changes})


def open_tokenizers(text: str, where: str) -> tokenizers.Tokenizer:
    """A tokenizer of `tokenizers`, for which a special token in a text is text like any other.

    Raises:
        DataError: the library cannot read it.
        MissingExtra: the library is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtra("tokenizers", "data", "a tokenizer.json") from error
    try:
        with rust_errors():
            tokenizer = tokenizers.Tokenizer.from_str(text)
    except Exception as error:
        raise DataError(
            f"tokenizer: {where}: tokenizers {tokenizers.__version__} cannot read it: {first_line(error)} "
            "If a newer version wrote it, install that."
        ) from error
    tokenizer.encode_special_tokens = True
    return tokenizer


def open_fastokens(text: str) -> fastokens.Tokenizer:
    """A tokenizer of `fastokens`; ImportError without the library, its own errors where it cannot."""
    import fastokens

    with rust_errors():
        return fastokens.Tokenizer.from_json_str(text)


@contextlib.contextmanager
def rust_errors() -> Iterator[None]:
    """Make a panic of a Rust library, which is no `Exception`, a RuntimeError."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"it panicked: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, as a sentence."""
    line = (str(error).splitlines() or [""])[0].rstrip(" .:")
    return f"{line or type(error).__name__}."
