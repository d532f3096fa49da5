import pytest

from munit_jax.instruments.checks import check_blocks, check_saturation
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.registration import solar_disk
from tests.instruments.suns import aia_header, rate

HEADER = aia_header(200)  # radius 80 pixels, so that blocks of 4 pixels are looked for
IMAGE = rate(HEADER, (200, 200))
DISK = solar_disk(HEADER)


def test_a_good_image_passes():
    check_blocks(IMAGE, DISK)
    check_saturation(IMAGE, DISK)


@pytest.mark.parametrize("value", [0.0, -3.0, 150.0])
def test_one_lost_block_is_found_whatever_it_is_filled_with(value):
    image = IMAGE.copy()
    image[96:112, 60:76] = value  # 4 x 4 blocks of 4 pixels, of some 1000 in the disk
    with pytest.raises(FrameError, match=r"missing blocks: 16 blocks of 4 x 4 pixels \(1\.\d% of the disk\)"):
        check_blocks(image, DISK)


def test_blocks_off_the_disk_do_not_count():
    image = IMAGE.copy()
    image[:16, :16] = 0
    check_blocks(image, DISK)


def test_a_flare_is_not_an_overexposed_image():
    image = IMAGE.copy()
    image[95:105, 95:105] = 16_383  # 100 of 20 106 pixels
    check_saturation(image, DISK)
    image[80:120, 95:105] = 16_383
    with pytest.raises(FrameError, match=r"saturated: 2\.0% of the disk is at 15000 DN or more"):
        check_saturation(image, DISK)
