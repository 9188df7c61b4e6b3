"""Captioned images that CSV tables tell of, for training on images and videos together."""
