"""A training run from its config to its summary."""

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grain
import jax
from clu import parameter_overview
from tqdm import tqdm

from munit_jax import configuration
from munit_jax.configuration import Config
from munit_jax.data.pipeline import training_batches
from munit_jax.errors import WorkdirError
from munit_jax.training.checkpoints import Checkpoints
from munit_jax.training.compilation import StepFunction, compile_step
from munit_jax.training.monitor import Monitor
from munit_jax.training.parallel import make_parallel_step, replicate, split_batch
from munit_jax.training.state import TrainState, init_state, make_optimizers
from munit_jax.training.step import Batch, Metrics
from munit_jax.training.stopping import StopRequest
from munit_jax.training.writers import ScalarWriter, params_sha256, write_json

logger = logging.getLogger(__name__)

WARM_UP_STEPS = 2  # the first step compiles; they do not count in images per second


def train_and_evaluate(config: Config, workdir: Path) -> dict[str, Any] | None:
    """Train as the config says, or go on where the run in `workdir` stopped; return the summary that is left there.

    None if the process was asked to stop before the last step; the same call then goes on.

    Leaves checkpoints/, tensorboard/, metrics.jsonl, samples/, config.json and summary.json.

    Raises:
        ConfigError, DataError, WorkdirError: before any work is done; for a frame with NaN when it is first read.
    """
    devices = jax.local_devices()
    configuration.validate(config, len(devices))
    config = configuration.with_numbers(configuration.with_convolution(config, devices[0].platform))
    recipe, settings = configuration.recipe(config), configuration.data_settings(config)
    claim_workdir(workdir, config)
    monitor = Monitor(config, settings, recipe.architecture)
    if not config.data.crop:
        configuration.check_image_size(config, monitor.frames.size, f"image size of {settings.euv}")
    batches = training_batches(settings, config.batch_size, config.seed)
    write_json(workdir / "config.json", configuration.to_json(config))

    state = replicate(init_state(recipe.architecture, make_optimizers(recipe.optimizer), config.seed), devices)
    parameters = {"generators": state.generators, "discriminators": state.discriminators}
    logger.info("parameters:\n%s", parameter_overview.get_parameter_overview(parameters, include_stats=False))
    logger.info("%d devices: %s", len(devices), ", ".join(f"{d.device_kind} {d.id}" for d in devices))

    with Checkpoints(workdir) as checkpoints:
        first = checkpoints.latest_step() or 0
        if first:
            logger.info("going on from step %d of the run in %s", first, workdir)
            state = checkpoints.restore(first, state, batches)
        with ScalarWriter(workdir, first) as writer:
            step_function = make_parallel_step(recipe, config.seed, devices)
            train = Training(config, step_function, len(devices), batches, checkpoints, monitor, writer, workdir)
            state = train(state, first)
            losses = writer.last
            # A run that had nothing left to do keeps the rate it was logged with.
            speed = train.images_per_second() or losses.get("images_per_second")
    if int(state.step) < config.steps:
        logger.info("stopped at step %d of %d: run the same command to go on", state.step, config.steps)
        return None

    logger.info("scoring the held-out frames")
    summary = {
        "steps": int(state.step),
        "images_per_second": speed,
        "losses": losses,
        "held_out": monitor.scores(state.ema, config.evaluation.limit),
        "baselines": monitor.baselines(),
        "params_sha256": params_sha256(state),
    }
    write_json(workdir / "summary.json", summary)
    return summary


class Training:
    """The loop over steps, with all that it reports to. `train(state, first)` returns the state it ends with."""

    def __init__(
        self,
        config: Config,
        step_function: jax.stages.Wrapped,
        devices: int,
        batches: grain.DatasetIterator,
        checkpoints: Checkpoints,
        monitor: Monitor,
        writer: ScalarWriter,
        workdir: Path,
    ):
        self.config, self.step_function, self.devices, self.batches = config, step_function, devices, batches
        self.checkpoints, self.monitor, self.writer, self.workdir = checkpoints, monitor, writer, workdir
        self.config_json = configuration.to_json(config)
        self.steps_timed, self.seconds = -WARM_UP_STEPS, 0.0

    def images_per_second(self) -> float | None:
        """Return the mean rate of the steps of this session, without compilation, evaluation and saving."""
        return self.steps_timed * self.config.batch_size / self.seconds if self.steps_timed > 0 else None

    def __call__(self, state: TrainState, first: int) -> TrainState:
        """Train from step `first` to the config's last, or until the process is asked to stop."""
        config = self.config
        if first >= config.steps:
            return state
        pending: tuple[int, Metrics] | None = None
        take_step = self._compile(state)
        bar = tqdm(total=config.steps, initial=first, unit="step", dynamic_ncols=True)
        with StopRequest() as stop, bar:
            for step in range(first + 1, config.steps + 1):
                begin = time.perf_counter()
                state, metrics = take_step(state, self._next_batch())
                # The scalars of the step before are fetched while this one is computed: the device never waits.
                if pending is not None:
                    self._report(*pending, bar)
                pending = step, metrics
                last = step == config.steps
                evaluate = last or step % config.eval_every == 0
                if evaluate:
                    jax.block_until_ready(state)
                self._clock(time.perf_counter() - begin)
                bar.update()
                if evaluate:
                    self._report(*pending, bar, self._evaluate(state, step))
                    pending = None
                # Read once: a request that comes while this step is saved waits for the next.
                stopping = stop.signal_name is not None
                if last or stopping or step % config.checkpoint_every == 0:
                    self.writer.flush()
                    self.checkpoints.save(step, state, self.batches, self.config_json)
                if stopping:
                    break
            if pending is not None:
                self._report(*pending, bar)
        return state

    def _next_batch(self) -> Batch:
        return split_batch(next(self.batches)["images"], self.devices)

    def _compile(self, state: TrainState) -> StepFunction:
        position = self.batches.get_state()
        example = self._next_batch()
        self.batches.set_state(position)  # the first step has its batch still before it
        return compile_step(self.step_function, state, example)

    def _evaluate(self, state: TrainState, step: int) -> dict[str, float]:
        self.monitor.picture(state.ema, self.workdir / "samples" / f"step_{step:07d}.png", step)
        scores = self.monitor.scores(state.ema, self.config.evaluation.limit_during_training) or {}
        return {f"held_out_{name}": value for name, value in scores.items() if value is not None}

    def _report(self, step: int, metrics: Metrics, bar: tqdm, more: Mapping[str, float] | None = None) -> None:
        scalars = {name: float(value) for name, value in jax.device_get(metrics).items()} | dict(more or {})
        speed = self.images_per_second()
        if speed is not None:
            scalars["images_per_second"] = speed
        self.writer.write(step, scalars)
        bar.set_description(f"G {scalars['generator_total']:.3f} D {scalars['discriminator_total']:.3f}", refresh=False)
        bar.set_postfix_str(f"{speed:.1f} images/s" if speed else "", refresh=False)

    def _clock(self, seconds: float) -> None:
        self.steps_timed += 1
        if self.steps_timed > 0:
            self.seconds += seconds


def claim_workdir(workdir: Path, config: Config) -> None:
    """Make the run's folder, or check that the run in it has this config.

    Raises:
        WorkdirError: it cannot be written, or holds a run with another config; the differing keys are named.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkdirError(f"cannot make the workdir {workdir}: {error.strerror}; choose another --workdir") from None
    path = workdir / "config.json"
    if not path.exists():
        return
    there = json.loads(path.read_text())
    if keys := configuration.differing_keys(there, configuration.to_json(config)):
        raise WorkdirError(
            f"{workdir} holds a run with another config, differing in {', '.join(keys)}: "
            "use the same config to go on with it, or another --workdir"
        )
