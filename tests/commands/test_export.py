"""Exports: read without the run, imported into a new run, and run without vdm_jax."""

import json
import re
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
import untrained
from safetensors import safe_open

from vdm_jax import commands, sampling
from vdm_jax.checkpoints import export_of
from vdm_jax.checkpoints.safetensors import INDEX
from vdm_jax.sampling.export import stablehlo
from vdm_jax.training import resuming


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An untrained run, with results."""
    folder = tmp_path_factory.mktemp("export") / "run"
    untrained.run(folder)
    (folder / "evaluations.jsonl").write_text('{"step": 3, "oracle": {"colour": 0.25}}\n')
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The weights of the run, in several files."""
    out = tmp_path_factory.mktemp("exported") / "out"
    assert commands.main(["export", str(run), "--out", str(out), "--shard", "5e-6"]) == 0
    return out


def error_of(capsys, *argv) -> str:
    """The one-line error of a command line with status 2."""
    assert commands.main(list(map(str, argv))) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"vdm-jax {argv[0]}: error: ") and "\n" not in error
    return error


def same(a, b) -> bool:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in pairs)


def test_an_export_is_bit_identical_to_its_run(run, exported, tmp_path):
    _, original = sampling.load(run)
    assert len(list(exported.glob("*.safetensors"))) > 2
    moved = shutil.copytree(exported, tmp_path / "moved")
    step, trained = sampling.load(moved)
    assert step == 3 and same(trained.params, original.params)
    assert trained.experiment == original.experiment

    argv = ["import", str(moved), "--workdir", str(tmp_path / "mine")]
    assert commands.main(argv) == 0
    shutil.rmtree(moved)
    step, again = sampling.load(tmp_path / "mine")
    assert step == 3 and same(again.params, original.params)


def test_bfloat16_weights_load_rounded(run, tmp_path):
    argv = ["export", str(run), "--out", str(tmp_path / "half"), "--dtype", "bfloat16"]
    assert commands.main([*argv, "--samples", "0"]) == 0
    (file,) = (tmp_path / "half").glob("*.safetensors")
    with safe_open(file, framework="numpy") as arrays:
        assert {arrays.get_slice(name).get_dtype() for name in arrays.keys()} == {"BF16"}  # noqa: SIM118
    _, half = sampling.load(tmp_path / "half")
    _, whole = sampling.load(run)
    rounded = jax.tree.map(lambda x: x.astype("bfloat16").astype("float32"), whole.params)
    assert same(half.params, rounded)


def test_training_starts_from_imported_parameters(run, exported, tmp_path):
    assert commands.main(["import", str(exported), "--workdir", str(tmp_path / "w")]) == 0
    given = export_of(tmp_path / "w")
    experiment = untrained.experiment()
    store = experiment.checkpoints.open(tmp_path / "w")
    state, _, next_batch = resuming.restore_or_init(
        experiment, experiment.mesh.build(), store, given
    )
    _, original = sampling.load(run)
    assert same(state.params, original.params) and same(state.ema, original.params)
    assert int(state.step) == 0 and next_batch == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(state.optimizer))
    store.close()


def test_the_card_has_results_and_examples_that_run(exported, tmp_path, monkeypatch):
    card = (exported / "README.md").read_text()
    held_out = "a (small|large) [a-z]+ (circle|square|triangle)"
    assert re.search(held_out, card) and "| oracle.colour | 0.25 | 3 |" in card
    assert (exported / "samples.png").stat().st_size and "samples.png" in card
    blocks = re.findall(r"```python\n(.*?)```", card, re.S)
    assert len(blocks) == 2 and all(len(block.splitlines()) <= 20 for block in blocks)
    monkeypatch.chdir(shutil.copytree(exported, tmp_path / "there"))
    for block in blocks:
        exec(block, {})
    assert (tmp_path / "there" / "3.mp4").stat().st_size


def test_the_program_without_vdm_jax_makes_the_same_videos(run, tmp_path, unchecked):
    out = tmp_path / "program"
    assert commands.main(["export", str(run), "--program", "sampler", "--out", str(out)]) == 0
    script = (out / "run.py").read_text()
    assert "vdm_jax" not in script and len(script.splitlines()) < 25
    hide = "import runpy, sys; sys.modules['vdm_jax'] = None; runpy.run_path(sys.argv[0])"
    code = hide.replace("sys.argv[0]", repr(str(out / "run.py")))
    prompts = untrained.CAPTIONS[:2]
    subprocess.run([sys.executable, "-c", code, "7", *prompts], cwd=tmp_path, check=True)
    videos = np.load(tmp_path / "videos.npy")
    _, trained = sampling.load(run)
    cond = trained.encode(prompts, [-1, -1])
    expected = trained.generate(jax.random.key(7), cond, 2)
    assert videos.shape == expected.shape and videos.dtype == np.uint8
    assert np.abs(videos.astype(int) - expected).max() <= 1
    assert np.abs(videos[0].astype(int) - videos[1]).max() > 1
    facts = json.loads((out / "program.json").read_text())
    assert facts["platforms"] == ["cpu", "cuda", "tpu"] and facts["layout"] == 1


def test_a_saved_model_makes_the_same_videos(run, tmp_path, capsys, monkeypatch, unchecked):
    out = tmp_path / "program"
    argv = [
        "export",
        str(run),
        "--program",
        "sampler",
        "--format",
        "saved_model",
        "--out",
        str(out),
    ]
    assert "add --program" in error_of(capsys, *argv[:2], *argv[4:])
    try:
        import tensorflow as tf  # pyright: ignore[reportMissingImports]
    except ImportError:
        monkeypatch.setitem(sys.modules, "tensorflow", None)
        assert "pip install 'vdm_jax[savedmodel]'" in error_of(capsys, *argv)
        assert not out.exists()
        return
    assert commands.main(argv) == 0
    program = jax.export.deserialize(bytearray((out / "sampler.stablehlo").read_bytes()))
    _, trained = sampling.load(run)
    cond = stablehlo.conditions(trained, untrained.CAPTIONS[:2], [-1, -1])
    conditions = {name: np.asarray(rows) for name, rows in cond.items()}
    seed, rows = np.uint32(7), np.arange(2, dtype=np.int32)
    expected = program.call(dict(np.load(out / "parameters.npz")), seed, rows, conditions)
    serve = tf.saved_model.load(str(out / "saved_model")).signatures["serving_default"]
    given = {"input_0": seed, "input_1": rows, **conditions}
    videos = serve(**{name: tf.constant(x) for name, x in given.items()})["output"].numpy()
    assert videos.shape == expected.shape and videos.dtype == np.uint8
    assert np.abs(videos.astype(int) - np.asarray(expected)).max() <= 1


def test_the_denoiser_program_equals_the_model(run, tmp_path, unchecked):
    argv = ["export", str(run), "--program", "denoiser", "--out", str(tmp_path / "d")]
    assert commands.main([*argv, "--prompt", untrained.CAPTIONS[0]]) == 0
    program = jax.export.deserialize(bytearray((tmp_path / "d/denoiser.stablehlo").read_bytes()))
    parameters = dict(np.load(tmp_path / "d/parameters.npz"))
    cond = dict(np.load(tmp_path / "d/conditions.npz"))
    z, logsnr = jax.random.normal(jax.random.key(0), (1, 2, 8, 8, 3)), jax.numpy.array([0.5])
    _, trained = sampling.load(run)
    denoiser = trained.denoiser(trained.encode([untrained.CAPTIONS[0]], [-1]))
    x_hat = jax.jit(denoiser)(z, logsnr)
    np.testing.assert_allclose(program.call(parameters, z, logsnr, cond), x_hat, atol=1e-5)


def test_errors_are_one_line_and_leave_no_files(run, exported, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert "exists already" in error_of(capsys, "export", run, "--out", exported)
    assert "is for weights" in error_of(
        capsys, "export", run, "--out", out, "--program", "sampler", "--dtype", "bfloat16"
    )
    assert "there are steps [3]" in error_of(capsys, "export", run, "--out", out, "--step", 4)
    assert "is not a run" in error_of(capsys, "export", tmp_path, "--out", out)
    assert "of step 3, not of 4" in error_of(capsys, "sample", exported, "--step", 4)
    wide = ("--set", "task.model.channels=32")
    assert "of another model" in error_of(capsys, "sample", exported, *wide)
    assert "is not empty" in error_of(capsys, "import", exported, "--workdir", run)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install huggingface_hub" in error_of(
        capsys, "export", run, "--out", out, "--push", "me/mine"
    )

    broken = shutil.copytree(exported, tmp_path / "broken")
    file = sorted(broken.glob("*.safetensors"))[1]
    file.write_bytes(file.read_bytes()[:-4])
    assert "not a valid safetensors file" in error_of(capsys, "import", broken, "--workdir", out)
    assert "unknown word" not in error_of(capsys, "export", broken, "--out", out)

    index = shutil.copytree(exported, tmp_path / "later") / f"model{INDEX}"
    index.write_text(index.read_text().replace('"layout": 1', '"layout": 9'))
    assert "install a newer one" in error_of(capsys, "sample", index.parent)
    assert not out.exists() and not list(tmp_path.glob(".*"))


def test_a_failure_while_writing_leaves_no_files(run, tmp_path, capsys):
    error = error_of(capsys, "export", run, "--out", tmp_path / "out", "--prompt", "a redd cat")
    assert "unknown word" in error
    assert not list(tmp_path.iterdir())
