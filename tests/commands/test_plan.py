"""`vdm-jax plan` on tiny experiments."""

import dataclasses
import importlib.util
import json
import math

import jax
import jax.numpy as jnp
import pytest
import tiny

from vdm_jax import config, data, models, nn, parallel
from vdm_jax.commands import main, plan_search, planning
from vdm_jax.parallel import Topology

KEYS = {
    *("experiment", "estimate", "topology", "chips", "mesh", "batch", "parameters", "fits"),
    *("hbm_bytes", "hbm_limit_bytes", "hbm_spare_bytes", "flops", "collective_bytes"),
    *("compiler_seconds", "network_seconds", "step_seconds", "mfu", "steps", "chip_hours"),
}


@dataclasses.dataclass(frozen=True)
class Pixels(tiny.Regression):
    """A regression that asks for no labels, and keeps `width` numbers for each row."""

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


def test_without_a_compiler_shapes_say_what_they_can(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    out = tmp_path / "plan.json"
    assert plan(file(), "--topology", "v5e:2x2", "--set", "mesh.fsdp=4", "--json", out) == 0
    said, facts = capsys.readouterr().out, json.loads(out.read_text())
    assert "pip install" in said
    assert facts["estimate"] == "shapes"
    assert facts["mesh"] == {"data": 1, "fsdp": 4, "frames": 1, "tensor": 1}
    assert facts["parameters"] == 2 * 8 * 8 * 3 * 64 + 64
    # Parameters, their average and two moments of float32: a quarter each, and small ones whole.
    assert facts["state_bytes"] == pytest.approx(4 * 4 * (facts["parameters"] / 4 + 48), rel=0.01)
    assert facts["hbm_bytes"] is None and facts["mfu"] is None


def test_gpus_without_their_compiler_are_planned_by_shapes(file, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert plan(file(), "--topology", "h100:8") == 0
    assert "not compiled: to compile for h100:8" in capsys.readouterr().out


def test_gpus_that_are_not_here_are_compiled_for_and_nothing_is_kept(cuda, file, tmp_path, capsys):
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
    assert "where such GPUs are" in capsys.readouterr().err
    assert not (tmp_path / "step").exists()


def test_a_topology_that_is_none_ends_with_one_message(file, capsys):
    with pytest.raises(SystemExit):
        plan(file(), "--topology", "v5q:2x2")


def test_a_step_is_planned_and_kept(libtpu, file, tmp_path, capsys):
    out, kept = tmp_path / "plan.json", tmp_path / "step"
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
            kept,
        )
        == 0
    )
    facts = json.loads(out.read_text())
    assert set(facts) >= KEYS
    assert facts["estimate"] == "compiled" and "compiled estimates" in capsys.readouterr().out
    assert facts["fits"] and facts["hbm_bytes"] + facts["hbm_spare_bytes"] == 16 * 2**30
    assert facts["aliased_bytes"] == pytest.approx(facts["state_bytes"], rel=0.1)  # given away
    assert set(facts["collective_bytes"]) <= {"data", "fsdp", "data+fsdp"}
    assert facts["chip_hours"] == pytest.approx(4 * 6 * facts["step_seconds"] / 3600)
    assert facts["compiler"]["jax"] == jax.__version__ and facts["compiler"]["libtpu"]
    assert kept.stat().st_size > 1000


def test_too_large_a_batch_is_refused_by_how_much_and_a_near_setting_fits(
    libtpu, file, tmp_path, capsys
):
    out = tmp_path / "plan.json"
    assert plan(file("Pixels(width=2048)", 4096), "--topology", "v5e:1x1", "--json", out) == 0
    facts, said = json.loads(out.read_text()), capsys.readouterr().out
    assert not facts["fits"] and facts["hbm_spare_bytes"] < 0
    assert f"{-facts['hbm_spare_bytes'] / 2**30:.2f} GiB too much" in said
    near = facts["nearest"]
    assert near["fits"] and near["settings"][0].startswith("optimizer.accumulate=")
    assert near["hbm_bytes"] <= 0.9 * 16 * 2**30
    assert f"fits with --set {near['settings'][0]}" in said


def test_of_settings_the_nearest_come_first():
    experiment = tiny.experiment(task=Pixels(), loader=data.Loader(batch=64))
    topology = Topology.parse("v5e:2x2")
    tried = list(planning.candidates(experiment, topology, 1e7, memory=3e6))
    parts = [settings for settings in tried if settings[0].startswith("optimizer")]
    assert parts[0] == ("optimizer.accumulate=4",)  # 2 would not do
    assert tried.index(parts[0]) < tried.index(("loader.batch=16",))


def test_meshes_to_try_share_the_devices_and_the_batch():
    experiment = tiny.experiment(task=Pixels(), loader=data.Loader(batch=2))
    for sizes in planning.meshes(experiment, Topology.parse("v5e:2x2")):
        assert len(sizes) == 4 and math.prod(sizes.values()) == 4
        assert 2 % (sizes["data"] * sizes["fsdp"]) == 0


class Estimated(plan_search.Attempts):
    """Steps of a chip that likes `fsdp=2`, and has no room for batches of 16."""

    def __call__(self, settings):
        told = dict(setting.split("=") for setting in settings)
        batch, fsdp = int(told.get("loader.batch", 8)), told.get("mesh.fsdp")
        rate = batch * (3.0 if fsdp == "2" else 1.0) / int(told.get("mesh.tensor", 1))
        used = (0.5 if batch < 16 else 0.95) * self.topology.chip.memory
        seconds = {"step_seconds": batch / rate, "rows_per_second": rate, "mfu": rate / 100}
        found = {"settings": list(settings), "fits": True, "hbm_bytes": used, **seconds}
        self.rows.append(found)
        return found


def test_a_sweep_takes_the_fastest_that_leaves_room_and_goes_on_from_it(capsys):
    experiment = tiny.experiment(task=Pixels(), loader=data.Loader(batch=8))
    sought = Estimated(experiment, Topology.parse("v5e:2x2"), {})
    assert plan_search.fastest(sought) == [
        *("mesh.data=2", "mesh.fsdp=2", "mesh.frames=1", "mesh.tensor=1"),
    ]
    asked = [tuple(row["settings"]) for row in sought.rows]
    assert len(set(asked)) == len(asked)
    for settings in asked:
        paths = [setting.split("=")[0] for setting in settings]
        assert len(set(paths)) == len(paths) and paths[:4] == [
            *("mesh.data", "mesh.fsdp", "mesh.frames", "mesh.tensor"),
        ]
    assert "works 1/" in capsys.readouterr().err


def test_what_a_sweep_found_is_of_one_experiment_topology_and_compiler(tmp_path):
    experiment, topology = tiny.experiment(), Topology.parse("v5e:2x2")
    file, rows = tmp_path / "plan.json", [{"settings": ["mesh.fsdp=2"]}]
    assert plan_search.Attempts(experiment, topology, {}, file).rows == []
    of = plan_search.Attempts(experiment, topology, {}).of
    file.write_text(json.dumps({"of": of, "sweep": rows}))
    assert plan_search.Attempts(experiment, topology, {}, file).rows == rows
    longer = dataclasses.replace(experiment, steps=7)
    for other in ((longer, topology, {}), (experiment, topology, {"jax": "0.1"})):
        assert plan_search.Attempts(*other, file).rows == []
    file.write_text(json.dumps([]))
    assert plan_search.Attempts(experiment, topology, {}, file).rows == []


def test_a_sweep_that_was_stopped_goes_on_from_its_file(libtpu, file, tmp_path, monkeypatch):
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
    assert len(compiled) == 2  # what was not found yet, and the step that is recommended


def test_what_levels_compute_again_is_tried_in_every_other_way():
    model = tiny.network(levels=2 * (models.Level(1, (), blocks=1, remat=nn.RematLevel()),))
    task = dataclasses.replace(tiny.denoising().task, model=model)
    experiment = tiny.experiment(task=task)
    tried = planning.works(experiment, Topology.parse("v5e:2x2"))
    found = [
        {level.remat for level in config.override(experiment, *settings).task.model.levels}
        for settings in tried
        if "remat" in settings[0]
    ]
    layers = [nn.RematLayer(nn.SaveDots()), nn.RematLayer(nn.SaveConvolutions()), nn.RematLayer()]
    assert found == [{nn.Never()}, *({way} for way in layers)]


def test_an_executable_is_read_where_it_fits_and_refused_elsewhere(tmp_path):
    path, x = tmp_path / "program", jnp.arange(4.0)
    compiled = jax.jit(lambda x: x + 1).lower(x).compile()
    parallel.write_executable(path, compiled, {"steps": 3})
    again = parallel.read_executable(path, {"steps": 3}, (x,), x, jax.devices()[:1])
    assert (again(x) == x + 1).all()
    with pytest.raises(parallel.ExecutableMismatch, match="steps"):
        parallel.read_executable(path, {"steps": 4}, (x,), x, jax.devices()[:1])
