"""How every command starts and ends: a user's mistake is one line and exit code 2, never a traceback."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags

from munit_jax.errors import UserError

MISTAKE = 2


def run(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Parse the flags, run `main`, and exit."""
    app.run(lambda arguments: _guard(main, arguments), flags_parser=_parse_flags)
    raise AssertionError("app.run does not return")


def _parse_flags(arguments: Sequence[str]) -> list[str]:
    # Config files are imported and their keys overridden while flags are parsed: a wrong key or type shows up as any of
    # these, according to where ml_collections meets it.
    try:
        return flags.FLAGS(arguments)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError, ImportError, UserError) as error:
        _fail(error)


def _guard(main: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> None:
    if len(arguments) > 1:
        _fail(UserError(f"unexpected arguments {' '.join(arguments[1:])}: flags start with --"))
    try:
        main(arguments)
    except UserError as error:
        _fail(error)


def _fail(error: BaseException) -> NoReturn:
    message = str(error.args[0]) if error.args else str(error)
    print(f"error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(MISTAKE)
