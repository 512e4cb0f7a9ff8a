"""Three JSON Lines files, one YAML file, and a loop that reads what the plan says.

Run it anywhere: it makes its files in a temporary folder.
"""

import json
import tempfile
from collections import Counter
from pathlib import Path

import thermix

CONFIG = """
steps: 200
batch_size: 16
temperature: {schedule: linear, start: 5.0, end: 1.0}
sources:
  web:   {score: 2.0, path: web.jsonl, field: text}
  books: {score: 3.0, path: books.jsonl, field: text}
  code:  {score: 1.0, path: code.jsonl, field: text, max_epochs: 2}
"""


def write_files(folder: Path) -> Path:
    """Write three small sources and the configuration; return the configuration's path."""
    for name, rows in (("web", 2_000), ("books", 500), ("code", 300)):
        lines = [json.dumps({"text": f"{name} document {row}"}) + "\n" for row in range(rows)]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    config = folder / "mix.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan, sources = thermix.load(write_files(Path(folder)))
        for forecast in plan.forecast():
            print(f"{forecast.name:6} {forecast.draws:5} draws, {forecast.epochs:.2f} epochs")

        seen = Counter[str]()
        for step in range(plan.end):
            batch = plan.batch(step)
            for i, name in enumerate(plan.names):
                texts = sources[name].read(batch.item[batch.source == i])
                seen.update(text.split()[0] for text in texts)
        assert [seen[name] for name in plan.names] == plan.counts(plan.end).tolist()

        # A checkpoint needs the step alone; any number of ranks may go on from it.
        state = plan.state(120)
        assert plan.check_state(state) == "same"
        shares = [plan.batch(state["step"], rank, world_size=4).item for rank in range(4)]
        assert [i for share in shares for i in share.tolist()] == plan.batch(120).item.tolist()
        for source in sources.values():
            source.close()


if __name__ == "__main__":
    main()
