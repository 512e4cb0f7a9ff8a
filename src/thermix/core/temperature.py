"""From scores and a temperature to probabilities, and what can be said about them.

Not the schedule (it gives the temperature), nor the integers draws are made from (`shares.py`). The
invariant: the probabilities at one temperature depend on the scores and that temperature alone,
to the last bit, on every machine and however many temperatures are asked for at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.core import exact
from thermix.core.solve import Rest, reciprocal
from thermix.errors import InvalidInput

__all__ = [
    "effective_sources",
    "entropy",
    "probabilities",
    "softmax_rows",
    "temperature_for_share",
]

Float64 = NDArray[np.float64]

# Differences of scores that a temperature can be solved for: nothing overflows or underflows.
_NARROWEST: Final = 1e-145
_WIDEST: Final = 1e145


def probabilities(scores: ArrayLike, temperature: ArrayLike) -> Float64:
    """Return the probability of every source at a temperature, or at each of many.

    `P(i | T) = exp((w_i - max w) / T) / sum_j exp((w_j - max w) / T)`: softmax of w / T, written so
    that nothing overflows. T = inf is uniform over the sources with a finite score; T = 0 takes
    the best source, ties shared equally; a score of -inf (weight 0) is exactly 0 at every T.

    Args:
        scores: Log weights w, shape (K,), K >= 1: finite or -inf, at least one finite.
        temperature: T in [0, inf]; a scalar, or shape (S,).

    Returns:
        Shape (K,) for a scalar temperature, (S, K) for shape (S,). Each row is >= 0, within 1e-14
        of the true values, and its exact sum is within K * 2^-53 of 1.

    Raises:
        InvalidInput: A score or a temperature is outside its range, or has another shape.

    About 10 ns per source and temperature.

    >>> probabilities([2.0, 3.0, 1.0], 1.0).round(4)
    array([0.2447, 0.6652, 0.09  ])
    >>> probabilities([2.0, 3.0, 3.0], [0.0, np.inf]).round(4)
    array([[0.    , 0.5   , 0.5   ],
           [0.3333, 0.3333, 0.3333]])
    """
    w = _checked_scores(scores)
    t = _checked_temperature(temperature)
    rows = softmax_rows(w, t.reshape(-1))
    return rows[:, 0].copy() if t.ndim == 0 else np.ascontiguousarray(rows.T)


def softmax_rows(scores: Float64, temperature: Float64) -> Float64:
    """Return softmax(w / T) with one row per *source*: the layout the plan engine works in.

    Args:
        scores: Log weights, shape (K,), finite or -inf, at least one finite. Not checked.
        temperature: Shape (S,), in [0, inf]. Not checked.

    Returns:
        C-contiguous (K, S). A column's bits depend on the scores and its own temperature alone.

    About 8 ns a value; one (K, S) array and half a megabyte of buffers.

    >>> softmax_rows(np.array([0.0, -np.inf, 0.0]), np.array([0.0, 1.0]))
    array([[0.5, 0.5],
           [0. , 0. ],
           [0.5, 0.5]])
    """
    with np.errstate(all="ignore"):  # overflow to -inf and underflow to 0 are the right answers here
        below_best = scores - scores.max()
        if np.any(np.isneginf(below_best) & ~np.isneginf(scores)):  # two scores 1.8e308 apart
            return softmax_rows(scores / 2, temperature / 2)
        rows = _exponents(below_best, temperature + 0.0)  # + 0.0 turns -0.0 into 0.0
        exact.exp(rows, out=rows)
        rows /= exact.sum_rows(rows)
    return rows


def _exponents(below_best: Float64, temperature: Float64) -> Float64:
    """`below_best / T`, where 0 / 0 = 0 and -inf / inf = -inf: ties and weight 0 hold at any T."""
    rows = np.empty((below_best.size, temperature.size))
    for row, below in zip(rows, below_best, strict=True):
        if below == 0.0 or below == -np.inf:
            row[:] = below
        else:
            np.divide(below, temperature, out=row)
    return rows


def _checked_scores(scores: ArrayLike) -> Float64:
    w = _numbers(scores, "scores")
    if w.ndim != 1 or w.size == 0:
        raise InvalidInput(
            f"scores: got shape {w.shape}; they must be a flat sequence of one or more log "
            "weights, one a source."
        )
    wrong = np.isnan(w) | np.isposinf(w)
    if wrong.any():
        i = int(wrong.argmax())
        raise InvalidInput(
            f"scores[{i}]: got {w[i]}; a score must be finite, or -inf for a source that is "
            "never to be drawn."
        )
    if np.isneginf(w).all():
        raise InvalidInput(
            "scores: got -inf only; at least one must be finite, or nothing could be drawn. "
            "Give a source a finite score."
        )
    return w


def _checked_temperature(temperature: ArrayLike) -> Float64:
    t = _numbers(temperature, "temperature")
    if t.ndim > 1:
        raise InvalidInput(
            f"temperature: got shape {t.shape}; it must be one number or a flat sequence of them."
        )
    wrong = ~(t >= 0.0)
    if wrong.any():
        raise InvalidInput(
            f"temperature: got {t[wrong][0]}; it must be >= 0. 0 takes the best source only, "
            "inf draws all sources alike."
        )
    return t


def _numbers(values: ArrayLike, name: str) -> Float64:
    try:
        array = np.asarray(values)
    except ValueError:  # ragged
        array = np.asarray(None)
    if array.size and array.dtype.kind not in "iuf":
        raise InvalidInput(f"{name}: got {_short(values)}; they must be real numbers.")
    return array.astype(np.float64)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def entropy(probabilities: ArrayLike) -> Float64:
    """Return the entropy of a mixture, in nats.

    `H = - sum_i p_i ln p_i`, with 0 ln 0 = 0: 0 for one source only, ln K when all are alike.

    Args:
        probabilities: Shape (..., K); the last axis is the sources, each row >= 0 and of sum 1.

    Returns:
        Shape (...), in [0, ln K]; a scalar for one row. For display: it uses `np.log`, whose last
        bit depends on the machine, and must not decide a draw.

    Raises:
        InvalidInput: A row is not a distribution (its sum may be off by 1e-6).

    >>> float(entropy([1.0, 0.0])), float(entropy([0.25, 0.25, 0.25, 0.25]).round(4))
    (0.0, 1.3863)
    """
    p = _checked_distribution(probabilities)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0.0)
    nats: Float64 = np.abs(np.sum(p * logs, axis=-1))  # no term is above 0; abs leaves no -0.0
    return nats


def effective_sources(probabilities: ArrayLike) -> Float64:
    """Return how many equally likely sources would be as diverse as this mixture.

    `N = exp(H)`, H the entropy in nats: the perplexity, or Hill number of order 1 (Hill, "Diversity
    and evenness: a unifying notation and its consequences", Ecology 54(2), 1973).

    Args:
        probabilities: Shape (..., K); the last axis is the sources, each row >= 0 and of sum 1.

    Returns:
        Shape (...), in [1, K]; a scalar for one row. For display, like `entropy`.

    Raises:
        InvalidInput: A row is not a distribution.

    >>> float(effective_sources([1.0, 0.0])), float(effective_sources([0.5, 0.5]))
    (1.0, 2.0)
    """
    effective: Float64 = np.exp(entropy(probabilities))
    return effective


def _checked_distribution(probabilities: ArrayLike) -> Float64:
    p = _numbers(probabilities, "probabilities")
    if p.ndim == 0 or p.shape[-1] == 0:
        raise InvalidInput(
            f"probabilities: got shape {p.shape}; the last axis must be the sources, one or more."
        )
    if not ((p >= 0.0).all() and (np.abs(p.sum(axis=-1) - 1.0) <= 1e-6).all()):
        raise InvalidInput(
            f"probabilities: got {_short(probabilities)}; each row must be >= 0 and sum to 1. "
            "Divide counts by their total first."
        )
    return p


def temperature_for_share(scores: ArrayLike, source: int, share: float) -> tuple[float, ...]:
    """Return every temperature at which one source has the given share of the draws.

    With b = 1/T, m the number of sources that tie with source i, and d_j = w_j - w_i,
    `ln(1/share - m) = ln sum_{d_j != 0} exp(b d_j) = L(b)`. L is convex in b (a log-sum-exp), so a
    share is met at no, one or two temperatures: the best source's share only falls with T; that of
    a source below the mean score only rises; any other's rises to a peak, then falls to 1/K.

    Args:
        scores: Log weights w, shape (K,), finite or -inf.
        source: Position i of the source in `scores`, in [0, K).
        share: The probability wanted, in [0, 1].

    Returns:
        One or two temperatures in [0, inf], ascending, accurate to about 1e-12 where the share
        tells them apart (close to the peak and to 1/K it hardly changes with T). T = 0 and T = inf
        are returned for exactly the share that `probabilities` gives there.

    Raises:
        InvalidInput: No temperature gives that share (the message states the range it can have),
            all temperatures give the same one, or an argument is out of range.

    About 50 evaluations of K exponentials (150 where the share has a peak).

    >>> temperature_for_share([0.0, 0.0, -1.0], 0, 0.5)
    (0.0,)
    >>> [round(t, 4) for t in temperature_for_share([2.0, 3.0, 1.0], 1, 0.6652409557748219)]
    [1.0]
    >>> [round(t, 4) for t in temperature_for_share([2.0, 3.0, 0.0, 0.0], 0, 0.26)]
    [1.0751, 17.9165]
    """
    w = _checked_scores(scores)
    i = _checked_source(source, w)
    target = _checked_share(share)
    with np.errstate(over="ignore"):
        gaps = w[np.isfinite(w)] - w[i]
    scale = _checked_scale(np.abs(gaps))
    rest = Rest(gaps / scale)
    solutions = rest.solve(target)
    if not solutions:
        raise InvalidInput(
            f"share: got {target} for source {i}; {rest.attainable(scale)}. "
            "Ask for a share it can have, or change the scores."
        )
    return tuple(reciprocal(b, scale) for b in solutions)


def _checked_source(source: object, w: Float64) -> int:
    if isinstance(source, bool) or not isinstance(source, int | np.integer):
        raise InvalidInput(f"source: got {source!r}; it must be a position in scores, an integer.")
    i = int(source)
    if not 0 <= i < w.size:
        raise InvalidInput(f"source: got {i}; it must be a position in scores, 0 to {w.size - 1}.")
    if np.isneginf(w[i]):
        raise InvalidInput(
            f"source: got {i}, whose score is -inf; its share is 0 at every temperature. "
            "Give it a finite score first."
        )
    return i


def _checked_scale(distances: Float64) -> float:
    """The largest distance; 1 where all are 0."""
    for distance in distances:
        if distance and not _NARROWEST <= distance <= _WIDEST:
            raise InvalidInput(
                f"scores: two differ by {distance:.3g}; to solve for a temperature they must be equal, "
                f"or differ by {_NARROWEST:g} to {_WIDEST:g}. Rescale them."
            )
    return float(distances.max()) or 1.0


def _checked_share(share: object) -> float:
    if isinstance(share, int | float | np.integer | np.floating) and 0.0 <= share <= 1.0:
        return float(share)
    raise InvalidInput(f"share: got {share!r}; it must be a probability, a number in [0, 1].")
