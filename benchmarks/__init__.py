"""The numbers: thermix beside what users would pick instead, in one run on one machine.

    python -m benchmarks --tiny             under a minute: only that all of this works
    python -m benchmarks --install DIR      an environment with all contenders
    python -m benchmarks --quick --env DIR  some minutes, small sizes
    python -m benchmarks --full --env DIR --out benchmarks/RESULTS.md      figures to report
    python -m benchmarks --full --env DIR --out benchmarks/RESULTS.md --merge --cases start,resume

`cases/` says what is measured, `contenders/` how each library is asked to do it, `harness.py` runs every
pair in a process of its own. The scripts beside them are thermix's own, finer measurements.
"""
