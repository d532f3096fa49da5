"""From a solar image as a telescope took it to SDOML's geometry: the disk turned, shifted and scaled in one step.

Where the Sun is comes from a handful of keywords of the FITS header (Thompson 2006, A&A 449, 791). The gnomonic
projection is taken as a plane: over half a degree they differ by 1e-5 of the solar radius.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import affine_transform

from munit_jax.sun.constants import ARCSEC_PER_DEGREE, JSOC_SOLAR_RADIUS_M
from munit_jax.sun.disk import DiskGeometry
from tfds_sdoml.sources.fits_headers import Header, number, required, text
from tfds_sdoml.sources.interface import FrameError

SAMPLES = 3  # points that are interpolated along a side of a new pixel, of an image that is much larger
ARCSEC = {"arcsec": 1.0, "deg": ARCSEC_PER_DEGREE}  # of the units in which CDELT and CRVAL are given


@dataclass(frozen=True)
class SolarDisk:
    """Where the Sun is in an image: (x, y) solar radii west and north of its centre is `centre + pixels @ (x, y)`.

    Attributes:
        centre: (x, y) of the centre of the disk in pixels; (0, 0) is the centre of the first pixel.
        pixels: pixels (rows of the matrix: x, y) per solar radius (columns: west, north).
    """

    centre: Float[np.ndarray, "2"]
    pixels: Float[np.ndarray, "2 2"]

    @property
    def radius(self) -> float:
        """Solar radius in pixels (the geometric mean, where pixels are not square)."""
        return float(np.sqrt(abs(np.linalg.det(self.pixels))))

    def binned(self, factor: int) -> "SolarDisk":
        """Return the disk in the image whose pixels are the means over `factor` x `factor` of this one's."""
        return SolarDisk((self.centre + 0.5) / factor - 0.5, self.pixels / factor)

    def inside(self, shape: tuple[int, ...]) -> bool:
        """Return whether all of the disk is in an image of the shape (rows, columns)."""
        reach = np.hypot(*self.pixels.T)  # of the ellipse that the matrix makes of a circle, along x and y
        upper = np.array(shape[::-1]) - 0.5
        return bool(np.all(self.centre - reach >= -0.5) and np.all(self.centre + reach <= upper))


def arcsec_per_pixel(header: Header) -> Float[np.ndarray, "2 2"]:
    """Return the matrix from pixels (x, y) to arcsec (west, north), from CDELT and PC, CD or CROTA2.

    Raises:
        FrameError: no CDELT, or a matrix that cannot be inverted.
    """
    indices = ("1_1", "1_2", "2_1", "2_2")
    if any(number(header, f"CD{ij}") is not None for ij in indices):
        matrix = np.array([number(header, f"CD{ij}") or 0.0 for ij in indices]).reshape(2, 2)
    else:
        scale = np.array([required(header, "CDELT1"), required(header, "CDELT2")])
        if any(number(header, f"PC{ij}") is not None for ij in indices):
            given = [number(header, f"PC{ij}") for ij in indices]
            turn = np.where([x is None for x in given], [1.0, 0.0, 0.0, 1.0], [x or 0.0 for x in given]).reshape(2, 2)
            matrix = scale[:, None] * turn
        else:
            angle = np.deg2rad(number(header, "CROTA2") or 0.0)
            matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    matrix = matrix * unit(header)
    if np.linalg.det(matrix) == 0:
        raise FrameError("unreadable", f"the header's CDELT, PC or CD make pixels of no size: {matrix.tolist()}")
    return matrix


def unit(header: Header) -> float:
    """Return the arcsec in the unit of CDELT and CRVAL: CUNIT1, by default arcsec as all of SDO's images.

    Raises:
        FrameError: another unit.
    """
    name = text(header, "CUNIT1") or "arcsec"
    if name not in ARCSEC:
        raise FrameError("unreadable", f"the header has CUNIT1 = '{name}', expected {' or '.join(ARCSEC)}")
    return ARCSEC[name]


def solar_radius(header: Header) -> float:
    """Return the Sun's angular radius in arcsec.

    RSUN_OBS and RSUN say it, DSUN_OBS (metres) implies it. R_SUN comes last: it is in pixels of the level-1 image, also
    in images that were binned since, so that its scale is IMSCL_MP where there is one.

    Raises:
        FrameError: none of them.
    """
    for key in ("RSUN_OBS", "RSUN"):
        if (radius := number(header, key)) and radius > 0:
            return radius
    distance, metres = number(header, "DSUN_OBS"), number(header, "RSUN_REF") or JSOC_SOLAR_RADIUS_M
    if distance and distance > metres:
        return float(np.rad2deg(np.arcsin(metres / distance))) * ARCSEC_PER_DEGREE
    pixels, scale = number(header, "R_SUN"), number(header, "IMSCL_MP")
    if pixels and pixels > 0:
        return pixels * (scale or abs(required(header, "CDELT1")) * unit(header))
    raise FrameError("unreadable", "the header has no solar radius: no RSUN_OBS, RSUN, DSUN_OBS or R_SUN above 0")


def solar_disk(header: Header) -> SolarDisk:
    """Return where the header says that the Sun is: CRPIX (the first pixel is 1), CRVAL, the scale and the radius.

    Raises:
        FrameError: a keyword that is missing.
    """
    to_pixels = np.linalg.inv(arcsec_per_pixel(header))
    reference = np.array([required(header, "CRPIX1"), required(header, "CRPIX2")]) - 1
    value = np.array([number(header, "CRVAL1") or 0.0, number(header, "CRVAL2") or 0.0]) * unit(header)
    return SolarDisk(reference - to_pixels @ value, to_pixels * solar_radius(header))


def block_mean(image: Float[np.ndarray, "y x"] | Bool[np.ndarray, "y x"], factor: int) -> Float[np.ndarray, "y2 x2"]:
    """Return the means over blocks of `factor` x `factor`; rows and columns that do not fill a block are left out."""
    height, width = (n // factor for n in image.shape)
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return blocks.mean(axis=(1, 3))


def missing_on_disk(image: Float[np.ndarray, "y x"], disk: SolarDisk, geometry: DiskGeometry) -> int:
    """Return how many pixels of the new geometry's size, inside of 0.98 solar radii, are NaN for the larger part."""
    factor = max(1, round(disk.radius / geometry.solar_radius))
    missing, disk = block_mean(np.isnan(image), factor) >= 0.5, disk.binned(factor)
    y, x = np.nonzero(missing)
    west, north = np.linalg.solve(disk.pixels, np.stack([x, y]) - disk.centre[:, None])
    return int(np.count_nonzero(np.hypot(west, north) < 0.98))


def resample(
    image: Float[np.ndarray, "y x"], source: SolarDisk, target: SolarDisk, shape: tuple[int, int]
) -> Float[np.ndarray, "y2 x2"]:
    """Return an image of the Sun as `target` has it on a grid of another shape (rows, columns); the input has no NaN.

    0 where the input has no pixels. A new pixel is the mean over the input that it covers (a point of a larger image
    would be noise and aliasing): the input is binned to about a third of the new pixels, one linear interpolation
    turns, shifts and scales it to 3 x 3 points a pixel, and their mean is the pixel. So the mean is kept, not the sum:
    values are per pixel of the input. On an HMI image of 4096 pixels this is within 4 % of the exact mean (rms over
    rms), where one point a pixel of an image binned by 10 is 27 % off and a tenth too weak.
    """
    ratio = source.radius / target.radius
    factor = max(1, round(ratio / SAMPLES))
    points = max(1, round(ratio / factor))  # along a side of a new pixel; 1 where the input is as coarse as that
    image, source = block_mean(image, factor), source.binned(factor)
    scale = target.radius  # taken out first: the inverse of the turn that is left is exact where nothing is turned
    step = source.pixels / (scale * points) @ np.linalg.inv(target.pixels / scale)
    start = source.centre - step @ ((target.centre + 0.5) * points - 0.5)
    # scipy counts (row, column), so both axes are reversed. grid-constant: without it, a pixel that rounding puts 1e-14
    # outside the image would be 0.
    transform = np.column_stack([step[::-1, ::-1], start[::-1]])
    fine = (shape[0] * points, shape[1] * points)
    return block_mean(affine_transform(image, transform, output_shape=fine, order=1, mode="grid-constant"), points)


def upright(geometry: DiskGeometry) -> SolarDisk:
    """Return the disk of a geometry: solar north is up."""
    return SolarDisk(np.array(geometry.centre), geometry.solar_radius * np.eye(2))


def reproject(
    image: Float[np.ndarray, "y x"], disk: SolarDisk, geometry: DiskGeometry
) -> Float[np.ndarray, "size size"]:
    """Return the image in another geometry; see `resample`."""
    return resample(image, disk, upright(geometry), (geometry.size, geometry.size))


def register(
    image: Float[np.ndarray, "y x"], disk: SolarDisk, geometry: DiskGeometry
) -> Float[np.ndarray, "size size"]:
    """Return the image in another geometry, float32; pixels off the disk that are missing (NaN) count as 0.

    Raises:
        FrameError: the disk is not all in the image, or pixels of it are missing.
    """
    if not disk.inside(image.shape):
        x, y = disk.centre
        raise FrameError(
            "off-centre disk",
            f"the disk (centre {x:.0f}, {y:.0f}, radius {disk.radius:.0f} pixels) is not all in the image "
            f"of {image.shape[1]} x {image.shape[0]}",
        )
    if missing := missing_on_disk(image, disk, geometry):
        raise FrameError("not finite", f"{missing:,} pixels of the disk are missing")
    # What is still missing is off the disk or a dead pixel.
    return reproject(np.nan_to_num(image), disk, geometry).astype(np.float32)
