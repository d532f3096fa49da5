"""A file of any telescope to a registered, calibrated image: each telescope is one file, see `telescopes`."""
