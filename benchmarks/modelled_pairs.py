r"""Pairs for training: real magnetograms with modelled images of AIA 193, and frames of the synthetic Sun.

    python benchmarks/modelled_pairs.py --pairs=PAIRS --magnetograms=MAGNETOGRAMS --synthetic=sdoml/synthetic_64 \
        --output=FOLDER [--held_out=2015-01,2015-04]
    python -m tfds_sdoml.build sdoml/modelled --source=hf256 --channels=0193 --field=bz --size=64 --guard_days=0 \
        --test_months=12 --validation_months=10 --manual_dir=FOLDER

PAIRS and MAGNETOGRAMS are folders in the layout of the 256-pixel set. The logarithm of the brightness is a ridge
regression on |B|, on the balance of the signs around and on the place on the disk, fitted to the real pairs, plus noise
with the spectrum and the size of what the regression leaves. Beyond the limb the image is that of a real frame. The
sign of the field has no part in it. Pairs of held-out months are not fitted, and magnetograms within 14 days
of them are left out. Images have 64 pixels, repeated to 256.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float
from real_pairs import Image, ridge
from scipy.ndimage import gaussian_filter

from munit_jax.data.datasets import Frames, format_time
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry, heliographic, mu, on_disk, sdoml_geometry
from munit_jax.sun.ephemeris import earth_view

SIZE = 64
DARKEST, BRIGHTEST = 20.0, 2500.0  # DN/s: the floor and the ceiling of 8-bit images
SCALES = (0.7, 1.5, 3.0, 6.0, 10.0)  # pixels: standard deviations of Gaussians
TAUGHT, SEEN, MODELLED = 0.93, 0.9, 0.97  # solar radii: of the fit, of what a magnetogram must show, of its image
GUARD = 14 * DAY  # half a rotation
CLASSES = 12  # of brightness, for the size of the noise
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
        return float(np.median(self.brightness[on_disk(self.geometry, TAUGHT)]))


def read_scenes(folder: Path) -> list[Scene]:
    """Read the frames of a folder in the layout of the 256-pixel set, whose names are their times."""
    scenes = []
    for path in sorted((folder / "frames").glob("*.npz")):
        time = int(datetime.strptime(path.stem, "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp())
        with np.load(path) as arrays:
            images = {key: _shrunk(np.nan_to_num(arrays[key].astype(float))) for key in arrays.files}
        euv = images.get("aia193")
        brightness = None if euv is None else np.log(np.clip(euv, DARKEST, BRIGHTEST))
        scenes.append(Scene(time, sdoml_geometry(SIZE, *earth_view(time)), images.get("bz"), brightness))
    return scenes


def _shrunk(image: Float[np.ndarray, "large large"]) -> Image:
    by = len(image) // SIZE
    return image.reshape(SIZE, by, SIZE, by).mean(axis=(1, 3))


def features(magnetogram: Image, geometry: DiskGeometry) -> Float[np.ndarray, "h w f"]:
    """Return what the brightness is regressed on; the same for a field of the other sign."""
    vertical, disk = np.nan_to_num(mu(geometry)), on_disk(geometry, MODELLED)
    field = np.where(disk, np.clip(magnetogram / np.maximum(vertical, 0.25), -200, 200), 0)
    latitude = np.abs(np.nan_to_num(heliographic(geometry)[0])) / 45
    flux, balance, of_scales = [], [], []
    for scale in SCALES:
        share = np.maximum(gaussian_filter(disk.astype(float), scale), 0.2)
        unsigned, net, square = (gaussian_filter(x, scale) / share for x in (np.abs(field), field, field**2))
        flux.append(np.log(3 + unsigned))
        balance.append(np.abs(net) / (unsigned + 3))
        of_scales += [np.sqrt(unsigned), np.sqrt(np.abs(net)), np.log(3 + np.abs(net)), np.log(3 + np.sqrt(square))]
    around = [vertical * flux[0], vertical * flux[1], flux[2] * flux[0], flux[3] * flux[1]]
    around += [balance[1] * flux[2], balance[2] * flux[3], balance[3] * flux[3]]
    place = [vertical, vertical**2, latitude, latitude**2]
    return np.stack([np.log(3 + np.abs(field)), *flux, *balance, *of_scales, *around, *place], axis=-1)


class Emission:
    """The brightness that a field is likely to have, and its noise, fitted to pairs."""

    def __init__(self, pairs: Sequence[Scene]):
        places = [on_disk(pair.geometry, TAUGHT) for pair in pairs]
        of_pairs = [features(np.asarray(pair.magnetogram), pair.geometry) for pair in pairs]
        contrasts = [np.asarray(pair.brightness) - pair.median for pair in pairs]
        x, y = (np.concatenate([a[p] for a, p in zip(many, places, strict=True)]) for many in (of_pairs, contrasts))
        self.contrast = ridge(x, y)
        self.median = float(np.mean([pair.median for pair in pairs]))
        made = self.contrast(x)
        left = y - made
        classes = np.digitize(made, np.quantile(made, np.linspace(0, 1, CLASSES + 1)[1:-1]))
        self._levels = [made[classes == k].mean() for k in range(CLASSES)]
        self._sizes = [left[classes == k].std() for k in range(CLASSES)]
        noises = [
            np.where(place, (contrast - (fit := self.contrast(f))) / self.noise_size(fit), 0)
            for contrast, f, place in zip(contrasts, of_pairs, places, strict=True)
        ]
        power = np.mean([np.abs(np.fft.fft2(noise)) ** 2 for noise in noises], axis=0)
        self._amplitude = np.sqrt(power / np.mean([place.sum() for place in places]))

    def noise_size(self, contrast: Image) -> Image:
        """Return the standard deviation of the noise at places of a modelled contrast."""
        return np.interp(contrast, self._levels, self._sizes)

    def draw(self, scene: Scene, beyond: Scene, rng: np.random.Generator) -> Image:
        """Return an EUV image (DN/s) of the field of a scene; beyond the limb it is that of another."""
        contrast = self.contrast(features(np.asarray(scene.magnetogram), scene.geometry))
        noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIZE, SIZE))) * self._amplitude).real
        disk = contrast + self.noise_size(contrast) * noise
        limb = np.asarray(beyond.brightness) - beyond.median
        limb = limb[:, ::-1] if rng.random() < 0.5 else limb
        logarithm = self.median + rng.normal(0, MEDIAN_SPREAD) + np.where(on_disk(scene.geometry, MODELLED), disk, limb)
        return np.clip(np.exp(logarithm), DARKEST, BRIGHTEST)


def shows_the_sun(scene: Scene) -> bool:
    """Whether a magnetogram has a field nearly everywhere on the disk."""
    field = np.asarray(scene.magnetogram)[on_disk(scene.geometry, SEEN)]
    return bool((field == 0).mean() <= 0.3 and np.abs(field).mean() >= 1)


def write_frame(folder: Path, time: int, euv: Image, magnetogram: Image) -> None:
    """Write a pair in the layout of the 256-pixel set."""
    name = datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M")
    images = {"aia193": euv, "bz": magnetogram}
    large = {key: image.repeat(4, axis=0).repeat(4, axis=1).astype(np.float32) for key, image in images.items()}
    np.savez(folder / f"{name}.npz", **large)


def main() -> None:
    """Write the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="the folder of real pairs")
    parser.add_argument("--magnetograms", type=Path, required=True, help="the folder of real magnetograms")
    parser.add_argument("--synthetic", default=None, help="a dataset of the synthetic Sun whose training split joins")
    parser.add_argument("--data_dir", default=None, help="the folder of the datasets; as in training")
    parser.add_argument("--held_out", default="", help="months of pairs that are not fitted, such as 2015-01,2015-04")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    rng, months = np.random.default_rng(options.seed), tuple(options.held_out.split(",")) if options.held_out else ()
    every = read_scenes(options.pairs)
    pairs = [pair for pair in every if not format_time(pair.time).startswith(months)]
    held_out = [pair for pair in every if format_time(pair.time).startswith(months)]
    emission, frames = Emission(pairs), options.output / "frames"
    frames.mkdir(parents=True)
    scenes = [scene for scene in read_scenes(options.magnetograms) if shows_the_sun(scene)]
    used = [scene for scene in scenes if all(abs(scene.time - pair.time) > GUARD for pair in held_out)]
    for scene in used:
        euv = emission.draw(scene, pairs[rng.integers(len(pairs))], rng)
        write_frame(frames, scene.time, euv, np.asarray(scene.magnetogram))
    synthetic = []
    if options.synthetic:
        synthetic = Frames(options.synthetic, "train", ("euv", "magnetogram"), ("0193",), options.data_dir)
    for k in range(len(synthetic)):
        write_frame(frames, int(synthetic[k]["time"]), synthetic[k]["euv"][..., 0], synthetic[k]["magnetogram"][..., 0])
    print(f"{len(used)} modelled on {len(pairs)} pairs, {len(synthetic)} synthetic: {options.output}")


if __name__ == "__main__":
    main()
