"""Warnings by name: once when something goes wrong, again only after it was right."""

import pytest

from munit_jax.training.health import STEPS_BEFORE_JUDGING, Health


def accuracies(euv: float, magnetogram: float) -> dict[str, float]:
    return {"discriminator_accuracy_euv": euv, "discriminator_accuracy_magnetogram": magnetogram}


def test_a_discriminator_that_has_won_is_reported_once(caplog):
    health = Health()
    for step in range(1, 1001):
        health.watch_step(step, accuracies(0.6, 1.0))
    (record,) = caplog.records
    # The mean starts at 1/2, so 1 - 0.99^n / 2 > 0.99 after 390 steps.
    assert record.message.startswith(
        "discriminator collapse (magnetogram): at step 390 it classifies 99.0 % of the patches"
    )
    assert "lower optimizer.discriminator_learning_rate" in record.message
    for step in range(1001, 1101):
        health.watch_step(step, accuracies(0.6, 0.7))
    assert len(caplog.records) == 1
    for step in range(1101, 2000):
        health.watch_step(step, accuracies(0.6, 1.0))
    assert len(caplog.records) == 2


def test_a_discriminator_that_gives_one_answer_is_reported(caplog):
    health = Health()
    for step in range(1, STEPS_BEFORE_JUDGING + 1):
        health.watch_step(step, accuracies(0.5, 0.5 if step > 1 else 0.51))
    (record,) = caplog.records
    assert record.message.startswith("discriminator collapse (euv), constant: for 300 steps up to 300")


@pytest.mark.parametrize(("spread", "warned"), [(0.0, True), (0.19, True), (0.21, False)])
def test_realisations_that_are_all_equal_are_reported(caplog, spread, warned):
    """Less than a hundredth of a field of 20 G."""
    Health().watch_scores(400, {"spread": spread, "rms": 20.0})
    assert [record.message.split(":")[0] for record in caplog.records] == ["style collapse"] * warned
