"""From prepared datasets to batches: paired and unpaired, repeatable, and clear about what is missing or bad."""

import shutil

import numpy as np
import pytest

from munit_jax.data import pipeline
from munit_jax.data.augment import flip_images
from munit_jax.data.context import context_signs
from munit_jax.data.datasets import Frames, open_dataset, spaced
from munit_jax.data.normalization import Normalization, denormalize, normalize
from munit_jax.data.pipeline import DataSettings, frame_context, training_batches
from munit_jax.errors import ConfigError, DataError
from tests.tfds_sdoml.sun_images import write_aia, write_hmi
from tfds_sdoml.build import build
from tfds_sdoml.preparation import only_build

NAME = "sdoml/small"
PLANES = ("hale_latitude", "mu", "cycle_phase")
TURNED = context_signs(PLANES)
NORMALIZATION = {
    "euv": Normalization("asinh", False, (50.0,), (10_000.0,)),
    "magnetogram": Normalization("asinh", True, (20.0,), (2_000.0,)),
}


def settings(**changes) -> DataSettings:
    values = {"euv": NAME, "magnetogram": NAME, "paired": True, "channels": ("0193",), "crop": 0, "flip": "none"}
    return DataSettings(**(values | {"normalization": NORMALIZATION, "data_dir": None} | changes))


def frames(split="train", domains=("euv", "magnetogram"), channels=("0193",)) -> Frames:
    return Frames(NAME, split, domains, channels, None)


def test_frames_are_read_one_after_the_other(small_sun):
    test = Frames("sdoml/small", "test", ("euv",), ("0171",), None)
    assert [frame["time"] for frame in test] == test.times().tolist()


def test_frames_pick_channels_in_the_order_asked(small_sun):
    both, swapped = frames(channels=("0171", "0193"))[0], frames(channels=("0193", "0171"))[0]
    np.testing.assert_array_equal(both["euv"], swapped["euv"][..., ::-1])
    assert both["euv"].shape == (16, 16, 2)
    assert both["magnetogram"].shape == (16, 16, 1)
    with pytest.raises(ConfigError, match=r"sdoml/small has no channel 0094, only 0171, 0193"):
        frames(channels=("0094",))


def test_batches_hold_normalised_frames(small_sun):
    batch = next(training_batches(settings(), 3, seed=0))
    train = frames()
    by_time = {int(train[i]["time"]): train[i] for i in range(len(train))}
    np.testing.assert_array_equal(batch["time"]["euv"], batch["time"]["magnetogram"])
    assert len(set(batch["time"]["euv"])) == 3
    for domain in ("euv", "magnetogram"):
        images = batch["images"][domain]
        assert images.shape == (3, 16, 16, 1)
        assert images.dtype == np.float32
        assert np.abs(images).max() <= 1
        for image, time in zip(images, batch["time"][domain], strict=True):
            np.testing.assert_allclose(
                denormalize(NORMALIZATION[domain], image), by_time[int(time)][domain], rtol=1e-3, atol=1e-2
            )


def test_every_frame_comes_once_an_epoch_and_the_order_changes(small_sun):
    count = len(frames())
    iterator = training_batches(settings(), 1, seed=0)
    epochs = [[int(next(iterator)["time"]["euv"][0]) for _ in range(count)] for _ in range(2)]
    assert len(set(epochs[0])) == count
    assert set(epochs[0]) == set(epochs[1])
    assert epochs[0] != epochs[1]


def test_unpaired_domains_are_shuffled_each_for_itself(small_sun):
    iterator = training_batches(settings(paired=False), 4, seed=0)
    times = [next(iterator)["time"] for _ in range(10)]
    euv, magnetogram = (np.concatenate([t[d] for t in times]) for d in ("euv", "magnetogram"))
    assert np.mean(euv == magnetogram) < 0.5


def test_a_seed_fixes_the_batches_and_a_run_goes_on_with_any(small_sun):
    """Beginning with a later batch gives what going through those before gives, crops and flips included."""
    asked = settings(crop=8, flip="physical")
    iterator = training_batches(asked, 2, seed=5)
    whole = [next(iterator) for _ in range(40)]  # more than an epoch of 52 frames
    for first in (0, 1, 30):
        again = training_batches(asked, 2, seed=5, first=first)
        for expected in whole[first : first + 3]:
            batch = next(again)
            for domain in ("euv", "magnetogram"):
                np.testing.assert_array_equal(batch["images"][domain], expected["images"][domain])
                np.testing.assert_array_equal(batch["time"][domain], expected["time"][domain])
    different = next(training_batches(asked, 2, seed=6))
    assert (different["images"]["euv"] != whole[0]["images"]["euv"]).any()


@pytest.mark.parametrize("paired", [True, False])
def test_hosts_share_the_examples_of_one(small_sun, paired):
    asked = settings(crop=8, flip="physical", paired=paired, context=PLANES, reversal=True)
    alone = training_batches(asked, 4, seed=1)
    shared = [training_batches(asked, 4, seed=1, host=host, hosts=2) for host in range(2)]
    for _ in range(12):  # more than an epoch
        whole, parts = next(alone), [next(iterator) for iterator in shared]
        for domain in ("euv", "magnetogram"):
            assert parts[0]["images"][domain].shape == (2, 8, 8, 1)
            for host, part in enumerate(parts):
                np.testing.assert_array_equal(part["images"][domain], whole["images"][domain][host::2])
                np.testing.assert_array_equal(part["contexts"][domain], whole["contexts"][domain][host::2])


@pytest.fixture
def by_time(small_sun):
    """The frames of the train split by their time, each with its context."""
    train = frames()
    every = [train[i] for i in range(len(train))]
    return {int(frame["time"]): {**frame, "context": frame_context(PLANES, frame)} for frame in every}


def examples(batch):
    """Each image of a batch: its domain, its time, itself and its context."""
    for domain, images in batch["images"].items():
        for image, time, planes in zip(images, batch["time"][domain], batch["contexts"][domain], strict=True):
            yield domain, int(time), image, planes


def cuts(frame, domain, size):
    """Every crop of a frame's image with its context, flipped physically and not: (place, flipped), image, context."""
    whole = {domain: frame[domain], "context": frame["context"]}
    for row, column in np.ndindex(*(n - size + 1 for n in frame[domain].shape[:2])):
        cut = {name: image[row : row + size, column : column + size] for name, image in whole.items()}
        for flipped in (False, True):
            seen = flip_images(cut, {"magnetogram": -1, "context": TURNED}) if flipped else cut
            yield (row, column, flipped), normalize(NORMALIZATION[domain], seen[domain]), seen["context"]


@pytest.mark.parametrize("paired", [True, False])
def test_a_context_is_of_the_frame_the_crop_and_the_flip_of_its_image(by_time, paired):
    """Where an image is cut from is found by comparing it with all cuts of its frame; there its planes are too."""
    iterator = training_batches(settings(paired=paired, crop=8, flip="physical", context=PLANES), 4, seed=3)
    places, times = set(), []
    for batch in (next(iterator) for _ in range(4)):
        times += zip(*(batch["time"][domain] for domain in ("euv", "magnetogram")), strict=True)
        for domain, time, image, planes in examples(batch):
            assert planes.shape == (8, 8, 3)
            assert planes.dtype == np.float32
            fitting = [cut for cut in cuts(by_time[time], domain, 8) if np.array_equal(cut[1], image)]
            ((place, _, expected),) = fitting
            np.testing.assert_array_equal(planes, expected)
            places.add(place)
    assert {flipped for *_, flipped in places} == {True, False}
    assert len(places) > 8
    assert all(euv == magnetogram for euv, magnetogram in times) == paired


def test_planes_change_nothing_in_the_images_and_are_not_there_unasked(small_sun):
    changes = {"crop": 8, "flip": "physical"}
    plain, conditioned = (training_batches(settings(context=c, **changes), 3, seed=1) for c in ((), PLANES))
    for _ in range(3):
        without, batch = next(plain), next(conditioned)
        assert set(without) == {"images", "time"}
        assert set(batch) == {"images", "time", "contexts"}
        for domain in ("euv", "magnetogram"):
            np.testing.assert_array_equal(without["images"][domain], batch["images"][domain])


def test_a_reversal_turns_the_field_and_hale_latitude_together_and_never_the_emission(by_time):
    iterator = training_batches(settings(context=PLANES, reversal=True), 4, seed=0)
    turned = []
    for batch in (next(iterator) for _ in range(25)):
        field = {}
        for domain, time, image, planes in examples(batch):
            frame = by_time[time]
            reverse = bool((planes != frame["context"]).any())
            np.testing.assert_array_equal(planes, frame["context"] * TURNED if reverse else frame["context"])
            physical = frame[domain] * (-1 if reverse and domain == "magnetogram" else 1)
            np.testing.assert_array_equal(image, normalize(NORMALIZATION[domain], physical))
            field.setdefault(domain, []).append(reverse)
        assert field["euv"] == field["magnetogram"], "paired, both are of one Sun"
        turned += field["magnetogram"]
    assert np.mean(turned) == pytest.approx(0.5, abs=0.15)


def test_unpaired_each_domain_has_a_reversal_of_its_own(by_time):
    iterator = training_batches(settings(paired=False, context=PLANES, reversal=True), 4, seed=0)
    turned = {"euv": [], "magnetogram": []}
    for batch in (next(iterator) for _ in range(10)):
        for domain, time, image, planes in examples(batch):
            frame = by_time[time]
            reverse = bool((planes != frame["context"]).any())
            physical = frame[domain] * (-1 if reverse and domain == "magnetogram" else 1)
            np.testing.assert_array_equal(image, normalize(NORMALIZATION[domain], physical))
            turned[domain].append(reverse)
    assert 0.2 < np.mean(np.array(turned["euv"]) == turned["magnetogram"]) < 0.8


def test_a_frame_whose_cycle_is_not_known(small_sun):
    frame = frames()[0] | {"time": np.array(0)}
    with pytest.raises(DataError, match=r"^data\.context: 1970-01-01: the cycles are known from 1976-03-01"):
        frame_context(("hale_latitude",), frame)
    assert frame_context((), frame) is None


def test_float16_and_the_vector_field_become_float32_along_the_line_of_sight(tmp_path):
    for component, strength in (("bx", 5.0), ("by", 50.0), ("bz", 20.0)):
        write_hmi(tmp_path, "20110215_0000", strength, component)
    write_aia(tmp_path, "20110215_0000")
    changes = {"channels": ("0193",), "field": ("bx", "by", "bz")}
    build("vector", tmp_path, tmp_path, changes)
    frame = Frames("sdoml/vector", "train", ("euv", "magnetogram"), ("0193",), str(tmp_path))[0]
    assert frame["magnetogram"].shape == (512, 512, 1)
    assert frame["magnetogram"].dtype == frame["euv"].dtype == np.float32
    assert frame["magnetogram"][156:356, 156:356].std() == pytest.approx(20, rel=0.02)
    build("transverse", tmp_path, tmp_path, {"field": ("bx", "by")})
    with pytest.raises(ConfigError, match="sdoml/transverse has bx, by only: the networks are for bz"):
        Frames("sdoml/transverse", "train", ("magnetogram",), (), str(tmp_path))


def test_not_finite_values_are_named_with_count_time_and_place(small_sun, monkeypatch):
    train = frames()
    good = train.source
    spoilt = [dict(good[i]) for i in range(len(good))]
    spoilt[1]["magnetogram"] = spoilt[1]["magnetogram"].copy()
    spoilt[1]["magnetogram"][3, 5:7] = np.nan
    train.source = spoilt
    place = r"sdoml/small, train split, 20\S+Z \(first at row 3, column 5\)"
    message = rf"2 of 256 values are not finite in the magnetogram of {place}"
    with pytest.raises(DataError, match=message):
        train[1]
    assert train[0]["magnetogram"].shape == (16, 16, 1)
    # ... and through the threads of the pipeline
    monkeypatch.setattr(pipeline, "Frames", lambda *_: train)
    with pytest.raises(DataError, match=message):
        for _, _ in zip(training_batches(settings(), 1, seed=0), range(len(spoilt)), strict=False):
            pass


def test_a_split_that_is_not_there_has_no_frames(small_sun):
    assert len(frames(split="nowhere")) == 0


def test_missing_datasets(tmp_path):
    with pytest.raises(
        DataError, match=r"sdoml/aia0193_hmi is not prepared: build it with `python -m tfds_sdoml.build"
    ):
        open_dataset("sdoml/aia0193_hmi", str(tmp_path))
    with pytest.raises(DataError, match=r"cannot open sdoml/aia9999 in /.*: unknown dataset .*; known are"):
        open_dataset("sdoml/aia9999", str(tmp_path))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"cannot make or read sdoml/synthetic_64: .*choose another --config.data.data_dir"
    ):
        open_dataset("sdoml/synthetic_64", str(tmp_path / "file" / "data"))


def test_a_dataset_that_another_process_makes(tmp_path):
    folder = tmp_path / "sdoml" / "synthetic_64"
    with only_build(folder), pytest.raises(DataError, match=r"another build of .* is at work: wait for it"):
        open_dataset("sdoml/synthetic_64", str(tmp_path))


def test_paired_needs_one_dataset(small_sun):
    with pytest.raises(ConfigError, match=r"data.paired needs one dataset with both domains"):
        training_batches(settings(magnetogram="sdoml/hmi_bz"), 1, seed=0)


def test_spaced():
    assert list(spaced(5, 0)) == list(spaced(5, 9)) == [0, 1, 2, 3, 4]
    assert list(spaced(101, 3)) == [0, 50, 100]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_file_is_named_with_what_to_do(small_sun_builder, tmp_path, damage):
    folder = tmp_path / "sdoml" / "small" / str(small_sun_builder.version)
    shutil.copytree(small_sun_builder.data_path, folder)
    (file,) = folder.glob("*train.array_record*")
    content = bytearray(file.read_bytes())
    frames = Frames("sdoml/small", "train", ("euv",), ("0193",), str(tmp_path))
    assert len(frames[0]["euv"]) == 16
    if damage == "gone":
        file.unlink()
    else:
        for place in range(len(content) // 8, len(content) * 7 // 8, 97):
            content[place] ^= 0x55
        file.write_bytes(bytes(content) if damage == "flipped" else bytes(content[: len(content) // 3]))
    frames = Frames("sdoml/small", "train", ("euv",), ("0193",), str(tmp_path))
    expected = rf"^{file} is damaged \(.*\): delete the folder {folder} and build sdoml/small again$"
    with pytest.raises(DataError, match=expected):
        [frames[i] for i in range(len(frames))]
    if damage != "flipped":  # the time may be in records that are whole
        with pytest.raises(DataError, match=expected):
            frames.times()
