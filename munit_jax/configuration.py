"""From a config (ml_collections) to the typed settings of each room, checked by name before any work is done."""

import copy
import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_args

import jax

from munit_jax import losses
from munit_jax.data.augment import Flip
from munit_jax.data.context import check_planes, context_signs
from munit_jax.data.datasets import LINE_OF_SIGHT, dataset_statistics
from munit_jax.data.normalization import PRESETS, Normalization, preset
from munit_jax.data.pipeline import DataSettings
from munit_jax.errors import ConfigError
from munit_jax.networks.blocks import Recompute
from munit_jax.networks.convolution import Algorithm
from munit_jax.networks.munit import DOMAINS, Architecture
from munit_jax.training.objectives import Objective
from munit_jax.training.state import OptimizerSettings
from munit_jax.training.step import Recipe

Config = Any  # an ml_collections.ConfigDict, whose values have no static types

DTYPES = ("float32", "bfloat16", "float64")

WIDE = 32  # where Winograd's algorithm begins to be faster; at width 16 and 64 pixels it is not
IN_GAUSS = ("ensemble_flux_weight", "source_surface_weight")
OF_PAIRS = ("paired_weight", "unsigned_weight", "ensemble_weight", *IN_GAUSS)
CONVOLUTIONS = ("auto", *get_args(Algorithm))

# Keys that may change when a run goes on: they steer the run, or how it computes what it computes.
STEERING = (
    "steps",
    "checkpoint_every",
    "eval_every",
    "max_skipped_in_a_row",
    "data.data_dir",
    "evaluation",
    "style_spread",
    "convolution",
    "recompute",
)


def architecture(config: Config) -> Architecture:
    """Return the networks' sizes from `config.model`, the channels from `config.data`, and how they are computed.

    A choice that is still left open, see `with_convolution`, counts as `direct`.
    """
    return _settings(
        Architecture,
        config.model,
        "model",
        euv_channels=len(config.data.channels),
        magnetogram_channels=1,
        context_planes=len(context_signs(context_planes(config))),
        dtype=config.dtype,
        convolution="direct" if config.convolution == "auto" else config.convolution,
        recompute=config.recompute,
    )


def context_planes(config: Config) -> tuple[str, ...]:
    """Return the names of the planes of context; configs of before have none."""
    return tuple(config.data.get("context") or ())


def style_spread(config: Config) -> float:
    """Return the standard deviation of the styles of realisations; configs of before have that of the training, 1."""
    return float(config.get("style_spread", 1.0))


def recipe(config: Config) -> Recipe:
    """Return all that fixes a training step."""
    return Recipe(
        architecture=architecture(config),
        objective=objective(config),
        optimizer=_settings(OptimizerSettings, config.optimizer, "optimizer"),
        fresh_styles_for_d=config.loss.fresh_styles_for_d,
    )


def objective(config: Config) -> Objective:
    """Return the weights of the loss terms."""
    loss = config.loss.to_dict()
    del loss["fresh_styles_for_d"]
    if any(loss.get(name) for name in IN_GAUSS):
        loss["field"] = _normalization(config, "magnetogram")
    return _settings(Objective, loss, "loss")


def normalizations(config: Config) -> dict[str, Normalization]:
    """Return the normalisation of each domain from `config.data.normalization`; names are resolved before."""
    return {domain: _normalization(config, domain) for domain in DOMAINS}


def _normalization(config: Config, domain: str) -> Normalization:
    return _settings(
        Normalization,
        {k: _tuple(v) for k, v in config.data.normalization[domain].items()},
        f"data.normalization.{domain}",
        signed=domain == "magnetogram",
    )


def with_numbers(config: Config) -> Config:
    """Return the config with every normalisation that is given by name (`dataset`, `fdl`, `iti`) written out.

    A run keeps the numbers, not the name: a checkpoint must not depend on what a dataset says later.

    Raises:
        ConfigError: see `preset`.
        DataError: a dataset that is not there.
    """
    resolved = copy.deepcopy(config)
    for domain, channels in (("euv", tuple(config.data.channels)), ("magnetogram", (LINE_OF_SIGHT,))):
        kind = config.data.normalization[domain].kind
        if kind not in PRESETS:
            continue
        statistics = dataset_statistics(config.data[domain], config.data.data_dir or None) if kind == "dataset" else {}
        try:
            n = preset(kind, domain, channels, statistics)
        except ConfigError as error:
            raise ConfigError(f"data.normalization.{domain}: {error}") from None
        resolved.data.normalization[domain].update({"kind": n.kind, "scale": n.scale, "limit": n.limit})
    return resolved


def with_convolution(config: Config, platform: str) -> Config:
    """Return the config with `convolution` written out where it is left open (`auto`).

    Winograd's algorithm is for CPUs and float32 (see `munit_jax.networks.winograd`), and for networks that are wide: in
    narrow ones the transforms cost what the products save.
    """
    resolved = copy.deepcopy(config)
    if config.convolution == "auto":
        fits = platform == "cpu" and config.dtype == "float32" and config.model.width >= WIDE
        resolved.convolution = "winograd" if fits else "direct"
    return resolved


def data_settings(config: Config) -> DataSettings:
    """Return what the input pipeline needs."""
    data = config.data
    return DataSettings(
        euv=data.euv,
        magnetogram=data.magnetogram,
        paired=data.paired,
        channels=tuple(data.channels),
        crop=data.crop,
        flip=data.flip,
        normalization=normalizations(config),
        data_dir=data.data_dir or None,
        context=context_planes(config),
        reversal=bool(data.get("reversal")),
    )


def validate(config: Config, devices: int) -> None:
    """Check a config on its own and against the number of devices; the data are checked when they are opened.

    Raises:
        ConfigError: the first value that cannot work, what was expected, what to do.
    """
    for name in ("steps", "batch_size", "checkpoint_every", "eval_every"):
        if config[name] < 1:
            raise ConfigError(f"{name} must be at least 1, got {config[name]}")
    if config.batch_size % devices:
        raise ConfigError(
            f"batch_size={config.batch_size} does not divide by {devices} devices: "
            f"set --config.batch_size to a multiple of {devices}"
        )
    _choice("dtype", config.dtype, DTYPES)
    if config.dtype == "float64" and not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise ConfigError("dtype=float64 needs JAX_ENABLE_X64=1 in the environment, since JAX is in single precision")
    if config.max_skipped_in_a_row < 0:
        raise ConfigError(f"max_skipped_in_a_row must not be negative, got {config.max_skipped_in_a_row}")
    if not style_spread(config) > 0:
        raise ConfigError(
            f"style_spread must be above 0, got {config.style_spread}: 1.0 draws realisations as the training does"
        )
    _choice("convolution", config.convolution, CONVOLUTIONS)
    _choice("recompute", config.recompute, get_args(Recompute))
    if config.convolution == "winograd" and config.dtype != "float32":
        raise ConfigError(f"convolution=winograd needs dtype=float32, got {config.dtype}: set it to direct or auto")
    _choice("loss.adversarial", config.loss.adversarial, get_args(losses.Adversarial))
    _choice("data.flip", config.data.flip, get_args(Flip))
    for name, value in config.model.items():
        if not isinstance(value, bool) and value < 1:
            raise ConfigError(f"model.{name} must be at least 1, got {value}")
    for section in ("loss", "optimizer"):
        for name, value in config[section].items():
            if isinstance(value, int | float) and value < 0:
                raise ConfigError(f"{section}.{name} must not be negative, got {value}")
    if not 0 <= config.optimizer.ema_decay < 1:
        raise ConfigError(f"optimizer.ema_decay must be in [0, 1), got {config.optimizer.ema_decay}")
    if not config.data.channels:
        raise ConfigError("data.channels is empty: name at least one EUV channel, such as ('0193',)")
    check_planes(context_planes(config))
    if config.data.get("reversal") and "hale_latitude" not in context_planes(config):
        raise ConfigError("data.reversal needs the sign of the cycle: put hale_latitude into data.context")
    for domain in DOMAINS:
        if config.data.normalization[domain].kind in PRESETS:
            continue  # its numbers come with the data
        normalization = _normalization(config, domain)
        channels = architecture(config).channels(domain)
        if normalization.channels != channels:
            raise ConfigError(
                f"data.normalization.{domain} has {normalization.channels} scales for {channels} channels: "
                "give one scale and one limit for each"
            )
    if not config.data.paired and any(config.loss.get(name) for name in OF_PAIRS):
        raise ConfigError(
            f"loss.{', loss.'.join(OF_PAIRS)} compare simultaneous images: set them to 0.0, or data.paired=True"
        )
    if "magnetogram" not in objective(config).into:
        raise ConfigError(
            "no loss term teaches to make magnetograms of EUV images: set loss.adversarial_weight, content_weight, "
            "style_weight, cycle_weight or one for simultaneous images above 0"
        )
    if config.data.crop and config.loss.get("source_surface_weight"):
        raise ConfigError("loss.source_surface_weight needs the whole disk: set it to 0.0, or data.crop=0")
    if config.data.crop:
        check_image_size(config, config.data.crop, "data.crop")


def check_image_size(config: Config, size: int, name: str) -> None:
    """Check that square images of a size can pass the networks.

    Raises:
        ConfigError: they are not a multiple of what the encoders divide by, or too small for the discriminators.
    """
    a = architecture(config)
    if size % a.size_divisor:
        raise ConfigError(
            f"{name}={size} is not divisible by {a.size_divisor} (model.downsamplings={a.downsamplings}): "
            f"use {size // a.size_divisor * a.size_divisor}"
        )
    if size < a.smallest_size:
        raise ConfigError(
            f"{name}={size} is too small: {a.discriminator_scales} discriminator scales of "
            f"{a.discriminator_layers} layers need {a.smallest_size} pixels; lower model.discriminator_scales"
        )


def to_json(config: Config) -> dict[str, Any]:
    """Return the config as JSON holds it (tuples become lists)."""
    return json.loads(json.dumps(config.to_dict()))


def differing_keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the keys in which two configs differ, but for those that only steer a run.

    A switch that is off is the same as one that a config of before does not have.
    """
    a, b = _flatten(one), _flatten(other)
    missing = object()
    return sorted(
        key
        for key in a.keys() | b.keys()
        if a.get(key, missing) != b.get(key, missing)
        and (a.get(key) or b.get(key))
        and key not in STEERING
        and key.split(".")[0] not in STEERING
    )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _settings[T](cls: type[T], section: Any, name: str, **more: Any) -> T:
    given = {**dict(section.items()), **more}
    fields = {field.name for field in dataclasses.fields(cls)}  # pyright: ignore[reportArgumentType]
    if unknown := sorted(set(given) - fields):
        raise ConfigError(f"{name} has no setting {', '.join(unknown)}; it has {', '.join(sorted(fields))}")
    try:
        return cls(**given)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _tuple(value: Any) -> Any:
    return tuple(float(x) for x in value) if isinstance(value, tuple | list) else value


def _choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")
