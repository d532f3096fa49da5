"""A bucket with SDOML v2 on loopback."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.tfds_sdoml.fetch.loopback import bucket, loopback
from tests.tfds_sdoml.sources.zarr_store import aia_attributes, hmi_attributes, write_store
from tests.tfds_sdoml.sun_images import euv_image, field_image

EUV, FIELD = np.round(euv_image(100.0)), np.round(field_image(10.0))
MONTHS = (3, 5, 8, 12)  # of the splits, and March and August of training


def frames(image, times):
    """The image, 1 % brighter every hour."""
    return image * (1 + 0.01 * np.arange(len(times), dtype=np.float32))[:, None, None]


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Six hours of four days, not in order, HMI a few seconds late by a clock of TAI; chunks of three frames."""
    folder = tmp_path_factory.mktemp("stores")
    hours = [datetime(2011, month, 15, hour, tzinfo=UTC) for month in reversed(MONTHS) for hour in range(3)]
    tai = [time + timedelta(seconds=34 + 7) for time in hours]
    write_store(str(folder / "sdomlv2.zarr"), {"2011/193A": (frames(EUV, hours), aia_attributes(hours))}, chunk=3)
    write_store(str(folder / "sdomlv2_hmi.zarr"), {"2011/Bz": (frames(FIELD, hours), hmi_attributes(tai))}, chunk=3)
    return folder


@pytest.fixture
def s3(stores, monkeypatch):
    pytest.importorskip("s3fs", reason="the extra `download` is not installed")
    with loopback() as server:
        for path in stores.rglob("*"):
            if path.is_file():
                server.files[f"/sdo/v2/{path.relative_to(stores)}"] = path.read_bytes()
        server.services.append(bucket(server, "sdo"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        forget_servers()
        yield server
        forget_servers()


def forget_servers():
    """Forget clients of fsspec, and what they know of buckets."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
