"""Level 1b of SUVI as NOAA's netCDF, which is HDF5: its image, and a FITS header of its variables and attributes."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import iso
from munit_jax.instruments.reading import open_file

IMAGE = "RAD"
ATTRIBUTES = {"platform_ID": "TELESCOP", "instrument_type": "INSTRUME", "processing_level": "LEVEL"}
EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC).timestamp()  # of its dates, which are in seconds


def read_suvi_netcdf(path: Path) -> tuple[fits.Header, Float[np.ndarray, "y x"]]:
    """Return the header and the radiance (W m-2 sr-1) of a file, missing pixels as NaN.

    Raises:
        FrameError: no h5py, which comes with the extra `solar`, or a file of something else.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise FrameError("unreadable", "netCDF needs h5py: install munit_jax[solar]") from None
    try:
        with open_file(path) as content, h5py.File(BytesIO(content.read())) as file:
            packed = file[IMAGE]
            stored, of = packed[:], {name: np.ravel(value)[0] for name, value in packed.attrs.items()}
            image = stored * np.float32(of.get("scale_factor", 1)) + np.float32(of.get("add_offset", 0))
            image[stored == of.get("_FillValue", np.nan)] = np.nan
            header = fits.Header({"BUNIT": _text(of["units"])})
            for name, variable in file.items():
                if len(name) <= 8 and name not in (IMAGE, "DQF") and variable.dtype.names is None:
                    _set(header, name, variable[()])
            for name, key in ATTRIBUTES.items():
                header[key] = _text(file.attrs.get(name, ""))
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise FrameError("unreadable", f"HDF5, but not SUVI's level 1b: {error}") from error
    return header, image.astype(np.float32)


def _set(header: fits.Header, name: str, value: Any) -> None:
    """Write a variable of one value, or of characters, as a card."""
    if np.size(value) == 1 and np.asarray(value).dtype.kind in "iuf":
        number = np.ravel(value)[0].item()
        header[name] = iso(EPOCH + number) if name.startswith("DATE") and number >= 0 else number
    elif np.asarray(value).dtype.kind in "SO":
        header[name] = _text(value)


def _text(value: Any) -> str:
    """Return a text of HDF5, which may be an array of characters."""
    if isinstance(value, np.ndarray):
        value = value.tobytes() if value.dtype.kind == "S" else value.ravel()[0]
    return (value.decode("ascii", "ignore") if isinstance(value, bytes) else str(value)).rstrip("\x00")
