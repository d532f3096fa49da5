"""A run's generators taken over the frames of a split: the sums from which every score follows.

Frames are read, translated and summed up in batches over all local devices. What is done is kept in parts on the disk,
so that an evaluation that was stopped goes on; see `munit_jax.report.parts`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int
from tqdm import tqdm

from munit_jax.data.context import Past
from munit_jax.data.datasets import Frames, Watch, geometry_of
from munit_jax.data.normalization import Normalization, normalize
from munit_jax.data.pipeline import FrameContext, no_context
from munit_jax.metrics.baselines import (
    BASELINES,
    Climate,
    another_date,
    day_before,
    digest,
    persistence,
    without_others,
)
from munit_jax.metrics.disk import flux_sums, in_double, pixel_sums
from munit_jax.metrics.ensemble import ensemble_sums
from munit_jax.metrics.strata import strata_by_place, with_strata_by_field
from munit_jax.metrics.structure import structure_sums
from munit_jax.networks.munit import Params
from munit_jax.report.parts import Parts
from munit_jax.sun.constants import SOLAR_RADIUS_CM
from munit_jax.trained_run import TrainedRun

# Single magnetograms beside the realisations. `model_mean`: their mean; `model_own_style`: the translation with the
# style of the true magnetogram, a bound for what a style can do, not a prediction.
SINGLES = ("model_mean", "model_own_style", *BASELINES)
COLUMNS = ("model", *SINGLES)

LEAST_FRAMES_A_PART = 16

Tree = Any  # a tree of arrays, or of numpy arrays
# a batch of frames as `Held` gives them -> their sums, each with the frames as leading axis
Measure = Callable[[Mapping[str, np.ndarray]], Tree]


@dataclass
class Assessment:
    """The sums over each frame, in double precision.

    Attributes:
        times: seconds since 1970, increasing.
        model: of the realisations, (frame, n, ...).
        singles: of SINGLES, (frame, 8, ...).
        available: whether a single magnetogram exists: the first frames have no day before.
        ensemble: of the realisations together, (frame, ...).
    """

    times: Int[np.ndarray, " frame"]
    model: dict[str, np.ndarray]
    singles: dict[str, np.ndarray]
    available: Bool[np.ndarray, "frame single"]
    ensemble: dict[str, np.ndarray]

    def of(self, column: str) -> dict[str, Float[np.ndarray, "frame n ..."]]:
        """Return the sums of one of COLUMNS; 0 for frames in which it does not exist.

        The sums of the CRPS, which is of all realisations, are the same for each of them.
        """
        if column == "model":
            return self._model
        k = SINGLES.index(column)
        there = self.available[:, k]
        sums = {
            name: np.where(there.reshape(-1, *(1,) * (x.ndim - 1)), x[:, k : k + 1], 0.0)
            for name, x in self.singles.items()
        }
        return sums | {"crps": sums["absolute_error"]}

    @cached_property
    def _model(self) -> dict[str, Float[np.ndarray, "frame n ..."]]:
        n = self.model["absolute_error"].shape[1]
        return self.model | {"crps": np.repeat(self.ensemble["crps"][:, None], n, axis=1)}


@dataclass(frozen=True)
class Dates:
    """When the frames of a split are, and what tells them apart.

    Attributes:
        times: seconds since 1970.
        digests: checksums of the magnetograms.
    """

    times: Int[np.ndarray, " frame"]
    digests: tuple[bytes, ...]

    @property
    def sha256(self) -> str:
        """Checksum of both."""
        return hashlib.sha256(self.times.tobytes() + b"".join(self.digests)).hexdigest()


def look(frames: Frames, watch: Watch = iter) -> Dates:
    """Read the dates of a split, of which only the magnetograms are needed."""
    seen = [
        (int(f["time"]), digest(f["magnetogram"][..., 0])) for f in map(frames.__getitem__, watch(range(len(frames))))
    ]
    times, digests = zip(*seen, strict=True)
    return Dates(np.array(times, np.int64), digests)


class Held:
    """The frames of a split that are evaluated, with the magnetograms that need no network.

    Args:
        frames: the split.
        dates: of all its frames.
        climate: of the training split.
        euv: scaling of its EUV images.
        numbers: which frames of the split; they are gone through in the order of time.
        context: makes that of a frame.
        past: earlier magnetograms of the dataset, None where the networks take none.
    """

    def __init__(
        self,
        frames: Frames,
        dates: Dates,
        climate: Climate,
        euv: Normalization,
        numbers: Sequence[int],
        context: FrameContext = no_context,
        past: Past | None = None,
    ):
        self.frames, self.dates, self.climate, self.euv = frames, dates, climate, euv
        self.context, self.past = context, past
        self.numbers = sorted(numbers, key=lambda i: dates.times[i])
        self.times = dates.times[self.numbers]
        self._before = day_before(dates.times)
        self._other = another_date(dates.digests)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, k: int) -> dict[str, Any]:
        """Return the k-th frame as `measure` takes it."""
        i = self.numbers[k]
        frame = self.frames[i]
        true = frame["magnetogram"][..., 0]
        before, other = self._before[i], self._other[i]
        fields = without_others(self.climate, self.euv, frame)
        partners = {
            "persistence": None if before is None else persistence(self.frames[before], frame),
            "shuffled": None if other is None else self.frames[other]["magnetogram"][..., 0],
        }
        for name, field in partners.items():
            field = np.full_like(true, np.nan) if field is None else field
            fields[name] = field, np.abs(field)
        geometry, context = geometry_of(frame), self.context(frame)
        known = {} if context is None else {"context": context}
        return known | {
            "euv": frame["euv"],
            "true": true,
            "places": strata_by_place(geometry),
            "signed": np.stack([fields[name][0] for name in BASELINES]),
            "unsigned": np.stack([fields[name][1] for name in BASELINES]),
            "available": np.array([name not in fields or not _is_missing(*fields[name]) for name in SINGLES]),
            "square_centimetres": np.float64((SOLAR_RADIUS_CM / geometry.solar_radius) ** 2),
        }


def _is_missing(signed: Float[np.ndarray, "h w"], unsigned: Float[np.ndarray, "h w"]) -> bool:
    """Tell whether a baseline does not exist for a frame: the EUV proxy, which has no sign, has |B| at least."""
    return bool(np.isnan(signed).all() and np.isnan(unsigned).all())


def translate_with_own_style(
    run: TrainedRun,
    generators: Params,
    euv: Float[Array, "h w c"],
    true: Float[Array, "h w"],
    styles: Float[Array, "n s"],
    context: Float[Array, "h w k"] | None,
    a_pass: int,
) -> Float[Array, "n+1 h w"]:
    """Return the magnetograms of an EUV image with n styles and, last, with that of the true magnetogram, in gauss.

    The last is NaN for a run that cannot tell the style of an image.
    """
    if run.objective.trains_style_encoders:
        own = run.translator.style_of(generators, "magnetogram", true[None, ..., None])
    else:
        own = jnp.full_like(styles[:1], jnp.nan)
    every = jnp.concatenate([styles, own])
    contexts = None if context is None else context[None]
    made = run.translator.translate(generators, euv[None], every, contexts, a_pass=min(a_pass, len(every)))
    return made[0, ..., 0]


def make_measure(run: TrainedRun, styles: Float[Array, "n s"], devices: Sequence[Any], a_pass: int) -> Measure:
    """Return the compiled function from a batch of `Held`'s frames to their sums, shared out over devices.

    The batch must divide by the number of devices.
    """
    mesh = Mesh(np.array(devices), ("frames",))

    def frame_sums(generators: Params, styles: Float[Array, "n s"], frame: Mapping[str, Array]) -> Tree:
        images = frame["euv"], frame["true"]
        made = translate_with_own_style(run, generators, *images, styles, frame.get("context"), a_pass)
        model, own = made[:-1], made[-1:]
        signed = jnp.concatenate([model.mean(axis=0)[None], own, frame["signed"]])
        unsigned = jnp.concatenate([jnp.abs(model).mean(axis=0)[None], jnp.abs(own), frame["unsigned"]])
        masks = with_strata_by_field(frame["places"], frame["true"])
        euv = normalize(run.normalizations["euv"], frame["euv"])

        def sums(b: Float[Array, "n h w"], abs_b: Float[Array, "n h w"]) -> Tree:
            return pixel_sums(b, abs_b, frame["true"], euv, masks) | structure_sums(b, abs_b, frame["true"], masks[0])

        return {
            "model": sums(model, jnp.abs(model)),
            "singles": sums(signed, unsigned),
            "ensemble": ensemble_sums(model, frame["true"], masks),
        }

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=(P(), P(), P("frames")), out_specs=P("frames"))
    def batch_sums(generators: Params, styles: Float[Array, "n s"], frames: Mapping[str, Array]) -> Tree:
        return jax.vmap(lambda frame: frame_sums(generators, styles, frame))(frames)

    everywhere = jax.device_put((run.generators, styles), NamedSharding(mesh, P()))
    return lambda frames: batch_sums(*everywhere, frames)


def assess(measure: Measure, held: Held, together: int, parts: Parts, name: str) -> Assessment:
    """Measure every frame of `held`, but those that `parts` has.

    Args:
        measure: of `make_measure`.
        held: the frames.
        together: frames in one batch, a multiple of the devices.
        parts: where sums are kept.
        name: of the run, for the bar that shows progress.
    """
    a_part = together * -(-LEAST_FRAMES_A_PART // together)  # whole batches
    numbers = [range(len(held))[start : start + a_part] for start in range(0, len(held), a_part)]
    with tqdm(total=len(held), desc=name, unit="frame", dynamic_ncols=True) as bar:
        for part, of_part in enumerate(numbers):
            if part not in parts:
                parts.keep(part, _counted(_measured(measure, held, of_part, together), bar))
            else:
                bar.update(len(of_part))
    sums = parts.joined(len(numbers))
    return Assessment(held.times, sums["model"], sums["singles"], sums["available"], sums["ensemble"])


def _counted[T](items: Iterable[T], bar: tqdm) -> Iterator[T]:
    for item in items:
        yield item
        bar.update()


def _measured(measure: Measure, held: Held, numbers: Sequence[int], together: int) -> Iterator[dict[str, Any]]:
    """Yield the sums of frames, measured in batches."""
    for start in range(0, len(numbers), together):
        frames = [held[k] for k in numbers[start : start + together]]
        padded = frames + [frames[-1]] * (together - len(frames))
        known = {name: np.stack([frame[name] for frame in padded]) for name in frames[0]}
        area, available = known.pop("square_centimetres"), known.pop("available")
        measured = jax.device_get(measure(known))
        sums: dict[str, Any] = {part: in_double(of_part) for part, of_part in measured.items()}
        for part in ("model", "singles"):
            sums[part] |= flux_sums(sums[part], area)
        sums["available"] = available
        for place in range(len(frames)):
            yield jax.tree.map(lambda x, place=place: x[place], sums)
