"""Samples by a protocol: from files and from a model, whole or in parts, and what is refused."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from small import Small

from vdm_jax import config, data, evaluation, sampling
from vdm_jax.evaluation import (
    Antialiased,
    CenterCrop,
    Classes,
    Frechet,
    Generated,
    KernelDistance,
    Measured,
    NetworkFeatures,
    PixelFeatures,
    Protocol,
    Random,
    Real,
    ShorterSide,
    SubtractMeanClip,
    comparison,
)
from vdm_jax.evaluation.bootstrap import Bootstrap
from vdm_jax.evaluation.protocols import collect, generate, measure
from vdm_jax.evaluation.protocols.measuring import weights_of
from vdm_jax.evaluation.result import read_result

PIXELS = (Antialiased(ShorterSide(8)), CenterCrop(8))
FEATURES = PixelFeatures(frames=2, size=2)
FEW = Bootstrap(resamples=8)
SMALL = Protocol(
    name="small",
    task="test",
    says="small clips by their pixels",
    source="this test",
    real=Real("x", "all", frames=2, windows=data.EveryWindow(), pixels=PIXELS),
    generated=Generated(count=12, frames=2, size=8, pixels=PIXELS),
    measures=(Frechet(FEATURES, bootstrap=FEW), KernelDistance(FEATURES, bootstrap=FEW)),
)
RNG = np.random.default_rng(0)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """(samples, real videos) in files, and a folder for statistics of its own."""
    monkeypatch.setenv("VDM_JAX_STATISTICS", str(tmp_path / "statistics"))
    for name, shape in (("made", (12, 2, 8, 8, 3)), ("real", (4, 6, 16, 20, 3))):
        (tmp_path / name).mkdir()
        for i, clip in enumerate(RNG.integers(0, 256, shape, np.uint8)):
            np.save(tmp_path / name / f"{i:02}.npy", clip)
    return tmp_path / "made", tmp_path / "real"


def measured(made, real, protocol=SMALL, most=None, system="a"):
    clips = protocol.generated.clips(collect(made), most or protocol.samples)
    return measure(protocol, system, clips, collect(real))


def test_a_result_is_the_distance_and_all_it_depends_on(folders, tmp_path):
    made, real = folders
    result = measured(made, real)
    x = np.stack([np.load(p) for p in sorted(made.iterdir())])
    clips = SMALL.real.clips(collect(real))
    y = np.stack([clips[i]["video"] for i in range(len(clips))])
    assert y.shape == (12, 2, 8, 8, 3)
    moments = [evaluation.Moments.of(FEATURES(z)) for z in (x, y)]
    assert result.values["fvd"]["value"] == pytest.approx(
        evaluation.frechet_distance(*moments), rel=1e-5
    )
    for value in result.values.values():
        assert value["low"] <= value["value"] <= value["high"]
    assert result.counts == {"generated": 12, "real": 12} and not result.warnings
    result.write(tmp_path / "a.json")
    assert read_result(tmp_path / "a.json") == result
    told = json.loads((tmp_path / "a.json").read_text())
    assert config.from_json(told["protocol"]) == SMALL and told["versions"]["jax"]
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"b.json is no result of `vdm-jax evaluate`"):
        read_result(tmp_path / "b.json")


@dataclasses.dataclass(frozen=True)
class Brightness:
    """The mean of a clip, and whether its first pixel is lit."""

    name = "brightness"

    def __call__(self, video):
        lit = video[:, 0, 0, 0, 0] > 0
        return np.stack([video.reshape(len(video), -1).mean(axis=1), lit], axis=1)


def test_clips_of_which_nothing_can_be_said_do_not_count(folders):
    made, real = folders
    some = evaluation.MaskedMean(Brightness(), "lit", where=1, bootstrap=FEW)
    protocol = dataclasses.replace(SMALL, measures=(some,), generated=Generated(12, frames=2))
    x = np.stack([np.load(p) for p in sorted(made.iterdir())])
    for dark in (3, 7):
        x[dark, 0, 0, 0, 0] = 0
        np.save(made / f"{dark:02}.npy", x[dark])
    found = measured(made, real, protocol).values["lit"]
    rest = np.delete(x, (3, 7), axis=0)
    assert found["value"] == pytest.approx(rest.mean()) and found["left_out"] == 2
    for i in range(12):
        x[i, 0, 0, 0, 0] = 0
        np.save(made / f"{i:02}.npy", x[i])
    with pytest.raises(ValueError, match="lit is a number of none of the 12 samples"):
        measured(made, real, protocol)


def test_features_are_computed_once_and_an_interruption_loses_a_chunk(folders, monkeypatch):
    made, real = folders
    seen = []
    plain = PixelFeatures.__call__

    def counted(self, video):
        if len(seen) == 1 and stop.pop("now", None) is not None:
            raise KeyboardInterrupt
        seen.append(len(video))
        return plain(self, video)

    monkeypatch.setattr(PixelFeatures, "__call__", counted)
    monkeypatch.setattr("vdm_jax.evaluation.protocols.measuring.CHUNK", 5)
    stop = {"now": True}
    with pytest.raises(KeyboardInterrupt):
        measured(made, real)
    result = measured(made, real)
    assert sum(seen) == 24  # of which 5 before the interruption; both measures share features
    assert measured(made, real).values == result.values and sum(seen) == 24
    np.save(made / "11.npy", np.load(made / "00.npy"))
    measured(made, real)
    assert sum(seen) == 36  # the reference was still there


def test_repeats_are_sets_of_samples(folders):
    made, real = folders
    three = config.override(SMALL, "repeats=3", "generated.count=4")
    value = measured(made, real, three).values["fvd"]
    single = config.override(SMALL, "generated.count=4")
    parts = [measured(made, real, single, most=4).values["fvd"]["value"]]
    assert value["repeats"][0] == pytest.approx(parts[0])
    assert value["value"] == pytest.approx(np.mean(value["repeats"]))
    assert value["std"] == pytest.approx(np.std(value["repeats"]))


def test_fewer_samples_are_measured_and_said(folders):
    made, real = folders
    (made / "03.npy").unlink()
    result = measured(made, real)
    assert result.warnings == ["the protocol wants 12 samples, and 11 are here"]


def test_another_pace_is_said(folders, tmp_path):
    """Samples of 10 frames a second against real videos of 25; of each other rate, the rates."""
    made, real = (tmp_path / name for name in ("slow", "fast"))
    for folder, fps in ((made, 10), (real, 25)):
        folder.mkdir()
        for i in range(4):
            sampling.write(folder / f"{i}.gif", RNG.integers(0, 256, (4, 16, 16, 3), np.uint8), fps)
    four = config.override(SMALL, "generated.count=4", "generated.size=16")
    two_frames = "samples have 4 frames, of which 2 from the first on are measured, 1 apart"
    assert measured(made, real, four).warnings == [
        two_frames,
        "measured frames of samples are 0.1 s apart, and those of real clips 0.04 s, as their "
        "files tell: motion differs in pace",
    ]
    assert measured(real, real, four).warnings == [two_frames]
    sampling.write(made / "3.gif", RNG.integers(0, 256, (4, 16, 16, 3), np.uint8), 25)
    assert "samples differ in frames a second, 10 (3) and 25 (1)" in measured(
        made, real, four).warnings[1]  # fmt: skip


def test_a_folder_that_is_needed_is_asked_for(folders):
    clips = SMALL.generated.clips(collect(folders[0]))
    with pytest.raises(ValueError, match="small compares with real clips: say where by --real"):
        measure(SMALL, "a", clips, None)


def test_different_protocols_do_not_stand_in_one_column(folders):
    made, real = folders
    one = measured(made, real)
    biased = measured(made, real, config.override(SMALL, "measures.0.ddof=0"), system="b")
    with pytest.raises(ValueError, match=r"protocol.measures.0.ddof: 1 -> 0"):
        comparison.check_comparable([one, biased])
    assert len(comparison.groups([one, biased, one])) == 2
    np.save(real / "04.npy", np.load(real / "00.npy"))
    other = measured(made, real, system="c")
    with pytest.raises(ValueError, match="other real clips"):
        comparison.check_comparable([one, other])
    comparison.check_comparable([one, one])
    lines = comparison.table([one, dataclasses.replace(one, system="again")])
    assert lines[1].split()[:2] == ["fvd", "kvd"] and lines[3].startswith("again")


def test_published_numbers_are_marked_by_what_is_known_of_them(folders):
    made, real = folders
    generation = dataclasses.replace(SMALL, name="ucf101_tats_128", task="ucf101 generation")
    result = measured(made, real, generation)
    rows = comparison.literature(result)
    lines = comparison.table([result], rows)
    assert any("TATS" in s and "420" in s and "same protocol, by its paper" in s for s in lines)
    assert any("VIDM" in s and "protocol unknown; quoted" in s for s in lines)
    assert any("CMD" in s and "another protocol, ucf101_cmd_2048_128" in s for s in lines)
    changed = dataclasses.replace(result, changed=["generated.count: 2048 -> 12"])
    assert not any("same protocol" in line for line in comparison.table([changed], rows))


class Noise:
    """A model whose samples are noise of their key alone."""

    data = data.MovingShapes(frames=2, size=8)

    def encode(self, captions, labels):
        return list(zip(captions, labels, strict=True))

    def generate(self, key, cond, count):
        assert len(cond) == count
        return np.asarray(jax.random.randint(key, (count, 2, 8, 8, 3), 0, 256), np.uint8)


def test_a_model_makes_its_samples_and_goes_on_where_it_stopped(folders, tmp_path, monkeypatch):
    _, real = folders
    monkeypatch.setattr("vdm_jax.evaluation.protocols.samples.BATCH", 4)
    protocol = dataclasses.replace(
        SMALL, generated=dataclasses.replace(SMALL.generated, asked=Classes(prompts="class_name"))
    )
    subject, key = Noise(), jax.random.key(1)
    out = generate(subject, key, protocol, None, tmp_path / "samples", {"step": 3})
    first = {p.name: p.read_bytes() for p in out.glob("*.npy")}
    assert len(first) == 12 and len(set(first.values())) == 12
    assert [v.captions for v in collect(out).videos] == [
        (ask.caption,) for ask in protocol.generated.asks(())
    ]
    (out / "00005.npy").unlink()
    generate(subject, key, protocol, None, out, {"step": 3})
    assert {p.name: p.read_bytes() for p in out.glob("*.npy")} == first
    with pytest.raises(ValueError, match=r"holds samples of something else, step: 3 -> 4"):
        generate(subject, key, protocol, None, out, {"step": 4})
    with pytest.raises(ValueError, match="the model makes 2 frames, and small measures 16"):
        long = config.override(protocol, "generated.frames=16")
        generate(subject, key, long, None, tmp_path / "long", {})

    of_files = measured(out, real, protocol)
    inside = Measured(protocol, real=str(real))(key, subject)
    assert inside["fvd"]["value"] == pytest.approx(of_files.values["fvd"]["value"])
    assert inside["samples"] == 12 and Measured(protocol).name == "small"
    fewer = Measured(protocol, real=str(real), samples=6)(key, subject)
    assert fewer["samples"] == 6
    with pytest.raises(ValueError, match=r"name their folder in Measured\.real"):
        Measured(protocol)(key, subject)


def test_another_mean_clip_is_another_network(tmp_path):
    """What is subtracted from clips belongs to their features, which are kept by it."""
    found = []
    for value in (1.0, 2.0):
        np.save(tmp_path / "mean.npy", np.full((2, 4, 4, 3), value, np.float32))
        pixels = (SubtractMeanClip(str(tmp_path / "mean.npy")),)
        features = NetworkFeatures("small", Small(), Random(0), pixels)
        found.append(weights_of(Frechet(features)))
    assert found[0] != found[1]
