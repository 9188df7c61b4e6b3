"""Students: tasks that distil the model of another run."""

import dataclasses

import jax
import jax.numpy as jnp

from vdm_jax import config, diffusion
from vdm_jax.checkpoints import CheckpointError, open_run, parameters, read_experiment
from vdm_jax.checkpoints.store import shapes
from vdm_jax.interfaces import Batch, DiffusionTask, LowRes
from vdm_jax.models import Conditioning
from vdm_jax.training.denoising import Denoising
from vdm_jax.types import Denoiser, Key, LogSNR, Params, Video

STEPS = "frozen/steps"
"""The name in exports of the number of steps that a student was distilled to."""


@dataclasses.dataclass(frozen=True)
class Student:
    """The common base of distillation tasks: the teacher, and the inputs of teacher and student.

    denoising: network, process, loss weight and noise levels of the student. The teacher is the
      same network with other parameters, and takes the same conditions.
    teacher: the folder of the run or export whose averaged parameters initialize the first teacher
      and the student.
    step: the step of that run; None is its newest checkpoint.
    weights: the range from which each batch element's guidance weight is drawn, for a network that
      takes it as an input (`nn.Guidance`); None for other networks. (Meng et al. 2023, section 3.1)
    teacher_dtype: the type in which the teacher's parameters are stored.
    """

    denoising: Denoising
    teacher: str
    step: int | None = None
    weights: tuple[float, float] | None = None
    teacher_dtype: str = "float32"

    @property
    def process(self) -> diffusion.Process:
        """The diffusion process of student and teacher."""
        return self.denoising.process

    @property
    def lowres(self) -> LowRes | None:
        """The low-resolution input of super-resolution, the same for student and teacher."""
        return self.denoising.lowres

    def init(self, key: Key, batch: Batch) -> tuple[Params, Params]:
        """Equal student and teacher; `load_initial` and `next_phase` replace their parameters."""
        params, _ = self.denoising.init(key, self.with_guidance_weights(key, batch))
        return params, {"teacher": self.as_teacher(params)}

    def accepts_teacher(self, steps: int) -> bool:
        """Whether a model distilled to `steps` steps can be the first teacher."""
        return True

    def load_initial(self, params: Params, folder: str | None = None) -> Params:
        """The averaged parameters of the teacher's run; parameters that it lacks are unchanged.

        folder: an export to read instead of `teacher`.

        Raises:
          CheckpointError: the run is missing, or has another network, process or number of steps.
        """
        workdir, step = (self.teacher, self.step) if folder is None else (folder, None)
        try:
            restored = restore_averaged(workdir, step, params, self.process)
            _, tensors = parameters(workdir, step)
            if STEPS in tensors and not self.accepts_teacher(steps := int(tensors[STEPS])):
                raise CheckpointError(
                    f"{workdir} was distilled to {steps} steps: use --set "
                    f"task.start_steps={steps}, or a task.step at which it had more"
                )
            return graft_params(params, restored)
        except CheckpointError as error:
            raise CheckpointError(f"the teacher of {type(self).__name__}: {error}") from None

    def as_teacher(self, params: Params) -> Params:
        """A copy of parameters in the teacher's type and in new buffers."""
        return jax.tree.map(lambda x: jnp.array(x, self.teacher_dtype), params)

    def with_guidance_weights(self, key: Key, batch: Batch) -> Batch:
        """The batch with a random guidance weight per batch element, if the network takes one."""
        if self.weights is None:
            return batch
        low, high = self.weights
        b = len(batch["video"])
        return {**batch, "guidance": jax.random.uniform(key, (b,), minval=low, maxval=high)}

    def draw(self, key: Key, batch: Batch) -> tuple[Video, Conditioning, LogSNR, Video]:
        """(clips, conditions, log-SNRs, noise), drawn as for denoising."""
        key_weight, key_draw, key_levels, key_eps = jax.random.split(key, 4)
        x, cond = self.denoising.draw(key_draw, self.with_guidance_weights(key_weight, batch))
        levels = self.denoising.noise_levels(key_levels, x, cond)
        return x, cond, levels, jax.random.normal(key_eps, x.shape)

    def denoiser(self, params: Params, frozen: Params, cond: Conditioning) -> Denoiser:
        """The student as `(z, logsnr) -> x_hat`."""
        return self.denoising.denoiser(params, {}, cond)

    def teacher_denoiser(self, frozen: Params, cond: Conditioning) -> Denoiser:
        """The teacher as `(z, logsnr) -> x_hat`, without dropout, guidance or threshold."""
        return self.denoising.denoiser(frozen["teacher"], {}, cond)

    def guided_teacher(
        self, frozen: Params, cond: Conditioning, weight: float | jax.Array
    ) -> Denoiser:
        """The teacher under classifier-free guidance: two network calls, one for weight 1."""
        null = self.teacher_denoiser(frozen, cond.null())
        return diffusion.classifier_free(
            self.teacher_denoiser(frozen, cond), null, weight, self.process
        )


def restore_averaged(
    workdir: str, step: int | None, like: Params, process: diffusion.Process
) -> Params:
    """The averaged parameters of a run, on the devices of the arrays of `like`.

    Raises:
      CheckpointError: no run, another process, or parameters that `like` lacks.
    """
    experiment = read_experiment(workdir)
    task = experiment.task
    trained_with = task.process if isinstance(task, DiffusionTask) else None
    if trained_with != process:
        raise CheckpointError(
            f"{workdir} was trained with {trained_with}, this experiment has {process}; "
            "make the student's process that of its teacher"
        )
    batch = experiment.loader.zeros(experiment.data)
    want, _ = jax.eval_shape(task.init, jax.random.key(0), batch)
    have = shapes(like)
    for path, shape in shapes(want).items():
        if have.get(path) != shape:
            hint = f"here it is {have[path]}" if path in have else config.nearest(path, have)
            raise CheckpointError(
                f"{workdir} is of another network: it has {path} of shape {shape}; {hint}"
            )
    store = open_run(workdir)
    try:
        _, trees, _ = store.restore({"ema": with_shardings_of(like, want)}, step)
    finally:
        store.close()
    return trees["ema"]


def with_shardings_of(like: Params, shapes: Params) -> Params:
    """Shapes with the shardings of the arrays of the same names in `like`."""
    if isinstance(shapes, dict):
        return {name: with_shardings_of(like[name], child) for name, child in shapes.items()}
    return jax.ShapeDtypeStruct(shapes.shape, shapes.dtype, sharding=like.sharding)


def graft_params(params: Params, restored: Params) -> Params:
    """`params` with the arrays of the same names in `restored`.

    Raises:
      CheckpointError: `restored` lacks parameters other than those of `nn.Guidance`, which start at
        zero.
    """
    missing = [path for path in shapes(params) if path not in shapes(restored)]
    if missing := [path for path in missing if "'Guidance_" not in path]:
        raise CheckpointError(
            f"it is of another network: it has no {missing[0]}; "
            f"{config.nearest(missing[0], shapes(restored))}"
        )

    def graft(old, new):
        if not isinstance(old, dict):
            return new
        return {name: graft(old[name], new[name]) if name in new else old[name] for name in old}

    return graft(params, restored)
