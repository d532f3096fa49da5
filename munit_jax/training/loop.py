"""The training loop: from a config to checkpoints, logs and a summary in a run's folder."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from munit_jax.data.datasets import describe_images, format_time
from munit_jax.data.pipeline import training_batches
from munit_jax.errors import ConfigError, TrainingError
from munit_jax.field_strength import STRENGTH
from munit_jax.files import write_json
from munit_jax.training import hosts
from munit_jax.training.checkpoints import Checkpoints, bytes_kept, sha256
from munit_jax.training.health import Health
from munit_jax.training.logs import ScalarWriter
from munit_jax.training.monitor import BEST_BY, Monitor
from munit_jax.training.objectives import Objective
from munit_jax.training.parallel import (
    Device,
    compile_step,
    local_copy,
    make_parallel_step,
    replicate,
    split_batch,
    to_devices,
)
from munit_jax.training.sessions import add_session, session
from munit_jax.training.settings import RunConfig, check_image_size
from munit_jax.training.state import TrainState, init_state, make_optimizers
from munit_jax.training.step import Batch, Metrics
from munit_jax.training.stopping import Stopped, StopRequest
from munit_jax.training.workdir import check_datasets, check_space, claimed, full_disk_explained, generators_of

logger = logging.getLogger(__name__)

WARM_UP_STEPS = 2  # the first step compiles; they do not count in images per second
BYTES_LOGGED = 3000  # a step, in metrics.jsonl and for TensorBoard


def train_and_evaluate(config: RunConfig, workdir: Path) -> dict[str, Any] | None:
    """Train as the config says, or resume the run in `workdir`; return the summary that is written there.

    None if the process was asked to stop before the end; the same call then resumes. With several processes, joined
    before (see `munit_jax.training.hosts`), all of them make the same call.

    Leaves checkpoints/, best/, tensorboard/, metrics.jsonl, scores.jsonl, samples/, config.json, images.json,
    sessions.jsonl, summary.json and, where the config asks for it, strength.json.

    Raises:
        ConfigError, DataError, WorkdirError: before any work is done; for a frame with NaN when it is first read, for
            a disk that fills up when that happens.
        TrainingError: too many steps in a row were not finite.
    """
    devices, recipe = jax.devices(), config.recipe
    local = len(jax.local_devices())
    if local * jax.process_count() != len(devices):
        raise ConfigError(f"every process needs the same number of devices, this has {local} of {len(devices)}")
    stop = StopRequest()
    with hosts.first_alone("data"):  # it may have to build the synthetic Sun
        monitor = Monitor(config, stop.until_asked)
    if not config.data.crop:
        check_image_size(recipe.architecture, monitor.size, f"image size of {config.data.euv}")
    with claimed(workdir, config.source, hosts.writes()), full_disk_explained(workdir), stop:
        random = init_state(recipe.architecture, make_optimizers(recipe.optimizer), config.run.seed)
        state = replicate(random, devices)
        check_space(workdir, bytes_kept(state) + BYTES_LOGGED * config.run.steps)
        with Checkpoints(workdir, config.source) as checkpoints:
            if restored := checkpoints.restore(state):
                state = restored
            elif start_from := config.run.start_from:
                generators = generators_of(start_from, recipe.architecture, config.source, random.generators)
                state = replicate(random.replace(generators=generators, ema=generators), devices)
            first = int(state.step)
            images = describe_images(config.data.datasets, config.data.data_dir)
            if first:
                check_datasets(workdir, images)
            if hosts.writes():
                write_json(workdir / "config.json", config.source)
                write_json(workdir / "images.json", images)
                if strength := monitor.translator.strength:
                    write_json(workdir / STRENGTH, strength.coefficients)
                _log_start(state, workdir, recipe.objective)
            with ScalarWriter(workdir, first) as writer:
                training = Training(config, workdir, devices, checkpoints, monitor, writer, stop)
                try:
                    stop.begin(first)
                    return training.run(state)
                except Stopped:
                    checkpoints.wait()
                    saved = checkpoints.latest_step() or 0
                    logger.info("stopped at step %d of %d: run the same command to resume", saved, config.run.steps)
                    return None


def _log_start(state: TrainState, workdir: Path, objective: Objective) -> None:
    weights = objective.weights
    terms = ", ".join(f"{name} {weight:g}" for name, weight in weights.items() if weight)
    logger.info("loss terms: %s; left out: %s", terms, ", ".join(name for name in weights if not weights[name]))
    for side, params in (("generators", state.generators), ("discriminators", state.discriminators)):
        count = sum(leaf.size for leaf in jax.tree.leaves(params))
        untrained = ", not trained" if side == "discriminators" and not objective.adversarial_weight else ""
        logger.info("%s: %.2f million parameters%s", side, count / 1e6, untrained)
    names = ", ".join(f"{d.device_kind} {d.id}" for d in jax.devices())
    logger.info("devices: %d (%s), processes: %d", jax.device_count(), names, jax.process_count())
    first = int(state.step)
    if first:
        logger.info("resuming from step %d of the run in %s", first, workdir)
    for difference in add_session(workdir / "sessions.jsonl", session(first)):
        logger.warning("not as when this run was last started: %s; the last digits may differ", difference)


class Pending(NamedTuple):
    """A dispatched step with metrics still to be fetched."""

    step: int
    metrics: Metrics
    times: Mapping[str, np.ndarray]  # of its examples, seconds since 1970, by domain


@dataclass
class Training:
    """The loop over steps with its logs, checkpoints and scores."""

    config: RunConfig
    workdir: Path
    devices: Sequence[Device]
    checkpoints: Checkpoints
    monitor: Monitor
    writer: ScalarWriter
    stop: StopRequest
    health: Health = field(default_factory=Health)
    steps_timed: int = -WARM_UP_STEPS
    seconds: float = 0.0

    def run(self, state: TrainState) -> dict[str, Any] | None:
        """Train from the state's step to the config's last; return the summary, None where this process does not write.

        Raises:
            Stopped: the process was asked to; the newest checkpoint has all that was done.
        """
        first = int(state.step)
        due = first and self._evaluated(first) and self.writer.scores.last.get("step") != first
        if hosts.agree(bool(due)):
            self._evaluate(state, first)  # the run was stopped before it was done
        state = self._take_steps(state, first)
        self.checkpoints.wait()
        summary = self._summary(state) if hosts.writes() else None
        hosts.wait("summary")
        return summary

    def images_per_second(self) -> float | None:
        """Return the mean rate of the steps of this session, without compilation, evaluation and saving."""
        return self.steps_timed * self.config.run.batch_size / self.seconds if self.steps_timed > 0 else None

    def _evaluated(self, step: int) -> bool:
        settings = self.config.run
        return step == settings.steps or step % settings.eval_every == 0

    def _take_steps(self, state: TrainState, first: int) -> TrainState:
        config, settings = self.config, self.config.run
        if first >= settings.steps:
            return state
        host, seed = (jax.process_index(), jax.process_count()), settings.seed
        examples = training_batches(config.data, settings.batch_size, seed, *host, first)
        one = next(examples)
        take_step = compile_step(make_parallel_step(config.recipe, seed, self.devices), state, self._share(one))
        self.stop.check()
        pending: Pending | None = None
        quiet = not hosts.writes()
        with tqdm(total=settings.steps, initial=first, unit="step", dynamic_ncols=True, disable=quiet) as bar:
            for step, example in zip(range(first + 1, settings.steps + 1), chain([one], examples), strict=False):
                start = time.perf_counter()
                state, metrics = take_step(state, to_devices(self._share(example), self.devices))
                # The metrics of the step before are fetched while this one is computed: the device never waits.
                before, pending = pending, Pending(step, metrics, example["time"])
                if before is not None:
                    self._report(before, bar)
                # Read once: a request that comes while this step is saved waits for the next.
                stopping = self.stop.asked(step)
                save = stopping or self._evaluated(step) or step % settings.checkpoint_every == 0
                if save:
                    jax.block_until_ready(state)
                self._clock(time.perf_counter() - start)
                bar.update()
                if not save:
                    self.checkpoints.check()
                    continue
                self._report(pending, bar)
                pending = None
                self.writer.flush()
                self.checkpoints.save(step, state)
                if stopping:
                    raise Stopped
                if self._evaluated(step):
                    self._evaluate(state, step)
        return state

    def _share(self, example: Mapping[str, Any]) -> Batch:
        host = jax.process_index(), jax.process_count()
        return split_batch(example["images"], jax.local_device_count(), *host, example.get("contexts"))

    def _evaluate(self, state: TrainState, step: int) -> None:
        scores: dict[str, float] = {}
        if hosts.writes():
            ema = local_copy(state.ema)
            self.monitor.picture(ema, self.workdir / "samples" / f"step_{step:07d}.png", step)
            scores = {name: value for name, value in self.monitor.validation_scores(ema).items() if value is not None}
            self.health.watch_scores(step, scores)
        best_by = self.config.run.best_by
        score = hosts.agree(scores.get(best_by, np.nan))
        if np.isfinite(score):
            self.checkpoints.keep_if_best(step, state.ema, score, BEST_BY[best_by])
        self.writer.write_scores(step, scores)

    def _report(self, pending: Pending, bar: tqdm) -> None:
        """Log a step; raise TrainingError if it is one too many in a row with non-finite numbers."""
        scalars = {name: float(value) for name, value in jax.device_get(pending.metrics).items()}
        speed = self.images_per_second()
        if speed is not None:
            scalars["images_per_second"] = speed
        self.writer.write(pending.step, scalars)
        if in_a_row := int(scalars["skipped_in_a_row"]):
            self._report_skipped(pending, scalars, in_a_row)
        elif hosts.writes():
            self.health.watch_step(pending.step, scalars)
        totals = {side[0].upper(): scalars.get(f"{side}_total") for side in ("generator", "discriminator")}
        described = " ".join(f"{side} {total:.3f}" for side, total in totals.items() if total is not None)
        bar.set_description(described, refresh=False)
        bar.set_postfix_str(f"{speed:.1f} images/s" if speed else "", refresh=False)

    def _report_skipped(self, pending: Pending, scalars: Mapping[str, float], in_a_row: int) -> None:
        names = ", ".join(sorted(name for name, value in scalars.items() if not np.isfinite(value)))
        times = ", ".join(sorted({format_time(time) for times in pending.times.values() for time in times}))
        logger.warning(
            "step %d is not applied, since these are not finite: %s (%d in a row, %d in all); examples of %s",
            pending.step,
            names,
            in_a_row,
            scalars["skipped"],
            times,
        )
        if in_a_row > self.config.run.max_skipped_in_a_row:
            self.writer.flush()
            raise TrainingError(
                f"{in_a_row} steps in a row were not finite, the last of them {pending.step} ({names}; examples of "
                f"{times}); {self.checkpoints.standing()}: lower optimizer.learning_rate, or set "
                "optimizer.clip_norm, in another --workdir"
            )

    def _summary(self, state: TrainState) -> dict[str, Any]:
        logger.info("scoring the test split")
        ema = local_copy(state.ema)
        metrics = self.writer.metrics.last
        summary = {
            "steps": int(state.step),
            # A run that had nothing left to do keeps the rate it was logged with.
            "images_per_second": self.images_per_second() or metrics.get("images_per_second"),
            "losses": metrics,
            "held_out": self.monitor.test_scores(ema),
            "baselines": self.monitor.baselines(),
            "params_sha256": sha256(
                {"generators": state.generators, "discriminators": state.discriminators, "ema": state.ema}
            ),
        }
        write_json(self.workdir / "summary.json", summary)
        return summary

    def _clock(self, seconds: float) -> None:
        self.steps_timed += 1
        if self.steps_timed > 0:
            self.seconds += seconds
