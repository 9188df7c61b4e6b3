"""The command line from outside: a complete run, and the errors of wrong command lines."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vdm_jax import commands

EXPERIMENT = '''
"""A tiny experiment."""
from tiny import data, denoising


def experiment():
    words = data.WordTokenizer(data.MovingShapes().vocabulary, length=6)
    return denoising(loader=data.Loader(batch=8, text=words), steps=4, log_every=2)
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run in a folder, beside the file of its experiment."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "experiment.py").write_text(EXPERIMENT)
    assert (
        commands.main(["train", str(folder / "experiment.py"), "--workdir", str(folder / "run")])
        == 0
    )
    return folder / "run"


def error_of(capsys, *argv) -> str:
    """The one-line error of a command line with status 2."""
    assert commands.main(list(map(str, argv))) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"vdm-jax {argv[0]}: error: ")
    return error


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_in_place_of_a_folder_is_named(run, tmp_path, capsys, below):
    (tmp_path / "taken").touch()
    where = tmp_path / "taken" / below
    error = error_of(capsys, "train", run.parent / "experiment.py", "--workdir", where)
    assert str(tmp_path / "taken") in error and "is a file where a folder has to be" in error


def test_sample_writes_videos_an_image_a_page_and_a_record(run, capsys):
    prompts = ["a small red circle moving left", "a large blue square standing still"]
    argv = ["sample", str(run), "--prompt", prompts[0], "--prompt", prompts[1], "--count", "3"]
    assert commands.main(argv) == 0
    out = run / "samples"
    record = json.loads((out / "samples.json").read_text())
    assert [s["caption"] for s in record["samples"]] == [*prompts, prompts[0]]
    assert record["step"] == 4 and record["seed"] == 0
    assert all((out / s["file"]).stat().st_size for s in record["samples"])
    assert np.asarray(Image.open(out / "grid.png")).ndim == 3
    assert prompts[0] in (out / "index.html").read_text()
    assert str(out / "index.html") in capsys.readouterr().out


def test_describe_counts_without_running(run, capsys):
    assert commands.main(["describe", str(run.parent / "experiment.py"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    stored = json.loads((run / "experiment.json").read_text())["experiment"]
    assert facts["experiment"] == stored
    assert facts["parameters"] > 10_000 and facts["flops"] > 1e6
    assert commands.main(["describe", str(run)]) == 0
    assert f"{facts['parameters']:,} parameters" in capsys.readouterr().out


def test_flops_of_scanned_blocks_equal_those_of_unrolled_ones(run, capsys):
    level, costs = "task.model.levels.0", []
    for scan in ("None", "nn.ScanBlocks()"):
        settings = ["--set", f"{level}.blocks=3", "--set", f"{level}.scan={scan}"]
        assert commands.main(["describe", str(run), "--json", *settings]) == 0
        facts = json.loads(capsys.readouterr().out)
        costs.append((facts["parameters"], facts["flops"], facts["call_flops"]))
    assert costs[0] == costs[1]


def test_evaluate_adds_a_record(run, capsys):
    assert "has no evaluation" in error_of(capsys, "evaluate", run, "--protocol", "oracle")
    assert "no evaluations" in error_of(capsys, "evaluate", run)


def test_training_a_finished_run_does_nothing(run, capsys):
    argv = ["train", str(run.parent / "experiment.py"), "--workdir", str(run)]
    assert commands.main(argv) == 0
    assert "nothing to train" in capsys.readouterr().out


def test_errors_are_one_line_that_names_thing_and_fix(run, capsys, tmp_path):
    file = run.parent / "experiment.py"
    train = ("train", file, "--workdir", tmp_path)
    assert "did you mean 'model'" in error_of(capsys, *train, "--set", "task.modle.channels=3")
    assert "channels takes int, not 'x'" in error_of(
        capsys, *train, "--set", "task.model.channels=x"
    )
    assert "no experiment file" in error_of(
        capsys, "train", file.parent / "experimnt.py", *train[2:]
    )
    assert "is not a run" in error_of(capsys, "sample", tmp_path / "nowhere")
    assert "there are steps [4]" in error_of(capsys, "sample", run, "--step", 3)
    assert "the nearest known word is 'red'" in error_of(
        capsys, "sample", run, "--prompt", "a redd cat"
    )
    other = ("--set", "task.model.channels=32")
    assert "of another model" in error_of(capsys, "sample", run, *other)
    assert "task.model.channels: 16 -> 32" in error_of(
        capsys, "train", file, "--workdir", run, *other
    )
    folder = (
        Path(__file__).parents[2] / "experiments/vdm/video_folder_small.py",
        "--workdir",
        tmp_path,
    )
    assert "no/such" in error_of(capsys, "train", *folder, "--set", "data.path=no/such")


def test_help_of_every_command(capsys):
    names = [m.__name__.rpartition(".")[-1].strip("_").replace("_", "-") for m in commands.COMMANDS]
    assert len(names) == 12
    for argv in (["--help"], *([name, "--help"] for name in names)):
        with pytest.raises(SystemExit) as end:
            commands.main(argv)
        assert end.value.code == 0
        assert len(capsys.readouterr().out.splitlines()) > 8


def test_a_closed_output_pipe_is_no_error():
    pipe = subprocess.PIPE
    argv = [sys.executable, "-m", "vdm_jax", "evaluate", "--list"]
    process = subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGPIPE, "")


def test_sigterm_saves_and_says_how_to_resume(tmp_path):
    (tmp_path / "experiment.py").write_text(EXPERIMENT.replace("steps=4", "steps=100000"))
    tests = Path(__file__).parents[1]
    argv = [
        sys.executable,
        "-c",
        "import tiny; from vdm_jax.commands import main; raise SystemExit(main())",
    ]
    argv += ["train", "experiment.py", "--workdir", "run"]
    environment = {**os.environ, "PYTHONPATH": str(tests), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        argv, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "Run the same command again to resume." in err
    saved = [int(p.name) for p in (tmp_path / "run" / "checkpoints").iterdir() if p.name.isdigit()]
    assert f"at step {max(saved)}" in err
