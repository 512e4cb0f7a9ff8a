"""The picture of the README, from the plan that the README shows.

`python examples/readme_picture.py docs/picture.svg` writes it; without a path it goes to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import thermix
from thermix.report.charts import figures
from thermix.report.charts_base import subject_of
from thermix.report.charts_export import picture

SOURCES = {
    "web": thermix.Source(score=2.0, items=40_000),
    "books": thermix.Source(score=3.0, items=8_000, max_epochs=4),
    "code": thermix.Source(score=1.0, items=6_000),
}


def main() -> None:
    given = sys.argv[1:] or [str(Path(tempfile.mkdtemp()) / "picture.svg")]
    mixture = thermix.Mixture(SOURCES, temperature=thermix.linear(5.0, 1.0, until="80%"))
    plan = thermix.Plan(mixture, steps=1_000, batch_size=64, seed=0)
    path = Path(given[0])
    path.write_bytes(picture(figures(subject_of(plan), ["run"]), "svg"))
    print(f"{path}: temperature and shares of {', '.join(plan.names)} over {plan.end:,} steps")


if __name__ == "__main__":
    main()
