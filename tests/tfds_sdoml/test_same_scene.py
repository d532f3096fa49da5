"""One scene, written as each kind of source has it, gives one dataset within what storing and resampling cost."""

from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.sun.disk import on_disk, sdoml_geometry
from tests.tfds_sdoml.sources.fits_files import Layout, seen, write_aia, write_hmi
from tests.tfds_sdoml.sources.zarr_store import aia_attributes, hmi_attributes, write_store
from tests.tfds_sdoml.sun_images import write_npz
from tfds_sdoml.build import build

TIME = datetime(2011, 2, 15, tzinfo=UTC)
EXPOSURE = 2.0  # seconds


def brightness(west, north):
    """EUV in DN/s: a limb-brightened disk with an active region in the north-west, and a corona."""
    rho = np.hypot(west, north)
    region = 900 * np.exp(-((west - 0.4) ** 2 + (north - 0.3) ** 2) / 0.02)
    return np.where(rho < 1, 100 + 50 * rho**4 + region, 150 * np.exp(-6 * (rho - 1)))


def field(west, north):
    """The field in gauss: a bipole in the north-west, weak waves elsewhere, 0 off the disk."""
    lead = np.exp(-((west - 0.45) ** 2 + (north - 0.28) ** 2) / 0.01)
    trail = np.exp(-((west - 0.3) ** 2 + (north - 0.33) ** 2) / 0.01)
    waves = 10 * np.sin(25 * west) * np.sin(25 * north)
    return np.where(np.hypot(west, north) < 1, 800 * (lead - trail) + waves, 0)


def sdoml_image(scene, size=512):
    """The scene at the pixel centres of an SDOML image."""
    return seen(scene, Layout(size)).astype(np.float32)


def write_npz_v1(folder):
    write_npz(folder, "AIA20110215_0000_0193.npz", 4 * sdoml_image(brightness))
    write_npz(folder, "HMI20110215_0000_bz.npz", sdoml_image(field))


def write_zarr_v2(folder):
    # One other frame a chunk, so that the frame has to be found.
    for name, series, scene, attributes in (
        ("sdomlv2.zarr", "193A", brightness, aia_attributes([TIME.replace(month=11), TIME])),
        ("sdomlv2_hmi.zarr", "Bz", field, hmi_attributes([TIME.replace(month=11), TIME])),
    ):
        image = sdoml_image(scene)
        write_store(str(folder / name), {f"2011/{series}": (np.stack([image / 2, image]), attributes)}, chunk=2)


def write_fits(folder):
    aia, hmi = Layout(1024, 390.0, (500.0, 520.0)), Layout(2048, 900.0, (1030.0, 1010.0), crota2=180.0)
    write_aia(
        folder / "a.fits",
        (EXPOSURE * seen(brightness, aia)).astype(np.float32),
        aia,
        channel=193,
        exptime=EXPOSURE,
        time="2011-02-15T00:00:00.00Z",
    )
    image = np.where(seen(np.hypot, hmi) < 1, seen(field, hmi), np.nan)
    write_hmi(folder / "h.fits", image.astype(np.float32), hmi, time="2011.02.15_00:00:00_TAI")


def write_hf256(folder):
    half = {key: sdoml_image(scene, 512).reshape(256, 2, 256, 2).mean((1, 3)) for key, scene in SCENES.items()}
    folder.mkdir(parents=True)
    np.savez(folder / "20110215T0000.npz", **{key: image.astype(np.float16) for key, image in half.items()})


SCENES = {"aia193": brightness, "bz": field}
WRITERS = {"npz_v1": write_npz_v1, "zarr_v2": write_zarr_v2, "fits": write_fits, "hf256": write_hf256}


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """The example of each source at 256 pixels."""
    found = {}
    for source, write in WRITERS.items():
        folder = tmp_path_factory.mktemp(source)
        write(folder / "in")
        changes = {"source": source, "size": 256, "dtype": "float32", "months": (2,)}
        built = build("aia0193_hmi", folder / "data", folder / "in", changes)
        (found[source],) = list(built.as_data_source(split="train"))
    return found


def relative_rms(image, other, where):
    return np.sqrt(np.mean((image - other)[where] ** 2) / np.mean(other[where] ** 2))


@pytest.mark.parametrize(
    ("source", "error"),
    [("zarr_v2", 0.0), ("hf256", 5e-4), ("fits", 0.01)],  # the same numbers; float16; resampled twice
)
def test_the_sources_agree(examples, source, error):
    inside = on_disk(sdoml_geometry(256), 0.98)
    for domain in ("euv", "magnetogram"):
        image, other = (examples[name][domain][..., 0] for name in (source, "npz_v1"))
        assert relative_rms(image, other, inside) <= error
    # The corona too, but for the limb, where the light jumps within a pixel.
    corona = ~on_disk(sdoml_geometry(256), 1.02)
    assert relative_rms(examples[source]["euv"][..., 0], examples["npz_v1"]["euv"][..., 0], corona) <= error
    assert examples[source]["solar_radius"] == examples["npz_v1"]["solar_radius"]
    assert abs(examples[source]["time"] - TIME.timestamp()) <= 35  # TAI, and hf256's minutes


def test_the_region_is_in_the_north_west(examples):
    for example in examples.values():
        row, column = np.unravel_index(np.argmax(example["euv"][..., 0]), (256, 256))
        assert (column - 127.5) / 101.65 == pytest.approx(0.4, abs=0.02)
        assert (row - 127.5) / 101.65 == pytest.approx(0.3, abs=0.02)
        assert example["euv"].max() == pytest.approx(1003, rel=0.01)
        row, column = np.unravel_index(np.argmax(example["magnetogram"][..., 0]), (256, 256))
        assert (column - 127.5) / 101.65 == pytest.approx(0.45, abs=0.03)
