"""What can be chosen: places and formats by their names, and whether HUXt can be imported."""

import sys
from importlib.util import find_spec

from munit_jax.errors import UserError

PLACES = {"earth": "EARTH", "stereo_a": "STA", "stereo_b": "STB", "solar_orbiter": "SOLO"}  # and HUXt's names of them
FORMATS = {"wsa": "wsa.fits", "netcdf": "nc", "csv": "csv", "euhforia": "dat"}  # and how the names of files end
HUXT_PYTHON = (3, 12, 11)  # the oldest that HUXt takes


def check_installed() -> None:
    """Raise UserError where HUXt cannot be imported, with what to do; HUXt is not imported for it."""
    if sys.version_info < HUXT_PYTHON:
        here, wanted = (".".join(map(str, version)) for version in (sys.version_info[:3], HUXT_PYTHON))
        raise UserError(f"the wind at the Earth needs HUXt, which needs Python {wanted} or newer: this is {here}")
    if find_spec("huxt") is None:
        raise UserError("the wind at the Earth needs HUXt: install munit_jax[heliosphere]")
