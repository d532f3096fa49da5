"""One array of an npz file."""

import zlib
from io import BufferedIOBase
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from tfds_sdoml.sources.interface import FrameError

DAMAGED = (BadZipFile, EOFError, OSError, ValueError, zlib.error)  # what numpy raises for a damaged file


def read_image(file: BufferedIOBase, key: str, size: int) -> Float[np.ndarray, "size size"]:
    """Return an image of an open npz file, float32, in the units it has there.

    Raises:
        FrameError: no npz, no such key, another shape.
    """
    try:
        with np.load(file) as arrays:
            image = arrays[key].astype(np.float32)
    except KeyError:
        raise FrameError("unreadable", f"it has no key {key!r}") from None
    except DAMAGED as error:
        raise FrameError("unreadable", str(error) or type(error).__name__) from error
    if image.shape != (size, size):
        raise FrameError("shape", f"{image.shape}, expected {(size, size)}")
    return image
