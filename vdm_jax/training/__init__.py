"""Training: tasks, optimizers, the loop, and the experiment that holds them together."""

from vdm_jax.training.consistency import Consistency
from vdm_jax.training.denoising import Denoising
from vdm_jax.training.distillation import Distillation
from vdm_jax.training.executables import read_step, write_step
from vdm_jax.training.experiment import Evaluation, Experiment, Sampling, load
from vdm_jax.training.guided import GuidedDistillation
from vdm_jax.training.log import flatten
from vdm_jax.training.loop import Interrupted, NotFinite, train
from vdm_jax.training.lowres import LowRes
from vdm_jax.training.optimizers import Adam, Constant, Cosine, Linear
from vdm_jax.training.state import State, init, make_step, sharded_step
from vdm_jax.training.students import Student
from vdm_jax.training.task import Batch, PhasedTask, Task

__all__ = [
    "Adam",
    "Batch",
    "Consistency",
    "Constant",
    "Cosine",
    "Denoising",
    "Distillation",
    "Evaluation",
    "Experiment",
    "GuidedDistillation",
    "Interrupted",
    "Linear",
    "LowRes",
    "NotFinite",
    "PhasedTask",
    "Sampling",
    "State",
    "Student",
    "Task",
    "flatten",
    "init",
    "load",
    "make_step",
    "read_step",
    "sharded_step",
    "train",
    "write_step",
]
