"""L4: a mixed run written out in training order, for trainers that cannot mix as they go.

`job.py` says what is asked for, `run.py` cuts the steps into spans, `task.py` writes one span in one format
(`writers.py`, `lines.py`, `table.py`), `folder.py` keeps what is done, `check.py` looks at it again. A span
is a function of plan, steps and format: the same bytes, however many processes there are and however often
a run was cut off.
"""
