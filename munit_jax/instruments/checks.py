"""Refuse images (FrameError) that are overexposed, with lost blocks, not finite, off-centre or without a Sun."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, brightness_is_rate, number, text
from munit_jax.instruments.limb import edge_offset, edge_radius, limb_offset, limb_radius
from munit_jax.instruments.registration import SolarDisk, upright
from munit_jax.sun.disk import on_disk, pixel_grid, sdoml_geometry

STRONGEST = 6000.0  # gauss: sunspots have up to 6 kG (Livingston et al. 2006, Solar Physics 239, 41)

PICTURE_WHITE = 250.0  # of 255
SATURATED_SHARE = 0.01  # of the disk; a flare saturates less

BLOCKS_PER_RADIUS = 25  # lost blocks are searched at 1/25 of the solar radius across ...
SMALLEST_BLOCK = 4  # ... but not smaller: 3 x 3 pixels may be equal by chance
BLOCKS_WITHIN = 0.9  # solar radii: the sky may be 0

SAMPLED = 128  # pixels across: of larger images every second, third ... pixel is checked
OFF_DISK = 1.2  # solar radii: beyond it the corona is faint, and its level below ...
OFF_DISK_LEVEL = 0.75  # ... this share of the disk's; the widest of real frames is 0.3 (304 A)
OFF_CENTRE = 0.15  # solar radii; coronal holes move the centroid of real frames by up to 0.07
LIMB_WARNED, LIMB_REFUSED = 0.01, 0.03  # solar radii between the limb and where the header says that it is
LIMB_RADII = (0.97, 1.09)  # where the corona's brightness falls most steeply, in solar radii; it may be ...
SPARE = 0.05  # ... as much further out and twice as much further in with a warning, ...
EDGE_RADII = (0.9, 1.06)  # ... and where magnetograms end, some within the limb; all to a pixel
RADIUS_CARDS = "are CDELT and RSUN_OBS or DSUN_OBS right?"
WEAKEST = 0.5  # gauss: there are stronger places on any disk; a field in tesla has less


@dataclass(frozen=True)
class Camera:
    """Which values the pixels of an EUV imager can have, in `unit`: DN, or that of a radiance.

    `saturated` is from where a pixel counts as overexposed. By default those of 14 bits: DSATVAL of SECCHI's headers,
    noise minus the dark level (of real images down to -30), and four pixels that were summed on board.
    """

    unit: str = "DN"
    saturated: float = 15_000.0
    lowest: float = -500.0
    highest: float = 4 * 16383.0


FOURTEEN_BITS = Camera()


def check_exposed(
    header: Header, image: Float[np.ndarray, "y x"], disk: SolarDisk, camera: Camera = FOURTEEN_BITS
) -> None:
    """Refuse an EUV image, in the unit of its file, that is overexposed or has lost blocks."""
    seconds = 1.0
    if camera.unit == "DN" and brightness_is_rate(header):
        seconds = number(header, "EXPTIME") or number(header, "XPOSURE") or 1.0
    values = image * np.float32(seconds)
    check_possible(values, camera.lowest, camera.highest, f"{camera.unit}, which no camera counts")
    check_saturation(values, disk, camera)
    check_blocks(image, disk)


def check_no_picture(image: Float[np.ndarray, "y x"]) -> None:
    """Refuse the counts of a picture of 8 bits, whose brightness went through a logarithm or a root."""
    values = image[np.isfinite(image)]
    if len(values) and values.min() >= 0 and PICTURE_WHITE <= values.max() <= 255 and (values == np.rint(values)).all():
        raise FrameError("unit", "whole numbers from 0 to 255, as pictures have, not DN: give the instrument's file")


def check_saturation(image: Float[np.ndarray, "y x"], disk: SolarDisk, camera: Camera = FOURTEEN_BITS) -> None:
    """Refuse an image, in the unit of the camera, that is overexposed."""
    share = float(np.mean(image[disk.radii(image.shape) < 1] >= camera.saturated))
    if share > SATURATED_SHARE:
        raise FrameError("saturated", f"{share:.1%} of the disk is at {camera.saturated:g} {camera.unit} or more")


def check_blocks(image: Float[np.ndarray, "y x"], disk: SolarDisk) -> None:
    """Refuse an image with square blocks of one value on the disk, as lost telemetry is filled in.

    Noise makes neighbours differ, so no block of a complete image is constant.
    """
    side = max(SMALLEST_BLOCK, round(disk.radius / BLOCKS_PER_RADIUS))
    height, width = (n // side for n in image.shape)
    blocks = image[: height * side, : width * side].reshape(height, side, width, side)
    constant = blocks.min(axis=(1, 3)) == blocks.max(axis=(1, 3))
    inside: Bool[np.ndarray, "y x"] = disk.binned(side).radii(constant.shape) < BLOCKS_WITHIN
    if lost := int(np.count_nonzero(constant & inside)):
        share = lost / np.count_nonzero(inside)
        raise FrameError("missing blocks", f"{lost} blocks of {side} x {side} pixels ({share:.1%} of the disk)")


@dataclass(frozen=True)
class Sampling:
    """The pixels that are checked, every `step` in both directions: which are on the disk, which far off it."""

    step: int
    disk: Bool[np.ndarray, "y x"]
    off: Bool[np.ndarray, "y x"]
    x: Float[np.ndarray, "y x"]
    y: Float[np.ndarray, "y x"]


@lru_cache(maxsize=2)
def sampling_of(size: int) -> Sampling:
    """Return the pixels to check in SDOML images of `size` pixels; x and y in solar radii from the centre."""
    step = -(-size // SAMPLED)
    geometry = sdoml_geometry(size)
    x, y = (axis[::step, ::step].astype(np.float32) for axis in pixel_grid(geometry))
    return Sampling(step, on_disk(geometry)[::step, ::step], np.hypot(x, y) > OFF_DISK, x, y)


def check_limb(offset: tuple[float, float] | None, header: bool = True) -> tuple[str, ...]:
    """Warn of a limb that is a little off, so far west and north of its place; refuse it further off.

    Its place is where the header says or, without one, where SDOML's images have it.
    """
    west, north = offset or (0.0, 0.0)
    place = "the header says" if header else "SDOML has it"
    off = f"its limb is {west:+.3f} west and {north:+.3f} north of where {place}, in solar radii"
    if np.hypot(west, north) > LIMB_REFUSED:
        raise FrameError("off-centre disk", f"{off}: are CRPIX and CRVAL right?" if header else off)
    return (off,) if np.hypot(west, north) > LIMB_WARNED else ()


def check_size(image: Float[np.ndarray, "size size"], pixels: float) -> tuple[str, ...]:
    """Warn of an EUV image in SDOML's geometry whose disk has another radius than its header says; refuse it far off.

    The radius in its file is `pixels`. How steep the corona is above the limb differs from channel to channel.
    """
    disk = upright(sdoml_geometry(len(image)))
    found, pixel = limb_radius(image, disk), 1 / min(pixels, disk.radius)
    what = f"its limb is at {found:.2f} of the solar radius in the header: {RADIUS_CARDS}"
    if not LIMB_RADII[0] - 2 * SPARE - pixel <= found <= LIMB_RADII[1] + SPARE + pixel:
        raise FrameError("off-centre disk", what)
    return () if LIMB_RADII[0] - pixel <= found <= LIMB_RADII[1] + pixel else (what,)


def check_field(header: Header, field: Float[np.ndarray, "y x"], disk: SolarDisk) -> tuple[str, ...]:
    """Refuse a magnetogram in gauss that cannot be right; return warnings.

    It has both signs, no impossible values, no blocks of 0, and its limb where the header says.
    """
    inside = field[disk.radii(field.shape) < 1]
    check_signed(text(header, "BTYPE"), inside)
    check_possible(inside)
    check_strong(inside)
    check_blocks(np.where(field == 0, field, np.float32(np.nan)), disk)
    offset, pixel = edge_offset(field, disk), 1 / disk.radius
    found = 1.0 if offset is None else edge_radius(field, disk)
    if not EDGE_RADII[0] - pixel <= found <= EDGE_RADII[1] + pixel:
        raise FrameError("off-centre disk", f"it ends at {found:.2f} of the solar radius in the header: {RADIUS_CARDS}")
    return check_limb(offset)


def check_strong(field: Float[np.ndarray, "..."]) -> None:
    """Refuse a field in gauss that is weaker everywhere than any part of the Sun: in another unit, or empty."""
    finite = np.abs(field[np.isfinite(field)])
    if len(finite) and (strongest := float(finite.max())) < WEAKEST:
        raise FrameError("unit", f"its strongest field is {strongest:.3g} G: is BUNIT right?")


def without_markers(field: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y x"]:
    """Return a magnetogram with NaN for impossible values: off the disk they pass, and would mix into the limb."""
    return np.where(np.abs(field) <= STRONGEST, field, np.float32(np.nan))


def check_signed(kind: str, field: Float[np.ndarray, "..."]) -> None:
    """Refuse a magnetogram without signs, such as PHI's map of the field strength; `kind` is what BTYPE says."""
    finite = field[np.isfinite(field)]
    if len(finite) and finite.any() and (finite.min() >= 0 or finite.max() <= 0):
        sign = "negative" if finite.min() >= 0 else "positive"
        raise FrameError("unreadable", f"no value is {sign} (BTYPE = '{kind}'): a field strength has no polarity")


def check_possible(
    values: Float[np.ndarray, "..."],
    lowest: float = -STRONGEST,
    highest: float = STRONGEST,
    what: str = "G, which no place on the Sun has",
) -> None:
    """Refuse values that cannot be, by default of a field in gauss: markers of missing values without a keyword."""
    wrong = values[(values < lowest) | (values > highest)]
    if len(wrong):
        some = f"{len(wrong)} values such as {wrong[np.abs(wrong).argmax()]:g} {what}"
        raise FrameError("unreadable", f"{some}: mark missing values by NaN or BLANK")


def check_image(image: Float[np.ndarray, "y x"], field: bool) -> float:
    """Return the level of an image in SDOML's geometry: the median (DN/s) or mean unsigned field (gauss) of its disk.

    Raises:
        FrameError: values that are not finite, one value everywhere, light or field where the sky is, a disk that is
            not in the centre.
    """
    finite = np.isfinite(image)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        count = image.size - np.count_nonzero(finite)
        raise FrameError("not finite", f"{count} values, the first at (row, column) = ({row}, {column})")
    if image.min() == image.max():
        raise FrameError("constant", f"{image.flat[0]:g} everywhere")
    sampling = sampling_of(len(image))
    strength = np.abs(image[:: sampling.step, :: sampling.step])
    on = strength[sampling.disk]
    mean = float(on.mean())
    level = mean if field else float(np.median(on))
    off = float(np.median(strength[sampling.off]))
    if off > OFF_DISK_LEVEL * level:
        unit = "gauss" if field else "DN/s"
        raise FrameError("off-disk level", f"{off:g} {unit} beyond {OFF_DISK} solar radii, {level:g} on the disk")
    weights = np.minimum(strength, mean)  # so that the disk as a whole counts rather than its bright regions
    x, y = (float((weights * axis).sum() / (weights.sum() or 1)) for axis in (sampling.x, sampling.y))
    if np.hypot(x, y) > OFF_CENTRE and np.hypot(*(sdoml_limb(image, field) or (0.0, 0.0))) > LIMB_REFUSED:
        raise FrameError("off-centre disk", f"its centroid is ({x:.2f}, {y:.2f}) solar radii off the centre")
    return level


def sdoml_limb(image: Float[np.ndarray, "size size"], field: bool) -> tuple[float, float] | None:
    """Return how far the limb of an image is from where SDOML's geometry has it: coronal holes do not move it."""
    disk = upright(sdoml_geometry(len(image)))
    return edge_offset(image, disk) if field else limb_offset(image, disk)
