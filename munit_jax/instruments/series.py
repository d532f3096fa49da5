"""Names of the series of images: AIA's channels in angstrom, and the components of the field, as in SDOML's files."""

AIA_CHANNELS = ("0094", "0131", "0171", "0193", "0211", "0304", "0335", "1600", "1700", "4500")
FIELD_COMPONENTS = ("bx", "by", "bz")  # of which bz is the one along the line of sight
