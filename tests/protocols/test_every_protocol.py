"""Every protocol runs from files to a result on real clips, with small random networks.

tests/benchmarks/protocols.py runs the real networks.
"""

import dataclasses
import math

import jax
import numpy as np
import pytest
from small_features import Trunk, small

from vdm_jax import config, models
from vdm_jax.data import sides
from vdm_jax.metrics import (
    Bootstrap,
    HalfPixel,
    Images,
    InceptionScore,
    NetworkFeatures,
    Pretrained,
    RaftFlow,
    RandomWeights,
    Rescale,
    ZeroFlow,
)
from vdm_jax.protocols import (
    PROTOCOLS,
    SortedFirst,
    WithoutReplacement,
    collect,
    measure,
    protocol_hash,
    read_captions,
)
from vdm_jax.protocols.published import EVIDENCE, published_results
from vdm_jax.protocols.result import read_result

FEW = 3


def shrink(node):
    """A tree with small random networks and few resamples."""
    if isinstance(node, NetworkFeatures):
        frames = any(isinstance(step, Images) for step in node.pixels)
        steps = (*([Images()] if frames else []), HalfPixel(6), Rescale(127.5, -1.0))
        output = "logits" if node.output == "logits" else "pooled"
        return small(pixels=steps, output=output)  # equal for all protocols, to compile once
    if isinstance(node, Pretrained) and isinstance(node.network, models.ClipText):
        return Pretrained(models.ClipText(8, 1, 2, projection=6), RandomWeights(0))
    if isinstance(node, Pretrained) and isinstance(node.network, models.AlexNet):
        return Pretrained(Trunk(), RandomWeights(0))
    if isinstance(node, Pretrained):
        return node.untrained()
    if isinstance(node, RaftFlow):
        return ZeroFlow()
    if isinstance(node, Bootstrap):
        return Bootstrap(resamples=4)
    if isinstance(node, InceptionScore):
        return dataclasses.replace(node, splits=1)
    if isinstance(node, tuple):
        return tuple(map(shrink, node))
    if not dataclasses.is_dataclass(node):
        return node
    return dataclasses.replace(node, **{n: shrink(getattr(node, n)) for n in config.fields(node)})


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
    return shrink(dataclasses.replace(protocol, real=real, generated=rules, repeats=repeats))


@pytest.fixture(scope="module")
def real(real_clips):
    """Real videos by data set."""
    captions = read_captions(real_clips.parent / "text" / "msrvtt" / "MSRVTT_JSFUSION_test.csv")
    msr_vtt = collect(real_clips / "msrvtt").with_captions(captions)
    return {"msr-vtt": msr_vtt, "webvid": msr_vtt, "ucf101": collect(real_clips / "ucf101")}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_runs_from_files(name, real, real_clips, tmp_path, monkeypatch, eight_devices):
    monkeypatch.setenv("VDM_JAX_WEIGHTS", str(real_clips.parent / "tokenizers"))
    monkeypatch.setattr(
        jax, "local_devices", lambda: jax.devices()[:2]
    )  # more would only add padding
    protocol = tiny(PROTOCOLS[name])
    rules, videos = protocol.generated, real.get(protocol.task.split()[0], real["ucf101"])
    size = (320, 512) if name == "ucf101_zero_shot_lavie" else (24, 32)
    if any(m.against == "pairs" for m in protocol.measures):
        size = sides(rules.size)
    rng = np.random.default_rng(0)
    for i in range(FEW * protocol.repeats):
        low = rng.integers(0, 256, (rules.span, 4, 4, 3), np.uint8)
        np.save(tmp_path / f"{i}.npy", low.repeat(size[0] // 4, 1).repeat(size[1] // 4, 2))
        (tmp_path / f"{i}.txt").write_text(f"thing {i % 2}")
    samples = rules.clips(collect(tmp_path), protocol.samples)
    result = measure(
        protocol, "noise", samples, videos, tmp_path / "statistics",
        changed=config.differences(config.to_json(protocol), config.to_json(PROTOCOLS[name])),
    )  # fmt: skip
    assert set(result.values) == {m.name for m in PROTOCOLS[name].measures}
    assert all(math.isfinite(value["value"]) for value in result.values.values())
    assert result.counts["generated"] == FEW * protocol.repeats
    if name not in ("any_steadiness", "any_motion"):  # these have no network
        assert result.random_weights and result.warnings[0].startswith("random weights")
    if protocol.has_reference:
        assert result.reference_hash and result.counts["real"] in (2, FEW)
    assert result.protocol_hash != protocol_hash(PROTOCOLS[name]) and result.changed
    result.write(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == result


def test_protocols_round_trip_and_have_different_hashes():
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
            measured = {m.name for m in PROTOCOLS[row.protocol].measures}
            printed = {name for name in row.values if not name.endswith("_std")}
            assert printed & measured or row.differs, (row.system, printed, measured)
    best = min(r.values["fvd"] for r in rows if r.protocol == "ucf101_magvit_128")
    assert best == 34.6
