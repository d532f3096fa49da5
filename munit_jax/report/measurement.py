"""The generators applied to held-out frames: the sums over each frame from which every score follows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

from munit_jax.data.normalization import normalize
from munit_jax.metrics.disk import flux_sums, in_double, pixel_sums
from munit_jax.metrics.ensemble import ensemble_sums
from munit_jax.metrics.strata import with_strata_by_field
from munit_jax.metrics.structure import structure_sums
from munit_jax.networks.munit import Params
from munit_jax.report.held_out import SINGLES, HeldOutFrames
from munit_jax.report.kept import Kept
from munit_jax.trained_run import TrainedRun

Tree = Any  # a tree of arrays, or of numpy arrays
# a batch of `HeldOutFrames` -> their sums, each with the frames as leading axis
Measure = Callable[[Mapping[str, np.ndarray]], Tree]


@dataclass
class FrameSums:
    """The sums over each frame in double precision."""

    times: Int[np.ndarray, " frame"]  # seconds since 1970, increasing
    model: dict[str, np.ndarray]  # of the realisations, (frame, n, ...)
    singles: dict[str, np.ndarray]  # of SINGLES, (frame, 8, ...)
    available: Bool[np.ndarray, "frame single"]  # whether it exists: the first frames have no day before
    ensemble: dict[str, np.ndarray]  # of the realisations together, (frame, ...)

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
    """Return the magnetograms (gauss) of an EUV image with n styles and, last, with that of the true magnetogram.

    The last is NaN for a run without encoders of styles.
    """
    if run.config.recipe.objective.trains_style_encoders:
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
        euv = normalize(run.translator.euv, frame["euv"])

        # Realisations and single magnetograms in one call: each compiles for seconds.
        every, abs_every = jnp.concatenate([model, signed]), jnp.concatenate([jnp.abs(model), unsigned])
        sums = pixel_sums(every, abs_every, frame["true"], euv, masks)
        sums |= structure_sums(every, abs_every, frame["true"], masks[0])
        return {
            "model": {name: x[: len(model)] for name, x in sums.items()},
            "singles": {name: x[len(model) :] for name, x in sums.items()},
            "ensemble": ensemble_sums(model, frame["true"], masks),
        }

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=(P(), P(), P("frames")), out_specs=P("frames"))
    def batch_sums(generators: Params, styles: Float[Array, "n s"], frames: Mapping[str, Array]) -> Tree:
        return jax.vmap(lambda frame: frame_sums(generators, styles, frame))(frames)

    everywhere = jax.device_put((run.generators, styles), NamedSharding(mesh, P()))
    return lambda frames: batch_sums(*everywhere, frames)


def measure_frames(measure: Measure, frames: HeldOutFrames, batch: int, kept: Kept, name: str) -> FrameSums:
    """Return the sums of every frame of a run (by its name), measured in batches of a multiple of the devices."""

    def sums_of_batch(number: int) -> Tree:
        places = np.minimum(np.arange(batch) + number * batch, len(frames) - 1)  # the last one is repeated
        read = [frames[k] for k in places]
        stacked = {field: np.stack([frame[field] for frame in read]) for field in read[0]}
        area, available = stacked.pop("square_centimetres"), stacked.pop("available")
        sums: dict[str, Any] = {part: in_double(of_part) for part, of_part in jax.device_get(measure(stacked)).items()}
        for part in ("model", "singles"):
            sums[part] |= flux_sums(sums[part], area)
        return sums | {"available": available}

    of_batches = kept.results(-(-len(frames) // batch), sums_of_batch, name)
    return FrameSums(frames.times, **jax.tree.map(lambda *parts: np.concatenate(parts)[: len(frames)], *of_batches))
