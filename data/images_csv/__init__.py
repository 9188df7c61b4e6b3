"""Captioned images listed in CSV tables, for joint training on images and videos."""
