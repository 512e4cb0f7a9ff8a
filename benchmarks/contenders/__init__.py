"""One file a contender, each with a function for every case it can do.

Such a function has the case's name and takes its settings (`settings.py`). What it cannot do it refuses
with `Skip`, in words for the table, or names in `CANNOT`; a library that is not installed is skipped by its
ImportError. `prepare` writes a format of its own before anything is measured. The docstrings name the pages
whose advice they follow.
"""

from __future__ import annotations

__all__ = ["OWN_FORMAT", "PLAIN", "TITLES"]

TITLES = {
    "thermix": "thermix",
    "thermix_fast": "thermix, numba",
    "thermix_no_threads": "thermix, no threads",
    "thermix_tokenizers": "thermix, tokenizers",
    "limit": "the limit",
    "numpy_steps": "NumPy",
    "formula": "the formula in a loop",
    "pytorch": "PyTorch",
    "megatron": "Megatron-LM",
    "grain": "Grain",
    "torchdata_nodes": "torchdata nodes",
    "hf_datasets": "HF datasets",
    "litdata_streams": "litdata",
    "web_dataset": "WebDataset",
    "mosaic": "MosaicML streaming",
}
OWN_FORMAT = ("hf_datasets", "litdata_streams", "mosaic", "web_dataset")
PLAIN = ("thermix", "thermix_fast", "thermix_no_threads", "numpy_steps", "pytorch", "formula", "limit")
