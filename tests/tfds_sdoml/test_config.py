"""Configurations that cannot be are refused; parameters come back as they were stored."""

import json

import pytest

from tfds_sdoml.config import SdomlConfig, registered_configs


def config(**changes):
    return SdomlConfig(**({"name": "x", "source": "npz_v1", "channels": ("0193",), "size": 512} | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "jp2"}, "unknown source 'jp2': choose one of npz_v1, zarr_v2, fits, hf256, synthetic"),
        ({"split": "random"}, "unknown split 'random'"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
        ({"channels": ("0999", "0193")}, "unknown channel 0999: known are 0094, 0131"),
        ({"field": ("br",)}, "unknown field br: known are bx, by, bz"),
        ({"channels": ("0193", "0193")}, "each can be given once"),
        ({"channels": ()}, "no channel and no field component"),
        ({"months": (0, 13)}, r"months are numbers from 1 to 12, got \[0, 13\]"),
        ({"test_months": (13,)}, r"from 1 to 12, got \[13\]"),
        ({"test_months": (5,)}, "both test and validation"),
        ({"guard_days": -1}, "guard_days must not be negative"),
        ({"every": -1}, "every must not be negative, got -1"),
        ({"size": 100}, "size 100: npz_v1 has 512 pixels, which must divide by the size"),
        ({"size": 0}, "size 0"),
        ({"degradation_table": "x.txt"}, "degradation_table is for FITS files; npz_v1 has been corrected"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_fits_can_have_any_size():
    assert config(source="fits", size=1000).size == 1000


def test_parameters_round_trip_through_json():
    for one in registered_configs():
        stored = json.loads(json.dumps(one.parameters()))
        assert SdomlConfig.from_parameters(one.name, stored).parameters() == one.parameters()
    with pytest.raises(ValueError, match=r"other parameters than this version supports \(colour\)"):
        SdomlConfig.from_parameters("x", config().parameters() | {"colour": 1})
    with pytest.raises(ValueError, match=r"\(size\)"):
        SdomlConfig.from_parameters("x", {k: v for k, v in config().parameters().items() if k != "size"})


def test_registered_names():
    configs = {one.name: one for one in registered_configs()}
    assert len(configs) == len(registered_configs())
    assert configs["aia0193_hmi"].series == ("bz", "0193")
    assert configs["aia0193"].series == ("0193",)
    assert configs["hmi_bz"].series == ("bz",)
    assert configs["aia0171_0193_0304_hmi"].series == ("bz", "0171", "0193", "0304")
    assert (configs["aia0193_hmi_1024"].source, configs["aia0193_hmi_1024"].size) == ("fits", 1024)
    assert {f"synthetic_{size}" for size in (64, 128, 256, 512)} < set(configs)
