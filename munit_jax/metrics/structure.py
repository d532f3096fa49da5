"""Scores of magnetograms in gauss that depend on more than one pixel at a time, over the scored disk; see `disk`."""

import itertools
from collections.abc import Sequence

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from munit_jax.metrics.disk import GREY_RANGE, Score, Sums, centred, centred_moments, partial_correlation, ratio
from munit_jax.sun.disk import SDOML_RADIUS_FRACTION

BIN = 8  # pixels: the side of the blocks that Jeong et al. 2022 average over before they correlate
WINDOW = 11  # pixels: SSIM's Gaussian window (Wang et al. 2004)
LARGEST_SHIFT = 8  # pixels
NEIGHBOURHOOD = 3  # pixels
WAVELENGTHS = (2, 4, 8, 16, 32)  # pixels: edges of the bands of the power spectrum, the last one without an end
BANDS = (*(f"{a}_to_{b}_px" for a, b in itertools.pairwise(WAVELENGTHS)), f"over_{WAVELENGTHS[-1]}_px")

# Edges of the histograms in gauss: even below some 20 G, logarithmic above; what lies beyond is in the last bins.
EDGES = 20.0 * np.sinh(np.linspace(-np.arcsinh(250.0), np.arcsinh(250.0), 102))

PATCH = NEIGHBOURHOOD**2
LEAST_DETAIL = 2e-3  # of the variance of a pixel less its neighbours' mean: round-off of single precision is below


@jax.jit
def structure_sums(
    generated: Float[Array, "n h w"],
    unsigned: Float[Array, "n h w"],
    true: Float[Array, "h w"],
    disk: Bool[Array, "h w"],
) -> dict[str, Float[Array, "n ..."]]:
    """Sum over one frame what the scores of this module need, for each of n magnetograms; see `disk.pixel_sums`."""
    t = jnp.where(disk, true, 0.0)

    def one(pair: tuple[Float[Array, "h w"], Float[Array, "h w"]]) -> dict[str, Float[Array, "..."]]:
        b, abs_b = (jnp.where(disk, field, 0.0) for field in pair)
        similarity, windows = _similarity(b, t, disk)
        return {
            **_moments("binned", _blocks(jnp.stack([b, t, abs_b, jnp.abs(t)])), _blocks(disk[None])[0] == 1),
            "similarity": similarity,
            "windows": windows,
            **_moments("patches", *_patches(b, t, disk)),
            **_moments("unsigned_patches", *_patches(abs_b, jnp.abs(t), disk)),
            "shifted": _shifted_products(b, t, disk),
            "unsigned_shifted": _shifted_products(abs_b, jnp.abs(t), disk),
            "spectra": _band_powers(b, t),
            "histogram": _histogram(b, disk),
            "true_histogram": _histogram(t, disk),
        }

    return jax.lax.map(one, (generated, unsigned))


def _moments(name: str, members: Float[Array, "k ..."], mask: Bool[Array, "..."]) -> dict[str, Float[Array, "..."]]:
    rows = jnp.where(mask[None], members, 0.0).reshape(len(members), -1)
    moments, offsets = centred_moments(rows, mask.reshape(1, -1).astype(jnp.float32))
    return {name: moments[0], f"{name}_offsets": offsets}


def _blocks(images: Float[Array, "k h w"] | Bool[Array, "k h w"]) -> Float[Array, "k h2 w2"]:
    h, w = (side - side % BIN for side in images.shape[1:])
    return images[:, :h, :w].reshape(len(images), h // BIN, BIN, w // BIN, BIN).mean(axis=(2, 4))


def _similarity(
    b: Float[Array, "h w"], t: Float[Array, "h w"], disk: Bool[Array, "h w"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    def grey(field: Float[Array, "h w"]) -> Float[Array, "h w 1"]:
        return (jnp.clip(field / GREY_RANGE, -1, 1)[..., None] + 1) / 2

    inside = _eroded(disk, WINDOW)
    local = dm_pix.ssim(grey(b), grey(t), filter_size=WINDOW, return_map=True)
    return jnp.where(inside, jnp.reshape(local, inside.shape), 0.0).sum(), inside.sum().astype(jnp.float32)


def _eroded(disk: Bool[Array, "h w"], side: int) -> Bool[Array, "h2 w2"]:
    """Return which windows of a side lie on the disk as a whole; an image has h - side + 1 of them."""
    off = jax.lax.reduce_window(~disk, False, jnp.logical_or, (side, side), (1, 1), "VALID")
    return ~off


def _patches(
    b: Float[Array, "h w"], t: Float[Array, "h w"], disk: Bool[Array, "h w"]
) -> tuple[Float[Array, "k h2 w2"], Bool[Array, "h2 w2"]]:
    """Return every pixel's neighbourhood in b and t: its excess over the mean of its neighbours, that mean, and theirs.

    The last neighbour follows from the others. The partial correlation is that of the pixels themselves, but smooth
    fields are not lost in the round-off of single precision.
    """
    h, w = (side - NEIGHBOURHOOD + 1 for side in disk.shape)
    places = [(i, j) for i in range(NEIGHBOURHOOD) for j in range(NEIGHBOURHOOD)]
    rows = []
    for x in (b, t):
        pixels = [x[i : i + h, j : j + w] for i, j in places]
        middle = pixels.pop(len(pixels) // 2)
        mean = sum(pixels[1:], pixels[0]) / len(pixels)
        rows += [middle - mean, mean, *(pixel - mean for pixel in pixels[:-1])]
    return jnp.stack(rows), _eroded(disk, NEIGHBOURHOOD)


def _shifted_products(
    b: Float[Array, "h w"], t: Float[Array, "h w"], disk: Bool[Array, "h w"]
) -> Float[Array, "shifts+2"]:
    """Return the sum of b(p + s) t(p) for every shift s, and those of b^2 and t^2, of the fields less their means.

    By Fourier transforms; zeros behind the image keep what is shifted out at one side from coming in at the other.
    """
    padded = tuple(side + LARGEST_SHIFT for side in disk.shape)
    rest, _ = centred(jnp.stack([b.ravel(), t.ravel()]), disk.reshape(1, -1).astype(jnp.float32))
    b, t = rest.reshape(2, *disk.shape)
    products = jnp.fft.irfft2(jnp.fft.rfft2(b, s=padded) * jnp.conj(jnp.fft.rfft2(t, s=padded)), s=padded)
    middle = jnp.roll(products, (LARGEST_SHIFT, LARGEST_SHIFT), axis=(0, 1))
    window = middle[: 2 * LARGEST_SHIFT + 1, : 2 * LARGEST_SHIFT + 1]
    return jnp.concatenate([window.ravel(), jnp.stack([(b * b).sum(), (t * t).sum()])])


def _band_powers(b: Float[Array, "h w"], t: Float[Array, "h w"]) -> Float[Array, "3 bands"]:
    """Return the power of b, that of t and the real part of their cross spectrum in every band of wavelengths.

    Of the largest square on the disk of an SDOML image, with Hann's window.
    """
    size = b.shape[-1]
    side = 2 * int(SDOML_RADIUS_FRACTION * size * 0.98 / np.sqrt(2))
    start = (size - side) // 2
    window = np.hanning(side + 2)[1:-1]
    taper = (window[:, None] * window).astype(np.float32)
    spectra = [jnp.fft.fft2(x[start : start + side, start : start + side] * taper) for x in (b, t)]
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    wavelength = 1 / np.where(frequency > 0, frequency, np.inf)
    edges = (*WAVELENGTHS, np.inf)
    bands = np.stack([(wavelength >= low) & (wavelength < high) for low, high in itertools.pairwise(edges)])
    powers = jnp.stack([jnp.abs(spectra[0]) ** 2, jnp.abs(spectra[1]) ** 2, (spectra[0] * jnp.conj(spectra[1])).real])
    # Divided by its scale, so that squares of squares stay in range of single precision.
    return jnp.einsum("kij,bij->kb", powers / side**2, jnp.asarray(bands, jnp.float32), precision="highest")


def bin_numbers(field: Float[Array, "*any"], edges: Float[np.ndarray, " edges"] = EDGES) -> Array:
    """Return the number of the histogram's bin of each value; what lies beyond is in the last ones."""
    return jnp.searchsorted(jnp.asarray(edges[1:-1], jnp.float32), field)


def _histogram(field: Float[Array, "h w"], disk: Bool[Array, "h w"]) -> Float[Array, " bins"]:
    counts = jnp.zeros(len(EDGES) - 1).at[bin_numbers(field)].add(disk.astype(jnp.float32))
    return jnp.where(jnp.isnan(field).any(), jnp.nan, counts)


def similarity(sums: Sums) -> Score:
    """Return the mean structural similarity (Wang et al. 2004, by dm-pix) of grey pictures of -100 to 100 G.

    Over the windows of 11 pixels that lie on the scored disk as a whole; 1 for equal pictures.
    """
    return ratio(sums["similarity"], sums["windows"])


def neighbour_partial_correlation(sums: Sums, which: str = "patches") -> Score:
    """Return the partial correlation of matching pixels given the eight neighbours of each.

    This is part of the second reading of "cross-partial correlations". NaN for fields without detail.
    """
    given = [k for k in range(1, 2 * PATCH + 1) if k not in (1, 1 + PATCH)]
    return partial_correlation(sums[which], 1, 1 + PATCH, given, LEAST_DETAIL)


def cross_correlation(sums: Sums, which: str = "shifted") -> Float[np.ndarray, "*any dy dx"]:
    """Return the correlation of the generated field, shifted by -8 to 8 pixels each way, with the true one.

    This is the other part of the second reading of "cross-partial correlations". NaN where one field is constant.
    """
    products, squares = sums[which][..., :-2], sums[which][..., -2:]
    constant = squares.min(axis=-1) <= 1e-11 * np.maximum(squares.max(axis=-1), 1e-30)
    scale = np.where(constant, 0.0, np.sqrt(squares.prod(axis=-1)))
    side = 2 * LARGEST_SHIFT + 1
    return ratio(products, scale[..., None]).reshape(*products.shape[:-1], side, side)


def peak(correlations: Float[np.ndarray, "*any dy dx"]) -> tuple[Score, Score]:
    """Return the largest of the cross-correlations and the distance in pixels at which it is: a registration error."""
    side = correlations.shape[-1]
    flat = correlations.reshape(*correlations.shape[:-2], -1)
    undefined = np.isnan(flat).any(axis=-1)
    best = np.where(np.isnan(flat), -np.inf, flat).argmax(axis=-1)
    dy, dx = best // side - side // 2, best % side - side // 2
    largest = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
    return np.where(undefined, np.nan, largest), np.where(undefined, np.nan, np.hypot(dy, dx))


def power_ratio(sums: Sums) -> Float[np.ndarray, "*any bands"]:
    """Return the power of the generated field over that of the true one in every band of wavelengths."""
    return ratio(sums["spectra"][..., 0, :], sums["spectra"][..., 1, :])


def coherence(sums: Sums) -> Float[np.ndarray, "*any bands"]:
    """Return the correlation of generated and true field in every band of wavelengths, -1 to 1."""
    power, true_power, cross = np.moveaxis(sums["spectra"], -2, 0)
    return ratio(cross, np.sqrt(power * true_power))


def histogram_distance(sums: Sums) -> Score:
    """Return Wasserstein's distance in gauss between the distributions of generated and true field strengths.

    Each value counts as the middle of its bin of `EDGES`.
    """
    middles: Sequence[float] = (EDGES[1:] + EDGES[:-1]) / 2
    shares = [ratio(sums[name], sums[name].sum(axis=-1, keepdims=True)) for name in ("histogram", "true_histogram")]
    return (np.abs(np.cumsum(shares[0] - shares[1], axis=-1))[..., :-1] * np.diff(middles)).sum(axis=-1)
