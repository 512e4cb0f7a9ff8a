"""Writing a token shard: the `.bin` and `.idx` that Megatron-LM reads and would itself have written.

Invariant: a shard is there whole or not at all. Both files are written under temporary names, flushed to
disk and renamed, the index last: where there is an index, there is a shard.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from array import array
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import DataError, InvalidInput
from thermix.sources.megatron import DTYPE_CODES, HEADER, MAGIC, VERSION, little_endian

if TYPE_CHECKING:
    from thermix.sources.manifest import FileRecord

__all__ = ["Digest", "TokenShardWriter"]

_CODES = {name: code for code, name in DTYPE_CODES.items() if not name.startswith("float")}
_BUFFER = 1 << 16  # what is larger is written as it is, without a copy
_BLOCK = 1 << 20
_LONGEST = (1 << 31) - 1


class Digest(Protocol):
    """What of `hashlib` is needed here."""

    def update(self, data: Any, /) -> None:
        """Take one more piece, in order; it does not change any more."""
        ...

    def hexdigest(self) -> str:
        """Of all pieces so far."""
        ...


class TokenShardWriter:
    """One shard, written document by document; a document is one sequence of the index.

    In `with`, leaving the block finishes the shard, and an exception in the block discards it.

    Args:
        path: of the shard without an ending, "folder/name"; ".bin" and ".idx" are put behind it.
        dtype: of a token in the files; Megatron-LM knows uint8, uint16, int8, int16, int32 and int64.
        digest: computes the SHA-256 of the `.bin`; left out, as it is written.

    Raises:
        InvalidInput: another type, or a shard of that name is there.
        DataError: the files cannot be written.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with TokenShardWriter(folder / "part-0", dtype="uint16") as shard:
    ...     shard.append([5, 6, 7])
    ...     shard.append([8])
    >>> sorted((file.name, file.stat().st_size) for file in folder.iterdir())
    [('part-0.bin', 8), ('part-0.idx', 82)]

    Cost: 4 bytes of memory a document.
    """

    def __init__(self, path: str | os.PathLike[str], *, dtype: str, digest: Digest | None = None) -> None:
        if dtype not in _CODES:
            raise InvalidInput(
                f"dtype: got {dtype!r}; a Megatron-LM shard holds {', '.join(_CODES)}. "
                "Take the next larger one."
            )
        self._dtype = little_endian(dtype)
        self._bin, self._idx = f"{os.fspath(path)}.bin", f"{os.fspath(path)}.idx"
        for file in (self._bin, self._idx):
            if os.path.lexists(file):
                raise InvalidInput(
                    f"{file}: a file of that name is there; it is not written over. "
                    "Remove it, or take another name."
                )
        self._lengths = array("i")
        self._tokens = 0
        self._ours = [_part(self._bin), _part(self._idx)]
        self._digests: tuple[Digest, Digest] = digest or hashlib.sha256(), hashlib.sha256()
        with _named(self._bin, 0):
            self._data: BinaryIO | None = open(_part(self._bin), "wb", _BUFFER)  # noqa: SIM115

    @property
    def documents(self) -> int:
        """Documents appended so far."""
        return len(self._lengths)

    @property
    def tokens(self) -> int:
        """Tokens appended so far."""
        return self._tokens

    @property
    def records(self) -> tuple[FileRecord, FileRecord]:
        """Size and SHA-256 of the `.bin` and the `.idx` of a finished shard, as they were written."""
        from thermix.sources.manifest import FileRecord

        sizes = self._tokens * self._dtype.itemsize, HEADER.size + 20 * len(self._lengths) + 8
        data, index = (
            FileRecord(bytes=size, sha256=digest.hexdigest())
            for size, digest in zip(sizes, self._digests, strict=True)
        )
        return data, index

    def append(self, tokens: ArrayLike) -> None:
        """Add a document.

        Args:
            tokens: whole numbers (n,) that the shard's type can hold; n may be 0.

        Raises:
            InvalidInput: not such numbers, or the writer is closed.
            DataError: the file cannot be written.
        """
        document = np.asarray(tokens)
        self.extend(document, [document.size])

    def extend(self, tokens: ArrayLike, lengths: ArrayLike) -> None:
        """Add many documents that lie one after the other.

        Args:
            tokens: of all of them, whole numbers (n,).
            lengths: of each (d,), in tokens; they sum to n.

        Raises:
            InvalidInput, DataError: as for `append`.
        """
        if self._data is None:
            raise InvalidInput(f"{self._bin}: it is closed; open another writer for another shard.")
        stored = self._stored(np.asarray(tokens))
        sizes = self._checked_lengths(np.asarray(lengths), len(stored))
        with _named(self._bin, self._tokens * self._dtype.itemsize):
            self._data.write(stored.data)
        self._digests[0].update(stored.data)
        self._lengths.frombytes(sizes.astype(np.intc).tobytes())
        self._tokens += len(stored)

    def close(self) -> None:
        """Finish the shard; a second time does nothing.

        Raises:
            DataError: the files cannot be written; nothing of the shard is left.
        """
        if self._data is None:
            return
        try:
            self._finish(self._data)
        except BaseException:
            self.discard()
            raise
        self._data = None

    def discard(self) -> None:
        """Leave nothing behind; after `close` it does nothing."""
        if self._data is None:
            return
        data, self._data = self._data, None
        with contextlib.suppress(OSError):  # what cannot be flushed need not be
            data.close()
        for file in self._ours:
            with contextlib.suppress(OSError):
                os.unlink(file)

    def __enter__(self) -> TokenShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _stored(self, tokens: NDArray[np.generic]) -> NDArray[np.integer]:
        """The tokens in the shard's type; refused where that cannot hold them."""
        if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
            raise InvalidInput(
                f"{self._bin}, document {self.documents}: got {tokens.dtype} of shape {tokens.shape}; "
                "tokens are whole numbers of shape (n,)."
            )
        if tokens.size and not np.can_cast(tokens.dtype, self._dtype, "safe"):
            bounds = np.iinfo(self._dtype)
            for token in (int(tokens.min()), int(tokens.max())):
                if not bounds.min <= token <= bounds.max:
                    raise InvalidInput(
                        f"{self._bin}, document {self.documents} or after: got token {token}; "
                        f"{self._dtype.name} holds {bounds.min} to {bounds.max}. Take a larger dtype."
                    )
        return np.ascontiguousarray(tokens, self._dtype)

    def _checked_lengths(self, lengths: NDArray[np.generic], tokens: int) -> NDArray[np.integer]:
        good = lengths.ndim == 1 and (not lengths.size or lengths.dtype.kind in "iu")
        if not good or int(lengths.sum()) != tokens or (lengths.size and lengths.min() < 0):
            raise InvalidInput(
                f"{self._bin}, document {self.documents}: lengths: got {lengths.dtype} of shape "
                f"{lengths.shape} for {tokens} tokens; they are whole numbers >= 0 of shape (d,) with "
                "that sum."
            )
        if lengths.size and lengths.max() > _LONGEST:
            raise InvalidInput(
                f"{self._bin}: got a document of {lengths.max()} tokens; a Megatron-LM index holds lengths "
                "below 2^31. Cut it."
            )
        return cast("NDArray[np.integer]", lengths)

    def _finish(self, data: BinaryIO) -> None:
        with _named(self._bin, self._tokens * self._dtype.itemsize):
            _flush_to_disk(data)
            data.close()
        with _named(self._idx, 0), open(_part(self._idx), "wb", _BUFFER) as index:
            for piece in self._index():
                index.write(piece)
                self._digests[1].update(piece)
            _flush_to_disk(index)
        for file in (self._bin, self._idx):
            with _named(file, 0):
                os.replace(_part(file), file)
            self._ours.append(file)
        _flush_folder(os.path.dirname(self._bin) or ".")

    def _index(self) -> Iterator[bytes]:
        """The index file, piece by piece."""
        documents = len(self._lengths)
        yield HEADER.pack(MAGIC, VERSION, _CODES[self._dtype.name], documents, documents + 1)
        blocks = [slice(i, i + _BLOCK) for i in range(0, documents, _BLOCK)]
        lengths = np.frombuffer(self._lengths, np.intc) if documents else np.empty(0, np.intc)
        for block in blocks:
            yield lengths[block].astype("<i4").tobytes()
        first = 0
        for block in blocks:
            ends = first + np.cumsum(lengths[block], dtype=np.int64)
            yield ((ends - lengths[block]) * self._dtype.itemsize).astype("<i8").tobytes()
            first = int(ends[-1])
        for start in range(0, documents + 1, _BLOCK):
            yield np.arange(start, min(start + _BLOCK, documents + 1), dtype="<i8").tobytes()


def _part(file: str) -> str:
    """The name a file has until it is whole."""
    return f"{file}.part"


def _flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: str) -> None:
    """Make the renames last through a power cut, where the system lets a folder be flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _named(file: str, byte: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{file}, byte {byte}: it cannot be written: {error.strerror or error}. Mend that and write the "
            "shard again; nothing of it was left behind."
        ) from error
