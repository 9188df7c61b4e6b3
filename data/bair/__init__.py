"""BAIR robot pushing: 43,520 clips of 30 frames of a robot arm that pushes objects."""
