"""What a remote folder's `manifest.json` says of its shards, so that no header need be read."""

from __future__ import annotations

from collections.abc import Mapping

from thermix.errors import DataError
from thermix.sources.addresses import shown
from thermix.sources.files import MANIFEST
from thermix.sources.manifest import FileRecord, ShardRecord, parse_manifest
from thermix.sources.megatron import HEADER, IndexHeader, little_endian
from thermix.sources.remote import Checksum, RemoteFile

__all__ = ["prepared_files"]


def prepared_files(
    folder: str, text: bytes, source: str, sizes: Mapping[str, int | None]
) -> list[RemoteFile]:
    """The shards a manifest names, each `.bin` with its `.idx` and what is in that one's header.

    Args:
        folder: its address.
        text: the manifest.
        source: its name, for errors.
        sizes: of the files in the folder by their addresses, where it was listed; else empty.

    Raises:
        DataError: it is no manifest, contradicts itself, or names what is not there or of another size.
    """
    where = f"sources.{source}: {shown(folder)}/{MANIFEST}"
    manifest = parse_manifest(text, where)
    return [_shard(folder, shard, manifest.dtype, where, source, sizes) for shard in manifest.shards]


def _shard(
    folder: str, shard: ShardRecord, dtype: str, where: str, source: str, sizes: Mapping[str, int | None]
) -> RemoteFile:
    header = _header(shard, dtype, where)
    files = []
    for ending, record in ((".idx", shard.idx), (".bin", shard.bin)):
        url = f"{folder}/{shard.name}{ending}"
        _check_listed(url, record, sizes, where)
        files.append(RemoteFile(url, record.bytes, source, "", Checksum("sha256", record.sha256)))
    index, data = files
    return RemoteFile(
        data.url,
        data.size,
        source,
        "",
        data.checksum,
        RemoteFile(index.url, index.size, source, "", index.checksum, None, header),
    )


def _header(shard: ShardRecord, dtype: str, where: str) -> IndexHeader:
    """The header that the index of a shard has when `TokenShardWriter` wrote it: a sequence a document."""
    try:
        token = little_endian(dtype)
    except TypeError as error:
        raise DataError(
            f"{where}: dtype: got {dtype!r}, which is no type of token. Prepare it again."
        ) from error
    index_bytes = HEADER.size + 12 * shard.documents + 8 * (shard.documents + 1)
    data_bytes = shard.tokens * token.itemsize
    if token.kind not in "iu" or (shard.idx.bytes, shard.bin.bytes) != (index_bytes, data_bytes):
        raise DataError(
            f"{where}: {shard.name}: {shard.documents} documents of {shard.tokens} tokens of {dtype} are "
            f"{index_bytes} and {data_bytes} bytes, and it says {shard.idx.bytes} and {shard.bin.bytes}. "
            "Prepare the folder again."
        )
    return IndexHeader(token, shard.documents, shard.documents + 1, data_bytes, index_bytes)


def _check_listed(url: str, record: FileRecord, sizes: Mapping[str, int | None], where: str) -> None:
    if not sizes:
        return
    if url not in sizes:
        raise DataError(
            f"{where}: it names {shown(url)}, and nothing lies there. Copy the folder again, or "
            "prepare it again."
        )
    if sizes[url] not in (None, record.bytes):
        raise DataError(
            f"{where}: it says {record.bytes} bytes of {shown(url)}, and {sizes[url]} lie there. "
            "Copy the file again, or prepare again."
        )
