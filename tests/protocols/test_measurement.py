"""Measuring samples by a protocol: from files and from a model, resumed, compared, refused."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from small_features import Small

from vdm_jax import config, data, metrics, protocols, sampling
from vdm_jax.metrics import (
    Antialiased,
    CenterCrop,
    NetworkFeatures,
    PixelFeatures,
    RandomWeights,
    ShorterSide,
    SubtractMeanClip,
)
from vdm_jax.metrics.bootstrap import Bootstrap
from vdm_jax.protocols import (
    Classes,
    Frechet,
    Generated,
    KernelDistance,
    Protocol,
    ProtocolEvaluation,
    Real,
    collect,
    comparison,
    generate,
    measure,
)
from vdm_jax.protocols.measurement import weights_of
from vdm_jax.protocols.result import read_result

PIXELS = (Antialiased(ShorterSide(8)), CenterCrop(8))
FEATURES = PixelFeatures(frames=2, size=2)
FEW = Bootstrap(resamples=8)
SMALL = Protocol(
    name="small",
    task="test",
    summary="small clips by their pixels",
    source="this test",
    real=Real("x", "all", frames=2, windows=data.EveryWindow(), pixels=PIXELS),
    generated=Generated(count=12, frames=2, size=8, pixels=PIXELS),
    measures=(Frechet(FEATURES, bootstrap=FEW), KernelDistance(FEATURES, bootstrap=FEW)),
)
RNG = np.random.default_rng(0)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders of samples and of real videos, and a separate folder for statistics."""
    monkeypatch.setenv("VDM_JAX_STATISTICS", str(tmp_path / "statistics"))
    for name, shape in (("samples", (12, 2, 8, 8, 3)), ("real", (4, 6, 16, 20, 3))):
        (tmp_path / name).mkdir()
        for i, clip in enumerate(RNG.integers(0, 256, shape, np.uint8)):
            np.save(tmp_path / name / f"{i:02}.npy", clip)
    return tmp_path / "samples", tmp_path / "real"


def result_of(samples, real, protocol=SMALL, most=None, system="a"):
    clips = protocol.generated.clips(collect(samples), most or protocol.samples)
    return measure(protocol, system, clips, collect(real))


def test_a_result_has_the_distance_and_all_that_it_depends_on(folders, tmp_path):
    samples, real = folders
    result = result_of(samples, real)
    x = np.stack([np.load(p) for p in sorted(samples.iterdir())])
    clips = SMALL.real.clips(collect(real))
    y = np.stack([clips[i]["video"] for i in range(len(clips))])
    assert y.shape == (12, 2, 8, 8, 3)
    moments = [metrics.Moments.of(FEATURES(z)) for z in (x, y)]
    assert result.values["fvd"]["value"] == pytest.approx(
        metrics.frechet_distance(*moments), rel=1e-5
    )
    for value in result.values.values():
        assert value["low"] <= value["value"] <= value["high"]
    assert result.counts == {"generated": 12, "real": 12} and not result.warnings
    result.write(tmp_path / "a.json")
    assert read_result(tmp_path / "a.json") == result
    record = json.loads((tmp_path / "a.json").read_text())
    assert config.from_json(record["protocol"]) == SMALL and record["versions"]["jax"]
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"b.json is not a result of `vdm-jax evaluate`"):
        read_result(tmp_path / "b.json")


@dataclasses.dataclass(frozen=True)
class Brightness:
    """The mean of a clip, and whether its first pixel is not black."""

    name = "brightness"

    def __call__(self, video):
        lit = video[:, 0, 0, 0, 0] > 0
        return np.stack([video.reshape(len(video), -1).mean(axis=1), lit], axis=1)


def test_masked_clips_do_not_count(folders):
    samples, real = folders
    some = protocols.MaskedMean(Brightness(), "lit", where=1, bootstrap=FEW)
    protocol = dataclasses.replace(SMALL, measures=(some,), generated=Generated(12, frames=2))
    x = np.stack([np.load(p) for p in sorted(samples.iterdir())])
    for dark in (3, 7):
        x[dark, 0, 0, 0, 0] = 0
        np.save(samples / f"{dark:02}.npy", x[dark])
    lit = result_of(samples, real, protocol).values["lit"]
    rest = np.delete(x, (3, 7), axis=0)
    assert lit["value"] == pytest.approx(rest.mean()) and lit["left_out"] == 2
    for i in range(12):
        x[i, 0, 0, 0, 0] = 0
        np.save(samples / f"{i:02}.npy", x[i])
    with pytest.raises(ValueError, match="lit is undefined for all 12 samples"):
        result_of(samples, real, protocol)


def test_features_are_computed_once_and_an_interruption_loses_at_most_a_chunk(folders, monkeypatch):
    samples, real = folders
    computed = []
    plain = PixelFeatures.__call__

    def counted(self, video):
        if len(computed) == 1 and stop.pop("now", None) is not None:
            raise KeyboardInterrupt
        computed.append(len(video))
        return plain(self, video)

    monkeypatch.setattr(PixelFeatures, "__call__", counted)
    monkeypatch.setattr("vdm_jax.protocols.measurement.CHUNK", 5)
    stop = {"now": True}
    with pytest.raises(KeyboardInterrupt):
        result_of(samples, real)
    result = result_of(samples, real)
    assert sum(computed) == 24  # 5 of them before the interruption; both measures share features
    assert result_of(samples, real).values == result.values and sum(computed) == 24
    np.save(samples / "11.npy", np.load(samples / "00.npy"))
    result_of(samples, real)
    assert sum(computed) == 36  # features of real clips are still cached


def test_repeats_are_consecutive_sets_of_samples(folders):
    samples, real = folders
    three = config.override(SMALL, "repeats=3", "generated.count=4")
    value = result_of(samples, real, three).values["fvd"]
    single = config.override(SMALL, "generated.count=4")
    first = result_of(samples, real, single, most=4).values["fvd"]["value"]
    assert value["repeats"][0] == pytest.approx(first)
    assert value["value"] == pytest.approx(np.mean(value["repeats"]))
    assert value["std"] == pytest.approx(np.std(value["repeats"]))


def test_fewer_samples_give_a_warning(folders):
    samples, real = folders
    (samples / "03.npy").unlink()
    result = result_of(samples, real)
    assert result.warnings == ["the protocol needs 12 samples and the folder has 11"]


def test_other_frame_rates_give_a_warning(folders, tmp_path):
    """Samples of 10 frames per second against real videos of 25; then samples of both rates."""
    samples, real = (tmp_path / name for name in ("slow", "fast"))
    for folder, fps in ((samples, 10), (real, 25)):
        folder.mkdir()
        for i in range(4):
            sampling.write(folder / f"{i}.gif", RNG.integers(0, 256, (4, 16, 16, 3), np.uint8), fps)
    four = config.override(SMALL, "generated.count=4", "generated.size=16")
    two_frames = "only 2 of 4 frames per sample are measured, from the first on, 1 apart"
    assert result_of(samples, real, four).warnings == [
        two_frames,
        "measured frames are 0.1 s apart in samples and 0.04 s apart in real clips, according to "
        "their files: motion differs in speed",
    ]
    assert result_of(real, real, four).warnings == [two_frames]
    sampling.write(samples / "3.gif", RNG.integers(0, 256, (4, 16, 16, 3), np.uint8), 25)
    assert "samples differ in frames per second, 10 (3) and 25 (1)" in result_of(
        samples, real, four).warnings[1]  # fmt: skip


def test_missing_real_clips_are_named(folders):
    clips = SMALL.generated.clips(collect(folders[0]))
    with pytest.raises(ValueError, match="small compares with real clips: give --real DIR"):
        measure(SMALL, "a", clips, None)


def test_results_of_different_protocols_are_not_comparable(folders):
    samples, real = folders
    one = result_of(samples, real)
    biased = result_of(samples, real, config.override(SMALL, "measures.0.ddof=0"), system="b")
    with pytest.raises(ValueError, match=r"protocol.measures.0.ddof: 1 -> 0"):
        comparison.check_comparable([one, biased])
    assert len(comparison.groups([one, biased, one])) == 2
    np.save(real / "04.npy", np.load(real / "00.npy"))
    other = result_of(samples, real, system="c")
    with pytest.raises(ValueError, match="other real clips"):
        comparison.check_comparable([one, other])
    comparison.check_comparable([one, one])
    lines = comparison.table([one, dataclasses.replace(one, system="again")])
    assert lines[1].split()[:2] == ["fvd", "kvd"] and lines[3].startswith("again")


def test_published_numbers_have_remarks_on_their_protocols(folders):
    samples, real = folders
    generation = dataclasses.replace(SMALL, name="ucf101_tats_128", task="ucf101 generation")
    result = result_of(samples, real, generation)
    rows = comparison.literature(result)
    lines = comparison.table([result], rows)
    assert any("TATS" in s and "420" in s and "same protocol, by its paper" in s for s in lines)
    assert any("VIDM" in s and "protocol unknown; quoted" in s for s in lines)
    assert any("CMD" in s and "another protocol, ucf101_cmd_2048_128" in s for s in lines)
    changed = dataclasses.replace(result, changed=["generated.count: 2048 -> 12"])
    assert not any("same protocol" in line for line in comparison.table([changed], rows))


class Noise:
    """A model whose samples are noise that depends on the key alone."""

    data = data.MovingShapes(frames=2, size=8)

    def encode(self, captions, labels):
        return list(zip(captions, labels, strict=True))

    def generate(self, key, cond, count):
        assert len(cond) == count
        return np.asarray(jax.random.randint(key, (count, 2, 8, 8, 3), 0, 256), np.uint8)


def test_samples_of_a_model_are_generated_and_resumed(folders, tmp_path, monkeypatch):
    _, real = folders
    monkeypatch.setattr("vdm_jax.protocols.samples.BATCH", 4)
    protocol = dataclasses.replace(
        SMALL,
        generated=dataclasses.replace(SMALL.generated, prompts=Classes(prompt_set="class_name")),
    )
    model, key = Noise(), jax.random.key(1)
    out = generate(model, key, protocol, None, tmp_path / "generated", {"step": 3})
    first = {p.name: p.read_bytes() for p in out.glob("*.npy")}
    assert len(first) == 12 and len(set(first.values())) == 12
    assert [v.captions for v in collect(out).videos] == [
        (prompt.caption,) for prompt in protocol.generated.make_prompts(())
    ]
    (out / "00005.npy").unlink()
    generate(model, key, protocol, None, out, {"step": 3})
    assert {p.name: p.read_bytes() for p in out.glob("*.npy")} == first
    with pytest.raises(ValueError, match=r"holds other samples, step: 3 -> 4"):
        generate(model, key, protocol, None, out, {"step": 4})
    with pytest.raises(ValueError, match="the model generates 2 frames and small measures 16"):
        long = config.override(protocol, "generated.frames=16")
        generate(model, key, long, None, tmp_path / "long", {})

    from_files = result_of(out, real, protocol)
    in_training = ProtocolEvaluation(protocol, real=str(real))(key, model)
    assert in_training["fvd"]["value"] == pytest.approx(from_files.values["fvd"]["value"])
    assert in_training["samples"] == 12 and ProtocolEvaluation(protocol).name == "small"
    fewer = ProtocolEvaluation(protocol, real=str(real), samples=6)(key, model)
    assert fewer["samples"] == 6
    with pytest.raises(ValueError, match=r"set ProtocolEvaluation\.real"):
        ProtocolEvaluation(protocol)(key, model)


def test_the_mean_clip_belongs_to_the_weights(tmp_path):
    """Features with another mean clip are cached separately."""
    weights = []
    for value in (1.0, 2.0):
        np.save(tmp_path / "mean.npy", np.full((2, 4, 4, 3), value, np.float32))
        pixels = (SubtractMeanClip(str(tmp_path / "mean.npy")),)
        features = NetworkFeatures("small", Small(), RandomWeights(0), pixels)
        weights.append(weights_of(Frechet(features)))
    assert weights[0] != weights[1]
