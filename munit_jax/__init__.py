"""Magnetograms from EUV images of the Sun by multimodal image-to-image translation (MUNIT)."""

__version__ = "0.1.0"
