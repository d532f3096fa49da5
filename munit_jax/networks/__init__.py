"""MUNIT's encoders, decoders and discriminators as pure functions of their parameters; see `munit`."""
