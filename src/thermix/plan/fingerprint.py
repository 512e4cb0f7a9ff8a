"""Fingerprints: SHA-256 of what can change the order of draws, and of nothing else, chained by segment.

Segment k's fingerprint is the hash of segment k-1's and of segment k's record without where later edits
cut it: two plans with the same past have the same fingerprint there, whatever their futures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import groupby

from thermix.core.order import DRAW_ORDER
from thermix.plan.segments import Rules, Segment

__all__ = ["PARTS", "canonical_json", "fingerprints", "parts"]

PARTS = ("seed", "sources", "sizes", "temperature", "batch", "caps")
"""What a plan consists of, hashed one by one too, so that a refusal can say what differs."""

_PART_LENGTH = 12


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces, no escapes and no NaN: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprints(rules: Rules, segments: Sequence[Segment]) -> tuple[str, ...]:
    """The chained fingerprint (64 hex digits) of each segment."""
    chain = []
    link = _hash({"draw_order": DRAW_ORDER, "seed": rules.seed, "order": rules.order, "pick": rules.pick})
    for segment in segments:
        link = _hash([link, _record(segment)])
        chain.append(link)
    return tuple(chain)


def parts(rules: Rules, segments: Sequence[Segment]) -> dict[str, str]:
    """Short hashes of the parts of a plan's past, in the order of `PARTS`.

    A part that an edit left alone counts once, so that two pasts differ only in the parts that do.
    """
    records = [_record(segment) for segment in segments]
    values: dict[str, list[object]] = {part: [record[part] for record in records] for part in PARTS[1:]}
    values["seed"] = [[DRAW_ORDER, rules.seed, rules.order, rules.pick]]
    return {part: _hash([value for value, _ in groupby(values[part])])[:_PART_LENGTH] for part in PARTS}


def _record(segment: Segment) -> dict[str, object]:
    """All of a segment that can change the order of its draws, but for where it is cut."""
    mixture, timeline = segment.mixture, segment.timeline
    temperature: dict[str, object] = {
        "schedule": timeline.schedule.to_dict(),
        "origin": timeline.origin,
        "span": timeline.span,
        "batches": timeline.batches,
    }
    if any(span.end is not None and span.end.unit == "tokens" for span in timeline.schedule.spans):
        temperature["sequence_length"] = timeline.sequence_length
    living = [(i, name) for i, name in enumerate(segment.names) if name in mixture.sources]
    return {
        "sources": [[name, _number(mixture.sources[name].log_weight)] for _, name in living],
        "sizes": [
            [[e.first_draw, e.first_epoch, e.items] for e in segment.streams[i].eras] for i, _ in living
        ],
        "temperature": temperature,
        "batch": [segment.start, segment.planned_end, segment.batch_size],
        "caps": [mixture.when_capped, sorted(segment.budgets.items())] if segment.budgets else [],
    }


def _number(value: float) -> float | str:
    return value if abs(value) != float("inf") else str(value)


def _hash(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
