"""Where frames come from: a file for each archive format, behind `interface.Source`."""
