"""Files in, realisations as FITS files out: settings, grouping by time, the translation, its products and pictures."""
