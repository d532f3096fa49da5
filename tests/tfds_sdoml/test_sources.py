from datetime import UTC, datetime

import numpy as np
import pytest

from tfds_sdoml.sources import find_npz_v1, read_npz_v1


def write(folder, name, image=None, key="x"):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / name, **{key: np.ones((512, 512), np.float32) if image is None else image})
    return folder / name


def test_find_matches_by_name_and_sorts_by_time(tmp_path):
    write(tmp_path / "2012/AIA/0193/01/02", "AIA20120102_0006_0193.npz")
    write(tmp_path / "2011/AIA/0193/01/02", "AIA20110102_0006_0193.npz")
    write(tmp_path / "2011/AIA/0171/01/02", "AIA20110102_0006_0171.npz")
    write(tmp_path / "2011/HMI/bz/01/02", "HMI20110102_0000_bz.npz")
    frames = find_npz_v1(tmp_path, "0193")
    assert [frame.path.name for frame in frames] == ["AIA20110102_0006_0193.npz", "AIA20120102_0006_0193.npz"]
    assert frames[0].time == datetime(2011, 1, 2, 0, 6, tzinfo=UTC).timestamp()
    assert find_npz_v1(tmp_path, "bz")[0].time == datetime(2011, 1, 2, tzinfo=UTC).timestamp() - 34


def test_nothing_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file AIAYYYYMMDD_HHMM_0304\.npz in"):
        find_npz_v1(tmp_path, "0304")
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_npz_v1(tmp_path / "absent", "0304")


def test_units(tmp_path):
    image = np.full((512, 512), 8, np.float16)
    assert read_npz_v1(write(tmp_path, "AIA20110102_0006_0171.npz", image))[0, 0] == 2  # the mean of 2 x 2, not the sum
    magnetogram = read_npz_v1(write(tmp_path, "HMI20110102_0000_bz.npz", -image))
    assert magnetogram[0, 0] == -8
    assert magnetogram.dtype == np.float32


def test_bad_files(tmp_path):
    image = np.ones((512, 512), np.float32)
    image[3, 7] = image[9, 9] = np.nan
    with pytest.raises(ValueError, match=r"2 values are not finite, the first at \(row, column\) = \(3, 7\)"):
        read_npz_v1(write(tmp_path, "AIA20110102_0006_0171.npz", image))
    with pytest.raises(ValueError, match=r"shape \(256, 256\), expected \(512, 512\)"):
        read_npz_v1(write(tmp_path, "AIA20110102_0012_0171.npz", image[::2, ::2]))
    with pytest.raises(ValueError, match="no key 'x'"):
        read_npz_v1(write(tmp_path, "AIA20110102_0018_0171.npz", key="y"))
    cut = tmp_path / "AIA20110102_0024_0171.npz"
    cut.write_bytes(write(tmp_path, "AIA20110102_0030_0171.npz").read_bytes()[:200])
    with pytest.raises(ValueError, match="cannot be read"):
        read_npz_v1(cut)
    write(tmp_path / "dates", "AIA20111332_0006_0171.npz")
    with pytest.raises(ValueError, match="no date as YYYYMMDD_HHMM"):
        find_npz_v1(tmp_path / "dates", "0171")
