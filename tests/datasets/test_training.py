"""Training from built shards: two processes of four devices do what one of eight does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import archives
import numpy as np
import pytest

from data.ucf101.ucf101_dataset_builder import Builder

TESTS = Path(__file__).parents[1]


def start(index, processes, port, workdir, datasets):
    path = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    arguments = map(str, (index, processes, port, workdir, datasets))
    return subprocess.Popen(
        [sys.executable, TESTS / "datasets" / "trainee.py", *arguments],
        env=os.environ | {"PYTHONPATH": path, "XLA_FLAGS": ""},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def clips(process) -> list[list[str]]:
    """The numbers of clips that a process prints: a list a batch."""
    told, _ = process.communicate(timeout=180)
    assert process.returncode == 0, told
    return [line.split()[1:] for line in told.splitlines() if line.startswith("clips ")]


@pytest.fixture
def datasets(tmp_path) -> Path:
    source, lists = archives.small_ucf101(tmp_path)
    options = {"source": str(source), "lists": str(lists)}
    Builder(options=options, jobs=1, data_dir=str(tmp_path / "datasets")).build()
    return tmp_path / "datasets"


def test_two_processes_have_disjoint_clips_and_the_losses_of_one(tmp_path, datasets):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    pair = [start(index, 2, port, tmp_path / "two", datasets) for index in range(2)]
    one = start(0, 1, port, tmp_path / "one", datasets)
    shares, whole = [clips(process) for process in pair], clips(one)
    assert [a + b for a, b in zip(*shares, strict=True)] == whole
    seen = [{clip for batch in share for clip in batch} for share in shares]
    assert not seen[0] & seen[1]
    assert [len(s) for s in seen] == [8, 8]
    logs = [tmp_path / "one", tmp_path / "two", tmp_path / "two" / "processes" / "1"]
    losses = [
        [json.loads(line)["loss"] for line in (log / "metrics.jsonl").read_text().splitlines()]
        for log in logs
    ]
    assert len(losses[0]) == 3
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    assert losses[2] == losses[1]
