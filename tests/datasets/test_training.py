"""Training from built shards: two processes of four devices do what one of eight does."""

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
"""The paper's row made small, of one convolution: joint training on frames, FSDP.

In float32, so that the losses of two runs can be compared.
"""


@pytest.fixture
def small(tmp_path) -> Path:
    """The file of the experiment, whose data set is built."""
    source, lists = archives.small_ucf101(tmp_path)
    options = {"source": str(source), "lists": str(lists)}
    Builder(options=options, jobs=1, data_dir=str(tmp_path / "datasets")).build()
    file = tmp_path / "small.py"
    file.write_text(SMALL.format(whole=str(UCF101), data=str(tmp_path / "datasets")))
    return file


def losses(file: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in file.read_text().splitlines()]


def test_the_papers_row_on_two_processes_has_the_losses_of_one(tmp_path, small):
    several.end(several.start(2, small, "--workdir", tmp_path / "two"))
    several.end(several.start(1, small, "--workdir", tmp_path / "one"))
    one = losses(tmp_path / "one" / "metrics.jsonl")
    two, other = (losses(file) for file in several.logs(tmp_path / "two", 2))
    assert len(one) == 3
    np.testing.assert_allclose(two, one, rtol=1e-5)
    assert other == two


class Numbered:
    """Clips whose label is their number."""

    def __init__(self, clips: Any):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def draw(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        return self.clips.draw(index, rng) | {"label": np.int32(index)}


def test_no_clip_is_seen_by_two_hosts_in_an_epoch(small):
    experiment = training.load(small)
    loader = replace(experiment.loader, images=0)
    clips = Numbered(experiment.data.clips("train"))

    def seen(host: int, hosts: int) -> list[list[int]]:
        batches = loader(clips, seed=experiment.seed, host=host, hosts=hosts)
        found = [next(batches)["label"].tolist() for _ in range(2)]  # 16 of 18: less than an epoch
        batches.close()
        return found

    shares, whole = [seen(host, 2) for host in range(2)], seen(0, 1)
    assert [a + b for a, b in zip(*shares, strict=True)] == whole
    assert len({clip for share in shares for batch in share for clip in batch}) == 16
