"""AIA's loss of sensitivity over the years, as aiapy (extra `solar`) computes it from the instrument team's table."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from munit_jax.sun.constants import DAY


@lru_cache(maxsize=1)
def open_table(path: Path) -> Any:
    """Return the table of AIA's sensitivity, `aia_V*_response_table.txt` of SolarSoft.

    Raises FileNotFoundError, and ValueError where the package aiapy is missing or the file is no such table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: give the table of AIA's degradation, or none")
    try:
        from aiapy.calibrate.utils import get_correction_table  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(f'correcting AIA by {path} needs the package aiapy: pip install "munit-jax[solar]"') from error
    try:
        return get_correction_table(path)  # pyright: ignore[reportArgumentType]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not a table of AIA's degradation as SolarSoft's aia_V*_response_table.txt: {error}"
        ) from error


@lru_cache(maxsize=4096)
def degradation(path: Path, channel: int, day: int) -> float:
    """Return the sensitivity of a channel (angstrom) relative to 2010, in the middle of a day (since 1970-01-01 UTC).

    The latest version of the table counts; ValueError for a day or channel that it does not have.
    """
    from aiapy.calibrate import degradation as relative_to_2010  # pyright: ignore[reportMissingImports]
    from astropy import units
    from astropy.time import Time

    table = open_table(path)
    factor = relative_to_2010(
        channel * units.angstrom,
        Time((day + 0.5) * DAY, format="unix"),
        correction_table=table,
        calibration_version=int(max(table["VER_NUM"])),
    )
    return float(factor[0])
