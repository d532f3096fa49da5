"""Errors that the user can correct: what came, what was expected, what to do."""


class UserError(Exception):
    """A mistake in the program's input; only the message is shown."""

    exit_code = 2


class ConfigError(UserError):
    """A config value, or a combination of values, that cannot work."""


class DataError(UserError):
    """Data that is missing or cannot be used."""


class WorkdirError(UserError):
    """A run's folder that this run cannot use."""


class TrainingError(UserError):
    """Training that has diverged or collapsed and cannot continue."""
