"""Parse and validate a config file, once, into a typed RunConfig."""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from typing import Any, get_args

import jax

from munit_jax import losses
from munit_jax.data.augment import Distortion, Flip
from munit_jax.data.context import LAST_SEEN, check_planes, context_signs
from munit_jax.data.datasets import LINE_OF_SIGHT, dataset_statistics
from munit_jax.data.normalization import PRESETS, Normalization, preset
from munit_jax.data.pipeline import DataSettings
from munit_jax.errors import ConfigError
from munit_jax.networks.blocks import Recompute
from munit_jax.networks.convolution import Algorithm
from munit_jax.networks.munit import DOMAINS, Architecture
from munit_jax.training.monitor import BEST_BY
from munit_jax.training.objectives import Objective
from munit_jax.training.settings import RunConfig, RunSettings, ScoreSettings, check_image_size
from munit_jax.training.state import OptimizerSettings
from munit_jax.training.step import Recipe

DTYPES = ("float32", "bfloat16", "float64")
WIDE = 16  # width from which Winograd's algorithm is faster on CPUs
IN_GAUSS = ("ensemble_flux_weight", "source_surface_weight")
OF_PAIRS = ("paired_weight", "unsigned_weight", "ensemble_weight", *IN_GAUSS)
CONVOLUTIONS = ("auto", *get_args(Algorithm))

SECTIONS = ("data", "model", "loss", "optimizer", "evaluation")
ARITHMETIC = ("dtype", "convolution", "recompute")  # top-level keys that belong to the networks


def parse(source: Mapping[str, Any], devices: int = 1, platform: str = "cpu") -> RunConfig:
    """Return the typed config of a config file, or of a run's config.json.

    Every normalisation given by name (`dataset`, `fdl`, `iti`) is written out: a run keeps the numbers, since a
    checkpoint must not depend on a dataset that may be built again.

    The batch is split over the devices; `convolution=auto` chooses by their platform (`cpu`, `gpu`).

    Raises:
        ConfigError: the first value that cannot work, what was expected, what to do.
        DataError: the normalisation `dataset` of a dataset that is not there.
    """
    tree = json.loads(json.dumps(source))
    if missing := [name for name in (*SECTIONS, *ARITHMETIC) if name not in tree]:
        raise ConfigError(f"the config lacks {', '.join(missing)}: start from get_config() of configs/aia193.py")
    top = {key: value for key, value in tree.items() if key not in (*SECTIONS, *ARITHMETIC)}
    if top.get("start_from"):
        top["start_from"] = os.path.expanduser(top["start_from"])
    run = _part(RunSettings, top, "the config", evaluation=_part(ScoreSettings, tree["evaluation"], "evaluation"))
    _check_run(run, devices)
    architecture = _architecture(tree, platform)
    optimizer = _part(OptimizerSettings, tree["optimizer"], "optimizer", steps=run.steps)
    _check_not_negative("optimizer", optimizer)
    if optimizer.cosine and optimizer.halve_every:
        raise ConfigError(
            f"optimizer.cosine and optimizer.halve_every={optimizer.halve_every} both lower the learning rate: "
            "set halve_every to 0, or cosine to False"
        )
    for name in ("b1", "b2", "ema_decay"):
        if not 0 <= (value := getattr(optimizer, name)) < 1:
            raise ConfigError(f"optimizer.{name} must be in [0, 1), got {value}")
    loss = dict(tree["loss"])
    fresh_styles_for_d = bool(loss.pop("fresh_styles_for_d"))
    _check_choice("loss.adversarial", loss["adversarial"], get_args(losses.Adversarial))
    objective = _part(Objective, loss, "loss")
    data = _data(tree, architecture)
    if run.strength_from_brightness and not data.paired:
        raise ConfigError(
            f"strength_from_brightness={run.strength_from_brightness} is fitted to simultaneous images: set it to 0.0, "
            "or data.paired=True"
        )
    _check_objective(objective, data, architecture.image_plane)
    if data.crop:
        check_image_size(architecture, data.crop, "data.crop")
    if any(getattr(objective, name) for name in IN_GAUSS):
        objective = dataclasses.replace(objective, field=data.normalization["magnetogram"])
    for domain, normalization in data.normalization.items():
        scale, limit = list(normalization.scale), list(normalization.limit)
        tree["data"]["normalization"][domain] = {"kind": normalization.kind, "scale": scale, "limit": limit}
    return RunConfig(run, data, Recipe(architecture, objective, optimizer, fresh_styles_for_d), tree)


def _check_run(run: RunSettings, devices: int) -> None:
    for name in ("steps", "batch_size", "checkpoint_every", "eval_every"):
        if getattr(run, name) < 1:
            raise ConfigError(f"{name} must be at least 1, got {getattr(run, name)}")
    if run.batch_size % devices:
        raise ConfigError(
            f"batch_size={run.batch_size} does not divide by {devices} devices: "
            f"set --config.batch_size to a multiple of {devices}"
        )
    for name in ("max_skipped_in_a_row", "seed"):
        if getattr(run, name) < 0:
            raise ConfigError(f"{name} must not be negative, got {getattr(run, name)}")
    if not run.style_spread > 0:
        raise ConfigError(
            f"style_spread must be above 0, got {run.style_spread}: 1.0 draws realisations as the training does"
        )
    if not 0 <= run.strength_from_brightness <= 1:
        raise ConfigError(f"strength_from_brightness must be in [0, 1], got {run.strength_from_brightness}")
    _check_choice("best_by", run.best_by, tuple(BEST_BY))
    if run.evaluation.styles < 1:
        raise ConfigError(f"evaluation.styles must be at least 1, got {run.evaluation.styles}")


def _architecture(tree: Mapping[str, Any], platform: str) -> Architecture:
    dtype, convolution, recompute = (tree[name] for name in ARITHMETIC)
    _check_choice("dtype", dtype, DTYPES)
    if dtype == "float64" and not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise ConfigError("dtype=float64 needs JAX_ENABLE_X64=1 in the environment, since JAX is in single precision")
    _check_choice("convolution", convolution, CONVOLUTIONS)
    _check_choice("recompute", recompute, get_args(Recompute))
    if convolution == "winograd" and dtype != "float32":
        raise ConfigError(f"convolution=winograd needs dtype=float32, got {dtype}: set it to direct or auto")
    planes = tuple(tree["data"]["context"])
    check_planes(planes)
    architecture = _part(
        Architecture,
        tree["model"],
        "model",
        euv_channels=len(tree["data"]["channels"]),
        magnetogram_channels=1,
        context_planes=len(context_signs(planes)),
        dtype=dtype,
        convolution="direct" if convolution == "auto" else convolution,
        recompute=recompute,
    )
    for name, value in tree["model"].items():
        if not isinstance(value, bool) and value < 1:
            raise ConfigError(f"model.{name} must be at least 1, got {value}")
    if convolution == "auto" and platform == "cpu" and dtype == "float32" and architecture.width >= WIDE:
        architecture = dataclasses.replace(architecture, convolution="winograd")
    return architecture


def _data(tree: Mapping[str, Any], architecture: Architecture) -> DataSettings:
    section = dict(tree["data"])
    channels = tuple(section["channels"])
    _check_choice("data.flip", section["flip"], get_args(Flip))
    if not channels:
        raise ConfigError("data.channels is empty: name at least one EUV channel, such as ('0193',)")
    if section["reversal"] and "hale_latitude" not in section["context"]:
        raise ConfigError("data.reversal needs the sign of the cycle: put hale_latitude into data.context")
    if section.get("earlier") and LAST_SEEN not in section["context"]:
        raise ConfigError(
            f"data.earlier={section['earlier']} serves the plane {LAST_SEEN} alone: put that into data.context, or "
            "leave data.earlier out"
        )
    normalization = {}
    series_of = {"euv": channels, "magnetogram": (LINE_OF_SIGHT,)}
    for domain in DOMAINS:
        series = series_of[domain]
        given, dataset = section["normalization"][domain], section[domain]
        n = normalization[domain] = _normalization(given, domain, series, dataset, section["data_dir"])
        if n.channels != architecture.channels(domain):
            raise ConfigError(
                f"data.normalization.{domain} has {n.channels} scales for {architecture.channels(domain)} channels: "
                "give one scale and one limit for each"
            )
    section["normalization"] = normalization
    section["distortion"] = _part(Distortion, section["distortion"], "data.distortion")
    return _part(DataSettings, section, "data")


def _normalization(
    given: Mapping[str, Any], domain: str, series: tuple[str, ...], dataset: str, data_dir: str | None
) -> Normalization:
    name = f"data.normalization.{domain}"
    if given["kind"] not in PRESETS:
        return _part(Normalization, given, name, signed=domain == "magnetogram")
    statistics = dataset_statistics(dataset, data_dir) if given["kind"] == "dataset" else {}
    try:
        return preset(given["kind"], domain, series, statistics)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _check_objective(objective: Objective, data: DataSettings, image_plane: bool) -> None:
    _check_not_negative("loss", objective)
    if not data.paired and any(getattr(objective, name) for name in OF_PAIRS):
        raise ConfigError(
            f"loss.{', loss.'.join(OF_PAIRS)} compare simultaneous images: set them to 0.0, or data.paired=True"
        )
    if "magnetogram" not in objective.into:
        raise ConfigError(
            "no loss term teaches to make magnetograms of EUV images: set loss.adversarial_weight, content_weight, "
            "style_weight, cycle_weight or one for simultaneous images above 0"
        )
    if image_plane and (objective.image_weight or objective.cycle_weight):
        raise ConfigError(
            "model.image_plane shows the decoders the image that loss.image_weight and loss.cycle_weight ask them to "
            "reconstruct: set these to 0.0, or model.image_plane=False"
        )
    if data.crop and objective.source_surface_weight:
        raise ConfigError("loss.source_surface_weight needs the whole disk: set it to 0.0, or data.crop=0")


def _check_not_negative(section: str, settings: Objective | OptimizerSettings) -> None:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, int | float) and value < 0:
            raise ConfigError(f"{section}.{field.name} must not be negative, got {value}")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")


def _part[T](cls: type[T], section: Mapping[str, Any], name: str, **more: Any) -> T:
    """Return a section of the config as its dataclass; its lists become tuples."""
    for key, value in section.items():
        numbers = [x for x in (value if isinstance(value, list) else [value]) if isinstance(x, float)]
        if not all(map(math.isfinite, numbers)):
            raise ConfigError(f"{name}: {key} must be finite, got {value}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in {**section, **more}.items()}
    fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    known = {field.name for field in fields}
    if unknown := sorted(set(given) - known):
        raise ConfigError(f"{name} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    if missing := sorted({field.name for field in fields if field.default is dataclasses.MISSING} - set(given)):
        raise ConfigError(f"{name} lacks {', '.join(missing)}")
    try:
        return cls(**given)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
