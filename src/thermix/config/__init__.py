"""Configurations: YAML text to models to plans, and back.

    mix.yaml -> read.py -> problems.py (model.py, values.py, temperatures.py) -> checks.py
             -> build.py (sizes.py, data.py, edits.py, moments.py) -> Plan

`load.py` goes the whole way, `write.py` back, `prepared.py` says where raw text's shards are,
`schema.py` makes the JSON schema for editors.
"""

from __future__ import annotations

from thermix.config.build import Config
from thermix.config.data import SourceFiles
from thermix.config.load import load, load_plan, parse_config, read_config, read_raw
from thermix.config.prepared import RawText
from thermix.config.schema import json_schema
from thermix.config.sizes import Notice
from thermix.config.write import to_yaml

__all__ = [
    "Config",
    "Notice",
    "RawText",
    "SourceFiles",
    "json_schema",
    "load",
    "load_plan",
    "parse_config",
    "read_config",
    "read_raw",
    "to_yaml",
]
