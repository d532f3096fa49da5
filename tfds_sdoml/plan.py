"""Which frames go into a dataset, before any image is read: found, joined, thinned, split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from munit_jax.instruments.simultaneous import join_nearest
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.sources.interface import Listing, Rejection, Source
from tfds_sdoml.splits import blocked, poster

SPLITS = ("train", "validation", "test")


class Frame(NamedTuple):
    """One example to be: its time and where the image of each series is, in the order of `SdomlConfig.series`."""

    time: int
    places: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The frames of each split in the order of time, and what became of all the others."""

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

    indices = join_nearest({series: frames.times for series, frames in usable.items()}, config.tolerance)
    first = config.series[0]
    joined = len(indices[first])
    if joined == 0:
        counts = ", ".join(f"{len(frames.times):,} of {series}" for series, frames in usable.items())
        raise ValueError(
            f"sdoml/{config.name}: no example can be made: of the frames asked for there are {counts}, and none of all "
            f"series within {config.tolerance} s of each other (outside the years and months: {outside:,}; rejected: "
            f"{len(rejected):,})"
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
    frames = [Frame(time, its_places) for time, its_places in zip(times.tolist(), places, strict=True)]
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

    Of several frames of one time the first by its place is kept, the others are rejected.
    """
    times, places, rejected = listing.times, listing.places, list(listing.rejected)
    inside = np.flatnonzero(in_range(times, config)).tolist()
    kept: list[int] = []
    for i in sorted(inside, key=lambda i: (times[i], places[i])):
        if kept and times[kept[-1]] == times[i]:
            rejected.append(Rejection(series, int(times[i]), places[i], "duplicate", f"the time of {places[kept[-1]]}"))
        else:
            kept.append(i)
    return Listing(times[kept], [places[i] for i in kept], rejected), len(times) - len(inside)


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
