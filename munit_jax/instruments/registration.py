"""Bring a solar image as a telescope took it to SDOML's geometry: the disk turned, shifted and scaled in one step."""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning, SingularMatrixError
from jaxtyping import Bool, Float
from scipy.ndimage import affine_transform

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, number, required, rotation, text
from munit_jax.instruments.units import scale_of
from munit_jax.sun.constants import JSOC_SOLAR_RADIUS
from munit_jax.sun.disk import DiskGeometry

SAMPLES = 3  # points that are interpolated along a side of a new pixel, of an image that is much larger
SMALLEST_RADIUS = 3.0  # pixels
SAME = 0.02  # relative, of two cards that say how large the Sun is
TURNED_ALIKE = 1.0  # degrees between PC and CROTA2
HELIOPROJECTIVE = ("HPL", "SOLAR", "X", "Y", "ARCSEC")  # CTYPE; no type at all is taken for one too


@dataclass(frozen=True)
class SolarDisk:
    """Where the Sun is in an image: (x, y) solar radii west and north of its centre is `centre + pixels @ (x, y)`.

    `centre` is (x, y) in pixels, (0, 0) the centre of the first one; `pixels` has pixels (rows: x, y) per solar radius
    (columns: west, north).
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

    def west_north(self, shape: tuple[int, ...]) -> Float[np.ndarray, "2 y x"]:
        """Return how many solar radii west and north of the centre the pixels of an image are."""
        (rows, columns), inverse = shape, np.linalg.inv(self.pixels)
        x, y = np.arange(columns) - self.centre[0], np.arange(rows) - self.centre[1]
        return inverse[:, 0, None, None] * x + inverse[:, 1, None, None] * y[:, None]

    def radii(self, shape: tuple[int, ...]) -> Float[np.ndarray, "y x"]:
        """Return how many solar radii from the centre the pixels of an image are."""
        return np.hypot(*self.west_north(shape))

    def margin(self, shape: tuple[int, ...]) -> float:
        """Return how far from the centre of the disk, in solar radii, an image of the shape (rows, columns) ends."""
        reach = np.hypot(*self.pixels.T)  # of the ellipse that the matrix makes of a circle, along x and y
        upper = np.array(shape[::-1]) - 0.5
        return float(np.min([(self.centre + 0.5) / reach, (upper - self.centre) / reach]))


def celestial(header: Header) -> WCS:
    """Return the linear part of the header's coordinates in degrees (Thompson 2006, A&A 449, 791), as astropy reads it.

    The gnomonic projection is taken as a plane: over half a degree they differ by 1e-5 of the solar radius. Read are
    CTYPE (which axis is the longitude), CUNIT (each axis its own; arcsec where there is none, as in all of
    SDO's images), CRPIX, CRVAL, CDELT with PC or with CROTA2, CROTA1 or CROTA, and CD.

    Raises:
        FrameError: a keyword that is missing, another unit or coordinate, CD and CDELT that disagree, or pixels of no
            size.
    """
    cards, indices = fits.Header(), ("1_1", "1_2", "2_1", "2_2")
    names = [text(header, f"CTYPE{axis}").upper() for axis in (1, 2)]
    for axis, name in enumerate(names, 1):
        if name and not name.startswith(HELIOPROJECTIVE):
            raise FrameError("unreadable", f"CTYPE{axis} = '{name}', expected helioprojective HPLN-TAN and HPLT-TAN")
        swapped = names[0].startswith("HPLT") and names[1].startswith("HPLN")
        cards[f"CTYPE{axis}"] = "HPLT-TAN" if (axis == 2) != swapped else "HPLN-TAN"
        scale = scale_of(text(header, f"CUNIT{axis}") or "arcsec", f"CUNIT{axis}", "arcsec") / 3600
        cards[f"CUNIT{axis}"] = "deg"
        cards[f"CRPIX{axis}"] = required(header, f"CRPIX{axis}")
        cards[f"CRVAL{axis}"] = (number(header, f"CRVAL{axis}") or 0.0) * scale
        given = {ij: number(header, f"CD{ij}") for ij in indices if ij[0] == str(axis)}
        if any(number(header, f"CD{ij}") is not None for ij in indices):
            _check_cdelt(header, axis)
            cards.update({f"CD{ij}": (value or 0.0) * scale for ij, value in given.items()})
            continue
        cards[f"CDELT{axis}"] = required(header, f"CDELT{axis}") * scale
        if any(number(header, f"PC{ij}") is not None for ij in indices):
            for ij in given:
                value = number(header, f"PC{ij}")
                cards[f"PC{ij}"] = float(ij in ("1_1", "2_2")) if value is None else value
    if "PC1_1" in cards and cards["CTYPE1"] == "HPLN-TAN":
        _check_turn(header, cards)
    elif not any(key.startswith(("CD1", "CD2", "PC")) for key in cards):
        cards["CROTA2"] = rotation(header) or 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # of a matrix that cannot be inverted, refused below
        no_size = FrameError("unreadable", "the header's CDELT, PC or CD make pixels of no size")
        try:
            wcs = WCS(cards)
            matrix = wcs.pixel_scale_matrix
        except SingularMatrixError:
            raise no_size from None
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0:
        raise no_size
    return wcs


def _check_turn(header: Header, cards: Header) -> None:
    """Refuse a header in which PC and CROTA2, which the standard makes one (not CROTA), turn the image differently."""
    angle = number(header, "CROTA2")
    across, along, rise, run = (number(cards, key) or 0.0 for key in ("CDELT1", "CDELT2", "PC2_1", "PC1_1"))
    by_pc = float(np.rad2deg(np.arctan2(rise * along, run * across)))
    if across < 0:
        by_pc += 180  # both are turned by the step
    if angle is not None and abs((angle - by_pc + 180) % 360 - 180) > TURNED_ALIKE:
        raise FrameError("unreadable", f"CROTA2 = {angle:g} and PC ({by_pc:.4g} degrees) disagree about the turn")


def _check_cdelt(header: Header, axis: int) -> None:
    """Refuse a header in which CD and CDELT give an axis steps that differ by more than 1 %.

    CDELT of 1 has no meaning: the standard requires it together with CD.
    """
    step = number(header, f"CDELT{axis}")
    by_cd = np.hypot(number(header, f"CD1_{axis}") or 0.0, number(header, f"CD2_{axis}") or 0.0)
    if step not in (None, 1.0) and by_cd and abs(abs(step) / by_cd - 1) > 0.01:
        raise FrameError("unreadable", f"CDELT{axis} = {step:g} and CD ({by_cd:g}) disagree about the size of a pixel")


def arcsec_per_pixel(wcs: WCS) -> Float[np.ndarray, "2 2"]:
    """Return the matrix from pixels (x, y) to arcsec (west, north)."""
    return wcs.pixel_scale_matrix[[wcs.wcs.lng, wcs.wcs.lat]] * 3600


def solar_radius(header: Header, wcs: WCS | None = None) -> float:
    """Return the Sun's angular radius in arcsec; FrameError where no keyword has it.

    RSUN_OBS, RSUN_ARC and RSUN say it, DSUN_OBS (metres) implies it; FrameError where they disagree. R_SUN comes last:
    it is in pixels of the level-1 image, also in images that were binned since, so that its scale is IMSCL_MP where
    there is one, otherwise that of `wcs` (by default `celestial`).
    """
    distance, metres = number(header, "DSUN_OBS"), number(header, "RSUN_REF") or JSOC_SOLAR_RADIUS
    if abs(metres / JSOC_SOLAR_RADIUS - 1) > SAME:
        raise FrameError("unreadable", f"RSUN_REF = {metres:g}, expected the Sun's radius in metres")
    if distance and distance < metres:
        raise FrameError("unreadable", f"DSUN_OBS = {distance:g}, expected the distance from the Sun in metres")
    implied = float(np.rad2deg(np.arcsin(metres / distance))) * 3600 if distance else None
    for key in ("RSUN_OBS", "RSUN_ARC", "RSUN"):
        if (radius := number(header, key)) and radius > 0:
            if implied and abs(radius / implied - 1) > SAME:
                by = f"DSUN_OBS = {distance:g} m ({implied:.1f} arcsec)"
                raise FrameError("unreadable", f"{key} = {radius:g} and {by} disagree about how large the Sun is")
            return radius
    if implied:
        return implied
    pixels, scale = number(header, "R_SUN"), number(header, "IMSCL_MP")
    if pixels and pixels > 0:
        return pixels * (scale or abs(np.linalg.det(arcsec_per_pixel(wcs or celestial(header)))) ** 0.5)
    keys = "RSUN_OBS, RSUN_ARC, RSUN, DSUN_OBS or R_SUN"
    raise FrameError("unreadable", f"the header has no solar radius: no {keys} above 0")


def solar_disk(header: Header) -> SolarDisk:
    """Return where the header says that the Sun is; raises as `celestial` and `solar_radius`."""
    wcs = celestial(header)
    to_pixels = np.linalg.inv(arcsec_per_pixel(wcs))
    value = np.array(wcs.wcs.crval)[[wcs.wcs.lng, wcs.wcs.lat]] * 3600
    value[0] = (value[0] + 648000) % 1296000 - 648000  # a longitude of 359.9 degrees is one of -0.1
    return SolarDisk(np.array(wcs.wcs.crpix) - 1 - to_pixels @ value, to_pixels * solar_radius(header, wcs))


def block_mean(image: Float[np.ndarray, "y x"] | Bool[np.ndarray, "y x"], factor: int) -> Float[np.ndarray, "y2 x2"]:
    """Return the means over blocks of `factor` x `factor`; rows and columns that do not fill a block are left out."""
    height, width = (n // factor for n in image.shape)
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return blocks.mean(axis=(1, 3))


def missing_on_disk(image: Float[np.ndarray, "y x"], disk: SolarDisk, geometry: DiskGeometry) -> int:
    """Return how many pixels of the new geometry's size, inside of 0.98 solar radii, are NaN for the larger part."""
    factor = max(1, round(disk.radius / geometry.solar_radius))
    missing = block_mean(np.isnan(image), factor) >= 0.5
    return int(np.count_nonzero(missing & (disk.binned(factor).radii(missing.shape) < 0.98)))


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


def check_inside(image: Float[np.ndarray, "y x"], disk: SolarDisk) -> None:
    """Refuse an image that has not all of the disk (FrameError `off-centre disk`), or shows it as a dot (`shape`)."""
    if disk.radius < SMALLEST_RADIUS:
        raise FrameError("shape", f"the header has a solar radius of {disk.radius:.2g} pixels: is CDELT right?")
    if not disk.margin(image.shape) >= 1:
        x, y = disk.centre
        raise FrameError(
            "off-centre disk",
            f"the disk (centre {x:.0f}, {y:.0f}, radius {disk.radius:.0f} pixels) is not all in the image "
            f"of {image.shape[1]} x {image.shape[0]}",
        )


def register(
    image: Float[np.ndarray, "y x"], disk: SolarDisk, geometry: DiskGeometry
) -> Float[np.ndarray, "size size"]:
    """Return the image in another geometry, float32; pixels off the disk that are missing (NaN) count as 0.

    Raises:
        FrameError: the disk is not all in the image, or pixels of it are missing.
    """
    check_inside(image, disk)
    if missing := missing_on_disk(image, disk, geometry):
        raise FrameError("not finite", f"{missing:,} pixels of the disk are missing")
    # What is still missing is off the disk or a dead pixel.
    return reproject(np.nan_to_num(image), disk, geometry).astype(np.float32)
