"""The main job on real text found on this machine: mix it by temperature, read it, prove it.

    texts.py (what there is) -> folder.py (files, mix.yaml) -> config.load -> reading.py (every item is read)
             -> proofs.py (resume.py in a new process) -> blocks.py, mixture.py (what a person sees)

`run.py` goes the whole way.
"""

from __future__ import annotations

from thermix.demo.run import run_demo

__all__ = ["run_demo"]
