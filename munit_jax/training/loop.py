"""A training run from its config to its summary."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from clu import parameter_overview
from tqdm import tqdm

from munit_jax import configuration
from munit_jax.configuration import Config
from munit_jax.data.datasets import describe_images, format_time
from munit_jax.data.pipeline import DataSettings, training_batches
from munit_jax.errors import ConfigError, TrainingError
from munit_jax.training import diagnosis
from munit_jax.training.checkpoints import Checkpoints, bytes_kept
from munit_jax.training.checksum import sha256
from munit_jax.training.compilation import compile_step
from munit_jax.training.health import Health
from munit_jax.training.hosts import Host, this_host
from munit_jax.training.monitor import Monitor
from munit_jax.training.parallel import Device, local_copy, make_parallel_step, replicate, split_batch, to_devices
from munit_jax.training.record import add_session, session
from munit_jax.training.state import TrainState, init_state, make_optimizers, with_generators
from munit_jax.training.step import Batch, Metrics, Recipe
from munit_jax.training.stopping import Stopped, StopRequest
from munit_jax.training.transfer import generators_of
from munit_jax.training.workdir import check_space, claimed, full_disk_told
from munit_jax.training.writers import ScalarWriter, write_json

logger = logging.getLogger(__name__)

WARM_UP_STEPS = 2  # the first step compiles; they do not count in images per second
BYTES_LOGGED = 3000  # a step, in metrics.jsonl and for TensorBoard
BEST_BY = "abs_correlation"  # the held-out score of the checkpoint that is kept as the best; higher is better


def train_and_evaluate(config: Config, workdir: Path) -> dict[str, Any] | None:
    """Train as the config says, or go on where the run in `workdir` stopped; return the summary that is left there.

    None if the process was asked to stop before the end; the same call then goes on. With several processes, joined
    before (see `munit_jax.training.hosts`), all of them make the same call.

    Leaves checkpoints/, best/, tensorboard/, metrics.jsonl, scores.jsonl, samples/, config.json, images.json,
    sessions.jsonl and summary.json.

    Raises:
        ConfigError, DataError, WorkdirError: before any work is done; for a frame with NaN when it is first read, for
            a disk that fills up when that happens.
        TrainingError: the numbers went wrong for good.
    """
    host, devices = this_host(), jax.devices()
    local = len(jax.local_devices())
    if local * host.count != len(devices):
        raise ConfigError(f"every process needs the same number of devices, this has {local} of {len(devices)}")
    configuration.validate(config, len(devices))
    stop = StopRequest(host.count)
    with host.ends_alone():
        with host.first_alone("data"):  # it may have to make the synthetic Sun
            config = configuration.with_numbers(configuration.with_convolution(config, devices[0].platform))
            recipe, settings = configuration.recipe(config), configuration.data_settings(config)
            monitor = Monitor(config, settings, recipe.architecture, stop.until_asked)
        if not config.data.crop:
            configuration.check_image_size(config, monitor.frames.size, f"image size of {settings.euv}")
        config_json = configuration.to_json(config)
        with claimed(workdir, config_json, host.writes), full_disk_told(workdir), stop:
            beginning = init_state(recipe.architecture, make_optimizers(recipe.optimizer), config.seed)
            state = replicate(beginning, devices)
            check_space(workdir, bytes_kept(state) + BYTES_LOGGED * config.steps)
            with Checkpoints(workdir, config_json, host) as checkpoints:
                if restored := checkpoints.restore(state):
                    state = restored
                elif start_from := config.get("start_from"):
                    generators = generators_of(start_from, recipe.architecture)
                    state = replicate(with_generators(beginning, generators), devices)
                first = int(state.step)
                if host.writes:
                    write_json(workdir / "config.json", config_json)
                    write_json(workdir / "images.json", describe_images(settings.euv, settings.data_dir))
                    _tell(state, workdir)
                with ScalarWriter(workdir, first, host.writes) as writer:
                    run = Run(config, recipe, settings, workdir, host, devices, checkpoints, monitor, writer, stop)
                    try:
                        stop.begin(first)
                        return Training(run)(state)
                    except Stopped:
                        checkpoints.wait()
                        saved = checkpoints.latest_step() or 0
                        logger.info("stopped at step %d of %d: run the same command to go on", saved, config.steps)
                        return None


def _tell(state: TrainState, workdir: Path) -> None:
    parameters = {"generators": state.generators, "discriminators": state.discriminators}
    logger.info("parameters:\n%s", parameter_overview.get_parameter_overview(parameters, include_stats=False))
    names = ", ".join(f"{d.device_kind} {d.id}" for d in jax.devices())
    logger.info("%d devices in %d processes: %s", jax.device_count(), jax.process_count(), names)
    first = int(state.step)
    if first:
        logger.info("going on from step %d of the run in %s", first, workdir)
    for difference in add_session(workdir / "sessions.jsonl", session(first)):
        logger.warning("not as when this run was last started: %s; the last digits may differ", difference)


@dataclass(frozen=True)
class Run:
    """What a run works with."""

    config: Config
    recipe: Recipe
    settings: DataSettings
    workdir: Path
    host: Host
    devices: Sequence[Device]
    checkpoints: Checkpoints
    monitor: Monitor
    writer: ScalarWriter
    stop: StopRequest


class Taken(NamedTuple):
    """A step that was given to the devices, whose scalars are still to be fetched."""

    step: int
    metrics: Metrics
    batch: Batch  # this host's part
    times: Mapping[str, np.ndarray]  # of its examples, seconds since 1970, by domain


class Training:
    """The loop over steps, with all that it reports to. `train(state)` goes from a state to the summary."""

    def __init__(self, run: Run):
        self.run, self.health = run, Health()
        self.steps_timed, self.seconds = -WARM_UP_STEPS, 0.0

    def __call__(self, state: TrainState) -> dict[str, Any] | None:
        """Train from the state's step to the config's last, and score; None for the processes that do not write.

        Raises:
            Stopped: the process was asked to; the newest checkpoint has all that was done.
            TrainingError, WorkdirError: see `train_and_evaluate`.
        """
        run, first = self.run, int(state.step)
        due = first and self._evaluated(first) and run.writer.scores.last.get("step") != first
        if run.host.agree(bool(due)):
            self._evaluate(state, first)  # the run was stopped before it was done
        state = self._take_steps(state, first)
        run.checkpoints.wait()
        summary = self._summary(state) if run.host.writes else None
        run.host.wait("summary")
        return summary

    def images_per_second(self) -> float | None:
        """Return the mean rate of the steps of this session, without compilation, evaluation and saving."""
        return self.steps_timed * self.run.config.batch_size / self.seconds if self.steps_timed > 0 else None

    def _evaluated(self, step: int) -> bool:
        return step == self.run.config.steps or step % self.run.config.eval_every == 0

    def _take_steps(self, state: TrainState, first: int) -> TrainState:
        run, config = self.run, self.run.config
        if first >= config.steps:
            return state
        examples = training_batches(run.settings, config.batch_size, config.seed, run.host.index, run.host.count, first)
        one = next(examples)
        step_function = make_parallel_step(run.recipe, config.seed, run.devices)
        take_step = compile_step(step_function, state, self._share(one))
        run.stop.check()
        pending: Taken | None = None
        with tqdm(
            total=config.steps, initial=first, unit="step", dynamic_ncols=True, disable=not run.host.writes
        ) as bar:
            for step, example in zip(range(first + 1, config.steps + 1), chain([one], examples), strict=False):
                begin = time.perf_counter()
                batch = self._share(example)
                state, metrics = take_step(state, to_devices(batch, run.devices))
                # The scalars of the step before are fetched while this one is computed: the device never waits.
                before, pending = pending, Taken(step, metrics, batch, example["time"])
                if before is not None and self._report(before, bar) > config.max_skipped_in_a_row:
                    self._give_up_if_stuck(pending, state)
                # Read once: a request that comes while this step is saved waits for the next.
                stopping = run.stop.asked(step)
                save = stopping or self._evaluated(step) or step % config.checkpoint_every == 0
                if save:
                    jax.block_until_ready(state)
                self._clock(time.perf_counter() - begin)
                bar.update()
                if not save:
                    run.checkpoints.check()
                    continue
                if self._report(pending, bar) > config.max_skipped_in_a_row:
                    self._give_up_if_stuck(pending, state)
                pending = None
                run.writer.flush()
                run.checkpoints.save(step, state)
                if stopping:
                    raise Stopped
                if self._evaluated(step):
                    self._evaluate(state, step)
        return state

    def _share(self, example: Mapping[str, Any]) -> Batch:
        run = self.run
        return split_batch(
            example["images"], jax.local_device_count(), run.host.index, run.host.count, example.get("contexts")
        )

    def _evaluate(self, state: TrainState, step: int) -> None:
        run = self.run
        scores: dict[str, float] = {}
        if run.host.writes:
            ema = local_copy(state.ema)
            run.monitor.picture(ema, run.workdir / "samples" / f"step_{step:07d}.png", step)
            scores = {name: value for name, value in run.monitor.validation_scores(ema).items() if value is not None}
            self.health.watch_scores(step, scores)
        best_by = run.host.agree(scores.get(BEST_BY, np.nan))
        if np.isfinite(best_by):
            run.checkpoints.keep_if_best(step, state.ema, best_by)
        run.writer.write_scores(step, scores)

    def _report(self, taken: Taken, bar: tqdm) -> int:
        """Tell of a step, and return how many in a row were not applied, this one the last."""
        scalars = {name: float(value) for name, value in jax.device_get(taken.metrics).items()}
        speed = self.images_per_second()
        if speed is not None:
            scalars["images_per_second"] = speed
        self.run.writer.write(taken.step, scalars)
        if scalars["skipped_in_a_row"]:
            logger.warning(
                "step %d is not applied, since these are not finite: %s (%d in a row, %d in all); examples of %s",
                taken.step,
                ", ".join(diagnosis.not_finite(scalars)),
                scalars["skipped_in_a_row"],
                scalars["skipped"],
                ", ".join(_times(taken)),
            )
        elif self.run.host.writes:
            self.health.watch_step(taken.step, scalars)
        totals = {side[0].upper(): scalars.get(f"{side}_total") for side in ("generator", "discriminator")}
        described = " ".join(f"{side} {total:.3f}" for side, total in totals.items() if total is not None)
        bar.set_description(described, refresh=False)
        bar.set_postfix_str(f"{speed:.1f} images/s" if speed else "", refresh=False)
        return int(scalars["skipped_in_a_row"])

    def _give_up_if_stuck(self, newest: Taken, state: TrainState) -> None:
        """Stop a run that no longer gets ahead, with what is needed to see why.

        The state can be kept for it, since a step that is not applied leaves it as it was. So it is the newest step
        that must have failed, not only the one whose scalars have come.
        """
        run = self.run
        if state.skipped_in_a_row <= run.config.max_skipped_in_a_row:
            return
        metrics = {name: float(value) for name, value in jax.device_get(newest.metrics).items()}
        folder = run.workdir / "diagnostics" / f"step_{newest.step:07d}"
        report = {"step": newest.step, "times": _times(newest), "not_finite": diagnosis.not_finite(metrics)}
        config_json = configuration.to_json(run.config)
        diagnosis.save_case(folder, config_json, state, newest.batch, run.host.index, report)
        raise TrainingError(
            f"{int(metrics['skipped_in_a_row'])} steps in a row were not finite, the last of them {newest.step}: it is "
            f"kept in {folder}, and `python -m munit_jax.replay --case={folder}` says where it goes wrong; "
            f"{run.checkpoints.standing()}"
        )

    def _summary(self, state: TrainState) -> dict[str, Any]:
        run = self.run
        logger.info("scoring the held-out frames")
        ema = local_copy(state.ema)
        metrics = run.writer.metrics.last
        summary = {
            "steps": int(state.step),
            # A run that had nothing left to do keeps the rate it was logged with.
            "images_per_second": self.images_per_second() or metrics.get("images_per_second"),
            "losses": metrics,
            "held_out": run.monitor.scores(ema),
            "baselines": run.monitor.baselines(),
            "params_sha256": sha256(
                {"generators": state.generators, "discriminators": state.discriminators, "ema": state.ema}
            ),
        }
        write_json(run.workdir / "summary.json", summary)
        return summary

    def _clock(self, seconds: float) -> None:
        self.steps_timed += 1
        if self.steps_timed > 0:
            self.seconds += seconds


def _times(taken: Taken) -> list[str]:
    """Return the times of a step's examples, each once."""
    return sorted({format_time(time) for times in taken.times.values() for time in times})
