"""`vdm-jax plan` on tiny experiments."""

import dataclasses
import importlib.util
import json
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from vdm_jax import config, data, diffusion, models, nn, parallel, sampling
from vdm_jax.commands import main
from vdm_jax.commands.planning import candidates, search
from vdm_jax.parallel import Topology

KEYS = {
    *("experiment", "estimate", "topology", "chips", "mesh", "batch", "parameters", "fits"),
    *("hbm_bytes", "hbm_limit_bytes", "hbm_spare_bytes", "flops", "collective_bytes"),
    *("compiler_seconds", "network_seconds", "step_seconds", "mfu", "steps", "chip_hours"),
}


@dataclasses.dataclass(frozen=True)
class Pixels(tiny.Regression):
    """A regression without labels that stores `width` numbers per pixel for the backward pass."""

    width: int = 128

    def loss(self, params, frozen, key, batch):
        rows = {**batch, "label": jnp.zeros(len(batch["video"]))}
        loss, metrics = super().loss(params, frozen, key, rows)
        weights = params["layer"]["weights"]
        wide = jnp.tile(batch["video"].reshape(len(batch["video"]), -1), self.width) / 255.0
        seen = jnp.sin(jnp.cumsum(wide, axis=1)) @ jnp.tile(weights, (self.width, 1))
        return loss + jnp.square(seen).mean(), metrics


@pytest.fixture
def file(tmp_path):
    """An experiment file of a task."""

    def write(task="Pixels()", batch=8):
        path = tmp_path / "experiment.py"
        path.write_text(
            "import test_plan, tiny\n"
            "from vdm_jax import data\n"
            "def experiment():\n"
            f"    rows = data.Loader(batch={batch})\n"
            f"    return tiny.experiment(task=test_plan.{task}, loader=rows)\n"
        )
        return str(path)

    return write


def plan(*arguments) -> int:
    return main(["plan", *map(str, arguments)])


def test_without_a_compiler_facts_come_from_shapes(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    out = tmp_path / "plan.json"
    assert plan(file(), "--topology", "v5e:2x2", "--set", "mesh.fsdp=4", "--json", out) == 0
    printed, facts = capsys.readouterr().out, json.loads(out.read_text())
    assert "pip install" in printed
    assert facts["estimate"] == "shapes"
    assert facts["mesh"] == {"data": 1, "fsdp": 4, "frames": 1, "tensor": 1}
    assert facts["parameters"] == 2 * 8 * 8 * 3 * 64 + 64
    # Parameters, their average and two moments in float32: sharded by four, small ones replicated.
    assert facts["state_bytes"] == pytest.approx(4 * 4 * (facts["parameters"] / 4 + 48), rel=0.01)
    assert facts["hbm_bytes"] is None and facts["mfu"] is None


def test_gpus_without_their_compiler_are_planned_by_shapes(file, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert plan(file(), "--topology", "h100:8") == 0
    assert "not compiled: compiling for h100:8 needs" in capsys.readouterr().out


def test_absent_gpus_are_compiled_for_but_not_saved(cuda, file, tmp_path, capsys):
    out = tmp_path / "plan.json"
    assert plan(file(), "--topology", "h100:2x4", "--set", "mesh.fsdp=4", "--json", out) == 0
    facts = json.loads(out.read_text())
    assert set(facts) >= KEYS
    assert (facts["estimate"], facts["devices"], facts["mesh"]["data"]) == ("compiled", 8, 2)
    assert facts["fits"] and facts["hbm_bytes"] + facts["hbm_spare_bytes"] == 80 * 2**30
    assert facts["aliased_bytes"] == pytest.approx(facts["state_bytes"], rel=0.1)
    assert set(facts["collective_bytes"]) <= {"data", "fsdp", "data+fsdp"}
    assert facts["compiler_seconds"] is None and facts["step_seconds"] > 0
    assert "at best" in capsys.readouterr().out
    assert plan(file(), "--topology", "h100:8", "--save", tmp_path / "step") != 0
    assert "on a machine with these GPUs" in capsys.readouterr().err
    assert not (tmp_path / "step").exists()


def test_an_unknown_topology_is_refused(file, capsys):
    with pytest.raises(SystemExit):
        plan(file(), "--topology", "v5q:2x2")


def test_a_step_is_planned_and_saved(libtpu, file, tmp_path, capsys):
    out, saved = tmp_path / "plan.json", tmp_path / "step"
    fsdp = ("--set", "mesh.fsdp=2")
    assert (
        plan(
            file("Pixels(features=128)"),
            "--topology",
            "v5e:2x2",
            *fsdp,
            "--json",
            out,
            "--save",
            saved,
        )
        == 0
    )
    facts = json.loads(out.read_text())
    assert set(facts) >= KEYS
    assert facts["estimate"] == "compiled" and "compiled estimates" in capsys.readouterr().out
    assert facts["fits"] and facts["hbm_bytes"] + facts["hbm_spare_bytes"] == 16 * 2**30
    assert facts["aliased_bytes"] == pytest.approx(facts["state_bytes"], rel=0.1)  # donated
    assert set(facts["collective_bytes"]) <= {"data", "fsdp", "data+fsdp"}
    assert facts["chip_hours"] == pytest.approx(4 * 6 * facts["step_seconds"] / 3600)
    assert facts["compiler"]["jax"] == jax.__version__ and facts["compiler"]["libtpu"]
    assert saved.stat().st_size > 1000


def test_a_step_that_does_not_fit_gets_a_setting_that_does(libtpu, file, tmp_path, capsys):
    out = tmp_path / "plan.json"
    assert plan(file("Pixels(width=2048)", 4096), "--topology", "v5e:1x1", "--json", out) == 0
    facts, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert not facts["fits"] and facts["hbm_spare_bytes"] < 0
    assert f"{-facts['hbm_spare_bytes'] / 2**30:.2f} GiB too much" in printed
    near = facts["nearest"]
    assert near["fits"] and near["settings"][0].startswith("optimizer.accumulate=")
    assert near["hbm_bytes"] <= 0.9 * 16 * 2**30
    assert f"fits with --set {near['settings'][0]}" in printed


def test_the_nearest_settings_come_first():
    experiment = tiny.experiment(task=Pixels(), loader=data.Loader(batch=64))
    topology = Topology.parse("v5e:2x2")
    tries = list(candidates.smaller_candidates(experiment, topology, 1e7, memory=3e6))
    cuts = [settings for settings in tries if settings[0].startswith("optimizer")]
    assert cuts[0] == ("optimizer.accumulate=4",)  # 2 does not fit
    assert tries.index(cuts[0]) < tries.index(("loader.batch=16",))


def test_meshes_use_all_devices_and_divide_the_batch():
    experiment = tiny.experiment(task=Pixels(), loader=data.Loader(batch=2))
    for sizes in candidates.meshes(experiment, Topology.parse("v5e:2x2")):
        assert len(sizes) == 4 and math.prod(sizes.values()) == 4
        assert 2 % (sizes["data"] * sizes["fsdp"]) == 0


class Estimated(search.Attempts):
    """Steps that are fastest with `fsdp=2` and leave too little memory with batches of 16."""

    def __call__(self, settings):
        fields = dict(setting.split("=") for setting in settings)
        batch, fsdp = int(fields.get("loader.batch", 8)), fields.get("mesh.fsdp")
        rate = batch * (3.0 if fsdp == "2" else 1.0) / int(fields.get("mesh.tensor", 1))
        used = (0.5 if batch < 16 else 0.95) * self.topology.chip.memory
        seconds = {"step_seconds": batch / rate, "rows_per_second": rate, "mfu": rate / 100}
        row = {"settings": list(settings), "fits": True, "hbm_bytes": used, **seconds}
        self.rows.append(row)
        return row


def test_a_sweep_takes_the_fastest_setting_that_leaves_memory(capsys):
    experiment = tiny.experiment(task=Pixels(), loader=data.Loader(batch=8))
    attempts = Estimated(experiment, Topology.parse("v5e:2x2"), {})
    assert search.fastest(attempts) == [
        *("mesh.data=2", "mesh.fsdp=2", "mesh.frames=1", "mesh.tensor=1"),
    ]
    tried = [tuple(row["settings"]) for row in attempts.rows]
    assert len(set(tried)) == len(tried)
    for settings in tried:
        paths = [setting.split("=")[0] for setting in settings]
        assert len(set(paths)) == len(paths) and paths[:4] == [
            *("mesh.data", "mesh.fsdp", "mesh.frames", "mesh.tensor"),
        ]
    assert "batch and remat 1/" in capsys.readouterr().err


def test_estimates_are_reused_for_the_same_experiment_topology_and_compiler(tmp_path):
    experiment, topology = tiny.experiment(), Topology.parse("v5e:2x2")
    file, rows = tmp_path / "plan.json", [{"settings": ["mesh.fsdp=2"]}]
    assert search.Attempts(experiment, topology, {}, file).rows == []
    of = search.Attempts(experiment, topology, {}).fingerprint
    file.write_text(json.dumps({"of": of, "sweep": rows}))
    assert search.Attempts(experiment, topology, {}, file).rows == rows
    longer = dataclasses.replace(experiment, steps=7)
    for other in ((longer, topology, {}), (experiment, topology, {"jax": "0.1"})):
        assert search.Attempts(*other, file).rows == []
    file.write_text(json.dumps([]))
    assert search.Attempts(experiment, topology, {}, file).rows == []


def test_an_interrupted_sweep_resumes_from_its_file(libtpu, file, tmp_path, monkeypatch):
    out, compiled = tmp_path / "plan.json", []
    estimate = parallel.estimate
    monkeypatch.setattr(
        parallel, "estimate", lambda *program: compiled.append(1) or estimate(*program)
    )
    sweep = (file(), "--topology", "v5e:1x1", "--sweep", "--json", out)
    assert plan(*sweep) == 0
    facts = json.loads(out.read_text())
    assert len(compiled) == len(facts["sweep"]) + 1 and "mesh.fsdp=1" in facts["recommended"]
    out.write_text(json.dumps({"of": facts["of"], "sweep": facts["sweep"][:-1]}))
    compiled.clear()
    assert plan(*sweep) == 0
    assert len(compiled) == 2  # the missing estimate, and the recommended step


def test_every_other_remat_is_tried():
    model = tiny.network(levels=2 * (models.Level(1, (), blocks=1, remat=nn.RematLevel()),))
    task = dataclasses.replace(tiny.denoising().task, model=model)
    experiment = tiny.experiment(task=task)
    tries = candidates.batch_and_remat_candidates(experiment, Topology.parse("v5e:2x2"))
    remats = [
        {level.remat for level in config.override(experiment, *settings).task.model.levels}
        for settings in tries
        if "remat" in settings[0]
    ]
    layers = [nn.RematLayer(nn.SaveDots()), nn.RematLayer(nn.SaveConvolutions()), nn.RematLayer()]
    assert remats == [{None}, *({remat} for remat in layers)]


def test_an_executable_is_read_where_it_matches_and_refused_elsewhere(tmp_path):
    path, x = tmp_path / "program", jnp.arange(4.0)
    compiled = jax.jit(lambda x: x + 1).lower(x).compile()
    parallel.write_executable(path, compiled, {"steps": 3})
    again = parallel.read_executable(path, {"steps": 3}, (x,), x, jax.devices()[:1])
    assert (again(x) == x + 1).all()
    with pytest.raises(parallel.ExecutableMismatch, match="steps"):
        parallel.read_executable(path, {"steps": 4}, (x,), x, jax.devices()[:1])


def test_the_planned_sampler_is_the_program_that_samples(eight_devices):
    """The batch of `plan --sampler` compiles and gives the clips of `generate`."""
    experiment = tiny.denoising(mesh=parallel.Mesh(data=2, frames=2, fsdp=2))
    mesh = experiment.mesh.build()
    params, frozen = jax.jit(experiment.task.init)(
        jax.random.key(0), experiment.loader.zeros(experiment.data)
    )
    generator = sampling.Generator(sampler=diffusion.DDIM(steps=2), batch=5)
    experiment = dataclasses.replace(experiment, sampling=generator)
    function, arguments, clips = sampling.abstract_batch(
        sampling.abstract_model(experiment, mesh), mesh
    )
    assert clips == 8  # five, rounded up to the batch shards
    model = generator.trained_model(experiment, params, frozen)
    cond = model.encode([""] * clips, [-1] * clips)
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(3)))(jnp.arange(clips))
    inputs = (params, frozen, keys, cond)
    inputs = jax.device_put(inputs, jax.tree.map(lambda x: x.sharding, arguments))
    videos = function.lower(*arguments).compile()(*inputs)
    expected = model.generate(jax.random.key(3), cond, clips)
    assert np.abs(np.asarray(videos).astype(int) - expected).max() <= 1
