"""Training from built shards: two processes of four devices equal one process of eight."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import archives
import numpy as np
import pytest
import several

from data.ucf101.ucf101_dataset_builder import Builder
from vdm_jax import training

UCF101 = several.TESTS.parent / "experiments" / "vdm" / "ucf101.py"
SMALL = """
from dataclasses import replace

import tiny
from vdm_jax import data, parallel, training


def experiment():
    whole = training.load({whole!r})
    return replace(
        whole,
        task=replace(whole.task, model=tiny.Filter(), dtype="float32"),
        data=replace(whole.data, path={data!r}, frames=2, size=8),
        loader=data.Loader(batch=8, images=1, workers=0),
        optimizer=replace(whole.optimizer, warmup=1),
        mesh=parallel.Mesh(data=4, fsdp=2),
        steps=3,
        log_every=1,
    )
"""
"""The experiment of the paper with one convolution: joint image-video training, FSDP.

In float32, so that the losses of two runs can be compared.
"""


@pytest.fixture
def small(tmp_path) -> Path:
    """The experiment file; its data set is built."""
    source, lists = archives.small_ucf101(tmp_path)
    options = {"source": str(source), "lists": str(lists)}
    Builder(options=options, jobs=1, data_dir=str(tmp_path / "datasets")).build()
    file = tmp_path / "small.py"
    file.write_text(SMALL.format(whole=str(UCF101), data=str(tmp_path / "datasets")))
    return file


def losses(file: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in file.read_text().splitlines()]


def test_two_processes_have_the_losses_of_one(tmp_path, small):
    several.end(several.start(2, small, "--workdir", tmp_path / "two"))
    several.end(several.start(1, small, "--workdir", tmp_path / "one"))
    one = losses(tmp_path / "one" / "metrics.jsonl")
    two, other = (losses(file) for file in several.logs(tmp_path / "two", 2))
    assert len(one) == 3
    np.testing.assert_allclose(two, one, rtol=1e-5)
    assert other == two


class Numbered:
    """Clips whose label is their index."""

    def __init__(self, clips: Any):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.clips[index] | {"label": np.int32(index)}

    def draw(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        return self.clips.draw(index, rng) | {"label": np.int32(index)}


def test_hosts_read_different_clips_within_an_epoch(small):
    experiment = training.load(small)
    loader = replace(experiment.loader, images=0)
    clips = Numbered(experiment.data.clips("train"))

    def labels(host: int, hosts: int) -> list[list[int]]:
        batches = loader(clips, seed=experiment.seed, host=host, hosts=hosts)
        seen = [next(batches)["label"].tolist() for _ in range(2)]  # 16 of the 18 clips
        batches.close()
        return seen

    parts, whole = [labels(host, 2) for host in range(2)], labels(0, 1)
    assert [a + b for a, b in zip(*parts, strict=True)] == whole
    assert len({clip for part in parts for batch in part for clip in batch}) == 16
