"""Several experiments, and cascades of their runs, on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from vdm_jax import commands, sampling
from vdm_jax.data import MovingShapes

STAGE = """
from vdm_jax import data, diffusion, models, nn, sampling, training
import tiny

def experiment():
    lowres, frames = {lowres}, {frames}
    inputs = (nn.LogSNR(),) if lowres is None else (nn.LogSNR(), nn.LowresLogSNR())
    unet = tiny.network(
        channels=8, levels=(models.Level(1, blocks=0),), outputs=3,
        embedding=nn.Embedding(width=8, layers=1, inputs=inputs),
    )
    task = training.Denoising(
        unet if lowres is None else models.SuperResolution(unet),
        diffusion.Process(diffusion.Cosine()), lowres=lowres,
    )
    source = data.MovingShapes(frames=frames, size=8, examples=16, held_out=4)
    return tiny.denoising(task=task, data=source, steps=1, log_every=1)
"""
CASCADE = """
from vdm_jax import data, evaluation, sampling

def cascade():
    stages = tuple(sampling.Stage(f"{folder}/{{name}}") for name in ("base", "longer"))
    return sampling.Cascade(
        stages, data=data.MovingShapes(frames=4, size=4, held_out=4),
        evaluations=(evaluation.MovingShapesOracle(samples=2),), fps=6.0,
    )
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The runs of two experiments, trained by one command."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "base.py").write_text(STAGE.format(lowres=None, frames=2))
    (folder / "longer.py").write_text(STAGE.format(lowres="training.LowRes(frames=2)", frames=4))
    (folder / "cascade.py").write_text(CASCADE.format(folder=folder))
    train = ["train", str(folder / "base.py"), str(folder / "longer.py"), "--workdir", str(folder)]
    assert commands.main(train) == 0
    assert commands.main(train) == 0  # finished runs are skipped
    return folder


def test_a_cascade_writes_videos_of_every_stage(runs, tmp_path):
    out = tmp_path / "out"
    argv = ["sample", str(runs / "cascade.py"), "--label", "3", "--label", "5", "--out", str(out)]
    assert commands.main([*argv, "--keep-stages"]) == 0
    record = json.loads((out / "samples.json").read_text())
    assert [s["label"] for s in record["samples"]] == [3, 5]
    assert np.load(out / "stages" / "stage_1.npy").shape == (2, 2, 8, 8, 3)
    assert "base" in (out / "index.html").read_text()
    assert commands.main(["sample", str(runs / "cascade.py"), "--out", str(tmp_path / "o")]) == 0
    assert not (tmp_path / "o" / "stages").exists()


def test_one_stage_upscales_a_users_video(runs, tmp_path):
    shapes = MovingShapes(frames=3, size=8, motions=("left",)).clips("train")
    sampling.write(tmp_path / "own.gif", shapes[0]["video"])
    upscale = ["--upscale", str(tmp_path / "own.gif"), "--out", str(tmp_path / "out")]
    argv = ["sample", str(runs / "cascade.py"), "--first-stage", "2", *upscale]
    assert commands.main(argv) == 0
    assert commands.main(["sample", str(runs / "longer"), *upscale]) == 0
    assert commands.main(["sample", str(runs / "longer"), "--count", "2"]) == 0  # held-out clips
    page = (runs / "longer" / "samples" / "index.html").read_text()
    assert all(heading in page for heading in ("condition", "result", "truth"))


def test_a_cascade_is_evaluated(runs, capsys):
    assert commands.main(["evaluate", str(runs / "cascade.py")]) == 0
    assert "oracle.colour" in capsys.readouterr().out
    assert "oracle" in json.loads((runs / "evaluations.jsonl").read_text())


def test_describe_prints_a_line_per_stage(runs, capsys):
    assert commands.main(["describe", str(runs / "cascade.py"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == ["base", "longer"]
    assert all(f["parameters"] > 1000 and f["call_flops"] > 1e5 for f in facts.values())
    assert facts["base"]["flops"] > 2 * 8 * facts["base"]["call_flops"]  # forward and backward pass
    assert commands.main(["describe", str(runs / "base.py"), str(runs / "longer.py")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["base", "longer", "all"]


def test_a_sweep_evaluates_every_combination(runs, tmp_path):
    over = ("--over", "stages.0.step=None,1", "--over", "fps=6.0,12.0")
    argv = ["sweep", str(runs / "cascade.py"), *over, "--count", "2", "--out", str(tmp_path)]
    assert commands.main(argv) == 0
    records = json.loads((tmp_path / "sweep.json").read_text())
    assert [r["set"] for r in records] == [
        [f"stages.0.step={step}", f"fps={fps}"] for step in (None, 1) for fps in (6.0, 12.0)
    ]
    assert all(
        r["oracle"] == records[0]["oracle"] for r in records
    )  # neither field changes samples
    assert (tmp_path / "sweep.png").stat().st_size
    over = ("--over", "sampling.lowres_snr=1.0,None", "--count", "2")
    assert commands.main(["sweep", str(runs / "longer"), *over]) == 0
    assert len(json.loads((runs / "longer" / "sweep" / "sweep.json").read_text())) == 2


def test_errors_are_one_line(runs, capsys):
    def error(*argv):
        assert commands.main(["sample", *map(str, argv)]) == 2
        return capsys.readouterr().err

    cascade = runs / "cascade.py"
    missing = ("--set", f"stages.0.workdir={runs / 'bass'}")
    assert "1 of 2 stages cannot be used" in error(cascade, *missing, "--label", 1)
    assert "give one with --upscale" in error(cascade, "--first-stage", 2, "--label", 1)
    assert "no stages 1 .. 5: the cascade has stages 1 .. 2" in error(cascade, "--last-stage", 5)
