"""The start and end of every command, and the flags that commands share."""

import glob
import inspect
import logging
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NoReturn

from absl import flags
from absl import logging as absl_logging

from munit_jax.errors import UserError

INTERRUPTED = 128 + signal.SIGINT  # as shells count it

# --config=configs/NAME.py:VARIANT, or what follows --config
OUR_CONFIG = re.compile(r"(?P<flag>--?config=)?(?P<file>configs/\w+\.py)(?P<variant>(:\w+)?)")

logger = logging.getLogger("munit_jax")


class Define:
    """Defines the flags of a command; each has its own `flag_values`, so that one process can have several."""

    def __init__(self, flag_values: flags.FlagValues):
        self.flag_values = flag_values
        self.string = partial(flags.DEFINE_string, flag_values=flag_values)
        self.strings = partial(flags.DEFINE_multi_string, flag_values=flag_values)
        self.integer = partial(flags.DEFINE_integer, flag_values=flag_values)
        self.number = partial(flags.DEFINE_float, flag_values=flag_values)
        self.choice = partial(flags.DEFINE_enum, flag_values=flag_values)
        self.switch = partial(flags.DEFINE_bool, flag_values=flag_values)

    def names(
        self, name: str, allowed: Sequence[str], bare: Sequence[str], description: str
    ) -> flags.FlagHolder[list[str] | None]:
        """Define a flag of names with commas between them; `--NAME` alone means `bare`; without the flag it is None."""
        flag = flags.Flag(_NamesParser(allowed, bare), None, name, None, description, boolean=True)
        return flags.DEFINE_flag(flag, self.flag_values)

    def compilation_cache(self) -> flags.FlagHolder[str | None]:
        """Define --compilation_cache, see `keep_compiled`."""
        return self.string(
            "compilation_cache",
            None,
            "Folder of compiled programs for the next start; none for no cache. Default: "
            "JAX_COMPILATION_CACHE_DIR or the user's cache folder.",
        )

    def convolution(self) -> flags.FlagHolder[str]:
        """Define --convolution, see `trained_run.open_run`."""
        how = ("auto", "direct", "winograd")
        return self.choice("convolution", "auto", how, "How convolutions are computed; auto chooses by the device.")


class _NamesParser(flags.ArgumentParser[list[str] | None]):
    """Names out of several; absl gives `true` for a flag alone, `false` for its `no` form."""

    def __init__(self, allowed: Sequence[str], bare: Sequence[str]):
        self.allowed, self.bare = allowed, bare
        super().__init__()

    def parse(self, argument: Any) -> list[str] | None:
        if argument in ("true", "false"):
            return list(self.bare) if argument == "true" else None
        names = argument.split(",")
        wrong = [name for name in names if name not in self.allowed]
        if wrong:
            raise ValueError(f"'{wrong[0]}' should be one of {', '.join(self.allowed)}")
        return list(dict.fromkeys(names))


def run(main: Callable[[Sequence[str]], None], flag_values: flags.FlagValues) -> NoReturn:
    """Parse the command line, run `main` with the other arguments, and exit."""
    with _own_messages_shown():
        _guard(main, _parse_flags(sys.argv, flag_values, inspect.getmodule(main).__doc__ or ""))
    sys.exit(0)


@contextmanager
def _own_messages_shown() -> Iterator[None]:
    # The libraries below log every file they open: their warnings are enough.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    absl_logging.set_verbosity(absl_logging.WARNING)
    packages = [logging.getLogger(name) for name in ("munit_jax", "tfds_sdoml")]
    before = [(package.level, package.propagate) for package in packages]
    for package in packages:
        package.setLevel(logging.INFO)
        package.addHandler(handler)
        package.propagate = False
    try:
        yield
    finally:
        for package, (level, propagate) in zip(packages, before, strict=True):
            package.removeHandler(handler)
            package.setLevel(level)
            package.propagate = propagate


def _parse_flags(arguments: Sequence[str], flag_values: flags.FlagValues, description: str) -> list[str]:
    if {"--help", "-h"} & set(arguments):
        print(f"{description.strip()}\n\n{flag_values.get_help(include_special_flags=False)}")  # noqa: T201
        sys.exit(0)
    # Config files are imported and their keys overridden while flags are parsed, or, where the file cannot be loaded,
    # when the flag is first read. A mistake there raises any of these, depending on where ml_collections meets it.
    try:
        rest = flag_values([_with_our_config(argument) for argument in arguments])
        for value in flag_values.flag_values_dict().values():
            getattr(value, "to_dict", None)
    except (AttributeError, KeyError) as error:
        # ml_collections quotes the message of the error once more for keys inside of others.
        key, *better = re.findall(r"[\w.]+(?=\\*['\"])", str(error.args[0]))
        _fail(f"unknown config key: {key}" + (f"; did you mean {better[0]}?" if better else ""))
    except (flags.Error, TypeError, ValueError, OSError, ImportError) as error:
        # Errors inside a config file come with its traceback in the message: the last line is the reason.
        lines = str(error).strip().splitlines()
        _fail(lines[-1].strip().removeprefix("ValueError: ") if len(lines) > 2 else str(error))
    for name in flag_values:
        _check_flag(flag_values[name])
    return rest


def _check_flag(flag: flags.Flag) -> None:
    """Refuse nan, inf and empty text, which no flag takes, and expand `~`."""
    values = flag.value if isinstance(flag.value, list) else [flag.value]
    for value in values:
        if isinstance(value, float) and not math.isfinite(value):
            _fail(f"--{flag.name}={value}: give a finite number")
        if value == "":
            _fail(f"--{flag.name} is empty: give a value (is a variable of the shell unset?), or leave the flag out")
    expanded = [os.path.expanduser(value) if isinstance(value, str) else value for value in values]
    if expanded != values:
        flag.value = expanded if isinstance(flag.value, list) else expanded[0]


def _with_our_config(argument: str) -> str:
    """Return an argument, with the full path where it names one of our configs from another folder."""
    match = OUR_CONFIG.fullmatch(argument)
    if match is None or Path(match["file"]).exists():
        return argument
    ours = _our_configs() / Path(match["file"]).name
    return f"{match['flag'] or ''}{ours}{match['variant']}" if ours.is_file() else argument


def _our_configs() -> Path:
    """Return the folder of our configs, in a wheel inside the package, in a checkout next to it, importable by name."""
    package = Path(__file__).parent
    folder = package / "configs" if (package / "configs").is_dir() else package.parent / "configs"
    spec = spec_from_file_location("configs", folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is not None:
        sys.modules.setdefault("configs", module_from_spec(spec))
    return folder


def _guard(main: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> None:
    if len(arguments) > 1:
        _fail(f"unexpected arguments {' '.join(arguments[1:])}: flags start with --")
    try:
        main(arguments)
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        logger.info("interrupted: finished outputs are kept; run the same command to resume")
        sys.exit(INTERRUPTED)


def keep_compiled(folder: str | None) -> None:
    """Keep compiled programs in a folder, so that the next start of the same program need not compile them.

    `none` is no cache; None is JAX_COMPILATION_CACHE_DIR or, where that is not set, the user's cache folder.
    """
    import jax
    from platformdirs import user_cache_path

    if folder is None:
        folder = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(user_cache_path("munit_jax") / "compiled")
    jax.config.update("jax_compilation_cache_dir", None if folder == "none" else os.path.expanduser(folder))


def matching(
    flag: str, patterns: Sequence[str], files_below: Callable[[Path], Iterable[str]] | None = None
) -> list[Path]:
    """Return the files that match any of a flag's patterns, each once, in order; UserError for one without a match.

    Patterns are as the shell has them: `**` is folders at any depth, those of links that run in a circle once. Where a
    folder may be given, `files_below` returns its files.
    """
    real = cache(os.path.realpath)
    found: dict[tuple[str, str], Path] = {}
    for pattern in patterns:
        if files_below is not None and os.path.isdir(pattern):
            paths = [Path(pattern, place) for place in files_below(Path(pattern))]
        else:  # a link that leads nowhere is kept, to be refused by its name
            paths = [path for path in map(Path, glob.glob(pattern, recursive=True)) if not os.path.isdir(real(path))]
        if not paths:
            raise UserError(f"no file matches --{flag}='{pattern}'")
        for path in sorted(paths, key=lambda path: (len(path.parts), path)):
            found.setdefault((real(path.parent), path.name), path)
    return sorted(found.values())


def score_table(title: str, rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return scores as text: a line a score, a column a magnetogram; a dash for what is not defined."""
    columns = list(next(iter(rows.values())))
    lines = [f"{title:<22}" + "".join(f"{column:>13}" for column in columns)]
    for name, row in rows.items():
        cells = ("-" if value is None else f"{value:.3f}" for value in row.values())
        lines.append(f"{name:<22}" + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join(lines)


def _fail(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(UserError.exit_code)
