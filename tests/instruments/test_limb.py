"""The limb is found where it is, in made-up and in real images, whatever the header says."""

import numpy as np
import pytest

from munit_jax.instruments.checks import check_field
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.limb import edge_offset, limb_offset
from munit_jax.instruments.reading import read_image
from munit_jax.instruments.registration import SolarDisk, solar_disk, upright
from munit_jax.instruments.telescopes import observation, prepare
from munit_jax.sun.disk import sdoml_geometry
from tests.instruments.suns import aia_header, rate


def moved(disk: SolarDisk, west: float, north: float) -> SolarDisk:
    """Where a header that is off would have the Sun."""
    return SolarDisk(disk.centre + disk.pixels @ np.array([west, north]), disk.pixels)


@pytest.mark.parametrize("size", [64, 128, 512])
@pytest.mark.parametrize("turn", [0.0, 70.0])
def test_a_header_that_is_off_is_found_out(size, turn):
    header = aia_header(size, CROTA2=turn)
    image, disk = rate(header, (size, size)), solar_disk(header)
    assert limb_offset(image, disk) == pytest.approx((0, 0), abs=0.004)
    for west, north in ((0.05, 0.0), (-0.02, 0.03), (0.0, 0.15)):
        assert limb_offset(image, moved(disk, west, north)) == pytest.approx((-west, -north), abs=0.006)


@pytest.mark.parametrize("folder", ["aia193", "aia171"])
def test_real_images(shared, folder):
    paths = sorted((shared / "data" / "real_2015" / folder / "frames").glob("*.npz"))[::5]
    disk = upright(sdoml_geometry(256))
    for path in paths:
        image = np.load(path)[folder].astype(np.float32)
        found = limb_offset(image, disk)
        assert np.hypot(*found) < 0.01
        off = limb_offset(image, moved(disk, 0.04, -0.03))
        assert np.subtract(off, found) == pytest.approx((-0.04, 0.03), abs=0.005)


REAL_FIELDS = (
    "fits/hmi_*",
    "instruments/hmi_nrt/*.fits",
    "instruments/mdi_fd_M_96m/*.fits",
    "instruments/phi_fdt_blos/*",
)


def test_the_edge_of_real_magnetograms_is_where_their_headers_say(shared):
    """HMI, MDI and PHI, down to 27 pixels of the solar radius; all ways to fill the sky."""
    for path in [path for pattern in REAL_FIELDS for path in (shared / "data").glob(pattern)]:
        if not path.name.endswith((".fits", ".fits.gz")):
            continue
        header, field = read_image(path)
        disk = solar_disk(header)
        found = edge_offset(field, disk)
        assert found == pytest.approx((0, 0), abs=0.003), path.name
        assert check_field(header, field, disk) == ()
        for filled in (field, np.nan_to_num(field)):
            off = edge_offset(filled, moved(disk, 0.05, -0.02))
            assert off == pytest.approx((-0.05, 0.02), abs=0.01), path.name
        with pytest.raises(FrameError, match="off-centre disk: its limb is"):
            check_field(header, field, moved(disk, 0.0, 0.04))
        (warning,) = check_field(header, field, moved(disk, 0.02, 0.0))
        assert warning.startswith("its limb is -0.0")


def test_a_magnetogram_without_an_edge_is_not_judged_by_one():
    """Values all over the frame, and strong field alone, whose rim is not the limb."""
    disk = upright(sdoml_geometry(256))
    noise = np.random.default_rng(0).normal(0, 20, (256, 256))
    assert edge_offset(noise, disk) is None
    y, x = (np.indices((256, 256)) - disk.centre[0]) / disk.radius
    spots = np.where((np.hypot(x, y) < 1) & (np.hypot(x - 0.3, y) < 0.6) & (np.abs(noise) > 50), noise, 0)
    assert edge_offset(spots, disk) is None


@pytest.mark.parametrize(
    ("off", "what"), [(0.005, None), (0.02, "warned"), (0.04, "refused"), (0.1, "refused"), (0.14, "refused")]
)
def test_an_image_is_warned_of_or_refused_by_its_limb(off, what):
    header = aia_header(128)
    image = 2 * rate(header, (128, 128))
    header["CRPIX1"] += off * 51.2
    how = Preparation(sdoml_geometry(64))
    if what == "refused":
        with pytest.raises(FrameError, match=r"off-centre disk: its limb is [-+]0\.\d+ west .*: are CRPIX and CRVAL"):
            prepare(observation(header, image, "a"), how)
    else:
        warnings = prepare(observation(header, image, "a"), how).warnings
        assert len(warnings) == (what == "warned")
