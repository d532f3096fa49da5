"""Geometry of the disk, rotation, ephemeris, solar cycle and physical constants."""
