"""Files at an address (`s3://`, `gs://`, `https://`, any fsspec protocol): what there is, and one such file.

`find_remote` asks what an address means, `RemoteFile` is the answer: a value that can be pickled and read in
any process. What is read whole goes through the cache (`cache.py`). Invariant: a folder is listed once,
and what its listing says of a file is not asked for again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from thermix.errors import DataError, InvalidInput
from thermix.sources.files import MANIFEST
from thermix.sources.megatron import IndexHeader
from thermix.sources.stores import patiently, protocol_of, shown, side_by_side, store_of

__all__ = ["Checksum", "RemoteFile", "RemoteFolder", "find_remote"]

_VERSIONS = (
    *("ETag", "etag", "generation", "md5Hash", "content_hash", "sha256", "mtime", "modified", "LastModified"),
    *("last_modified", "updated", "Last-Modified", "created"),
)
_WEB = ("http", "https")


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
        return PurePosixPath(_path(self.url)).name

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
        if protocol_of(self.url) not in _WEB:
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


def find_remote(urls: Sequence[str], source: str) -> list[RemoteFile | RemoteFolder]:
    """What addresses mean.

    Args:
        urls: of files, folders, and globs (`*`, `[..]`, `**`, and `?` but for the web).
        source: its name, for errors.

    Returns:
        In their order, of each what it means: a file, a folder, or the files that a glob matches, sorted.
        A `.bin` comes with its `.idx`; an `.idx` is never alone: it is its `.bin`.

    Raises:
        InvalidInput: nothing lies there, or a file is named twice, or no such protocol, or no credentials.
        MissingExtra: the library for the store is not installed.
        DataError: the store cannot be asked.

    Cost: a folder or a one-level glob is one listing; a file is one question, a `.bin` two.
    """
    finder = _Finder(source, {_stem(url): url for url in urls if _is(url, ".idx")})
    paired = {_stem(url) for url in urls if _is(url, ".bin")}
    wanted = [url for url in urls if not (_is(url, ".idx") and _stem(url) in paired)]
    found = dict(zip(wanted, side_by_side(finder.find, wanted), strict=True))
    every = [each for url in wanted for each in found[url]]
    _refuse_twice(every, source)
    return every


def _refuse_twice(found: Sequence[RemoteFile | RemoteFolder], source: str) -> None:
    seen = set()
    for each in found:
        if each.url in seen:
            raise InvalidInput(
                f"sources.{source}.path: {each} is named twice; its items would count twice. Name it once, "
                "or raise the source's score to draw it more often."
            )
        seen.add(each.url)


class _Finder:
    """Looks addresses up for one source."""

    def __init__(self, source: str, indices: Mapping[str, str]) -> None:
        self._source = source
        self._indices = indices

    def find(self, url: str) -> Sequence[RemoteFile | RemoteFolder]:
        if _magic(url):
            return self._matches(url)
        try:
            if not PurePosixPath(_path(url)).suffix or url.endswith("/"):
                return [self._folder(url.rstrip("/"))]
            return [self._file(url)]
        except FileNotFoundError as error:
            raise InvalidInput(
                f"sources.{self._source}.path: nothing lies at {shown(url)}. Correct the address; "
                "a folder that a web server does not list is read where it has a manifest.json."
            ) from error

    def _file(self, url: str) -> RemoteFile | RemoteFolder:
        named = f"{_stem(url)}.bin" if _is(url, ".idx") else url
        info = self._info(named)
        if info.get("type") == "directory":
            return self._folder(url)
        file = self._made(named, info)
        if not _is(named, ".bin"):
            return file
        index = self._indices.get(_stem(url)) or (None if "?" in url else f"{_stem(url)}.idx")
        try:
            return file if index is None else replace(file, index=self._made(index, self._info(index)))
        except FileNotFoundError:
            return file

    def _folder(self, url: str) -> RemoteFolder | RemoteFile:
        if protocol_of(url) in _WEB:  # few web servers list a folder, and none says sizes
            with_manifest = self._prepared(url, {})
            if with_manifest is not None:
                return RemoteFolder(url, with_manifest)
        listed = self._listed(url, deep=False)
        if not listed:
            raise FileNotFoundError(url)
        if list(listed) == [url]:
            return self._made(url, listed[url])
        if f"{url}/{MANIFEST}" in listed:
            with_manifest = self._prepared(url, listed)
            if with_manifest is not None:
                return RemoteFolder(url, with_manifest)
        return RemoteFolder(url, self._all_made(listed, listed))

    def _matches(self, url: str) -> list[RemoteFile | RemoteFolder]:
        root, rest = _split_magic(url)
        try:
            listed = self._listed(root, deep="/" in rest)
        except FileNotFoundError:
            listed = {}
        pattern = re.compile(_glob_pattern(rest))
        chosen = {each: info for each, info in listed.items() if pattern.fullmatch(each[len(root) + 1 :])}
        if not chosen:
            raise InvalidInput(
                f"sources.{self._source}.path: {shown(url)} matches no file; {shown(root)} holds "
                f"{len(listed)} files. Correct the pattern, or write the data first."
            )
        return list(self._all_made(chosen, listed))

    def _listed(self, url: str, *, deep: bool) -> dict[str, dict[str, Any]]:
        """The files of a folder by their addresses, sorted; asked for once."""

        def ask() -> dict[str, dict[str, Any]]:
            store, path = store_of(url, self._source)
            store.invalidate_cache()  # fsspec remembers listings, and the folder may have changed
            every = store.find(path, detail=True).values() if deep else store.ls(path, detail=True)
            files = [info for info in every if info.get("type") != "directory"]
            return {_address(store, url, info["name"]): info for info in files}

        found = patiently(ask, f"sources.{self._source}: {shown(url)}")
        return {each: found[each] for each in sorted(found) if not each.endswith("/")}

    def _all_made(
        self, chosen: Mapping[str, dict[str, Any]], listed: Mapping[str, dict[str, Any]]
    ) -> list[RemoteFile]:
        """The chosen files of a listing, each `.bin` with the `.idx` that the listing has."""
        wanted = dict.fromkeys(f"{_stem(url)}.bin" if _is(url, ".idx") else url for url in chosen)
        missing = next((url for url in wanted if url not in listed), None)
        if missing is not None:
            raise DataError(
                f"sources.{self._source}: {shown(missing)}: nothing lies there, and its .idx is there. "
                "Put it back, or take the .idx out."
            )
        asked = [url for url in wanted if _is_data(url)]
        asked += [f"{_stem(url)}.idx" for url in asked if _is(url, ".bin") and f"{_stem(url)}.idx" in listed]
        infos = dict(zip(asked, side_by_side(lambda url: self._sized(url, listed[url]), asked), strict=True))
        made = {url: self._made(url, info) for url, info in infos.items()}
        return [
            replace(made[url], index=made.get(f"{_stem(url)}.idx")) if _is(url, ".bin") else made[url]
            for url in wanted
            if url in made
        ]

    def _sized(self, url: str, info: dict[str, Any]) -> dict[str, Any]:
        """What a listing says, or what the store says of the file alone where a listing has no sizes."""
        return info if info.get("size") is not None else self._info(url)

    def _info(self, url: str) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            store, path = store_of(url, self._source)
            store.invalidate_cache()
            return dict(store.info(path))

        return patiently(ask, f"sources.{self._source}: {shown(url)}")

    def _made(self, url: str, info: Mapping[str, Any]) -> RemoteFile:
        size = info.get("size")
        if not isinstance(size, int):
            raise DataError(
                f"sources.{self._source}: {shown(url)}: the server does not say how long it is, so that a "
                "cut connection would not be noticed. Serve it with its Content-Length, or copy it here."
            )
        version = next((f"{fact}={info[fact]}" for fact in _VERSIONS if info.get(fact)), "")
        return RemoteFile(url, size, self._source, version, _checksum(url, info))

    def _prepared(self, url: str, listed: Mapping[str, dict[str, Any]]) -> list[RemoteFile] | None:
        """The shards that a folder's manifest names; None where it has none."""
        from thermix.sources.remote_manifest import prepared_files

        address = f"{url}/{MANIFEST}"

        def ask() -> bytes:
            store, path = store_of(address, self._source)
            return bytes(store.cat_file(path))

        try:
            text = patiently(ask, f"sources.{self._source}: {shown(address)}")
        except FileNotFoundError:
            return None
        return prepared_files(
            url, text, self._source, {each: info.get("size") for each, info in listed.items()}
        )


def _address(store: Any, folder: str, name: str) -> str:
    """The address of what a listing of a folder calls `name`."""
    if "://" in name:
        return name
    root = str(store._strip_protocol(folder)).rstrip("/")
    return folder + name[len(root) :] if name.startswith(root) else str(store.unstrip_protocol(name))


def _path(url: str) -> str:
    """The path of an address, without what asks a web server for more than it."""
    path = url.partition("://")[2]
    return re.split(r"[?#]", path)[0] if protocol_of(url) in _WEB else path


def _is(url: str, ending: str) -> bool:
    return _path(url).lower().endswith(ending)


def _is_data(url: str) -> bool:
    name = PurePosixPath(_path(url)).name
    return bool(PurePosixPath(name).suffix) and not name.startswith(".") and "?" not in url


def _stem(url: str) -> str:
    """An address up to the ending of its name."""
    path = _path(url)
    return f"{url.partition('://')[0]}://{path[: len(path) - len(PurePosixPath(path).suffix)]}"


def _magic(url: str) -> bool:
    """Whether an address is a glob; in those of the web `?` begins a query."""
    return any(sign in url for sign in ("*[" if protocol_of(url) in _WEB else "*[?"))


def _split_magic(url: str) -> tuple[str, str]:
    """The folder above the first part of a glob that matches many names, and the rest."""
    parts = url.split("/")
    first = next(place for place in range(len(parts)) if _magic("/".join(parts[: place + 1])))
    return "/".join(parts[:first]), "/".join(parts[first:])


def _glob_pattern(glob: str) -> str:
    """A glob as a regular expression: `*` and `?` stay within a name, `**` goes into folders."""
    pieces = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = []
    for each in re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]/]+\])", glob):
        if each.startswith("[") and each.endswith("]"):
            found.append(each.replace("\\", "\\\\").replace("[!", "[^", 1))
        else:
            found.append(pieces.get(each) or re.escape(each))
    return "".join(found)


def _checksum(url: str, info: Mapping[str, Any]) -> Checksum | None:
    """The MD5 that a store gives for a file."""
    for fact in ("md5Hash", "Content-MD5"):
        digest = _from_base64(info.get(fact))
        if digest is not None:
            return Checksum("md5", digest)
    tag = str(info.get("ETag", "")).strip('"')
    if protocol_of(url) in ("s3", "s3a") and re.fullmatch("[0-9a-f]{32}", tag):
        return Checksum("md5", tag, firm=False)
    return None


def _from_base64(text: object) -> str | None:
    try:
        digest = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 16 else None
