"""Turns off the progress bars of TFDS."""

import tensorflow_datasets as tfds

tfds.disable_progress_bar()
