"""A file at an address: `s3://`, `gs://`, `https://`, any fsspec protocol.

`finding.py` asks what an address means, `RemoteFile` is the answer: a value that can be pickled and read in
any process. What is read whole goes through the cache (`cache.py`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from thermix.errors import DataError
from thermix.sources.addresses import WEB, path_of, protocol_of, shown
from thermix.sources.megatron import IndexHeader
from thermix.sources.stores import patiently, store_of

__all__ = ["Checksum", "RemoteFile", "RemoteFolder", "gone"]


class Checksum(NamedTuple):
    """What a file's bytes must hash to.

    Attributes:
        algorithm: "sha256" or "md5".
        digest: hex.
        firm: whether it is surely one; the ETag of an S3 object looks like an MD5 and, where the store
            encrypts, is none.
    """

    algorithm: str
    digest: str
    firm: bool = True


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address, as it was found; as text, the address without secrets.

    Attributes:
        url: the whole address, which may hold a signature.
        size: in bytes.
        source: name of the source, for errors.
        version: what changes when the content does: ETag, generation or time, as the store says.
        checksum: what it must hash to, where that is known.
        index: of a `.bin`, the `.idx` beside it.
        header: of an `.idx`, what a manifest says is in its header.
    """

    url: str
    size: int
    source: str
    version: str = ""
    checksum: Checksum | None = None
    index: RemoteFile | None = None
    header: IndexHeader | None = None

    def __str__(self) -> str:
        return shown(self.url)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(path_of(self.url)).name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return PurePosixPath(self.name).suffix

    @property
    def key(self) -> str:
        """What the cache calls it: another one when address, size, version or checksum differ."""
        facts = (self.url, self.size, self.version, self.checksum)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", self.name)[-80:].lstrip(".")
        return f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}-{name}"

    def descriptor(self) -> int:
        """Its bytes on this host as an open file, fetched if they are not here; the caller closes it.

        Raises:
            DataError: it cannot be fetched, or is not what it should be.
        """
        from thermix.sources.cache import default_cache

        return default_cache().open(self)

    def read(self, start: int, count: int) -> bytes:
        """Bytes [start, start + count), fewer at its end; from the cache, else asked for alone.

        All of it, or a part from a web server that only gives files whole, comes into the cache.

        Raises:
            DataError: the store does not give them.
        """
        from thermix.sources.cache import default_cache

        stop = min(start + count, self.size)
        if stop <= start:
            return b""
        here = default_cache().held(self)
        if here is None and stop - start < self.size:
            data = self._asked(start, stop)
            if data is not None:
                return data
        with open(self.descriptor() if here is None else here, "rb", buffering=0) as file:
            file.seek(start)
            return file.read(stop - start)

    def _asked(self, start: int, stop: int) -> bytes | None:
        """Bytes [start, stop) from the store; None from a web server that only gives files whole."""
        where = f"sources.{self.source}: {self}"
        try:
            data = patiently(partial(self._ranged, start, stop), where)
        except FileNotFoundError as error:
            raise gone(self) from error
        if data is not None and len(data) != stop - start:
            raise DataError(
                f"{where}, byte {start}: {stop - start} bytes were asked for, and {len(data)} came. The file "
                "has changed since it was listed: open the source anew."
            )
        return data

    def _ranged(self, start: int, stop: int) -> bytes | None:
        store, path = store_of(self.url, self.source)
        if protocol_of(self.url) not in WEB:
            return bytes(store.cat_file(path, start=start, end=stop))
        with store.open(path, "rb", cache_type="none", size=self.size) as file:
            file.seek(start)
            try:
                return bytes(file.read(stop - start))[: stop - start]
            except ValueError:  # it does not know ranges
                return None


class RemoteFolder(NamedTuple):
    """A folder at an address, and the files in it, sorted by name."""

    url: str
    files: list[RemoteFile]

    def __str__(self) -> str:
        return shown(self.url)


def gone(file: RemoteFile) -> DataError:
    """The error of a file that was there and is there no more."""
    return DataError(
        f"sources.{file.source}: {file}: nothing lies there any more; it did when the source was opened. "
        "Put it back, or open the source anew."
    )
