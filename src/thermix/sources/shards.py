"""What lies in the files of a token source, at a glance: one `Shard` a file of tokens.

Three formats: Megatron-LM `.bin` with its `.idx`, `.npy` (one-dimensional, whole numbers) and `.bin` without
an index, whose type of token must be said. Reads headers and sizes only. Invariant: the tokens a shard
says it has are in its file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from io import BytesIO
from typing import NamedTuple

import numpy as np

from thermix.errors import DataError, InvalidInput
from thermix.sources.disk import Disk, opened
from thermix.sources.megatron import IndexHeader, little_endian, read_header
from thermix.sources.remote import RemoteFile
from thermix.sources.stores import side_by_side

__all__ = ["Shard", "open_shards", "token_dtype"]

_TYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
_NPY_HEAD = 4096


class Shard(NamedTuple):
    """One file of tokens.

    Attributes:
        path: of the file that holds the tokens.
        size: of that file, in bytes.
        offset: byte at which the tokens begin.
        tokens: how many there are, at least 1.
        dtype: of a token, as stored.
        header: of the `.idx` beside it; None for flat files.
        remote: the file, and with it its index, where `path` is an address.
    """

    path: str
    size: int
    offset: int
    tokens: int
    dtype: np.dtype[np.integer]
    header: IndexHeader | None
    remote: RemoteFile | None = None

    @property
    def index_path(self) -> str:
        """Of the `.idx` beside it."""
        return str(self.remote.index) if self.remote else f"{os.path.splitext(self.path)[0]}.idx"

    @property
    def file(self) -> str | RemoteFile:
        """The file that holds the tokens, to be read."""
        return self.remote or self.path

    @property
    def index_file(self) -> str | RemoteFile:
        """The `.idx` beside it, to be read."""
        return self.remote.index if self.remote and self.remote.index else self.index_path


def token_dtype(dtype: str, name: str) -> np.dtype[np.integer]:
    """The little-endian type of a name such as "uint16".

    Raises:
        InvalidInput: no type of whole numbers.
    """
    if dtype not in _TYPES:
        near = get_close_matches(str(dtype), _TYPES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InvalidInput(f"sources.{name}.dtype: got {dtype!r}; it is one of {', '.join(_TYPES)}.{hint}")
    return little_endian(dtype)


def open_shards(
    paths: Sequence[str | os.PathLike[str] | RemoteFile], name: str, dtype: str | None
) -> list[Shard]:
    """Look at every file.

    Args:
        paths: `.bin`, `.idx` and `.npy` files; a `.bin` and its `.idx` may both be named, and are one shard.
            Remote files as `find_remote` found them, which has put the two together.
        name: of the source, for errors.
        dtype: of a token: needed for a `.bin` without an index, checked against all others.

    Returns:
        The shards in the order of the paths, all of one dtype.

    Raises:
        DataError: a file is damaged, holds no tokens, or another type than `dtype`, or cannot be read.
        InvalidInput: a `.bin` without an index, and no dtype; or files of several types.

    Cost: about 20 us a shard, whatever its size. A remote shard takes three small reads of its index, 16
    of them at a time; none with a manifest, or without an index.
    """
    stated = None if dtype is None else token_dtype(dtype, name)
    remote = [path for path in paths if isinstance(path, RemoteFile)]
    shards = side_by_side(lambda file: _look_remote(file, name, stated), remote)
    local = [path for path in paths if not isinstance(path, RemoteFile)]
    shards += [_look(path, name, stated) for path in _token_files(local, name)]
    for shard in shards:
        _check_dtype(shard, shards[0], stated, name)
    return shards


def _token_files(paths: Sequence[str | os.PathLike[str]], name: str) -> Iterator[str]:
    """The files that hold tokens, each once."""
    seen = set()
    for entry in paths:
        path = os.fspath(entry)
        stem, ending = os.path.splitext(path)
        if ending.lower() not in (".bin", ".idx", ".npy"):
            raise InvalidInput(f"sources.{name}.path: got {path}; token files end in .bin, .idx or .npy.")
        file = f"{stem}.bin" if ending.lower() == ".idx" else path
        if file not in seen:
            seen.add(file)
            yield file


def _look(path: str, name: str, stated: np.dtype[np.integer] | None) -> Shard:
    if path.lower().endswith(".npy"):
        return _not_empty(_look_npy(path, name), name)
    return _not_empty(_look_bin(path, name, stated), name)


def _look_remote(file: RemoteFile, name: str, stated: np.dtype[np.integer] | None) -> Shard:
    if file.suffix.lower() == ".npy":
        shard = _look_npy(file, name)
    elif file.index is None:
        shard = _look_flat(file, name, stated)
    else:
        shard = _look_megatron(file, file.index, name)
    return _not_empty(shard._replace(path=str(file), remote=file), name)


def _not_empty(shard: Shard, name: str) -> Shard:
    if shard.tokens == 0:
        raise DataError(
            f"sources.{name}: {shard.path} holds no tokens; every shard has at least one. "
            "Take it out, or write it again."
        )
    return shard


def _look_bin(path: str, name: str, stated: np.dtype[np.integer] | None) -> Shard:
    index_path = f"{os.path.splitext(path)[0]}.idx"
    if os.path.lexists(index_path):
        return _look_megatron(path, index_path, name)
    return _look_flat(path, name, stated)


def _look_flat(path: str | RemoteFile, name: str, stated: np.dtype[np.integer] | None) -> Shard:
    with opened(path, name) as disk:
        if stated is None:
            index = f"{os.path.splitext(os.path.basename(disk.path))[0]}.idx"
            raise InvalidInput(
                f"sources.{name}.dtype: {path} has no index ({index}) beside it, and "
                "does not say itself what a token is. Put the index there, or say the type, such as uint16."
            )
        _check_whole(disk, stated)
        return Shard(disk.path, disk.size, 0, disk.size // stated.itemsize, stated, None)


def _check_whole(disk: Disk, dtype: np.dtype[np.integer]) -> None:
    over = disk.size % dtype.itemsize
    if over:
        raise DataError(
            f"{disk}, byte {disk.size - over}: {over} bytes are left over; a token of {dtype.name} is "
            f"{dtype.itemsize} bytes. The file is cut short, or its dtype is another one."
        )


def _look_megatron(path: str | RemoteFile, index_path: str | RemoteFile, name: str) -> Shard:
    known = index_path.header if isinstance(index_path, RemoteFile) else None
    header = known or read_header(index_path, name)
    with opened(path, name) as disk:
        if disk.size != header.data_bytes:
            longer = "longer" if disk.size > header.data_bytes else "shorter"
            raise DataError(
                f"{disk} is {disk.size} bytes long, {longer} than the {header.data_bytes} bytes its index "
                f"{index_path} says. It is cut short, or the two are not of one run: write the shard again."
            )
    return Shard(disk.path, disk.size, 0, disk.size // header.dtype.itemsize, header.dtype, header)


def _look_npy(path: str | RemoteFile, name: str) -> Shard:
    with opened(path, name) as disk:
        head = BytesIO(disk.read(0, _NPY_HEAD))
        try:
            reader = _NPY_READERS.get(np.lib.format.read_magic(head))
            if reader is None:
                raise ValueError("an .npy version this does not read")
            shape, _, dtype = reader(head)
        except ValueError as error:
            raise DataError(
                f"{disk}, byte 0: not read as .npy: {error}. Write it with numpy.save."
            ) from error
        _check_npy(disk, shape, dtype, head.tell())
        return Shard(disk.path, disk.size, head.tell(), shape[0], dtype, None)


_NPY_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _check_npy(disk: Disk, shape: tuple[int, ...], dtype: np.dtype[np.generic], offset: int) -> None:
    if len(shape) != 1 or dtype.kind not in "iu":
        raise DataError(
            f"{disk}: it holds {dtype} of shape {shape}; tokens are whole numbers of shape (n,). "
            "Save them so: numpy.save(path, tokens.ravel())."
        )
    due = offset + shape[0] * dtype.itemsize
    if disk.size != due:
        what = "The file is cut short" if disk.size < due else "Something was written behind it"
        raise DataError(
            f"{disk}: it is {disk.size} bytes long, and its header says {shape[0]} tokens of {dtype.name}, "
            f"which end at byte {due}. {what}: write it again."
        )


def _check_dtype(shard: Shard, first: Shard, stated: np.dtype[np.integer] | None, name: str) -> None:
    if stated is not None and shard.dtype.newbyteorder("<") != stated:
        raise DataError(
            f"sources.{name}.dtype: got {stated.name}, and {shard.path} holds {shard.dtype.name}; "
            "files with a header say what they hold. Leave dtype out."
        )
    if shard.dtype != first.dtype:
        raise InvalidInput(
            f"sources.{name}.path: {first.path} holds {first.dtype} and {shard.path} {shard.dtype}; the "
            "shards of a source have one type. Make two sources of them."
        )
