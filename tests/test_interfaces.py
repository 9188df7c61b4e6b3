"""The library's classes implement the protocols of `vdm_jax.interfaces`."""

import dataclasses

import pytest
import tiny

from vdm_jax import diffusion, evaluation, interfaces, parallel, sampling, training
from vdm_jax.interfaces import (
    AdjustableModel,
    CompletionModel,
    DenoisingModel,
    DiffusionTask,
    Model,
    PhasedTask,
    StudentModel,
    StudentTask,
    SuperResolutionModel,
    Task,
)
from vdm_jax.sampling.sharded import ShardedTask

DENOISING = tiny.denoising()
TASK = DENOISING.task
STUDENTS = {
    "progressive": training.Distillation(TASK, "teacher", start_steps=8),
    "consistency": training.Consistency(TASK, "teacher", start_steps=8),
    "guided": training.GuidedDistillation(TASK, "teacher", weights=(1.0, 5.0)),
}
LOWRES = training.LowRes(size=2)
MODEL_PROTOCOLS = (AdjustableModel, CompletionModel, DenoisingModel, Model, SuperResolutionModel)


def satisfied_protocols(protocols: tuple[type, ...], thing: object) -> set[str]:
    """The names of the protocols that an object implements."""
    return {protocol.__name__ for protocol in protocols if isinstance(thing, protocol)}


def test_denoising_is_a_diffusion_task_of_one_phase():
    protocols = (Task, DiffusionTask, PhasedTask, StudentTask)
    assert satisfied_protocols(protocols, TASK) == {"Task", "DiffusionTask"}
    sharded = ShardedTask(TASK, parallel.MeshRules(parallel.Mesh().build()))
    assert satisfied_protocols(protocols, sharded) == {"Task", "DiffusionTask"}


def test_a_task_without_a_denoiser_is_no_diffusion_task():
    assert satisfied_protocols((Task, DiffusionTask, PhasedTask), tiny.Regression()) == {"Task"}


@pytest.mark.parametrize("name", STUDENTS)
def test_students_are_phased_diffusion_tasks(name):
    protocols = (Task, DiffusionTask, PhasedTask, StudentTask)
    assert len(satisfied_protocols(protocols, STUDENTS[name])) == len(protocols)


@pytest.mark.parametrize("lowres", [None, LOWRES])
def test_a_trained_model_implements_all_model_protocols_but_a_students(lowres):
    """Super-resolution models have the same class; their methods check the task."""
    experiment = dataclasses.replace(DENOISING, task=dataclasses.replace(TASK, lowres=lowres))
    model = sampling.Generator().trained_model(experiment, {}, {})
    assert len(satisfied_protocols(MODEL_PROTOCOLS, model)) == len(MODEL_PROTOCOLS)
    assert not isinstance(model, StudentModel)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_trained_student_implements_all_model_protocols(name):
    generator = sampling.Distilled(diffusion.DDIM(steps=4))
    experiment = dataclasses.replace(DENOISING, task=STUDENTS[name], sampling=generator)
    model = generator.trained_model(experiment, {}, {"teacher": {}})
    protocols = (*MODEL_PROTOCOLS, StudentModel)
    assert len(satisfied_protocols(protocols, model)) == len(protocols)
    assert model.steps == 4


def test_a_cascade_is_a_plain_model():
    cascade = sampling.Cascade((sampling.Stage("base"),), data=DENOISING.data)
    protocols = (*MODEL_PROTOCOLS, StudentModel)
    assert satisfied_protocols(protocols, sampling.CascadeModel(cascade)) == {"Model"}


@pytest.mark.parametrize(
    ("protocol", "implementation"),
    [
        (interfaces.Experiment, DENOISING),
        (interfaces.Network, TASK.model),
        (interfaces.LowRes, LOWRES),
        (interfaces.Sampling, sampling.Generator()),
        (interfaces.Sampling, sampling.Distilled()),
        (interfaces.Evaluation, evaluation.DenoisingError()),
    ],
)
def test_protocols_without_isinstance_have_their_members(protocol, implementation):
    members = [name for name in vars(protocol) if not name.startswith("_")]
    assert members and all(hasattr(implementation, name) for name in members)
