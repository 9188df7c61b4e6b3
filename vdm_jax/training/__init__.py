"""Training: tasks, optimizers, the training loop, and the experiment that combines them."""

from vdm_jax.training.abstract import abstract_state, abstract_step, call_flops, step_flops
from vdm_jax.training.consistency import Consistency
from vdm_jax.training.denoising import Denoising
from vdm_jax.training.distillation import Distillation
from vdm_jax.training.executables import read_step, write_step
from vdm_jax.training.experiment import Experiment, load
from vdm_jax.training.guided import GuidedDistillation
from vdm_jax.training.log import flatten
from vdm_jax.training.loop import Interrupted, NotFinite, train
from vdm_jax.training.lowres import LowRes
from vdm_jax.training.optimizers import Adam, Constant, Cosine, Linear
from vdm_jax.training.state import State, init, make_step, sharded_step
from vdm_jax.training.students import Student

__all__ = [
    "Adam",
    "Consistency",
    "Constant",
    "Cosine",
    "Denoising",
    "Distillation",
    "Experiment",
    "GuidedDistillation",
    "Interrupted",
    "Linear",
    "LowRes",
    "NotFinite",
    "State",
    "Student",
    "abstract_state",
    "abstract_step",
    "call_flops",
    "flatten",
    "init",
    "load",
    "make_step",
    "read_step",
    "sharded_step",
    "step_flops",
    "train",
    "write_step",
]
