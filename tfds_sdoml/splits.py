"""Splits of a time series into train, validation and test: pure functions of the list of times."""

import numpy as np
from jaxtyping import Bool, Int

from munit_jax.sun.constants import DAY

POSTER_YEARS = (2010, 2011, 2012)
POSTER_TRAIN, POSTER_TEST = 12_000, 3_945


def distance_to_months(times: Int[np.ndarray, "frame"], months: tuple[int, ...]) -> Int[np.ndarray, "frame"]:
    """Return the seconds between each time and the nearest stretch of the given calendar months; 0 inside one."""
    nearest = np.full(len(times), np.iinfo(np.int64).max)
    if len(times) == 0:
        return nearest
    first, last = (time.astype("datetime64[s]").astype("datetime64[M]") for time in (np.min(times), np.max(times)))
    month = np.timedelta64(1, "M")
    calendar = np.arange(first - 12 * month, last + 13 * month)
    starts = calendar[np.isin(calendar.astype(int) % 12 + 1, months)]
    for start, end in zip(*(x.astype("datetime64[s]").astype(np.int64) for x in (starts, starts + month)), strict=True):
        nearest = np.minimum(nearest, np.maximum(np.maximum(start - times, times - (end - 1)), 0))
    return nearest


def blocked(
    times: Int[np.ndarray, "frame"],
    test_months: tuple[int, ...],
    validation_months: tuple[int, ...],
    guard_days: int | float,
) -> dict[str, Bool[np.ndarray, "frame"]]:
    """Return a mask for each of `train`, `validation`, `test` and `guard`; every frame is in exactly one.

    Test and validation are whole calendar months of every year: the Sun changes slowly, and shuffled frames have near
    twins in another split. A frame nearer than `guard_days` to a test or validation month is in neither of them nor in
    train: it is in `guard`, and so is a validation frame that near to a test month.

    The times are seconds since 1970-01-01 UTC, in any order.
    """
    guard = guard_days * DAY
    to_test, to_validation = (distance_to_months(times, months) for months in (test_months, validation_months))
    test = to_test == 0
    validation = (to_validation == 0) & (to_test > guard)
    train = (to_test > guard) & (to_validation > guard)
    return {"train": train, "validation": validation, "test": test, "guard": ~(train | validation | test)}


def poster(times: Int[np.ndarray, "frame"], seed: int) -> dict[str, Bool[np.ndarray, "frame"]]:
    """Return masks for `train` and `test` (and `unused`): the poster's shuffle of the frames of 2010 to 2012.

    It leaks: neighbouring frames fall on both sides. Use it to compare with the poster only. The times are seconds
    since 1970-01-01 UTC, each once; the split follows them, not their order in the list.

    Raises:
        ValueError: too few frames of those years.
    """
    order = np.argsort(times)
    years = times[order].astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
    within = order[np.isin(years, POSTER_YEARS)]
    if len(within) < POSTER_TRAIN + POSTER_TEST:
        raise ValueError(
            f"the poster's split needs {POSTER_TRAIN} + {POSTER_TEST} frames in 2010-2012, got {len(within)}"
        )
    shuffled = np.random.default_rng(seed).permutation(within)
    masks = {name: np.zeros(len(times), bool) for name in ("train", "test")}
    masks["train"][shuffled[:POSTER_TRAIN]] = True
    masks["test"][shuffled[POSTER_TRAIN : POSTER_TRAIN + POSTER_TEST]] = True
    return {**masks, "unused": ~(masks["train"] | masks["test"])}
