"""Students: tasks that learn from what another run has learnt."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from vdm_jax import config, diffusion
from vdm_jax.checkpoints import CheckpointError, open_run, parameters, read_experiment
from vdm_jax.checkpoints.store import shapes
from vdm_jax.models import Conditioning
from vdm_jax.training.denoising import Denoising
from vdm_jax.training.task import Batch
from vdm_jax.types import Denoiser, Key, LogSNR, Params, Video

STEPS = "frozen/steps"
"""How an export calls the number of steps that a student takes."""


@dataclasses.dataclass(frozen=True)
class Student:
    """What all ways of distilling share: where the teacher comes from, and what both are shown.

    denoising: network, process, loss weight and noise levels of the student; the teacher is the
    same network with other parameters, and what is a condition of one is a condition of both.
    teacher: the folder of the run, or of its export, whose averaged parameters the first teacher
    and the student begin with; at `step`, or as its newest checkpoint has them.
    weights: the range from which each row's guidance weight is drawn, for a network that takes it
    as an input (`nn.Guidance`); None for one that does not. (Meng et al. 2023, section 3.1)
    teacher_dtype: the type in which the teacher is stored.
    """

    denoising: Denoising
    teacher: str
    step: int | None = None
    weights: tuple[float, float] | None = None
    teacher_dtype: str = "float32"

    @property
    def process(self) -> diffusion.Process:
        """The process of student and teacher."""
        return self.denoising.process

    @property
    def lowres(self) -> Any:
        """What a super-resolution model enlarges; its noise is the same for student and teacher."""
        return self.denoising.lowres

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        """Student and teacher alike; `origin` and `advance` put in the run's parameters."""
        params, _ = self.denoising.init(key, self.with_guidance_weights(key, batch))
        return params, {"teacher": self.as_teacher(params)}

    def accepts_teacher(self, steps: int) -> bool:
        """Whether what was distilled to so many steps can be the first teacher."""
        return True

    def load_initial(self, params: Params, folder: str | None = None) -> Params:
        """The teacher's run in place of these parameters; what it has not stays as it is.

        folder: an export that is the first teacher in place of the one named.

        Raises:
          CheckpointError: it is not there, or of another network, process or number of steps.
        """
        workdir, step = (self.teacher, self.step) if folder is None else (folder, None)
        try:
            found = restore_averaged(workdir, step, params, self.process)
            _, tensors = parameters(workdir, step)
            if STEPS in tensors and not self.accepts_teacher(steps := int(tensors[STEPS])):
                raise CheckpointError(
                    f"{workdir} was distilled to {steps} steps: --set task.start_steps={steps}, or "
                    "choose a task.step at which it had more"
                )
            return graft_params(params, found)
        except CheckpointError as error:
            raise CheckpointError(f"the teacher of {type(self).__name__}: {error}") from None

    def as_teacher(self, params: Params) -> Params:
        """Parameters as a teacher's, in buffers of its own."""
        return jax.tree.map(lambda x: jnp.array(x, self.teacher_dtype), params)

    def with_guidance_weights(self, key: Key, batch: Batch) -> Batch:
        """The batch with a guidance weight for each row, where the network is to know it."""
        if self.weights is None:
            return batch
        low, high = self.weights
        rows = len(batch["video"])
        return {**batch, "guidance": jax.random.uniform(key, (rows,), minval=low, maxval=high)}

    def draw(self, key: Key, batch: Batch) -> tuple[Video, Conditioning, LogSNR, Video]:
        """Clips, conditions, noise levels as in training, and the noise to be added."""
        key_weight, key_draw, key_levels, key_eps = jax.random.split(key, 4)
        x, cond = self.denoising.draw(key_draw, self.with_guidance_weights(key_weight, batch))
        levels = self.denoising.noise_levels(key_levels, x, cond)
        return x, cond, levels, jax.random.normal(key_eps, x.shape)

    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        """The student as `(z, logsnr) -> x_hat`."""
        return self.denoising.denoiser(params, {}, cond)

    def teacher_denoiser(self, frozen: Params, cond: Conditioning) -> Denoiser:
        """The teacher, without dropout and without a threshold."""
        return self.denoising.denoiser(frozen["teacher"], {}, cond)

    def guided_teacher(
        self, frozen: Params, cond: Conditioning, weight: float | jax.Array
    ) -> Denoiser:
        """The teacher under classifier-free guidance: two calls each time, but for weight 1."""
        null = self.teacher_denoiser(frozen, cond.null())
        return diffusion.classifier_free(
            self.teacher_denoiser(frozen, cond), null, weight, self.process
        )


def restore_averaged(
    workdir: str, step: int | None, like: Params, process: diffusion.Process
) -> Params:
    """The averaged parameters of a run, wherever `like` has an array of that name.

    Raises:
      CheckpointError: no run, of another process, or with parameters that `like` has not.
    """
    experiment = read_experiment(workdir)
    theirs = getattr(experiment.task, "process", None)
    if theirs != process:
        raise CheckpointError(
            f"{workdir} was trained with {theirs}, this experiment has {process}; "
            "a student's process is its teacher's"
        )
    batch = {
        name: jnp.zeros((1, *s.shape[1:]), s.dtype)
        for name, s in experiment.loader.shapes(experiment.data).items()
    }
    want, _ = jax.eval_shape(experiment.task.init, jax.random.key(0), batch)
    have = shapes(like)
    for path, shape in shapes(want).items():
        if have.get(path) != shape:
            there = f"here it is {have[path]}" if path in have else config.nearest(path, have)
            raise CheckpointError(
                f"{workdir} is of another network: it has {path} of shape {shape}; {there}"
            )
    store = open_run(workdir)
    try:
        _, trees, _ = store.restore({"ema": put_like(want, like)}, step)
    finally:
        store.close()
    return trees["ema"]


def put_like(want: Params, like: Params) -> Params:
    """The shapes of `want`, each on the devices of the array of that name in `like`."""
    if isinstance(want, dict):
        return {name: put_like(child, like[name]) for name, child in want.items()}
    return jax.ShapeDtypeStruct(want.shape, want.dtype, sharding=like.sharding)


def graft_params(params: Params, found: Params) -> Params:
    """`params` with the arrays of `found` in their places.

    Raises:
      CheckpointError: `found` lacks what a network cannot do without: all but `nn.Guidance`, which
        starts at zero.
    """
    missing = [path for path in shapes(params) if path not in shapes(found)]
    if missing := [path for path in missing if "'Guidance_" not in path]:
        raise CheckpointError(
            f"it is of another network: it has no {missing[0]}; "
            f"{config.nearest(missing[0], shapes(found))}"
        )

    def put(old, new):
        if not isinstance(old, dict):
            return new
        return {name: put(old[name], new[name]) if name in new else old[name] for name in old}

    return put(params, found)
