"""Which frames go into a dataset, before any image is read: found, joined, thinned, split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from munit_jax.instruments.simultaneous import join_nearest
from munit_jax.sun.vantage import View, directions
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.sources.interface import Listing, Rejection, Source
from tfds_sdoml.splits import blocked, poster

SPLITS = ("train", "validation", "test")


class Frame(NamedTuple):
    """One example to be: its time and where the image of each series is, in the order of `SdomlConfig.series`.

    `view` is from where the first one was seen, None for the Earth.
    """

    time: int
    places: tuple[str, ...]
    view: View | None = None


@dataclass(frozen=True)
class Plan:
    """The frames of each split in the order of time, and the fate of all others."""

    splits: dict[str, list[Frame]]  # only splits that have any
    found: dict[str, int]  # frames of each series in the source
    left_out: dict[str, int]  # examples or frames that were not asked for, by cause
    joined: int  # examples before thinning and splitting
    rejected: list[Rejection] = field(repr=False)  # frames that cannot be used, found so far


def make_plan(config: SdomlConfig, source: Source) -> Plan:
    """Return the plan of a dataset.

    Raises:
        ValueError: a source with nothing usable (what it has and what is missing), or no frame left for train.
        OSError: a source that cannot be listed.
    """
    usable: dict[str, Listing] = {}
    found, rejected, outside = {}, [], 0
    for series in config.series:
        listing = source.listing(series)
        found[series] = len(listing.times) + sum(row.series == series for row in listing.rejected)
        usable[series], beyond = usable_frames(series, listing, config)
        rejected += usable[series].rejected
        outside += beyond

    seconds = {series: frames.times for series, frames in usable.items()}
    indices = join_nearest(seconds, config.tolerance, _towards(usable), config.vantage_tolerance)
    first = config.series[0]
    joined = len(indices[first])
    if joined == 0:
        counts = ", ".join(f"{len(frames.times):,} of {series}" for series, frames in usable.items())
        raise ValueError(
            f"sdoml/{config.name}: no example can be made: of the frames asked for there are {counts}, and none of all "
            f"series within {config.tolerance} s and {config.vantage_tolerance} degrees of each other (outside the "
            f"years and months: {outside:,}; rejected: {len(rejected):,})"
        )
    chosen = evenly(every(usable[first].times[indices[first]], config.every), config.limit)
    times = usable[first].times[indices[first][chosen]]
    if config.split == "poster":
        masks = poster(times, config.seed)
    else:
        masks = blocked(times, config.test_months, config.validation_months, config.guard_days)
    if not masks["train"].any():
        raise ValueError(
            f"sdoml/{config.name}: none of the {len(times):,} examples is left for train: all are in, or within "
            f"{config.guard_days} days of, the test months {config.test_months} and the validation months "
            f"{config.validation_months}; add frames of other months, or choose other months or a smaller guard"
        )
    places = zip(*([usable[s].places[i] for i in indices[s][chosen]] for s in config.series), strict=True)
    views = usable[first].views
    seen = [None if views is None else views[i] for i in indices[first][chosen]]
    frames = [Frame(*frame) for frame in zip(times.tolist(), places, seen, strict=True)]
    left_out = {
        "outside the years and months": outside,
        "without the other series": sum(len(frames.times) - joined for frames in usable.values()),
        "thinned": joined - len(chosen),
        "in the guard gaps": int(np.count_nonzero(masks.get("guard", False))),
        "beyond the poster's numbers": int(np.count_nonzero(masks.get("unused", False))),
    }
    return Plan(
        splits={
            name: [frames[i] for i in np.flatnonzero(masks[name])] for name in SPLITS if np.any(masks.get(name, False))
        },
        found=found,
        left_out={cause: count for cause, count in left_out.items() if count},
        joined=joined,
        rejected=rejected,
    )


def usable_frames(series: str, listing: Listing, config: SdomlConfig) -> tuple[Listing, int]:
    """Return the frames in the years and months asked for, one a time and in the order of time, and how many are not.

    Of several frames of one time and vantage point the first by its place is kept, the others are rejected.
    """
    times, places, rejected, views = listing.times, listing.places, list(listing.rejected), listing.views
    inside = np.flatnonzero(in_range(times, config)).tolist()
    kept: dict[tuple[int, View | None], int] = {}
    for i in sorted(inside, key=lambda i: (times[i], places[i])):
        # To the whole degree: frames of one second that straddle a step are both kept, and the join takes one.
        place = None if views is None else (round(views[i][0]), round(views[i][1]) % 360, 0)
        first = kept.setdefault((int(times[i]), place), i)
        if first != i:
            rejected.append(Rejection(series, int(times[i]), places[i], "duplicate", f"the time of {places[first]}"))
    order = list(kept.values())
    seen = None if views is None else [views[i] for i in order]
    return Listing(times[order], [places[i] for i in order], rejected, seen), len(times) - len(inside)


def _towards(usable: Mapping[str, Listing]) -> dict[str, Float[np.ndarray, "frame 3"]] | None:
    """Return the directions of the observers of each series; None where all are at the Earth."""
    if all(listing.views is None for listing in usable.values()):
        return None
    towards = {}
    for series, listing in usable.items():
        b0, l0, _ = np.array(listing.views, np.float64).reshape(-1, 3).T
        towards[series] = directions(b0, l0, listing.times.astype(np.float64))
    return towards


def in_range(times: Int[np.ndarray, "frame"], config: SdomlConfig) -> np.ndarray:
    """Return which times lie in the years and months of a configuration."""
    dates = times.astype("datetime64[s]")
    keep = np.ones(len(dates), bool)
    if config.years:
        keep &= np.isin(dates.astype("datetime64[Y]").astype(int) + 1970, config.years)
    if config.months:
        keep &= np.isin(dates.astype("datetime64[M]").astype(int) % 12 + 1, config.months)
    return keep


def every(times: Int[np.ndarray, "frame"], seconds: int) -> Int[np.ndarray, "kept"]:
    """Return the indices of the first frame in each interval of that many seconds since 1970; of all for 0."""
    if seconds == 0:
        return np.arange(len(times))
    return np.unique(times // seconds, return_index=True)[1]


def evenly(indices: Int[np.ndarray, "frame"], limit: int) -> Int[np.ndarray, "kept"]:
    """Return `limit` of the indices at equal distances; all for 0 or where there are fewer."""
    if limit == 0 or limit >= len(indices):
        return indices
    return indices[np.arange(limit) * len(indices) // limit]


def summary(plan: Plan, rejected: Sequence[Rejection]) -> dict[str, Any]:
    """Return how many frames were found, joined, left out and rejected, as JSON keeps it."""
    reasons = dict(sorted(Counter(row.reason for row in rejected).items()))
    return {"found": plan.found, "joined": plan.joined, "left_out": plan.left_out, "rejected": reasons}
