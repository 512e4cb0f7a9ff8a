"""L2: the items of a source, by index. One file a format, one small protocol, one shared contract test.

`base.py` is the protocol, `opening.py` the way from a path to a source, `jsonlines.py` and `objects.py` the
formats, `files.py`, `contents.py` and `lines.py` what they stand on.
"""

from __future__ import annotations

from thermix.sources.base import ItemSource
from thermix.sources.objects import ObjectSource
from thermix.sources.opening import open_source

__all__ = ["ItemSource", "ObjectSource", "open_source"]
