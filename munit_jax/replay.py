"""Take a step of training again whose numbers were not finite, and list where the first of them arise.

    python -m munit_jax.replay --case=RUN/diagnostics/step_0001234

docs/long_runs.md tells when a run leaves such a folder.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from munit_jax import command_line
from munit_jax.errors import DataError, UserError

FLAGS = flags.FlagValues()
CASE = flags.DEFINE_string(
    "case", None, "Folder that a run left when it stopped: RUN/diagnostics/step_...", flag_values=FLAGS
)


def main(_: Sequence[str]) -> None:
    """Replay the step and print where its numbers cease to be finite."""
    if CASE.value is None:
        raise UserError("no case: give --case=RUN/diagnostics/step_..., the folder that the run named when it stopped")
    from munit_jax import configuration
    from munit_jax.configuration import Config
    from munit_jax.training.diagnosis import load_case, replay, table

    folder = Path(CASE.value)
    try:
        config: Config = ConfigDict(json.loads((folder / "config.json").read_text()))
        report = json.loads((folder / "report.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {folder}: {error}; give a folder of RUN/diagnostics") from None
    configuration.validate(config, devices=1)
    recipe = configuration.recipe(config)
    state, batch = load_case(folder, recipe, config.batch_size)
    command_line.logger.info(
        "step %d, not applied; examples of %s\nnot finite were: %s\n",
        report["step"],
        ", ".join(report["times"]),
        ", ".join(report["not_finite"]),
    )
    applied, findings = replay(recipe, config.seed, state, batch)
    command_line.logger.info("%s", table(findings))
    command_line.logger.info(
        "\ntaken again, the step is %s",
        "applied: its numbers are finite here, so it depends on the device"
        if applied
        else "not applied, as in the run",
    )


if __name__ == "__main__":
    command_line.run(main, FLAGS)
