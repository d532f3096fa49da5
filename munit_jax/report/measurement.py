"""The generators applied to held-out frames: the sums over each frame from which every score follows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

from munit_jax.data.normalization import normalize
from munit_jax.metrics.disk import flux_sums, in_double, pixel_sums
from munit_jax.metrics.ensemble import ensemble_sums
from munit_jax.metrics.strata import with_strata_by_field
from munit_jax.metrics.structure import structure_sums
from munit_jax.networks.munit import Params
from munit_jax.report.held_out import SINGLES, HeldOutFrames
from munit_jax.report.partial_sums import PartialSums
from munit_jax.trained_run import TrainedRun

LEAST_FRAMES_A_FILE = 16

Tree = Any  # a tree of arrays, or of numpy arrays
# a batch of `HeldOutFrames` -> their sums, each with the frames as leading axis
Measure = Callable[[Mapping[str, np.ndarray]], Tree]


@dataclass
class FrameSums:
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

    @property
    def true_unsigned_flux(self) -> Float[np.ndarray, " frame"]:
        """The true total unsigned flux through the scored disk in maxwell."""
        return self.model["flux_moments"][:, 0, 0, 2]


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

    The last is NaN for a run without encoders of styles.
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
    """Return the compiled function from a batch of `HeldOutFrames` to their sums, shared out over devices.

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


def measure_frames(
    measure: Measure, frames: HeldOutFrames, batch: int, partial_sums: PartialSums, name: str
) -> FrameSums:
    """Return the sums of every frame; those that `partial_sums` has are not measured again.

    Args:
        measure: of `make_measure`.
        frames: to measure.
        batch: frames measured together, a multiple of the devices.
        partial_sums: where sums are kept.
        name: of the run, for the progress bar.
    """
    in_file = batch * -(-LEAST_FRAMES_A_FILE // batch)  # whole batches
    files = [range(len(frames))[start : start + in_file] for start in range(0, len(frames), in_file)]
    with tqdm(total=len(frames), desc=name, unit="frame", dynamic_ncols=True) as bar:
        for k, numbers in enumerate(files):
            if k not in partial_sums:
                partial_sums.save(k, _measured(measure, frames, numbers, batch, bar))
            else:
                bar.update(len(numbers))
    sums = partial_sums.load(len(files))
    return FrameSums(frames.times, sums["model"], sums["singles"], sums["available"], sums["ensemble"])


def _measured(
    measure: Measure, held_out: HeldOutFrames, numbers: Sequence[int], batch: int, bar: tqdm
) -> Iterator[dict[str, Any]]:
    """Yield the sums of frames, measured in batches."""
    for start in range(0, len(numbers), batch):
        frames = [held_out[k] for k in numbers[start : start + batch]]
        padded = frames + [frames[-1]] * (batch - len(frames))
        stacked = {name: np.stack([frame[name] for frame in padded]) for name in frames[0]}
        area, available = stacked.pop("square_centimetres"), stacked.pop("available")
        measured = jax.device_get(measure(stacked))
        sums: dict[str, Any] = {name: in_double(of_part) for name, of_part in measured.items()}
        for name in ("model", "singles"):
            sums[name] |= flux_sums(sums[name], area)
        sums["available"] = available
        for place in range(len(frames)):
            yield jax.tree.map(lambda x, place=place: x[place], sums)
            bar.update()
