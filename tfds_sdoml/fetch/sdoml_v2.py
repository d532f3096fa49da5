"""Frames of SDOML v2 from its public bucket, as SDOML v1 files: only the chunks in which they are."""

import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.sdoml import BINNING, SIZE, file_name
from munit_jax.sun.ephemeris import seconds_from_tai
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.fetch.downloads import Piece, Route
from tfds_sdoml.fetch.patience import MissingError, PassingError, Patience, RefusedError
from tfds_sdoml.plan import Plan
from tfds_sdoml.sources.opening import find_frames
from tfds_sdoml.sources.zarr_stores import ArrayPlace, file_system
from tfds_sdoml.sources.zarr_v2 import ZarrV2

BUCKET = "s3://gov-nasa-hdrl-data1/contrib/fdl-sdoml/fdl-sdoml-v2"
STORES = f"{BUCKET}/sdomlv2.zarr,{BUCKET}/sdomlv2_hmi.zarr"
MD5 = re.compile(r"[0-9a-f]{32}")  # what S3 calls the ETag of an object that was uploaded in one part


class Chunks:
    """The chunks of an array: where they are, their sizes and versions, and how they are decoded."""

    def __init__(self, array: ArrayPlace):
        self.array, self.meta = array, array.read_json(".zarray")
        self.system, root = file_system(array.store)
        self.folder = f"{root}/{array.path}"
        entries = self.system.ls(self.folder, detail=True, refresh=True)
        self.entries = {entry["name"].rpartition("/")[2]: entry for entry in entries}

    @property
    def length(self) -> int:
        """Frames in a chunk."""
        return self.meta["chunks"][0]

    def piece(self, number: int, files: tuple[str, ...]) -> Piece:
        """Return a chunk as a piece of which these files are made."""
        name = self.meta.get("dimension_separator", ".").join((str(number), "0", "0"))
        entry = self.entries.get(name, {})
        version = str(entry.get("ETag", "")).strip('"')
        return Piece(f"{self.array.store}/{self.array.path}/{name}", files, entry.get("size"), version)

    def read_once(self, piece: Piece) -> bytes:
        """Return the bytes of a chunk; PassingError for some that are not those that were listed."""
        try:
            content = self.system.cat_file(f"{self.folder}/{piece.source.rpartition('/')[2]}")
        except FileNotFoundError as error:
            raise MissingError(f"{piece.source}: not there") from error
        except PermissionError as error:
            raise RefusedError(f"{piece.source}: {error}") from error
        except Exception as error:  # botocore's, aiohttp's and the system's, with no common ancestor
            raise PassingError(f"{piece.source}: {str(error) or type(error).__name__}") from error
        if piece.size is not None and len(content) != piece.size:
            raise PassingError(f"{piece.source}: {len(content)} bytes came, {piece.size} are listed")
        if MD5.fullmatch(piece.version) and hashlib.md5(content).hexdigest() != piece.version:
            raise PassingError(f"{piece.source}: its checksum is not the listed one: it was damaged, or has changed")
        return content

    def decode(self, content: bytes) -> Float[np.ndarray, "frame y x"]:
        """Return the frames of a chunk; RefusedError for bytes that are none."""
        from numcodecs import get_codec

        data: Any = content
        try:
            for codec in (self.meta["compressor"], *reversed(self.meta["filters"] or ())):
                data = data if codec is None else get_codec(codec).decode(data)
            frames = np.frombuffer(data, self.meta["dtype"])
            return frames.reshape(self.meta["chunks"], order=self.meta["order"]).astype(np.float32)
        except (RuntimeError, ValueError) as error:
            raise RefusedError(f"a chunk of {self.array.text} cannot be decoded: {error}") from error


def sdoml_v2(config: SdomlConfig, location: str, patience: Patience) -> Route:
    """Return the route to the frames that a build from SDOML v2 would use.

    Args:
        config: series, years, cadence and splits; frames in the gaps between the splits are not fetched.
        location: a store, or several with commas between; paths or URLs.
        patience: with the bucket.

    Raises:
        ValueError, OSError: as `tfds_sdoml.sources.opening.find_frames`; images of another size than SDOML v1's.
    """
    source, plan = patience.persist(lambda: find_once(config, location))
    if source.size != SIZE:
        raise ValueError(f"{location}: images of {source.size} pixels, where SDOML v1 files have {SIZE}")
    arrays = {array.text: array for array in source.arrays}
    chunks: dict[str, Chunks] = {}
    inside: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)  # (array, chunk) -> frame in it -> file
    frames = [frame for split in plan.splits.values() for frame in split]
    listings = {series: source.listing(series) for series in config.series}
    times = {name: dict(zip(one.places, one.times.tolist(), strict=True)) for name, one in listings.items()}
    for frame in sorted(frames):
        for series, place in zip(config.series, frame.places, strict=True):
            array, _, index = place.rpartition("/")
            if array not in chunks:
                chunks[array] = Chunks(arrays[array])
            number, within = divmod(int(index), chunks[array].length)
            inside[array, number][within] = v1_path(series, times[series][place])
    made = {}
    for (array, number), files in inside.items():
        piece = chunks[array].piece(number, tuple(files.values()))
        made[piece.source] = (piece, chunks[array], files)

    def read(piece: Piece) -> bytes:
        return patience.persist(lambda: made[piece.source][1].read_once(piece))

    def unpack(piece: Piece, content: bytes) -> Mapping[str, bytes]:
        _, its_chunks, files = made[piece.source]
        images = its_chunks.decode(content)
        return {file: v1_file(images[within], file) for within, file in files.items()}

    return Route(len(frames), [piece for piece, _, _ in made.values()], read, unpack)


def find_once(config: SdomlConfig, location: str) -> tuple[ZarrV2, Plan]:
    """Return the stores and the plan of a dataset; PassingError where the bucket fails; raises as `find_frames`."""
    try:
        source, plan = find_frames(config, location)
    except (ValueError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # as in `Chunks.read_once`
        raise PassingError(f"{location}: {str(error) or type(error).__name__}") from error
    assert isinstance(source, ZarrV2)
    return source, plan


def v1_path(series: str, time: int) -> str:
    """Return where the SDOML v1 file of a series and a time (UTC seconds since 1970) is put, to the nearest minute."""
    clock = datetime.fromtimestamp(time, UTC)
    if not series.isdigit():  # HMI's clock is TAI
        clock += timedelta(seconds=time - seconds_from_tai(clock))
    clock += timedelta(seconds=30)
    return f"{clock:%Y/%m/%d}/{file_name(series, f'{clock:%Y%m%d_%H%M}')}"


def v1_file(image: Float[np.ndarray, "y x"], file: str) -> bytes:
    """Return an image of SDOML v2 as an SDOML v1 file: v1 sums 2 x 2 pixels of AIA, v2 takes their mean."""
    scale = BINNING if "AIA" in file else 1
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=scale * image)
    return buffer.getvalue()
