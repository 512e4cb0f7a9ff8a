"""`thermix schema`: the JSON schema of the configuration, for editors."""

from __future__ import annotations

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON schema of a configuration, for editors.

    thermix schema > mix.schema.json
    """
    import json

    from thermix.config.schema import json_schema

    print(json.dumps(json_schema(), indent=1, sort_keys=True))  # ASCII, whatever the console can show
