"""The libraries that draw, loaded by a thread while a plan is counted: neither waits for the other."""

from __future__ import annotations

from threading import Thread

from thermix.errors import MissingExtra

__all__ = ["load_ahead"]


def load_ahead(*, page: bool) -> None:
    """Begin to load what charts need; what is not installed is told where it is asked for.

    Args:
        page: whether the scripts of a page are wanted, not the drawing of a picture.
    """
    Thread(target=_load, args=(page,), name="thermix: libraries of charts").start()


def _load(page: bool) -> None:
    try:
        from thermix.report import charts, charts_export  # noqa: F401
    except MissingExtra:
        return
    if page:
        charts_export.libraries()
    else:
        charts_export.warm_up()
