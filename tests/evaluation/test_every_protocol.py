"""Every protocol runs from files to a result on real clips, through networks without weights.

Networks are small stand-ins of the same kinds; the true ones are run by
tests/benchmarks/protocols.py.
"""

import dataclasses
import math

import jax
import numpy as np
import pytest
from small import Trunk, small

from vdm_jax import config, models
from vdm_jax.data import sides
from vdm_jax.evaluation import (
    Bootstrap,
    HalfPixel,
    Images,
    InceptionScore,
    NetworkFeatures,
    Pretrained,
    RaftFlow,
    Random,
    Rescale,
    SortedFirst,
    WithoutReplacement,
    ZeroFlow,
)
from vdm_jax.evaluation.protocols import PROTOCOLS, collect, measure, protocol_hash, read_captions
from vdm_jax.evaluation.published import EVIDENCE, published_results
from vdm_jax.evaluation.result import read_result

FEW = 3


def shrunk(node):
    """A tree with small random networks and few resamples."""
    if isinstance(node, NetworkFeatures):
        frames = any(isinstance(step, Images) for step in node.pixels)
        steps = (*([Images()] if frames else []), HalfPixel(6), Rescale(127.5, -1.0))
        output = "logits" if node.output == "logits" else "pooled"
        return small(pixels=steps, output=output)  # one program for all protocols
    if isinstance(node, Pretrained) and isinstance(node.network, models.ClipText):
        return Pretrained(models.ClipText(8, 1, 2, projection=6), Random(0))
    if isinstance(node, Pretrained) and isinstance(node.network, models.AlexNet):
        return Pretrained(Trunk(), Random(0))
    if isinstance(node, Pretrained):
        return node.untrained()
    if isinstance(node, RaftFlow):
        return ZeroFlow()
    if isinstance(node, Bootstrap):
        return Bootstrap(resamples=4)
    if isinstance(node, InceptionScore):
        return dataclasses.replace(node, splits=1)
    if isinstance(node, tuple):
        return tuple(map(shrunk, node))
    if not dataclasses.is_dataclass(node):
        return node
    return dataclasses.replace(node, **{n: shrunk(getattr(node, n)) for n in config.fields(node)})


def tiny(protocol):
    """The protocol with few clips."""
    take = (
        SortedFirst(FEW) if isinstance(protocol.real.take, SortedFirst) else WithoutReplacement(FEW)
    )
    real, rules = dataclasses.replace(protocol.real, take=take), protocol.generated
    rules = dataclasses.replace(
        rules,
        count=None if rules.count is None else FEW,
        each=min(rules.each, 2),
        source=None if rules.source is None else dataclasses.replace(rules.source, take=take),
    )
    repeats = min(protocol.repeats, 2)
    return shrunk(dataclasses.replace(protocol, real=real, generated=rules, repeats=repeats))


@pytest.fixture(scope="module")
def real(real_clips):
    """The real videos of a task."""
    captions = read_captions(real_clips.parent / "text" / "msrvtt" / "MSRVTT_JSFUSION_test.csv")
    told = collect(real_clips / "msrvtt").told(captions)
    return {"msr-vtt": told, "webvid": told, "ucf101": collect(real_clips / "ucf101")}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_runs_from_files(name, real, real_clips, tmp_path, monkeypatch, eight_devices):
    monkeypatch.setenv("VDM_JAX_WEIGHTS", str(real_clips.parent / "tokenizers"))
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:2])  # more would be padding
    protocol = tiny(PROTOCOLS[name])
    rules, videos = protocol.generated, real.get(protocol.task.split()[0], real["ucf101"])
    size = (320, 512) if name == "ucf101_zero_shot_lavie" else (24, 32)
    if any(one.against == "pairs" for one in protocol.measures):
        size = sides(rules.size)
    rng = np.random.default_rng(0)
    for i in range(FEW * protocol.repeats):
        low = rng.integers(0, 256, (rules.span, 4, 4, 3), np.uint8)
        np.save(tmp_path / f"{i}.npy", low.repeat(size[0] // 4, 1).repeat(size[1] // 4, 2))
        (tmp_path / f"{i}.txt").write_text(f"thing {i % 2}")
    made = rules.clips(collect(tmp_path), protocol.samples)
    result = measure(
        protocol, "noise", made, videos, tmp_path / "statistics",
        changed=config.differences(config.to_json(protocol), config.to_json(PROTOCOLS[name])),
    )  # fmt: skip
    assert set(result.values) == {one.name for one in PROTOCOLS[name].measures}
    assert all(math.isfinite(value["value"]) for value in result.values.values())
    assert result.counts["generated"] == FEW * protocol.repeats
    if name not in ("any_steadiness", "any_motion"):  # which have no network here
        assert result.random_weights and result.warnings[0].startswith("random weights")
    if protocol.compared:
        assert result.reference_hash and result.counts["real"] in (2, FEW)
    assert result.protocol_hash != protocol_hash(PROTOCOLS[name]) and result.changed
    result.write(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == result


def test_protocols_are_trees_with_different_numbers():
    for protocol in PROTOCOLS.values():
        assert config.from_json(config.to_json(protocol)) == protocol
        assert protocol.untrained().untrained() == protocol.untrained()
    assert len({protocol_hash(protocol) for protocol in PROTOCOLS.values()}) == len(PROTOCOLS)


def test_published_numbers_name_protocols_of_their_task():
    rows = published_results()
    assert len(rows) > 100
    for row in rows:
        assert row.evidence in EVIDENCE and row.source and row.values
        if row.protocol != "unknown":
            assert PROTOCOLS[row.protocol].task == row.task
            stated = {one.name for one in PROTOCOLS[row.protocol].measures}
            known = {name for name in row.values if not name.endswith("_std")}
            assert known & stated or row.differs, (row.system, known, stated)
    best = min(r.values["fvd"] for r in rows if r.protocol == "ucf101_magvit_128")
    assert best == 34.6
