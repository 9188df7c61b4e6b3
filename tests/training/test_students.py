"""Distillation: what students are taught, and runs of several halvings."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pupils
import pytest
from test_loop import same

from vdm_jax import checkpoints, commands, config, diffusion, sampling, training
from vdm_jax.checkpoints import CheckpointError, Checkpoints, Store, export_of
from vdm_jax.models import Conditioning
from vdm_jax.training import loop

KEY = jax.random.key(0)


def test_the_target_is_two_steps_of_an_exact_teacher_in_float32_at_8192_steps():
    task = training.Distillation(pupils.denoising(), teacher="", start_steps=16384, end_steps=8192)
    i = np.arange(1, 8193, 29)
    cond = Conditioning(label=jnp.arange(len(i)) % 2 - 1)
    z = np.random.default_rng(0).standard_normal((len(i), 1, 1, 1, 8))
    params, frozen = task.init(KEY, pupils.batch())
    _, frozen = task.next_phase(params, frozen)
    assert int(frozen["steps"]) == 8192
    found = jax.jit(task.target)(frozen, np.float32(z), jnp.asarray(i), cond)

    def steps(process, z):
        """DDIM by hand: where two steps lead, and the x that leads there at once."""
        schedule, denoiser = process.schedule, task.denoiser(params, {}, cond)
        t, m = (schedule(jnp.asarray((2 * i - k) / 16384)) for k in (0, 1))
        s = jnp.where(jnp.asarray(i) > 1, schedule(jnp.asarray((i - 1) / 8192)), jnp.inf)
        z_m = process.ddim(denoiser(z, t), z, t, m)
        z_s = process.ddim(denoiser(z_m, m), z_m, m, s)
        zero, one = (process.ddim(jnp.full_like(z, x), z, t, s) for x in (0.0, 1.0))
        return (z_s - zero) / (one - zero)

    with jax.enable_x64(True):
        exact = np.asarray(jax.jit(lambda z: steps(pupils.PROCESS, z))(z))
    assert found.dtype == jnp.float32
    assert np.max(np.abs(found - exact)) < 1e-5


TASKS = {
    "single": training.Distillation(pupils.denoising(), "", start_steps=8),
    "double": training.Distillation(
        pupils.denoising(), "", start_steps=8, jump=diffusion.StochasticJump()
    ),
    "guided": training.GuidedDistillation(pupils.denoising(), "", weights=(1.0, 4.0)),
    "consistency": training.Consistency(pupils.denoising(), "", start_steps=8, segments=1),
    "multistep": training.Consistency(pupils.denoising(), "", start_steps=8, segments=2),
}


@pytest.mark.parametrize("name", TASKS)
def test_what_is_already_right_in_one_step_is_left_alone(name):
    """Data of one point: one call is exact, so no halving has anything to teach."""
    task = dataclasses.replace(TASKS[name], denoising=pupils.denoising(pupils.Blind()))
    params, frozen = task.init(KEY, pupils.batch())
    params, frozen = task.next_phase(params, frozen)
    loss, grads = jax.jit(
        jax.value_and_grad(lambda p: task.loss(p, frozen, KEY, pupils.batch())[0])
    )(params)
    assert float(loss) < 1e-10
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(grads)) < 1e-4


@pytest.mark.parametrize("name", TASKS)
def test_a_student_that_is_wrong_is_taught_and_its_teacher_is_not(name):
    task = TASKS[name]
    params, frozen = task.init(KEY, pupils.batch())
    params, frozen = task.next_phase(params, frozen)

    def loss(params, teacher):
        return task.loss(params, {**frozen, "teacher": teacher}, KEY, pupils.batch())[0]

    wrong = jax.tree.map(lambda x: x + 0.3, params)
    value, (student, teacher) = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(
        wrong, frozen["teacher"]
    )
    assert float(value) > 1e-4 and float(student["mean"][0, 0]) > 1e-3
    assert not any(np.any(g) for g in jax.tree.leaves(teacher))


def test_a_student_that_knows_the_weight_is_its_guided_teacher():
    """The loss of the guided model's exact student is nothing, for every weight of the range."""
    task = TASKS["guided"]
    params, frozen = task.init(KEY, pupils.batch())
    params, frozen = task.next_phase(params, frozen)
    loss = jax.jit(lambda p: task.loss(p, frozen, KEY, pupils.batch())[0])
    assert float(loss(params | {"knows": jnp.ones((1, 1))})) < 1e-9 < 1e-4 < float(loss(params))


@pytest.mark.parametrize("weight", [2.5, diffusion.Oscillating(4.0, 1.0, steps=4, first=1)])
def test_guidance_as_an_input_samples_as_guidance_of_two_calls(weight):
    task = pupils.denoising(pupils.Exact(counted=True))
    params, _ = task.init(KEY, pupils.batch())
    cond, keys = Conditioning(label=jnp.zeros(2, int)), jax.random.split(KEY, 2)
    ways = {
        2: (sampling.Generator(diffusion.DDIM(4), guidance=weight, threshold=None), params),
        1: (
            sampling.Distilled(diffusion.DDIM(4), guidance=weight, threshold=None),
            params | {"knows": jnp.ones((1, 1))},
        ),
    }
    found = []
    for calls, (generator, params) in ways.items():
        pupils.CALLS.clear()
        sample = jax.jit(lambda p, g=generator: g(task, p, {}, keys, cond, (2, 2, 4, 4, 3)))
        found.append(jax.block_until_ready(sample(params)))
        jax.effects_barrier()
        assert len(pupils.CALLS) == calls * 4
    np.testing.assert_allclose(*found, atol=1e-5)


def test_the_lengths_of_halvings():
    """Salimans & Ho: 50,000 updates a halving and 100,000 for the last two, 750,000 in all."""
    task = training.Distillation(pupils.denoising(), "", start_steps=8192)
    experiment = pupils.experiment(task=task, steps=50_000)
    assert len(experiment.ends) == 13 and experiment.ends[-1] == 750_000
    longer = dataclasses.replace(task, start_steps=16, first_length=3, last_lengths=(2, 4))
    assert longer.phases == (3, 1, 2, 4)
    assert dataclasses.replace(longer, start_steps=2).phases == (4,)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A run of one update."""
    folder = tmp_path_factory.mktemp("teacher")
    training.train(pupils.experiment(steps=1, sampling=sampling.Generator()), folder)
    return folder


def halvings(teacher, **changes):
    """8 -> 4 -> 2 -> 1 steps in 3, 3 and 6 updates."""
    task = training.Distillation(
        pupils.denoising(), str(teacher), start_steps=8, last_lengths=(2,), teacher_dtype="bfloat16"
    )
    return pupils.experiment(
        task=task,
        sampling=sampling.Distilled(sampler=diffusion.DDIM(8), batch=8),
        checkpoints=Checkpoints(every=2, keep=1),
        **changes,
    )


class Stopped(Exception):
    """What takes a run down in these tests."""


def stopped_at(step):
    """A `Run.report` that ends the run after a step."""
    report = loop.Run.report

    def stop(run, n, metrics):
        report(run, n, metrics)
        if n == step:
            raise Stopped

    return stop


def test_a_run_halves_by_itself_and_every_student_is_kept(teacher, tmp_path, capsys):
    experiment = halvings(teacher)
    assert experiment.ends == (3, 6, 12)
    last = training.train(experiment, tmp_path)
    assert int(last.step) == 12
    assert capsys.readouterr().out.count("compiled in") == 1
    store = Store(tmp_path)
    assert store.steps() == [3, 6, 12]

    like = {"ema": last.ema, "frozen": {"teacher": jax.tree.map(
        lambda x: x.astype(jnp.bfloat16), last.ema), "steps": jnp.int32(0)}}  # fmt: skip
    found = {step: store.restore(like, step)[1] for step in store.steps()}
    assert [int(found[n]["frozen"]["steps"]) for n in found] == [4, 2, 1]
    _, trees, _ = Store(teacher).restore({"ema": last.ema})
    for before, after in ((trees, found[3]), (found[3], found[6]), (found[6], found[12])):
        kept = jax.tree.map(lambda x: x.astype(jnp.bfloat16), before["ema"])
        assert same(kept, after["frozen"]["teacher"])
        assert not same(before["ema"], after["ema"])
    rates = [json.loads(x)["learning_rate"] for x in (tmp_path / "metrics.jsonl").open()]
    thirds = [0.02, 0.02 * 2 / 3, 0.02 / 3]
    np.testing.assert_allclose(rates[:6], thirds * 2, rtol=1e-5)
    np.testing.assert_allclose(rates[6:], 0.02 * (1 - np.arange(6) / 6), rtol=1e-5)

    steps, student = sampling.load(tmp_path, 6)
    assert (steps, student.steps) == (6, 2)
    assert student.teacher().generator == sampling.Generator()
    with pytest.raises(config.ConfigError, match="not taught guidance weights"):
        sampling.load(tmp_path, 6, ("sampling.guidance=2.0",))


@pytest.fixture(scope="module")
def stages(teacher, tmp_path_factory):
    """(folder, last state) of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("stages")
    return folder, training.train(halvings(teacher), folder)


@pytest.mark.parametrize("step", [2, 3, 5, 7])
def test_a_run_stopped_in_any_halving_ends_as_one_that_never_stopped(
    step, stages, teacher, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stopped_at(step))
        with pytest.raises(Stopped):
            training.train(halvings(teacher), tmp_path)
    if step > 3:  # it needs its teacher's run no more
        monkeypatch.setattr(training.Student, "load_initial", lambda *_: pytest.fail("read again"))
    assert same(stages[1], training.train(halvings(teacher), tmp_path))


def test_a_run_can_start_from_a_student(teacher, tmp_path):
    """What 8 -> 4 has reached is the teacher of a run 4 -> 2, of as many steps as it has learnt."""
    experiment = halvings(teacher)
    four = dataclasses.replace(experiment.task, end_steps=4, last_lengths=())
    student = training.train(dataclasses.replace(experiment, task=four), tmp_path / "four")
    two = dataclasses.replace(four, teacher=str(tmp_path / "four"), start_steps=4, end_steps=2)
    experiment = dataclasses.replace(experiment, task=two)
    state, frozen, _ = loop.start(
        experiment, experiment.mesh.build(), Store(tmp_path / "two"), None
    )
    assert same(state.ema, student.ema) and int(frozen["steps"]) == 4


def exported(run, folder, step=None):
    """An export of a run as of a step."""
    step, tensors = checkpoints.parameters(run, step)
    folder.mkdir()
    checkpoints.write_export(folder, checkpoints.read_experiment(run), tensors, step)
    return folder


def imported(run, folder, step=None):
    """A workdir that begins with what a run had reached at a step."""
    out = exported(run, folder / "exported", step)
    assert commands.main(["import", str(out), "--workdir", str(folder / "run")]) == 0
    return folder / "run"


def begun(experiment, workdir, given=None):
    """The state and the frozen parameters with which a run begins."""
    store = Store(workdir)
    return loop.start(experiment, experiment.mesh.build(), store, given)[:2]


def test_an_export_is_a_teacher_as_its_run_is(teacher, stages, tmp_path):
    run, experiment = stages[0], halvings(teacher)
    of_run, _ = begun(experiment, tmp_path / "0")
    of_export, _ = begun(halvings(exported(teacher, tmp_path / "plain")), tmp_path / "1")
    assert same(of_run.ema, of_export.ema)

    student = exported(run, tmp_path / "student", 3)
    four = dataclasses.replace(experiment.task, teacher=str(student), start_steps=4)
    state, frozen = begun(dataclasses.replace(experiment, task=four), tmp_path / "2")
    assert same(state.ema, sampling.load(run, 3)[1].params) and int(frozen["steps"]) == 4
    eight = dataclasses.replace(four, start_steps=8)
    with pytest.raises(CheckpointError, match=r"distilled to 4 steps: --set task.start_steps=4"):
        begun(dataclasses.replace(experiment, task=eight), tmp_path / "3")


def test_an_import_of_a_model_is_the_first_teacher(teacher, stages, tmp_path):
    workdir = imported(teacher, tmp_path)
    last = training.train(halvings("not read"), workdir)
    assert same(last, stages[1]) and sampling.load(workdir)[1].steps == 1


def test_an_import_of_a_halving_that_is_over_goes_on_as_the_run_itself(teacher, stages, tmp_path):
    workdir = imported(stages[0], tmp_path, 3)
    assert same(training.train(halvings(teacher), workdir).ema, stages[1].ema)


def test_an_import_from_within_a_halving_goes_on_there(teacher, tmp_path, monkeypatch):
    run = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stopped_at(5))
        with pytest.raises(Stopped):
            training.train(halvings(teacher), run)
    workdir, reached = imported(run, tmp_path, 4), Store(run)
    state, frozen = begun(halvings(teacher), workdir, export_of(workdir))
    like = {"ema": state.ema, "frozen": frozen}
    assert int(state.step) == 4 and int(frozen["steps"]) == 2
    assert same(like, reached.restore(like, 4)[1])
    training.train(halvings(teacher), workdir)
    rates = [json.loads(x)["learning_rate"] for x in (workdir / "metrics.jsonl").open()]
    np.testing.assert_allclose(rates[:2], [0.02 * 2 / 3, 0.02 / 3], rtol=1e-5)
    (tmp_path / "other").mkdir()
    other = imported(run, tmp_path / "other", 4)
    with pytest.raises(CheckpointError, match=r"--set steps=3 goes on there"):
        training.train(halvings(teacher, steps=4), other)


def test_what_cannot_be_a_teacher_is_refused(teacher, tmp_path):
    task = training.Distillation(pupils.denoising(), str(tmp_path / "nothing"), start_steps=2)
    params, _ = task.init(KEY, pupils.batch())
    with pytest.raises(CheckpointError, match=r"teacher of Distillation: .*nothing is not a run"):
        task.load_initial(params)
    other = dataclasses.replace(
        pupils.denoising(), process=diffusion.Process(diffusion.Cosine(-15.0))
    )
    with pytest.raises(CheckpointError, match=r"trained with .*logsnr_min=-20"):
        training.Distillation(other, str(teacher), start_steps=2).load_initial(params)
    known = training.Distillation(pupils.denoising(), str(teacher), start_steps=2)
    with pytest.raises(CheckpointError, match=r"another network: it has \['knows'\]"):
        known.load_initial({"mean": params["mean"]})
    with pytest.raises(CheckpointError, match=r"it has no \['more'\]"):
        known.load_initial(params | {"more": params["mean"]})
    with pytest.raises(ValueError, match=r"start=12 and end=1"):
        training.Distillation(pupils.denoising(), "", start_steps=12)
    with pytest.raises(ValueError, match=r"start=8 and segments=3"):
        training.Consistency(pupils.denoising(), "", start_steps=8, segments=3)


def test_the_length_of_a_run_in_parts_cannot_be_changed_on_the_way(teacher, tmp_path):
    experiment = halvings(teacher)
    loop.claim(experiment, tmp_path)
    with pytest.raises(CheckpointError, match=r"steps: 3 -> 4"):
        loop.claim(dataclasses.replace(experiment, steps=4), tmp_path)
    assert config.from_json(config.to_json(experiment)) == experiment
