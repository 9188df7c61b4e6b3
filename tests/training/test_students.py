"""Distillation: the targets of students, and runs of several halvings."""

import dataclasses
import json

import exact_denoisers as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from test_loop import same

from vdm_jax import checkpoints, commands, config, diffusion, sampling, training
from vdm_jax.checkpoints import CheckpointError, Checkpoints, Store, export_of
from vdm_jax.models import Conditioning
from vdm_jax.training import loop, resuming

KEY = jax.random.key(0)


def test_the_target_is_two_steps_of_an_exact_teacher_in_float32_at_8192_steps():
    task = training.Distillation(exact.denoising(), teacher="", start_steps=16384, end_steps=8192)
    i = np.arange(1, 8193, 29)
    cond = Conditioning(label=jnp.arange(len(i)) % 2 - 1)
    z = np.random.default_rng(0).standard_normal((len(i), 1, 1, 1, 8))
    params, frozen = task.init(KEY, exact.batch())
    _, frozen = task.next_phase(params, frozen)
    assert int(frozen["steps"]) == 8192
    result = jax.jit(task.target)(frozen, np.float32(z), jnp.asarray(i), cond)

    def steps(process, z):
        """Two DDIM steps, and the x with which one step leads to the same z."""
        schedule, denoiser = process.schedule, task.denoiser(params, {}, cond)
        t, m = (schedule(jnp.asarray((2 * i - k) / 16384)) for k in (0, 1))
        s = jnp.where(jnp.asarray(i) > 1, schedule(jnp.asarray((i - 1) / 8192)), jnp.inf)
        z_m = process.ddim(denoiser(z, t), z, t, m)
        z_s = process.ddim(denoiser(z_m, m), z_m, m, s)
        zero, one = (process.ddim(jnp.full_like(z, x), z, t, s) for x in (0.0, 1.0))
        return (z_s - zero) / (one - zero)

    with jax.enable_x64(True):
        target = np.asarray(jax.jit(lambda z: steps(exact.PROCESS, z))(z))
    assert result.dtype == jnp.float32
    assert np.max(np.abs(result - target)) < 1e-5


TASKS = {
    "single": training.Distillation(exact.denoising(), "", start_steps=8),
    "double": training.Distillation(
        exact.denoising(), "", start_steps=8, jump=diffusion.StochasticJump()
    ),
    "guided": training.GuidedDistillation(exact.denoising(), "", weights=(1.0, 4.0)),
    "consistency": training.Consistency(exact.denoising(), "", start_steps=8, segments=1),
    "multistep": training.Consistency(exact.denoising(), "", start_steps=8, segments=2),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_student_that_is_exact_in_one_step_gets_no_gradient(name):
    """Data of one point: one call is exact, so the loss of every halving is zero."""
    task = dataclasses.replace(TASKS[name], denoising=exact.denoising(exact.OnePoint()))
    params, frozen = task.init(KEY, exact.batch())
    params, frozen = task.next_phase(params, frozen)
    loss, grads = jax.jit(
        jax.value_and_grad(lambda p: task.loss(p, frozen, KEY, exact.batch())[0])
    )(params)
    assert float(loss) < 1e-10
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(grads)) < 1e-4


@pytest.mark.parametrize("name", TASKS)
def test_a_wrong_student_gets_a_gradient_and_its_teacher_none(name):
    task = TASKS[name]
    params, frozen = task.init(KEY, exact.batch())
    params, frozen = task.next_phase(params, frozen)

    def loss(params, teacher):
        return task.loss(params, {**frozen, "teacher": teacher}, KEY, exact.batch())[0]

    wrong = jax.tree.map(lambda x: x + 0.3, params)
    value, (student, teacher) = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(
        wrong, frozen["teacher"]
    )
    assert float(value) > 1e-4 and float(student["mean"][0, 0]) > 1e-3
    assert not any(np.any(g) for g in jax.tree.leaves(teacher))


def test_the_exact_student_of_a_guided_teacher_has_zero_loss():
    """For every guidance weight of the range."""
    task = TASKS["guided"]
    params, frozen = task.init(KEY, exact.batch())
    params, frozen = task.next_phase(params, frozen)
    loss = jax.jit(lambda p: task.loss(p, frozen, KEY, exact.batch())[0])
    student = params | {"use_weight": jnp.ones((1, 1))}
    assert float(loss(student)) < 1e-9 < 1e-4 < float(loss(params))


@pytest.mark.parametrize("weight", [2.5, diffusion.Oscillating(4.0, 1.0, steps=4, first=1)])
def test_guidance_as_an_input_samples_as_classifier_free_guidance(weight):
    task = exact.denoising(exact.Exact(counted=True))
    params, _ = task.init(KEY, exact.batch())
    cond, keys = Conditioning(label=jnp.zeros(2, int)), jax.random.split(KEY, 2)
    generators = {  # by network calls per step
        2: (sampling.Generator(diffusion.DDIM(4), guidance=weight, threshold=None), params),
        1: (
            sampling.Distilled(diffusion.DDIM(4), guidance=weight, threshold=None),
            params | {"use_weight": jnp.ones((1, 1))},
        ),
    }
    samples = []
    for calls, (generator, params) in generators.items():
        exact.CALLS.clear()
        sample = jax.jit(lambda p, g=generator: g(task, p, {}, keys, cond, (2, 2, 4, 4, 3)))
        samples.append(jax.block_until_ready(sample(params)))
        jax.effects_barrier()
        assert len(exact.CALLS) == calls * 4
    np.testing.assert_allclose(*samples, atol=1e-5)


def test_phase_lengths():
    """Salimans & Ho 2022: 50,000 updates per halving, 100,000 for the last two, 750,000 in all."""
    task = training.Distillation(exact.denoising(), "", start_steps=8192)
    experiment = exact.experiment(task=task, steps=50_000)
    assert len(experiment.phase_ends) == 13 and experiment.phase_ends[-1] == 750_000
    longer = dataclasses.replace(task, start_steps=16, first_length=3, last_lengths=(2, 4))
    assert longer.phases == (3, 1, 2, 4)
    assert dataclasses.replace(longer, start_steps=2).phases == (4,)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A run of one update."""
    folder = tmp_path_factory.mktemp("teacher")
    training.train(exact.experiment(steps=1, sampling=sampling.Generator()), folder)
    return folder


def halvings(teacher, **changes):
    """An experiment of 8 -> 4 -> 2 -> 1 steps in phases of 3, 3 and 6 updates."""
    task = training.Distillation(
        exact.denoising(), str(teacher), start_steps=8, last_lengths=(2,), teacher_dtype="bfloat16"
    )
    return exact.experiment(
        task=task,
        sampling=sampling.Distilled(sampler=diffusion.DDIM(8), batch=8),
        checkpoints=Checkpoints(every=2, keep=1),
        **changes,
    )


class Stopped(Exception):
    """Raised to end a run."""


def stop_at(step):
    """A `Run.report` that raises `Stopped` after a step."""
    report = loop.Run.report

    def stop(run, n, metrics):
        report(run, n, metrics)
        if n == step:
            raise Stopped

    return stop


def test_a_run_goes_through_all_halvings_and_keeps_every_student(teacher, tmp_path, capsys):
    experiment = halvings(teacher)
    assert experiment.phase_ends == (3, 6, 12)
    last = training.train(experiment, tmp_path)
    assert int(last.step) == 12
    assert capsys.readouterr().out.count("compiled in") == 1
    store = Store(tmp_path)
    assert store.steps() == [3, 6, 12]

    like = {"ema": last.ema, "frozen": {"teacher": jax.tree.map(
        lambda x: x.astype(jnp.bfloat16), last.ema), "steps": jnp.int32(0)}}  # fmt: skip
    trees = {step: store.restore(like, step)[1] for step in store.steps()}
    assert [int(trees[n]["frozen"]["steps"]) for n in trees] == [4, 2, 1]
    _, first, _ = Store(teacher).restore({"ema": last.ema})
    for before, after in ((first, trees[3]), (trees[3], trees[6]), (trees[6], trees[12])):
        half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), before["ema"])
        assert same(half, after["frozen"]["teacher"])
        assert not same(before["ema"], after["ema"])
    rates = [json.loads(x)["learning_rate"] for x in (tmp_path / "metrics.jsonl").open()]
    thirds = [0.02, 0.02 * 2 / 3, 0.02 / 3]
    np.testing.assert_allclose(rates[:6], thirds * 2, rtol=1e-5)
    np.testing.assert_allclose(rates[6:], 0.02 * (1 - np.arange(6) / 6), rtol=1e-5)

    steps, student = sampling.load(tmp_path, 6)
    assert (steps, student.steps) == (6, 2)
    assert student.teacher().generator == sampling.Generator()
    with pytest.raises(config.ConfigError, match="takes no guidance weight"):
        sampling.load(tmp_path, 6, ("sampling.guidance=2.0",))


@pytest.fixture(scope="module")
def uninterrupted(teacher, tmp_path_factory):
    """(folder, last state) of a run of all halvings."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, training.train(halvings(teacher), folder)


@pytest.mark.parametrize("step", [2, 3, 5, 7])
def test_a_run_stopped_in_any_halving_equals_an_uninterrupted_one(
    step, uninterrupted, teacher, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stop_at(step))
        with pytest.raises(Stopped):
            training.train(halvings(teacher), tmp_path)
    if step > 3:  # later halvings do not read the teacher's run
        monkeypatch.setattr(training.Student, "load_initial", lambda *_: pytest.fail("read again"))
    assert same(uninterrupted[1], training.train(halvings(teacher), tmp_path))


def test_a_student_can_be_the_first_teacher(teacher, tmp_path):
    """The student of 8 -> 4 is the teacher of 4 -> 2."""
    experiment = halvings(teacher)
    four = dataclasses.replace(experiment.task, end_steps=4, last_lengths=())
    student = training.train(dataclasses.replace(experiment, task=four), tmp_path / "four")
    two = dataclasses.replace(four, teacher=str(tmp_path / "four"), start_steps=4, end_steps=2)
    experiment = dataclasses.replace(experiment, task=two)
    state, frozen, _ = resuming.restore_or_init(
        experiment, experiment.mesh.build(), Store(tmp_path / "two"), None
    )
    assert same(state.ema, student.ema) and int(frozen["steps"]) == 4


def export(run, folder, step=None):
    """An export of a run at a step."""
    step, tensors = checkpoints.parameters(run, step)
    folder.mkdir()
    checkpoints.write_export(folder, checkpoints.read_experiment(run), tensors, step)
    return folder


def import_run(run, folder, step=None):
    """A workdir with the imported parameters of a run at a step."""
    out = export(run, folder / "exported", step)
    assert commands.main(["import", str(out), "--workdir", str(folder / "run")]) == 0
    return folder / "run"


def initial_state(experiment, workdir, initial=None):
    """The state and the frozen parameters that a run starts from."""
    store = Store(workdir)
    return resuming.restore_or_init(experiment, experiment.mesh.build(), store, initial)[:2]


def test_an_export_is_the_same_teacher_as_its_run(teacher, uninterrupted, tmp_path):
    run, experiment = uninterrupted[0], halvings(teacher)
    of_run, _ = initial_state(experiment, tmp_path / "0")
    of_export, _ = initial_state(halvings(export(teacher, tmp_path / "plain")), tmp_path / "1")
    assert same(of_run.ema, of_export.ema)

    student = export(run, tmp_path / "student", 3)
    four = dataclasses.replace(experiment.task, teacher=str(student), start_steps=4)
    state, frozen = initial_state(dataclasses.replace(experiment, task=four), tmp_path / "2")
    assert same(state.ema, sampling.load(run, 3)[1].params) and int(frozen["steps"]) == 4
    eight = dataclasses.replace(four, start_steps=8)
    with pytest.raises(CheckpointError, match=r"to 4 steps: use --set task.start_steps=4"):
        initial_state(dataclasses.replace(experiment, task=eight), tmp_path / "3")


def test_an_imported_model_is_the_first_teacher(teacher, uninterrupted, tmp_path):
    workdir = import_run(teacher, tmp_path)
    last = training.train(halvings("not read"), workdir)
    assert same(last, uninterrupted[1]) and sampling.load(workdir)[1].steps == 1


def test_an_import_from_the_end_of_a_halving_resumes_as_its_run(teacher, uninterrupted, tmp_path):
    workdir = import_run(uninterrupted[0], tmp_path, 3)
    assert same(training.train(halvings(teacher), workdir).ema, uninterrupted[1].ema)


def test_an_import_from_within_a_halving_resumes_at_its_step(teacher, tmp_path, monkeypatch):
    run = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stop_at(5))
        with pytest.raises(Stopped):
            training.train(halvings(teacher), run)
    workdir, reached = import_run(run, tmp_path, 4), Store(run)
    state, frozen = initial_state(halvings(teacher), workdir, export_of(workdir))
    like = {"ema": state.ema, "frozen": frozen}
    assert int(state.step) == 4 and int(frozen["steps"]) == 2
    assert same(like, reached.restore(like, 4)[1])
    training.train(halvings(teacher), workdir)
    rates = [json.loads(x)["learning_rate"] for x in (workdir / "metrics.jsonl").open()]
    np.testing.assert_allclose(rates[:2], [0.02 * 2 / 3, 0.02 / 3], rtol=1e-5)
    (tmp_path / "other").mkdir()
    other = import_run(run, tmp_path / "other", 4)
    with pytest.raises(CheckpointError, match=r"resume with --set steps=3"):
        training.train(halvings(teacher, steps=4), other)


def test_runs_that_cannot_be_teachers_are_refused(teacher, tmp_path):
    task = training.Distillation(exact.denoising(), str(tmp_path / "nothing"), start_steps=2)
    params, _ = task.init(KEY, exact.batch())
    with pytest.raises(CheckpointError, match=r"teacher of Distillation: .*nothing is not a run"):
        task.load_initial(params)
    other = dataclasses.replace(
        exact.denoising(), process=diffusion.Process(diffusion.Cosine(-15.0))
    )
    with pytest.raises(CheckpointError, match=r"trained with .*logsnr_min=-20"):
        training.Distillation(other, str(teacher), start_steps=2).load_initial(params)
    known = training.Distillation(exact.denoising(), str(teacher), start_steps=2)
    with pytest.raises(CheckpointError, match=r"another network: it has \['use_weight'\]"):
        known.load_initial({"mean": params["mean"]})
    with pytest.raises(CheckpointError, match=r"it has no \['more'\]"):
        known.load_initial(params | {"more": params["mean"]})
    with pytest.raises(ValueError, match=r"start_steps=12 and end_steps=1"):
        training.Distillation(exact.denoising(), "", start_steps=12)
    with pytest.raises(ValueError, match=r"start_steps=8 and segments=3"):
        training.Consistency(exact.denoising(), "", start_steps=8, segments=3)


def test_a_phased_run_cannot_resume_with_other_steps(teacher, tmp_path):
    experiment, folder = halvings(teacher), epath.Path(tmp_path)
    resuming.claim_workdir(experiment, folder)
    with pytest.raises(CheckpointError, match=r"steps: 3 -> 4"):
        resuming.claim_workdir(dataclasses.replace(experiment, steps=4), folder)
    assert config.from_json(config.to_json(experiment)) == experiment
