"""Protocols on the command line: samples in files, samples of a run, comparison, sensitivity."""

import csv
import dataclasses
import json
from contextlib import contextmanager

import fake_remote
import numpy as np
import pytest
import untrained
from etils import epath

from vdm_jax import commands, data, storage
from vdm_jax.metrics import Antialiased, Bootstrap, CenterCrop, PixelFeatures, ShorterSide
from vdm_jax.protocols import PROTOCOLS, Classes, Crop, Frechet, Generated, Protocol, Real, collect
from vdm_jax.sampling.trained_model import TrainedModel

PIXELS = (Antialiased(ShorterSide(8)), CenterCrop(8))
SMALL = Protocol(
    "small", "ucf101 generation", "small clips by their pixels", "this test",
    Real("x", "all", frames=2, windows=data.EveryWindow(), pixels=PIXELS),
    Generated(10, Classes("total", "pyoco"), frames=2, size=8),
    (Frechet(PixelFeatures(frames=2, size=2), bootstrap=Bootstrap(resamples=6)),),
)  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with `made` and `real`, in which commands run."""
    monkeypatch.setenv("VDM_JAX_STATISTICS", str(tmp_path / "statistics"))
    monkeypatch.setitem(PROTOCOLS, "small", SMALL)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, shape in (("made", (10, 2, 8, 8, 3)), ("real", (4, 6, 16, 20, 3))):
        (tmp_path / name).mkdir()
        for i, clip in enumerate(rng.integers(0, 256, shape, np.uint8)):
            np.save(tmp_path / name / f"{i:02}.npy", clip)
    return tmp_path


def run(*argv) -> None:
    assert commands.main(list(map(str, argv))) == 0


def error_of(capsys, *argv) -> str:
    assert commands.main(list(map(str, argv))) == 2
    return capsys.readouterr().err


@contextmanager
def count_calls(monkeypatch, owner, name, stop=None):
    """The calls of a method; call number `stop` raises KeyboardInterrupt."""
    calls, plain = [], getattr(owner, name)

    def method(self, *given):
        calls.append(name)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return plain(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, method)
        yield calls


def test_samples_in_files_are_measured_and_compared(place, capsys):
    argv = ("evaluate", "--protocol", "small", "--generated", "made", "--real", "real")
    run(*argv, "--out", "a.json", "--system", "ours")
    run(*argv, "--out", "b.json", "--set", "protocol.measures.0.ddof=0")
    record = json.loads((place / "b.json").read_text())
    assert record["changed"] == ["measures.0.ddof: 1 -> 0"] and record["system"] == "made"
    assert record["random_weights"] is False and record["versions"]["vdm_jax"]
    capsys.readouterr()
    error = error_of(capsys, "compare", "a.json", "b.json")
    assert "are not comparable" in error and "measures.0.ddof: 1 -> 0" in error
    run("compare", "a.json", "b.json", "--separate")
    assert capsys.readouterr().out.count("small [") == 2
    run("compare", "a.json", "--published")
    output = capsys.readouterr().out
    assert "ours" in output and "W.A.L.T-XL" in output and "another protocol" in output


def test_errors_name_what_is_missing_or_misspelt(place, capsys):
    files = ("--generated", "made", "--real", "real")
    assert "did you mean 'small'?" in error_of(capsys, "evaluate", "--protocol", "smal", *files)
    assert "(--list prints them)" in error_of(capsys, "evaluate", *files)
    assert "--generated DIR" in error_of(capsys, "evaluate", "--protocol", "small")
    by = ("evaluate", "--protocol", "small")
    assert "--real DIR" in error_of(capsys, *by, "--generated", "made")
    assert "begin with protocol." in error_of(capsys, *by, *files, "--set", "generated.count=3")
    assert "has no field 'size_'" in error_of(
        capsys, *by, *files, "--set", "protocol.generated.size_=3"
    )
    assert "no folder nowhere" in error_of(capsys, *by, "--generated", "nowhere", "--real", "real")
    (place / "bad.json").write_text("[]")
    assert "bad.json is not a result" in error_of(capsys, "compare", "bad.json")
    weights = ("evaluate", "--protocol", "ucf101_tats_128", *files)
    for i in range(2):
        np.save(place / "made" / f"{i:02}.npy", np.zeros((16, 128, 128, 3), np.uint8))
    assert "have 2 x 8" not in error_of(capsys, *weights)


def test_all_protocols_are_listed(capsys):
    run("evaluate", "--list")
    output = capsys.readouterr().out
    assert all(name in output for name in PROTOCOLS)


def test_prompts_and_real_clips_are_written_for_other_models(place, capsys):
    run("evaluate", "--protocol", "small", "--write-prompts", "prompts.csv")
    with (place / "prompts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and all(row["caption"] and int(row["label"]) >= 0 for row in rows)
    run("evaluate", "--protocol", "small", "--write-real", "clips", "--real", "real")
    clips = [np.load(p) for p in sorted((place / "clips").iterdir())]
    assert len(clips) == 12 and clips[0].shape == (2, 8, 8, 3) and clips[0].dtype == np.uint8


def test_a_run_is_sampled_once_and_measured(place, capsys, monkeypatch):
    untrained.run(place / "run")
    silent = dataclasses.replace(SMALL.generated, prompts=Classes("total"))
    monkeypatch.setitem(PROTOCOLS, "small", dataclasses.replace(SMALL, generated=silent))
    argv = ("evaluate", "run", "--protocol", "small", "--real", "real")
    run(*argv)
    (result,) = (place / "run").rglob("result.json")
    samples = sorted((result.parent / "samples").glob("*.npy"))
    assert len(samples) == 10 and "small-" in result.parent.parent.name
    first = json.loads(result.read_text())
    assert first["system"] == "run step 3" and first["inputs"]["seed"] == 0
    samples[3].unlink()
    run(*argv)
    assert json.loads(result.read_text()) == first
    run("evaluate", "--protocol", "small", "--generated", result.parent / "samples",
        "--real", "real", "--out", "again.json")  # fmt: skip
    capsys.readouterr()
    run("compare", result, "again.json")
    assert "run step 3" in capsys.readouterr().out
    assert "holds other samples, seed" in error_of(capsys, *argv, "--seed", "1")
    assert "did you mean 'small'?" in error_of(capsys, "evaluate", "run", "--protocol", "smalll")


@pytest.mark.parametrize("name", ["kinetics600_magvit_64", "bair_aux1_64"])
def test_a_run_predicts_from_real_frames(name, place, capsys, monkeypatch):
    """Frame prediction with the protocol's own windows and splits, on clips of 2 x 8 x 8.

    Sample i continues real clip i // each from its first frame, which stays bit-identical.
    """
    untrained.run(place / "run")
    row, pixels = PROTOCOLS[name], (Antialiased(ShorterSide(8)), Crop(8))
    source = dataclasses.replace(row.generated.source, frames=2, pixels=pixels)
    real = dataclasses.replace(row.real, frames=2, pixels=pixels)
    each = min(row.generated.each, 2)
    rules = dataclasses.replace(
        row.generated, count=6, each=each, frames=2, given=1, size=8, source=source
    )
    few = dataclasses.replace(
        row, real=real, generated=rules, measures=SMALL.measures, repeats=min(row.repeats, 2)
    )
    monkeypatch.setitem(PROTOCOLS, name, few)
    run("evaluate", "run", "--protocol", name, "--real", "real")
    (result,) = (place / "run").rglob("result.json")
    samples = [np.load(p) for p in sorted((result.parent / "samples").glob("*.npy"))]
    clips = source.clips(collect(place / "real"))
    assert len(samples) == 6 * few.repeats
    for i, sample in enumerate(samples):
        true = clips[(i // each) % len(clips)]["video"]
        np.testing.assert_array_equal(sample[0], true[0])
        assert not np.array_equal(sample[1], true[1])
    record = json.loads(result.read_text())
    assert record["counts"] == {"generated": len(samples), "real": len(clips)}
    assert np.isfinite(record["values"]["fvd"]["value"])
    assert "repeats" in record["values"]["fvd"] or few.repeats == 1


def test_an_interrupted_evaluation_resumes_in_a_bucket(place, monkeypatch):
    """Every sample and every chunk of features is uploaded at once."""
    fake_remote.register()
    untrained.run(place / "run")
    home = epath.Path("s3://runs/small")
    run("export", "run", "--out", home, "--samples", "0")
    monkeypatch.delenv("VDM_JAX_STATISTICS")
    monkeypatch.setattr("vdm_jax.protocols.samples.BATCH", 4)
    monkeypatch.setattr("vdm_jax.protocols.measurement.CHUNK", 5)
    silent = dataclasses.replace(SMALL.generated, prompts=Classes("total"))
    monkeypatch.setitem(PROTOCOLS, "small", dataclasses.replace(SMALL, generated=silent))
    argv = ("evaluate", home, "--protocol", "small", "--real", "real")
    with (
        count_calls(monkeypatch, TrainedModel, "generate", stop=2),
        pytest.raises(KeyboardInterrupt),
    ):
        run(*argv)
    (samples,) = home.glob("protocols/small-*/step-3/samples")
    assert sorted(file.name for file in samples.glob("*.npy")) == [f"{i:05}.npy" for i in range(4)]
    with (
        count_calls(monkeypatch, PixelFeatures, "__call__", stop=2),
        pytest.raises(KeyboardInterrupt),
    ):
        run(*argv)
    assert len(list(samples.glob("*.npy"))) == 10
    assert len(list(home.glob("protocols/statistics/*/chunk-*.npz"))) == 1
    with count_calls(monkeypatch, PixelFeatures, "__call__") as calls:
        run(*argv)
        assert len(calls) == 1 + 3  # the second chunk of samples, and three of real clips
        run(*argv)
        assert len(calls) == 4
    record = json.loads((samples.parent / "result.json").read_text())
    assert record["system"] == "small step 3" and record["inputs"]["generated"] == str(samples)
    monkeypatch.setenv("VDM_JAX_STATISTICS", str(place / "statistics"))
    run("evaluate", "run", "--protocol", "small", "--real", "real", "--out", "here.json")
    assert json.loads((place / "here.json").read_text())["values"] == record["values"]
    assert not (place / "s3:").exists()


def test_samples_and_results_in_a_bucket(place, monkeypatch):
    fake_remote.register()
    there = epath.Path("s3://anyone")
    storage.copy("made", there / "made")
    by = ("--protocol", "small", "--real", "real")
    run("evaluate", *by, "--generated", there / "made", "--out", there / "a.json")
    run("evaluate", *by, "--generated", "made", "--out", "b.json")
    record = json.loads((there / "a.json").read_text())
    assert record["values"] == json.loads((place / "b.json").read_text())["values"]
    run("compare", there / "a.json", "b.json")
    np.save(place / "other.npy", np.zeros((2, 8, 8, 3), np.uint8))
    storage.copy("other.npy", there / "made" / "03.npy")  # a file of the same size
    run("evaluate", *by, "--generated", there / "made", "--out", there / "c.json")
    assert json.loads((there / "c.json").read_text())["values"] != record["values"]

    run("evaluate", "--protocol", "small", "--write-prompts", there / "prompts.csv")
    assert len((there / "prompts.csv").read_text().splitlines()) == 11
    run("evaluate", *by, "--write-real", there / "clips")
    assert len(list((there / "clips").glob("*.npy"))) == 12
    run("sensitivity", *by, "--generated", there / "made", "--out", there / "study")
    assert json.loads((there / "study" / "sensitivity.json").read_text())["settings"]
    monkeypatch.setenv("VDM_JAX_DATA", str(place / "kept"))
    storage.copy("real", there / "real")
    run("evaluate", *by[:2], "--generated", "made", "--real", there / "real", "--out", "d.json")
    found = json.loads((place / "d.json").read_text())
    assert found["values"] == json.loads((place / "b.json").read_text())["values"]
    assert found["reference_hash"] == record["reference_hash"]
    assert not (place / "s3:").exists()


def test_sensitivity_changes_one_choice_at_a_time(place, capsys):
    run("sensitivity", "--protocol", "small", "--generated", "made", "--real", "real")
    out = place / "sensitivity"
    study = json.loads((out / "sensitivity.json").read_text())
    values = {(row["choice"], row["setting"]): row["value"] for row in study["settings"]}
    assert {choice for choice, _ in values} >= {
        "resize of real frames", "crop of real frames", "storage", "stride of real clips",
        "samples", "covariance", "reference", "seed of the reference"}  # fmt: skip
    own = study["own"]["value"]
    assert values["covariance", "ddof 0"] < own and values["samples", "5"] != own
    assert values["resize of real frames", "TensorFlow 1"] != own
    assert (out / "sensitivity.txt").read_text().startswith(f"small: {own:.5g}")
    pytest.importorskip("matplotlib")
    assert (out / "sensitivity.png").stat().st_size > 10_000
