"""TFDS writes no progress bars between the lines of the tests."""

import tensorflow_datasets as tfds

tfds.disable_progress_bar()
