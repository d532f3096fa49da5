"""Images that look enough like the Sun to pass the checks, and SDOML v1 files of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from munit_jax.sun.disk import radius_from_centre, sdoml_geometry


def euv_image(level: float, size: int = 512, shift: int = 0) -> np.ndarray:
    """A disk of that many DN/s with a faint corona, moved `shift` pixels to the west."""
    rho = radius_from_centre(sdoml_geometry(size))
    texture = np.random.default_rng(0).uniform(0.8, 1.2, rho.shape)
    image = np.where(rho < 1, level * texture, level / 10 * np.exp(-4 * (rho - 1)))
    return np.roll(image, shift, axis=1).astype(np.float32)


def field_image(strength: float, size: int = 512) -> np.ndarray:
    """Noise of that many gauss (standard deviation) on the disk, exactly 0 beside it."""
    rho = radius_from_centre(sdoml_geometry(size))
    noise = np.random.default_rng(1).normal(0, strength, rho.shape)
    return np.where(rho < 1, noise, 0).astype(np.float32)


def write_npz(folder: Path, name: str, image: np.ndarray, key: str = "x") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / name, **{key: image})
    return folder / name


def write_aia(folder: Path, time: str, level: float = 100.0, channel: str = "0193") -> Path:
    """An SDOML v1 file of AIA; `time` as YYYYMMDD_HHMM, the level in DN/s per pixel of v2."""
    return write_npz(folder, f"AIA{time}_{channel}.npz", (4 * euv_image(level)).astype(np.float16))


def write_hmi(folder: Path, time: str, strength: float = 10.0, component: str = "bz") -> Path:
    """An SDOML v1 file of HMI; `time` as YYYYMMDD_HHMM TAI."""
    return write_npz(folder, f"HMI{time}_{component}.npz", field_image(strength).astype(np.float16))


def times(first: str, count: int, **step: float) -> list[str]:
    """`count` times as YYYYMMDD_HHMM, `step` (hours=1, say) apart."""
    start = datetime.strptime(first, "%Y%m%d_%H%M").replace(tzinfo=UTC)
    return [(start + i * timedelta(**step)).strftime("%Y%m%d_%H%M") for i in range(count)]
