"""What a preparation is asked for: everything that decides the bytes it writes, and nothing else.

Leaving out broken rows is no part of it: without it a run stops at the first, so that what is finished
is the same either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from thermix.sources.manifest import InputRecord, Manifest

__all__ = ["Job"]


class Job(BaseModel):
    """What decides the bytes of prepared shards; the number of processes does not.

    Attributes:
        tokenizer: what determines the ids, as the encoder states it.
        dtype: of a token.
        field: of a raw row, that holds its text.
        split_bytes: raw bytes in one piece of work, and about so much text in one shard.
        inputs: the raw files, in order.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    tokenizer: dict[str, Any]
    dtype: str
    field: str
    split_bytes: int
    inputs: list[InputRecord]

    @classmethod
    def of(cls, manifest: Manifest) -> Job:
        """The job that a manifest is the result of, as far as it says."""
        return cls(
            tokenizer=manifest.tokenizer,
            dtype=manifest.dtype,
            field=manifest.field,
            split_bytes=manifest.split_bytes,
            inputs=manifest.inputs,
        )

    def differences(self, other: Job) -> Iterator[str]:
        """In what another job differs, one line each; paths do not count, the content of files does."""
        for key in ("field", "split_bytes", "dtype"):
            if getattr(self, key) != getattr(other, key):
                yield f"{key}: {getattr(self, key)!r} before, {getattr(other, key)!r} now"
        for key in sorted({*self.tokenizer, *other.tokenizer}):
            before, now = self.tokenizer.get(key), other.tokenizer.get(key)
            if before != now:
                yield f"tokenizer.{key}: {before!r} before, {now!r} now"
        if len(self.inputs) != len(other.inputs):
            yield f"inputs: {len(self.inputs)} files before, {len(other.inputs)} now"
        for before, now in zip(self.inputs, other.inputs, strict=False):
            if (before.format, before.bytes, before.digest) != (now.format, now.bytes, now.digest):
                yield f"inputs: {now.path}: its content is not what it was ({before.path} before)"
                return
