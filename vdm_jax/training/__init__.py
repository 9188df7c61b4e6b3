"""Training: tasks, optimizers, the loop, and the experiment that holds them together."""

from vdm_jax.training.denoising import Denoising
from vdm_jax.training.experiment import Evaluation, Experiment, Sampling, load
from vdm_jax.training.log import flatten
from vdm_jax.training.loop import Interrupted, NotFinite, train
from vdm_jax.training.lowres import LowRes
from vdm_jax.training.optimizers import Adam, Constant, Cosine, Linear
from vdm_jax.training.state import State, init, make_step
from vdm_jax.training.task import Batch, Task

__all__ = [
    "Adam",
    "Batch",
    "Constant",
    "Cosine",
    "Denoising",
    "Evaluation",
    "Experiment",
    "Interrupted",
    "Linear",
    "LowRes",
    "NotFinite",
    "Sampling",
    "State",
    "Task",
    "flatten",
    "init",
    "load",
    "make_step",
    "train",
]
