"""The command line as a stranger uses it: a whole run, and every way to get it wrong."""

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


def fails(capsys, *argv) -> str:
    """The one line of error that a command line ends with."""
    assert commands.main(list(map(str, argv))) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"vdm-jax {argv[0]}: error: ")
    return error


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_where_a_folder_has_to_be_is_named(run, tmp_path, capsys, below):
    (tmp_path / "taken").touch()
    where = tmp_path / "taken" / below
    error = fails(capsys, "train", run.parent / "experiment.py", "--workdir", where)
    assert str(tmp_path / "taken") in error and "a file is where a folder has to be" in error


def test_sample_writes_videos_a_picture_a_page_and_what_they_are(run, capsys):
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


def test_operations_in_a_loop_count_as_often_as_it_turns(run, capsys):
    level, found = "task.model.levels.0", []
    for chain in ("nn.Unrolled()", "nn.ScanBlocks()"):
        settings = ["--set", f"{level}.blocks=3", "--set", f"{level}.scan={chain}"]
        assert commands.main(["describe", str(run), "--json", *settings]) == 0
        facts = json.loads(capsys.readouterr().out)
        found.append((facts["parameters"], facts["flops"], facts["call_flops"]))
    assert found[0] == found[1]


def test_evaluate_adds_a_record(run, capsys):
    assert "has no evaluation" in fails(capsys, "evaluate", run, "--protocol", "oracle")
    assert "no evaluations" in fails(capsys, "evaluate", run)


def test_training_a_finished_run_does_nothing(run, capsys):
    argv = ["train", str(run.parent / "experiment.py"), "--workdir", str(run)]
    assert commands.main(argv) == 0
    assert "nothing to train" in capsys.readouterr().out


def test_errors_are_one_line_that_names_the_thing(run, capsys, tmp_path):
    file = run.parent / "experiment.py"
    train = ("train", file, "--workdir", tmp_path)
    assert "did you mean 'model'" in fails(capsys, *train, "--set", "task.modle.channels=3")
    assert "channels takes int, not 'x'" in fails(capsys, *train, "--set", "task.model.channels=x")
    assert "no experiment file" in fails(capsys, "train", file.parent / "experimnt.py", *train[2:])
    assert "is not a run" in fails(capsys, "sample", tmp_path / "nowhere")
    assert "there are steps [4]" in fails(capsys, "sample", run, "--step", 3)
    assert "the nearest known word is 'red'" in fails(
        capsys, "sample", run, "--prompt", "a redd cat"
    )
    other = ("--set", "task.model.channels=32")
    assert "of another model" in fails(capsys, "sample", run, *other)
    assert "task.model.channels: 16 -> 32" in fails(capsys, "train", file, "--workdir", run, *other)
    folder = (
        Path(__file__).parents[2] / "experiments/vdm/video_folder_small.py",
        "--workdir",
        tmp_path,
    )
    assert "no/such" in fails(capsys, "train", *folder, "--set", "data.path=no/such")


def test_help_of_every_command(capsys):
    for argv in (["--help"], *([c, "--help"] for c in ("train", "sample", "evaluate", "describe"))):
        with pytest.raises(SystemExit) as end:
            commands.main(argv)
        assert end.value.code == 0
        assert len(capsys.readouterr().out.splitlines()) > 8


def test_a_reader_that_leaves_is_no_error():
    pipe = subprocess.PIPE
    argv = [sys.executable, "-m", "vdm_jax", "evaluate", "--list"]
    process = subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGPIPE, "")


def test_sigterm_saves_and_says_how_to_go_on(tmp_path):
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
    assert "run the same command again" in err
    saved = [int(p.name) for p in (tmp_path / "run" / "checkpoints").iterdir() if p.name.isdigit()]
    assert f"at step {max(saved)}" in err
