"""What `thermix prepare` costs: raw text to token shards, next to what a user would use instead.

    python benchmarks/prepare_speed.py             200 MB of text found on this machine, some minutes
    python benchmarks/prepare_speed.py --tiny      the same code on little text, to see that it runs
    python benchmarks/prepare_speed.py --megabytes 500 --rounds 5

The text is that of Python and documentation files here; the tokenizer, BPE with 32,768 ids, is trained on it.
The contenders run in turns, each in a fresh process: thermix on JSON Lines and on Parquet; its encoder
alone on text in memory; `datasets.map` with `tokenizers` packing the same file, as the course of its
makers does it, on a tenth of the text. MB are of text. Peak memory is that of the process that was started.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

VOCABULARY = 32_768
ROUNDS = 3

THERMIX = """
from thermix.prepare.run import prepare
if __name__ == "__main__":
    timed(lambda: prepare([raw], out, tokenizer=tokenizer))
"""
ENCODER = """
import json
from thermix.prepare.encoders import open_encoder
encoder = open_encoder(tokenizer)
with open(raw, encoding="utf-8") as file:
    texts = [json.loads(line)["text"] for line in file]
batches = [texts[i : i + 1_000] for i in range(0, len(texts), 1_000)]
timed(lambda: [encoder.encode(batch) for batch in batches])
"""
DATASETS = """
import datasets, tokenizers
datasets.disable_progress_bars()
bpe, length = tokenizers.Tokenizer.from_file(tokenizer), 2048
end = bpe.token_to_id("<|endoftext|>")
def packed(rows):
    ids = [i for e in bpe.encode_batch_fast(rows["text"], add_special_tokens=False) for i in (*e.ids, end)]
    return {"input_ids": [ids[i : i + length] for i in range(0, len(ids) - length + 1, length)]}
def run():
    rows = datasets.load_dataset("json", data_files=raw, split="train", cache_dir=out)
    rows.map(packed, batched=True, remove_columns=rows.column_names).save_to_disk(out + "/packed")
timed(run)
"""
FRAME = """
import re, sys, time
raw, tokenizer, out = sys.argv[1:]
def timed(work):
    start = time.perf_counter()
    work()
    took = time.perf_counter() - start
    print(took, int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""


def found_texts(most: int) -> Iterator[str]:
    """Text files of this machine's Python and its packages, up to so many bytes."""
    roots = [sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], "/usr/share", "/usr/lib"]
    seen: set[str] = set()
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if path in seen or not name.endswith((".py", ".md", ".txt", ".rst", ".html")):
                    continue
                seen.add(path)
                try:
                    text = Path(path).read_text("utf-8")[:200_000]
                except (OSError, UnicodeDecodeError):
                    continue
                yield text
                most -= len(text)
                if most <= 0:
                    return


def write_raw(folder: Path, megabytes: int) -> tuple[Path, Path, int]:
    """All of the text, a tenth of it, and the bytes of text in all."""
    whole, tenth = folder / "whole.jsonl", folder / "tenth.jsonl"
    size = 0
    with whole.open("w", encoding="utf-8") as file, tenth.open("w", encoding="utf-8") as less:
        for number, text in enumerate(found_texts(megabytes * 1_000_000)):
            line = json.dumps({"text": text}, ensure_ascii=False) + "\n"
            file.write(line)
            if number % 10 == 0:
                less.write(line)
            size += len(text.encode())
    return whole, tenth, size


def write_parquet(raw: Path) -> Path:
    """The same rows as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with raw.open(encoding="utf-8") as file:
        table = pa.table({"text": [json.loads(line)["text"] for line in file]})
    pq.write_table(table, raw.with_suffix(".parquet"), row_group_size=1_000)
    return raw.with_suffix(".parquet")


def write_tokenizer(raw: Path, path: Path, vocabulary: int) -> None:
    """A byte-level BPE trained on some of the text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    with raw.open(encoding="utf-8") as file:
        bpe.train_from_iterator((json.loads(line)["text"][:5_000] for line in file), trainer)
    bpe.save(str(path))


def measured(code: str, raw: Path, tokenizer: Path | str) -> tuple[float, float]:
    """Seconds and MB of peak memory of a contender in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "contender.py")
        script.write_text(FRAME + code)
        words = [sys.executable, str(script), str(raw), str(tokenizer), f"{folder}/out"]
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": f"{folder}/hub"}
        ran = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        if ran.returncode:
            raise SystemExit(ran.stderr)
        seconds, peak = map(float, ran.stdout.split())
        return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    megabytes, rounds = (2, 1) if given.tiny else (given.megabytes, given.rounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, tenth, size = write_raw(folder, megabytes)
        tokenizer = folder / "tokenizer.json"
        write_tokenizer(tenth, tokenizer, 1_000 if given.tiny else VOCABULARY)
        contenders: dict[str, tuple[str, Path, Path | str, float]] = {
            "thermix prepare, JSON Lines": (THERMIX, whole, tokenizer, 1),
            "thermix prepare, Parquet": (THERMIX, write_parquet(whole), tokenizer, 1),
            "thermix prepare, bytes": (THERMIX, whole, "bytes", 1),
            "the encoder alone, text in memory": (ENCODER, whole, tokenizer, 1),
            "datasets.map + tokenizers": (
                DATASETS,
                tenth,
                tokenizer,
                tenth.stat().st_size / whole.stat().st_size,
            ),
        }
        print(f"{size / 1e6:.0f} MB of text, {os.cpu_count()} processors, medians of {rounds}\n")
        runs: dict[str, list[tuple[float, float]]] = {what: [] for what in contenders}
        for _ in range(rounds):
            for what, (code, raw, encoder, _) in contenders.items():
                runs[what].append(measured(code, raw, encoder))
        speeds = {
            what: size * contenders[what][3] / 1e6 / statistics.median(seconds for seconds, _ in found)
            for what, found in runs.items()
        }
        base = speeds["thermix prepare, JSON Lines"]
        print(f"{'':36}{'MB/s':>8}{'of thermix':>12}{'peak MB':>10}")
        for what, speed in speeds.items():
            peak = max(peak for _, peak in runs[what])
            print(f"{what:36}{speed:8.1f}{speed / base:11.2f}x{peak:10.0f}")


if __name__ == "__main__":
    main()
