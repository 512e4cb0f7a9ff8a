"""Settings for every test: the Hypothesis profiles.

`ci`, what `make` uses, tries the same examples every time; `dev`, what plain `pytest` uses, tries
new ones; `thorough` tries many: HYPOTHESIS_PROFILE=thorough make test.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))
