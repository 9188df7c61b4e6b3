"""The training loop: resuming, devices, skipped updates, and runs that must not start."""

import dataclasses
import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from etils import epath

from vdm_jax import parallel, training
from vdm_jax.checkpoints import CheckpointError, Checkpoints
from vdm_jax.training import loop, resuming


def same(a, b) -> bool:
    """Whether two trees are bit-identical."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(x), np.asarray(y)) for x, y in pairs)


class TerminatingClips:
    """Clips that send SIGTERM to this process at the n-th read."""

    def __init__(self, clips, after: int):
        self.clips, self.left = clips, after

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.clips[index]


@dataclasses.dataclass(frozen=True)
class TerminatingSource:
    """A source whose training clips send SIGTERM to this process at the n-th read."""

    source: object
    after: int

    def clips(self, split):
        return TerminatingClips(self.source.clips(split), self.after)

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "source"), name)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, monkeypatch, eight_devices):
    experiment = tiny.experiment(mesh=parallel.Mesh(data=4, fsdp=2))
    whole = training.train(experiment, tmp_path / "whole")

    stopped = tiny.experiment(mesh=parallel.Mesh(data=4, fsdp=2))
    monkeypatch.setattr(loop, "claim_workdir", lambda *_: None)
    cut = dataclasses.replace(stopped, data=TerminatingSource(stopped.data, after=30))
    with pytest.raises(training.Interrupted) as caught:
        training.train(cut, tmp_path / "cut")
    assert 0 < caught.value.step < experiment.steps
    resumed = training.train(stopped, tmp_path / "cut")

    assert int(resumed.step) == experiment.steps
    assert same(whole, resumed)
    records = [json.loads(x) for x in (tmp_path / "cut" / "metrics.jsonl").open()]
    assert [r["step"] for r in records] == sorted({r["step"] for r in records})


def test_the_init_program_is_freed_after_use(tmp_path):
    """It runs once, and steps need its memory."""

    name = f"jit_{training.init.__name__}"

    def live_programs() -> int:
        programs = jax.devices()[0].client.live_executables()
        return sum(program.hlo_modules()[0].name == name for program in programs)

    before = live_programs()
    training.train(tiny.experiment(steps=1), tmp_path)
    assert live_programs() <= before


def test_a_crash_loses_only_the_steps_since_the_last_checkpoint(tmp_path, monkeypatch):
    experiment = tiny.experiment(checkpoints=Checkpoints(every=2))
    whole = training.train(experiment, tmp_path / "whole")

    class Crash(Exception):
        pass

    def crash(run, step, metrics):
        if step == 4:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", crash)
        with pytest.raises(Crash):
            training.train(experiment, tmp_path / "cut")
    assert experiment.checkpoints.open(tmp_path / "cut").steps() == [2, 4]
    assert same(whole, training.train(experiment, tmp_path / "cut"))


def test_an_unreadable_newest_checkpoint_falls_back_to_the_one_before(tmp_path):
    experiment = tiny.experiment(checkpoints=Checkpoints(every=2))
    whole = training.train(experiment, tmp_path)
    for file in (tmp_path / "checkpoints" / "6" / "ema").rglob("*"):
        if file.is_file() and file.stat().st_size > 1000:
            file.write_bytes(file.read_bytes()[:100])
    assert same(whole, training.train(experiment, tmp_path))
    assert same(whole, training.train(experiment, tmp_path))  # the bad one has been replaced


INITS: list[int] = []


class CountedInit(tiny.Regression):
    """A task that counts the runs of its `init`; tracing it for shapes does not count."""

    def init(self, key, batch):
        jax.debug.callback(lambda: INITS.append(1))
        return super().init(key, batch)


def test_a_resumed_run_does_not_initialize_parameters(tmp_path):
    """It would take the memory of a second state, and long to compile."""
    for steps in (2, 4):
        training.train(tiny.experiment(task=CountedInit(), steps=steps), tmp_path)
    jax.effects_barrier()
    assert len(INITS) == 1


def test_one_device_and_eight_give_the_same_losses(eight_devices):
    """The step around the network, whose own sharding tests/parallel covers."""
    losses = {}
    for devices, mesh in ((1, parallel.Mesh(data=1)), (8, parallel.Mesh(data=2, fsdp=4))):
        experiment = tiny.experiment(steps=20)
        grid = mesh.build(jax.devices()[:devices])
        batches = experiment.loader(experiment.data.clips("train"), seed=0)
        state, frozen = sharded_init(experiment, grid)
        shardings = jax.tree.map(lambda x: x.sharding, state)
        step = jax.jit(
            training.make_step(experiment.task, experiment.optimizer, 20),
            out_shardings=(shardings, None),
        )
        losses[devices] = []
        for _ in range(20):
            batch = jax.device_put(next(batches), parallel.batch_sharding(grid))
            state, metrics = step(state, frozen, batch)
            losses[devices].append(float(metrics["task"]["error"][0]))
        kernel = state.params["layer"]["weights"]
        assert len({str(shard.index) for shard in kernel.addressable_shards}) == mesh.fsdp
    np.testing.assert_allclose(losses[1], losses[8], rtol=1e-5)


def sharded_init(experiment, grid):
    """The initial state of an experiment, created on a mesh."""

    def init(key):
        batch = experiment.loader.zeros(experiment.data)
        return training.init(experiment.task, experiment.optimizer, key, batch)

    like = jax.eval_shape(init, jax.random.key(0))
    return jax.jit(init, out_shardings=parallel.shardings(like, grid))(jax.random.key(0))


@dataclasses.dataclass(frozen=True)
class Exploding:
    """A task whose gradient is NaN for batches whose first pixel is `at` or more."""

    at: float = 3.0

    def init(self, key, batch):
        return {"a": jnp.ones(2), "b": {"c": jnp.ones(3)}}, {}

    def loss(self, params, frozen, key, batch):
        scale = jnp.where(batch["video"].reshape(-1)[0] >= self.at, jnp.nan, 1.0)
        return (params["a"] ** 2).sum() + (scale * params["b"]["c"]).sum(), {}


def test_a_non_finite_update_is_skipped_and_changes_nothing():
    step = jax.jit(training.make_step(Exploding(), training.Adam(), 10))
    good, bad = ({"video": jnp.full((1, 1, 1, 1, 3), value)} for value in (0.0, 9.0))
    state, frozen = training.init(Exploding(), training.Adam(), jax.random.key(0), good)
    after, metrics = step(state, frozen, bad)
    assert same(
        (state.params, state.ema, state.optimizer), (after.params, after.ema, after.optimizer)
    )
    assert (int(after.skipped), int(after.streak), int(after.step)) == (1, 1, 1)
    assert int(metrics["bad"]) == 1  # the second leaf, b.c
    recovered, _ = step(after, frozen, good)
    assert (int(recovered.skipped), int(recovered.streak)) == (1, 0)
    assert not same(after.params, recovered.params)


def test_too_many_skipped_updates_stop_the_run_and_name_the_tensor(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "claim_workdir", lambda *_: None)
    experiment = tiny.experiment(task=Exploding(at=0.0), patience=2)
    with pytest.raises(training.NotFinite, match=r"gradient of \['b'\]\['c'\] is not finite"):
        training.train(experiment, tmp_path)


class Deterministic(tiny.Regression):
    """A loss without randomness, so micro-batches see the inputs of the whole batch."""

    def loss(self, params, frozen, key, batch):
        x = batch["video"].reshape(len(batch["video"]), -1) / 255.0
        layer = params["layer"]
        out = jnp.tanh(x @ layer["weights"] + layer["bias"].reshape(1, -1))
        return jnp.square(out - 0.5).mean(), {}


def test_accumulation_is_the_gradient_of_the_whole_batch():
    """Adam's first moment after one update is (1 - b1) = 0.1 times the gradient."""
    task, key = Deterministic(), jax.random.key(0)
    batch = {"video": jax.random.randint(key, (8, 2, 4, 4, 3), 0, 256).astype(jnp.uint8)}
    state, _ = jax.jit(lambda: training.init(task, training.Adam(), key, batch))()
    results = []
    for accumulate in (1, 4):
        optimizer = training.Adam(accumulate=accumulate, clip=1e9)
        after, metrics = jax.jit(training.make_step(task, optimizer, 4))(state, {}, batch)
        results.append((after.optimizer[1][0].mu, metrics["task"]["loss"][:1]))
    (whole, loss_of_whole), (accumulated, loss) = (
        (np.concatenate([np.ravel(x) for x in jax.tree.leaves(moment)]), loss)
        for moment, loss in results
    )
    np.testing.assert_allclose(accumulated, whole, rtol=0, atol=1e-6 * np.abs(whole).max())
    np.testing.assert_allclose(loss, loss_of_whole, rtol=1e-6)

    with pytest.raises(ValueError, match=r"accumulate=3 does not divide a batch of 8"):
        step = training.make_step(task, training.Adam(accumulate=3), 4)
        jax.eval_shape(step, state, {}, batch)


def test_a_folder_of_another_experiment_is_refused(tmp_path):
    folder = epath.Path(tmp_path)
    resuming.claim_workdir(tiny.experiment(), folder)
    resuming.claim_workdir(tiny.experiment(steps=7), folder)  # more steps of the same run
    other = tiny.experiment(optimizer=training.Adam(peak=2e-3, warmup=2, ema=0.9))
    with pytest.raises(CheckpointError, match=r"optimizer\.peak: 0\.001 -> 0\.002"):
        resuming.claim_workdir(other, folder)
