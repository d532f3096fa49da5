r"""Pairs for training: real magnetograms with modelled images of AIA 193, and frames of the synthetic Sun.

    python benchmarks/modelled_pairs.py --pairs=PAIRS --magnetograms=MAGNETOGRAMS --synthetic=sdoml/synthetic_64 \
        --output=FOLDER [--held_out=2015-01,2015-04]
    python -m tfds_sdoml.build sdoml/modelled --source=hf256 --channels=0193 --field=bz --size=64 --guard_days=0 \
        --test_months=12 --validation_months=10 --manual_dir=FOLDER

PAIRS and MAGNETOGRAMS are folders in the layout of the 256-pixel set. An image is that of the emission model above the
field of the whole Sun (`real_field.py`), with the distribution of the brightness of the real images of PAIRS; beyond
the limb it is that of one of them. Pairs of held-out months are not used, and magnetograms within 14 days of them
are left out. Images have 64 pixels (--size), repeated to 256.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float
from real_field import euv_image, looks, whole_sun
from real_pairs import Image
from tqdm import tqdm

from munit_jax.data.datasets import Frames, format_time
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry, on_disk, sdoml_geometry
from munit_jax.sun.ephemeris import earth_view

FULL_SIZE = 256  # pixels of the files
DARKEST, BRIGHTEST = 20.0, 2500.0  # DN/s: the floor and the ceiling of 8-bit images
# Solar radii: within which the brightness is matched, a magnetogram must show a field, an image is modelled.
MATCHED, SEEN, MODELLED = 0.93, 0.9, 0.97
GUARD = 14 * DAY  # half a rotation
CLASSES = 400  # quantiles of the contrast
MEDIAN_SPREAD = 0.15  # of the logarithm of the brightness of a whole image


@dataclass(frozen=True)
class Scene:
    """An image or a magnetogram of the Sun seen from the Earth, or both."""

    time: int  # seconds since 1970
    geometry: DiskGeometry
    magnetogram: Image | None  # gauss
    brightness: Image | None  # logarithm of DN/s

    @property
    def median(self) -> float:
        """The median of the brightness on the disk."""
        assert self.brightness is not None
        return float(np.median(self.brightness[on_disk(self.geometry, MATCHED)]))

    @property
    def contrast(self) -> Image:
        """The brightness less its median."""
        assert self.brightness is not None
        return self.brightness - self.median


def read_scenes(folder: Path, size: int) -> list[Scene]:
    """Read the frames of a folder in the layout of the 256-pixel set, whose names are their times."""
    scenes = []
    for path in sorted((folder / "frames").glob("*.npz")):
        time = int(datetime.strptime(path.stem, "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp())
        with np.load(path) as arrays:
            images = {key: _shrunk(np.nan_to_num(arrays[key].astype(float)), size) for key in arrays.files}
        euv = images.get("aia193")
        brightness = None if euv is None else np.log(np.clip(euv, DARKEST, BRIGHTEST))
        scenes.append(Scene(time, sdoml_geometry(size, *earth_view(time)), images.get("bz"), brightness))
    return scenes


def _shrunk(image: Float[np.ndarray, "large large"], size: int) -> Image:
    by = len(image) // size
    return image.reshape(size, by, size, by).mean(axis=(1, 3))


def shows_the_sun(scene: Scene) -> bool:
    """Whether a magnetogram has a field nearly everywhere on the disk."""
    field = np.asarray(scene.magnetogram)[on_disk(scene.geometry, SEEN)]
    return bool((field == 0).mean() <= 0.3 and np.abs(field).mean() >= 1)


def matched(modelled: Sequence[Scene], real: Sequence[Scene], rng: np.random.Generator) -> list[Image]:
    """Return modelled images in DN/s: their contrast has the quantiles of that of real ones, and a real limb."""
    classes = np.linspace(0, 1, CLASSES)
    theirs, ours = (
        np.quantile(np.concatenate([s.contrast[on_disk(s.geometry, MATCHED)] for s in scenes]), classes)
        for scenes in (real, modelled)
    )
    median = np.mean([scene.median for scene in real])
    images = []
    for scene in modelled:
        limb = real[rng.integers(len(real))].contrast
        limb = limb[:, ::-1] if rng.random() < 0.5 else limb
        disk = np.interp(scene.contrast, ours, theirs)
        brightness = median + rng.normal(0, MEDIAN_SPREAD) + np.where(on_disk(scene.geometry, MODELLED), disk, limb)
        images.append(np.clip(np.exp(brightness), DARKEST, BRIGHTEST))
    return images


def write_frame(folder: Path, time: int, euv: Image, magnetogram: Image) -> None:
    """Write a pair in the layout of the 256-pixel set."""
    name = datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M")
    images = {"aia193": euv, "bz": magnetogram}
    by = FULL_SIZE // len(euv)
    large = {key: image.repeat(by, axis=0).repeat(by, axis=1).astype(np.float32) for key, image in images.items()}
    np.savez(folder / f"{name}.npz", **large)


def main() -> None:
    """Write the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="the folder of real pairs")
    parser.add_argument("--magnetograms", type=Path, required=True, help="the folder of real magnetograms")
    parser.add_argument("--synthetic", default=None, help="a dataset of the synthetic Sun whose training split joins")
    parser.add_argument("--data_dir", default=None, help="the folder of the datasets; as in training")
    parser.add_argument("--held_out", default="", help="months of pairs that are not used, such as 2015-01,2015-04")
    parser.add_argument("--size", type=int, default=64, choices=(64, 128), help="pixels of the images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    synthetic = []
    if options.synthetic:
        synthetic = Frames(options.synthetic, "train", ("euv", "magnetogram"), ("0193",), options.data_dir)
        if synthetic.size != options.size:
            parser.error(
                f"{options.synthetic} has {synthetic.size} pixels, --size is {options.size}: they must be equal"
            )
    rng, months = np.random.default_rng(options.seed), tuple(options.held_out.split(",")) if options.held_out else ()
    every = read_scenes(options.pairs, options.size)
    pairs = [pair for pair in every if not format_time(pair.time).startswith(months)]
    held_out = [pair for pair in every if format_time(pair.time).startswith(months)]
    frames = options.output / "frames"
    frames.mkdir(parents=True)
    shown = [scene for scene in read_scenes(options.magnetograms, options.size) if shows_the_sun(scene)]
    used = [scene for scene in shown if all(abs(scene.time - pair.time) > GUARD for pair in held_out)]
    times = {scene.time for scene in used}
    fine = [scene for scene in read_scenes(options.magnetograms, FULL_SIZE) if scene.time in times]
    archive = looks([s.time for s in fine], [s.geometry for s in fine], [np.asarray(s.magnetogram) for s in fine])
    modelled = []
    for scene in tqdm(used, "images", unit="frame"):
        euv = euv_image(whole_sun(archive, scene.time), scene.geometry, "0193", rng)
        modelled.append(Scene(scene.time, scene.geometry, scene.magnetogram, np.log(np.maximum(euv, 1))))
    for scene, euv in zip(modelled, matched(modelled, pairs, rng), strict=True):
        write_frame(frames, scene.time, euv, np.asarray(scene.magnetogram))
    for k in range(len(synthetic)):
        write_frame(frames, int(synthetic[k]["time"]), synthetic[k]["euv"][..., 0], synthetic[k]["magnetogram"][..., 0])
    print(f"{len(modelled)} modelled with {len(pairs)} pairs, {len(synthetic)} synthetic: {options.output}")


if __name__ == "__main__":
    main()
