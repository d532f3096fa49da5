"""Model the corona of magnetograms or of a synoptic map: open field, source surface, solar wind.

    python -m munit_jax.corona --magnetogram='FOLDER/*.fits' --background=gong.fits --output=OUT
    python -m munit_jax.corona --synoptic=gong.fits --output=OUT

See docs/corona.md for methods and units, docs/corona_accuracy.md for the accuracy.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from munit_jax import command_line
from munit_jax.errors import ConfigError, UserError
from munit_jax.heliosphere.choices import FORMATS, PLACES, check_installed

FLAGS = flags.FlagValues()
define = command_line.Define(FLAGS)

MAGNETOGRAM = define.strings(
    "magnetogram",
    [],
    "Magnetograms of the disk, as a pattern in quotes; several are put together, from several vantage points or times.",
)
BACKGROUND = define.string("background", None, "Synoptic map of the rest of the Sun, or none for a field of 0.")
SYNOPTIC = define.string("synoptic", None, "A synoptic map of the whole Sun instead: FITS, or HDF5 (.h5).")
OUTPUT = define.string("output", None, "The folder for maps, figures and corona.json.")
LMAX = define.integer("lmax", 60, "Highest degree of the spherical harmonics, (rows - 1) / 2 at most.")
RSS = define.number("rss", 2.5, "Radius of the source surface in solar radii.")
SEED_RADIUS = define.number("seed_radius", 1.0, "Where lines of the open-field map start, in solar radii.")
INSERTION = define.choice(
    "insertion",
    "as_is",
    ("as_is", "flux_matched", "both"),
    "How magnetograms are put into the background; flux_matched keeps its net flux.",
)
SCALE_TO = define.choice("scale_to", "none", ("none", "hmi"), "Bring the fields of other magnetographs to HMI's scale.")
WIND = define.string("wind", "swig-wsa2", "Coefficients of the wind: swig-wsa2 or swig-wsa.")
CURRENT_SHEET = define.switch(
    "current_sheet", False, "Maps of wind and field at the end of a Schatten current sheet too."
)
SHEET_END = define.number("sheet_end", 21.5, "Radius where that ends and models of the heliosphere begin.")
INNER_BOUNDARY = define.names(
    "inner_boundary",
    tuple(FORMATS),
    tuple(FORMATS),
    "Write wind and field there as files for models of the heliosphere: wsa, netcdf, csv, euhforia; alone: all.",
)
EARTH = define.names(
    "earth",
    tuple(PLACES),
    ("earth",),
    "Follow the wind by HUXt for 27 days to earth, stereo_a, stereo_b, solar_orbiter; alone: to the Earth.",
)
ROWS = define.integer("rows", 180, "Rows of the maps, half as many as columns.")
FIGURES = define.switch("figures", True, "Draw the maps too.")
COMPILATION_CACHE = define.compilation_cache()


def main(_: Sequence[str]) -> None:
    """Model as the flags say."""
    if bool(MAGNETOGRAM.value) == bool(SYNOPTIC.value):
        raise UserError("give either --magnetogram=FILES with --background=FILE, or --synoptic=FILE")
    if MAGNETOGRAM.value and not BACKGROUND.value:
        raise UserError("no background: give --background=FILE, a synoptic map, or --background=none")
    if SYNOPTIC.value and INSERTION.value != "as_is":
        raise UserError(f"--insertion={INSERTION.value} is for magnetograms: leave it out with --synoptic")
    if not OUTPUT.value:
        raise UserError("no output: give --output=FOLDER, where maps, figures and corona.json go")
    if EARTH.value:
        check_installed()
    magnetograms = command_line.matching("magnetogram", MAGNETOGRAM.value)
    whole = _file(SYNOPTIC.value or BACKGROUND.value)
    # Importing jax takes seconds: --help and mistakes in flags should not wait for it.
    from munit_jax.heliosphere.boundary import inner_boundary, seconds_of
    from munit_jax.heliosphere.formats import write_boundaries
    from munit_jax.heliosphere.output import write_wind
    from munit_jax.heliosphere.propagation import track
    from munit_jax.pfss.boundary import INSERTIONS, Insertion
    from munit_jax.pfss.ensemble import open_boundaries
    from munit_jax.pfss.harmonics import Grid, make_transform
    from munit_jax.pfss.model import ModelSettings
    from munit_jax.pfss.output import write_corona
    from munit_jax.pfss.wind import WSA

    command_line.keep_compiled(COMPILATION_CACHE.value)
    onwards = bool(INNER_BOUNDARY.value or EARTH.value)
    sheet_end = SHEET_END.value if CURRENT_SHEET.value or onwards else None
    if sheet_end is not None and not 5 <= sheet_end <= 50:
        raise ConfigError(f"--sheet_end={sheet_end}: expected 5 to 50 solar radii, beyond which spacecraft are")
    if sheet_end is not None and RSS.value >= sheet_end:
        raise ConfigError(f"--current_sheet ends at {sheet_end} solar radii, --rss={RSS.value} is not below")
    if WIND.value not in WSA:
        raise ConfigError(f"--wind={WIND.value}: expected {' or '.join(WSA)}")
    try:
        settings = ModelSettings(RSS.value, SEED_RADIUS.value, WSA[WIND.value])
        transform = make_transform(Grid(ROWS.value, 2 * ROWS.value), LMAX.value)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    asked: list[Insertion] = [how for how in INSERTIONS if INSERTION.value in (how, "both")]
    ensembles, date = open_boundaries(magnetograms, whole, asked, transform, SCALE_TO.value)
    time = seconds_of(date) if onwards else 0
    tracks = [track(place, time) for place in EARTH.value or ()]
    inputs = [*magnetograms, whole] if whole else magnetograms
    for number, boundaries in enumerate(ensembles):
        folder = Path(OUTPUT.value) / (str(boundaries.insertion) if number else "")
        made_of = boundaries, transform, settings, WIND.value, inputs, date
        maps = write_corona(folder, *made_of, sheet_end=sheet_end, figures=FIGURES.value)
        if sheet_end is not None and onwards:
            boundary = inner_boundary(maps, transform.grid, sheet_end, time)
            write_boundaries(folder / "boundary", boundary, INNER_BOUNDARY.value or ())
            title = f"{', '.join(path.name for path in inputs)} {date}"
            if tracks:
                write_wind(folder, boundary, tracks, figures=FIGURES.value, title=title)


def _file(name: str | None) -> Path | None:
    if name in (None, "none"):
        return None
    if not Path(name).is_file():
        raise UserError(f"no file {name}")
    return Path(name)


def command() -> None:
    """Run as `munit-corona`."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
