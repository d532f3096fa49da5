"""From lists of frames to the frames of each split; nothing is lost without being counted."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from munit_jax.sun.constants import DAY
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.plan import evenly, every, make_plan, summary
from tfds_sdoml.sources.interface import Listing, Rejection
from tfds_sdoml.splits import distance_to_months

HOUR = 3600
START = int(datetime(2011, 7, 15, tzinfo=UTC).timestamp())


@dataclass
class Listed:
    """A source that has lists only."""

    times: dict[str, list[int]]
    rejected: list[Rejection] = field(default_factory=list)
    size: int = 512
    spawn: bool = False

    def listing(self, series):
        times = self.times[series]
        own = [row for row in self.rejected if row.series == series]
        return Listing(np.array(times, np.int64), [f"{series}/{i}" for i in range(len(times))], own)

    def read(self, series, place):
        raise AssertionError("a plan reads no image")


def config(channels=("0193",), component=("bz",), **changes):
    return SdomlConfig(name="plan", source="npz_v1", channels=channels, field=component, size=512, **changes)


def all_frames(plan):
    return [frame for frames in plan.splits.values() for frame in frames]


def test_frames_out_of_order_are_joined_by_time():
    source = Listed({"bz": [START + HOUR, START], "0193": [START + 30, START + HOUR - 300, START + 4 * HOUR]})
    plan = make_plan(config(), source)
    assert plan.splits == {"train": [(START, ("bz/1", "0193/0"), None), (START + HOUR, ("bz/0", "0193/1"), None)]}
    assert plan.found == {"bz": 2, "0193": 3}
    assert plan.joined == 2
    assert plan.left_out == {"without the other series": 1}


def test_duplicates_are_rejected_by_name():
    source = Listed({"0193": [START, START, START + HOUR]})
    plan = make_plan(config(component=()), source)
    assert [frame.places for frame in plan.splits["train"]] == [("0193/0",), ("0193/2",)]
    assert plan.rejected == [Rejection("0193", START, "0193/1", "duplicate", "the time of 0193/0")]


def test_rejections_of_the_list_are_kept_and_counted():
    row = Rejection("0193", None, "x.npz", "no time", "month 13")
    plan = make_plan(config(component=()), Listed({"0193": [START]}, [row]))
    assert plan.rejected == [row]
    assert plan.found == {"0193": 2}


def test_years_and_months():
    times = [int(datetime(year, month, 15, tzinfo=UTC).timestamp()) for year in (2011, 2012) for month in range(1, 13)]
    plan = make_plan(config(component=(), years=(2012,), months=(7, 8, 11)), Listed({"0193": times}))
    months = {name: [str(np.datetime64(f.time, "s"))[:7] for f in frames] for name, frames in plan.splits.items()}
    assert months == {"train": ["2012-07", "2012-08"], "test": ["2012-11"]}
    assert plan.left_out == {"outside the years and months": 21}


def test_thinning():
    times = np.arange(START, START + DAY, 720)
    assert (times[every(times, 4 * HOUR)] - START).tolist() == [k * 4 * HOUR for k in range(6)]
    assert every(times, 0).tolist() == list(range(120))
    assert evenly(np.arange(10), 4).tolist() == [0, 2, 5, 7]
    assert evenly(np.arange(3), 0).tolist() == [0, 1, 2]
    plan = make_plan(config(component=(), every=4 * HOUR, limit=3), Listed({"0193": times.tolist()}))
    assert [(frame.time - START) // HOUR for frame in plan.splits["train"]] == [0, 8, 16]
    assert plan.left_out == {"thinned": 117}


def test_nothing_to_join():
    with pytest.raises(ValueError, match=r"there are 1 of bz, 1 of 0193, and none of all series within 360 s"):
        make_plan(config(), Listed({"bz": [START], "0193": [START + HOUR]}))
    with pytest.raises(ValueError, match=r"there are 0 of 0193.*outside the years and months: 1"):
        make_plan(config(component=(), years=(2012,)), Listed({"0193": [START]}))


def test_nothing_for_train():
    november = int(datetime(2011, 11, 15, tzinfo=UTC).timestamp())
    with pytest.raises(ValueError, match=r"none of the 1 examples is left for train.*test months \(11, 12\)"):
        make_plan(config(component=()), Listed({"0193": [november]}))


def test_the_poster_s_split_needs_its_numbers():
    with pytest.raises(ValueError, match="needs 12000 \\+ 3945 frames in 2010-2012, got 1"):
        make_plan(config(component=(), split="poster"), Listed({"0193": [START]}))
    times = list(range(START, START + 720 * 16_000, 720))
    plan = make_plan(config(component=(), split="poster"), Listed({"0193": times}))
    assert {name: len(frames) for name, frames in plan.splits.items()} == {"train": 12_000, "test": 3_945}
    assert plan.left_out == {"beyond the poster's numbers": 55}


@given(
    euv=st.lists(st.integers(START, START + 2 * 365 * DAY), max_size=40),
    field_times=st.lists(st.integers(START, START + 2 * 365 * DAY), max_size=40),
    thin=st.sampled_from([0, 4 * HOUR, 3 * DAY]),
    guard=st.sampled_from([0, 2.5, 27]),
)
def test_no_frame_is_lost_or_leaks(euv, field_times, thin, guard):
    # A train frame and its images for any lists of times: the field may be 360 s away from its EUV image.
    source = Listed({"bz": field_times, "0193": euv + [t + 100 for t in field_times]})
    try:
        plan = make_plan(config(every=thin, guard_days=guard), source)
    except ValueError:
        return
    counted = len(all_frames(plan)) + sum(plan.left_out.get(key, 0) for key in ("thinned", "in the guard gaps"))
    assert counted == plan.joined
    assert sum(plan.found.values()) == 2 * plan.joined + plan.left_out.get("without the other series", 0) + len(
        plan.rejected
    )
    assert len({frame.places[0] for frame in all_frames(plan)}) == len(all_frames(plan))
    train = np.array([frame.time for frame in plan.splits["train"]])
    assert (distance_to_months(train, (11, 12)) > guard * DAY).all()
    assert (distance_to_months(train, (5,)) > guard * DAY).all()
    for frame in all_frames(plan):
        series, index = frame.places[1].split("/")
        assert abs(source.times[series][int(index)] - frame.time) <= 360


def test_summary():
    plan = make_plan(config(component=(), limit=1), Listed({"0193": [START, START + HOUR]}))
    rejected = [Rejection("0193", START, "a.npz", "unreadable", "")] * 2
    counts = {"found": {"0193": 2}, "joined": 2, "left_out": {"thinned": 1}, "rejected": {"unreadable": 2}}
    assert summary(plan, rejected) == counts
