"""What an address means: a file, a folder, or the files that a glob matches.

Invariant: a folder is listed once, and what its listing says of a file is not asked for again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from thermix.errors import DataError, InvalidInput
from thermix.sources.addresses import (
    WEB,
    glob_pattern,
    has_ending,
    is_glob,
    path_of,
    protocol_of,
    shown,
    split_glob,
    stem_of,
)
from thermix.sources.files import MANIFEST, MATERIALIZING, UNFINISHED
from thermix.sources.remote import Checksum, RemoteFile, RemoteFolder
from thermix.sources.remote_manifest import prepared_files
from thermix.sources.stores import patiently, side_by_side, store_of

__all__ = ["find_remote"]

_WRITTEN = (("prepare", UNFINISHED, MANIFEST), ("materialize", MATERIALIZING, f"about/{MANIFEST}"))
"""Verb, folder of what it has not finished, and what it writes last."""

_VERSIONS = (
    *("ETag", "etag", "generation", "md5Hash", "content_hash", "sha256", "mtime", "modified", "LastModified"),
    *("last_modified", "updated", "Last-Modified", "created"),
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
    finder = _Finder(source, {stem_of(url): url for url in urls if has_ending(url, ".idx")})
    paired = {stem_of(url) for url in urls if has_ending(url, ".bin")}
    wanted = [url for url in urls if not (has_ending(url, ".idx") and stem_of(url) in paired)]
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
        if is_glob(url):
            return self._matches(url)
        try:
            if not PurePosixPath(path_of(url)).suffix or url.endswith("/"):
                return [self._folder(url.rstrip("/"))]
            return [self._file(url)]
        except FileNotFoundError as error:
            raise InvalidInput(
                f"sources.{self._source}.path: nothing lies at {shown(url)}. Correct the address; "
                "a folder that a web server does not list is read where it has a manifest.json."
            ) from error

    def _file(self, url: str) -> RemoteFile | RemoteFolder:
        named = f"{stem_of(url)}.bin" if has_ending(url, ".idx") else url
        info = self._info(named)
        if info.get("type") == "directory":
            return self._folder(url)
        file = self._made(named, info)
        if not has_ending(named, ".bin"):
            return file
        index = self._indices.get(stem_of(url)) or (None if "?" in url else f"{stem_of(url)}.idx")
        try:
            return file if index is None else replace(file, index=self._made(index, self._info(index)))
        except FileNotFoundError:
            return file

    def _folder(self, url: str) -> RemoteFolder | RemoteFile:
        if protocol_of(url) in WEB:  # few web servers list a folder, and none says sizes
            with_manifest = self._prepared(url, {})
            if with_manifest is not None:
                return RemoteFolder(url, with_manifest)
        entries = self._entries(url, deep=False)
        self._refuse_unfinished(url, entries)
        listed = _files(entries)
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
        root, rest = split_glob(url)
        try:
            listed = _files(self._entries(root, deep="/" in rest))
        except FileNotFoundError:
            listed = {}
        pattern = re.compile(glob_pattern(rest))
        chosen = {each: info for each, info in listed.items() if pattern.fullmatch(each[len(root) + 1 :])}
        if not chosen:
            raise InvalidInput(
                f"sources.{self._source}.path: {shown(url)} matches no file; {shown(root)} holds "
                f"{len(listed)} files. Correct the pattern, or write the data first."
            )
        return list(self._all_made(chosen, listed))

    def _refuse_unfinished(self, url: str, entries: Mapping[str, dict[str, Any]]) -> None:
        """Refuse a folder that thermix has begun to write, and not ended."""
        for verb, work, manifest in _WRITTEN:
            if f"{url}/{work}" in entries and not self._is_there(f"{url}/{manifest}"):
                raise InvalidInput(
                    f"sources.{self._source}.path: {shown(url)} is not {verb}d to its end. Run the same "
                    f"thermix {verb} again: it goes on where it was."
                )

    def _is_there(self, url: str) -> bool:
        try:
            return bool(self._info(url))
        except FileNotFoundError:
            return False

    def _entries(self, url: str, *, deep: bool) -> dict[str, dict[str, Any]]:
        """What is in a folder by its addresses, sorted; asked for once."""

        def ask() -> dict[str, dict[str, Any]]:
            store, path = store_of(url, self._source)
            store.invalidate_cache()  # fsspec remembers listings, and the folder may have changed
            every = store.find(path, detail=True).values() if deep else store.ls(path, detail=True)
            return {_address(store, url, info["name"]): info for info in every}

        found = patiently(ask, f"sources.{self._source}: {shown(url)}")
        return {each: found[each] for each in sorted(found)}

    def _all_made(
        self, chosen: Mapping[str, dict[str, Any]], listed: Mapping[str, dict[str, Any]]
    ) -> list[RemoteFile]:
        """The chosen files of a listing, each `.bin` with the `.idx` that the listing has."""
        wanted = dict.fromkeys(f"{stem_of(url)}.bin" if has_ending(url, ".idx") else url for url in chosen)
        missing = next((url for url in wanted if url not in listed), None)
        if missing is not None:
            raise DataError(
                f"sources.{self._source}: {shown(missing)}: nothing lies there, and its .idx is there. "
                "Put it back, or take the .idx out."
            )
        data = [url for url in wanted if _is_data(url)]
        index_of = {url: f"{stem_of(url)}.idx" for url in data if has_ending(url, ".bin")}
        asked = [*data, *(url for url in index_of.values() if url in listed)]
        infos = side_by_side(lambda url: self._sized(url, listed[url]), asked)
        made = {url: self._made(url, info) for url, info in zip(asked, infos, strict=True)}
        return [replace(made[url], index=made.get(index_of.get(url, ""))) for url in data]

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


def _files(entries: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of the entries that are files; a name that ends in "/" marks an empty folder."""
    return {
        url: info
        for url, info in entries.items()
        if info.get("type") != "directory" and not url.endswith("/")
    }


def _address(store: Any, folder: str, name: str) -> str:
    """The address of what a listing of a folder calls `name`."""
    if "://" in name:
        return name
    root = str(store._strip_protocol(folder)).rstrip("/")
    return folder + name[len(root) :] if name.startswith(root) else str(store.unstrip_protocol(name))


def _is_data(url: str) -> bool:
    name = PurePosixPath(path_of(url)).name
    return bool(PurePosixPath(name).suffix) and not name.startswith(".") and "?" not in url


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
