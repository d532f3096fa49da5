"""TFDS datasets of EUV images and magnetograms: a source of frames to checked, split examples; see `build`."""
