"""Pairs of files, an EUV image and a magnetogram from anywhere, as the frames of an evaluation."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from munit_jax.data.datasets import GEOMETRY
from munit_jax.errors import DataError
from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.headers import time_of
from munit_jax.instruments.interface import Preparation, Scale
from munit_jax.instruments.simultaneous import join_nearest
from munit_jax.instruments.telescopes import identify, observe, prepare
from munit_jax.instruments.view import heliographic_view, observer, view_cards
from munit_jax.report.settings import PairSettings
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry
from munit_jax.sun.rotation import rotated
from munit_jax.sun.vantage import View, directions, separations
from munit_jax.trained_run import TrainedRun
from munit_jax.translation.joining import join
from munit_jax.translation.settings import file_sha256, preparation

TABLE = "pairs.csv"
HOUR = 3600

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """The result of an image or a magnetogram: `hours` and `degrees` apart in a pair, otherwise the reason."""

    image: str
    magnetogram: str
    hours: float | None = None  # from the magnetogram to the image
    degrees: float | None = None  # between the observers
    reason: str = ""


class Found(NamedTuple):
    """A file, or one of each channel, with the time (seconds since 1970) and the place of the first."""

    paths: tuple[Path, ...]
    time: int
    view: View


class FilePairs:
    """Frames of files, as `munit_jax.data.datasets.Frames` has those of a dataset; `frames[i]` is one.

    Images and magnetograms are paired one to one, the nearest in time, within the hours and degrees of the settings.
    The magnetogram is rotated to the time and the vantage point of the image, by differential rotation and
    with its field taken as radial; `seen` of a frame is where that is possible. All are kept in memory.

    Raises:
        DataError: no pair.
    """

    split, domains, has_surface = "files", ("euv", "magnetogram"), False

    def __init__(self, run: TrainedRun, pairs: PairSettings, scale_to: Scale = "none"):
        self.size, self.rows, self.frames = run.size, [], []
        self.name = f"{len(pairs.images)} images and {len(pairs.truth)} magnetograms"
        how = preparation(run, scale_to=scale_to)
        groups, refused = join(pairs.images, run.channels)
        self.rows += [Row(path.name, "", reason=str(error)) for path, error in refused]
        images = sorted(self._found(groups, run.channels, "image"), key=lambda one: one.time)
        truth = sorted(self._found([(path,) for path in pairs.truth], ("bz",), "magnetogram"), key=lambda one: one.time)
        towards = {"image": _towards(images), "magnetogram": _towards(truth)}
        times = {
            name: np.array([one.time for one in of], np.int64)
            for name, of in (("image", images), ("magnetogram", truth))
        }
        joined = join_nearest(times, round(pairs.hours * HOUR), towards, pairs.degrees)
        pair = joined["image"], joined["magnetogram"]
        apart = separations(*(towards[name][of] for name, of in zip(towards, pair, strict=True)))
        for k, i, degrees in tqdm(list(zip(*pair, apart.tolist(), strict=True)), desc="pairs", unit="pair"):
            self._add(run, how, images[k], truth[i], degrees)
        alone = f"no partner within {pairs.hours:g} hours and {pairs.degrees:g} degrees that is not another's"
        for name, found in (("image", images), ("magnetogram", truth)):
            for k, one in enumerate(found):
                if k not in joined[name]:
                    for path in one.paths:
                        self._leave_out(path, name, alone)
        if not self.frames:
            raise DataError(f"no pair of {self.name}: {'; '.join(sorted({row.reason for row in self.rows}))}")
        self.about: dict[str, Any] = {
            "count": len(self.frames),
            "most_hours": max(abs(row.hours) for row in self.rows if row.hours is not None),
            "most_degrees": max(row.degrees for row in self.rows if row.degrees is not None),
            "files": {path.name: file_sha256(path) for path in (*pairs.images, *pairs.truth)},
        }

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return self.frames[index]

    def write_table(self, folder: Path) -> None:
        """Write the pairs, and the unpaired files with the reason, into a folder."""
        with (folder / TABLE).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([Row._fields, *self.rows])

    def _found(self, groups: Sequence[tuple[Path, ...]], series: Sequence[str], name: str) -> list[Found]:
        found = []
        for paths in groups:
            try:
                header, _, named = identify(paths[0])
                if named != series[0]:
                    raise FrameError("instrument", f"it is of {named}, expected {series[0]}")
                time = time_of(header)
                found.append(Found(paths, time, observer(header, time)))
            except (FrameError, ValueError, OSError) as error:
                for path in paths:
                    self._leave_out(path, name, reason_of(error))
        return found

    def _leave_out(self, path: Path, name: str, reason: str) -> None:
        logger.warning("left out %s: %s", path, reason)
        self.rows.append(Row(*((path.name, "") if name == "image" else ("", path.name)), reason=reason))

    def _add(self, run: TrainedRun, how: Preparation, image: Found, truth: Found, degrees: float) -> None:
        """Read a pair; one that cannot be used is left out with the reason."""
        names = image.paths[0].name, truth.paths[0].name
        try:
            euv, geometry = _prepared(image.paths, how)
            field, then = _prepared(truth.paths, how)
        except (FrameError, ValueError, OSError) as error:
            logger.warning("left out %s with %s: %s", *names, reason_of(error))
            self.rows.append(Row(*names, reason=reason_of(error)))
            return
        hours = (image.time - truth.time) / HOUR
        turned, seen = rotated(field[..., 0], then, geometry, hours * HOUR / DAY)
        logger.info(
            "%s and %s: %.2f hours and %.2f degrees apart, the magnetogram is rotated by both", *names, hours, degrees
        )
        values = {name: np.float32(getattr(geometry, name)) for name in GEOMETRY if name != "centre"}
        values |= {"centre": np.array(geometry.centre, np.float32), "time": np.int64(image.time)}
        self.frames.append({"euv": euv, "magnetogram": turned[..., None], "seen": seen} | values)
        self.rows.append(Row(*names, round(hours, 3), round(degrees, 3)))


def _prepared(paths: Sequence[Path], how: Preparation) -> tuple[np.ndarray, DiskGeometry]:
    """Return the images of a time (size, size, channels) and the geometry in which the first was taken."""
    observed = [observe(path) for path in paths]
    images = []
    for seen in observed:
        made = prepare(seen, how)
        for warning in made.warnings:
            logger.warning("%s: %s", seen.name, warning)
        images.append(made.image)
    return np.stack(images, axis=-1), heliographic_view(view_cards(observed[0].header), how.geometry)


def _towards(found: Sequence[Found]) -> np.ndarray:
    b0, l0, _ = np.array([one.view for one in found], np.float64).reshape(-1, 3).T
    return directions(b0, l0, np.array([one.time for one in found], np.float64))
