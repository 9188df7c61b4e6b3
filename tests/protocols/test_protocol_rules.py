"""The clips and prompts of protocols: known counts, orders and frequencies."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vdm_jax import config, data
from vdm_jax.metrics import HalfPixel, PixelFeatures
from vdm_jax.protocols import (
    PROTOCOLS,
    All,
    Classes,
    Crop,
    EvenlySpaced,
    Frechet,
    Generated,
    Protocol,
    Real,
    RealCaptions,
    SortedFirst,
    WithoutReplacement,
    WithReplacement,
    prompts_of,
)
from vdm_jax.protocols.prompts import apportion
from vdm_jax.protocols.protocol import protocol_hash
from vdm_jax.protocols.ucf101_classes import PROMPTS, ucf101_classes, ucf101_label
from vdm_jax.protocols.video_files import Collection, VideoFile


def video_file(key: str, frames: int, fps: float | None = 25.0, captions=()) -> VideoFile:
    """A video whose frames show their own numbers."""
    times = None if fps is None else np.arange(frames) / fps

    def read(frames):
        return np.tile(np.reshape(frames, (-1, 1, 1, 1)), (1, 4, 6, 3)).astype(np.uint8)

    return VideoFile(key, frames, 4, 6, times, 1, 1, read, captions=captions)


def collection(*videos: VideoFile) -> Collection:
    return Collection(Path("videos"), videos, {})


def numbers(clips) -> list[list[int]]:
    """The numbers of each clip's frames, as shown by the frames."""
    return [clips[i]["video"][:, 0, 0, 0].tolist() for i in range(len(clips))]


def test_classes_match_the_data_set():
    classes = ucf101_classes()
    assert len(classes) == 101
    counts = [sum(c.count(h) for c in classes) for h in ("total", "train", "test", "equal")]
    assert counts == [13320, 9537, 3783, 101]
    names = [c.name for c in classes]
    assert names == sorted(names, key=str.casefold)
    assert (names.index("Hammering"), names.index("JumpingJack")) == (34, 46)
    assert ucf101_label("HandstandPushups/v_HandStandPushups_g01_c01.avi") == 36
    assert ucf101_label("UCF101/v_Hammering_g01_c01.avi") == 34
    assert ucf101_label("Biking/anything.mp4") == 10 and ucf101_label("x/y.mp4") is None
    for prompts in PROMPTS:
        assert all(c.prompt(prompts) for c in classes)
    pyoco, snap = ({c.prompt(p) for c in classes} for p in ("pyoco", "snap_video"))
    assert len(pyoco) == len(snap) == 101
    assert sum(c.prompt("pyoco") != c.prompt("snap_video") for c in classes) == 20


def test_class_prompts_follow_the_histogram():
    exact = Classes("total", exact=True).make_prompts(None)
    assert len(exact) == 13320
    assert Counter(p.label for p in exact)[23] == 167  # CricketShot, the largest
    equal = Counter(
        p.caption for p in Classes("equal", "class_name", exact=True).make_prompts(10100)
    )
    assert set(equal.values()) == {100} and equal["YoYo"] == 100
    drawn = Counter(p.label for p in Classes("train", seed=3).make_prompts(100_000))
    frequency = np.array([drawn[i] for i in range(101)]) / 100_000
    true = np.array([c.train for c in ucf101_classes()]) / 9537
    assert np.abs(frequency - true).max() < 5 * np.sqrt(true.max() / 100_000)
    assert Classes("train", seed=3).make_prompts(9) == Classes("train", seed=3).make_prompts(9)
    assert apportion([1, 1, 1], 7).tolist() == [3, 2, 2]
    assert apportion([3, 1], 8).tolist() == [6, 2]


def test_random_captions_depend_on_their_video_alone():
    videos = [video_file(f"v{i}", 9, captions=("a", "b", "c")) for i in range(40)]
    assert len(RealCaptions("every").make_prompts(None, videos)) == 120
    one = RealCaptions("one", seed=1).make_prompts(None, videos)
    assert {p.caption for p in one} == {"a", "b", "c"} and one[3].key == "v3"
    assert RealCaptions("one", seed=1).make_prompts(None, videos[:7]) == one[:7]
    assert [p.caption for p in RealCaptions("first").make_prompts(5, videos)] == ["a"] * 5
    with pytest.raises(
        ValueError, match="1 of 41 real videos have no caption, the first is silent"
    ):
        RealCaptions().make_prompts(None, [*videos, video_file("silent", 9)])


def test_captions_continue_from_repeat_to_repeat():
    """VideoPoet's 20 sets of 2,048 samples have the first 40,960 captions of MSR-VTT."""
    videos = [video_file(f"video{7010 + i}", 20, captions=tuple(f"{i} {n}" for n in range(20)))
            for i in range(2990)]  # fmt: skip
    everything = PROTOCOLS["msr_vtt_all_captions"]
    captions = [p.caption for p in prompts_of(everything, collection(*videos))]
    assert len(captions) == len(set(captions)) == 59_800
    poet = prompts_of(PROTOCOLS["msr_vtt_videopoet"], collection(*videos))
    assert [p.caption for p in poet] == captions[:40_960]
    magvit = prompts_of(PROTOCOLS["ucf101_magvit_128"], None)
    assert len(magvit) == 40_000 and magvit[:10_000] == magvit[30_000:]


def test_prediction_protocols_have_the_clips_of_their_papers():
    """BAIR: 256 test videos of 30 frames. Kinetics-600: six clips per evaluation video."""
    bair = collection(*(video_file(f"v{i:03}", 30) for i in range(256)))
    for name, clips in (("bair_aux1_64", 256), ("bair_aux1_debiased_64", 3840)):
        assert len(PROTOCOLS[name].real.clips(bair)) == clips
        prompts = prompts_of(PROTOCOLS[name], bair)
        assert len(prompts) == 25_600 and set(Counter(p.key for p in prompts).values()) == {100}
    kinetics = PROTOCOLS["kinetics600_magvit_64"]
    few = collection(*(video_file(f"v{i}", 250) for i in range(7)))
    assert len(kinetics.real.clips(few)) == 6 * 7
    prompts = prompts_of(kinetics, few)
    source = kinetics.generated.source.clips(few)
    assert len(prompts) == 200_000
    for i in (0, 41, 42, 50_000, 199_999):  # the key is that of the continued clip
        assert prompts[i].key == source.videos()[i % len(source)].key


def test_selections_of_real_clips():
    rng = np.random.default_rng(0)
    assert SortedFirst(3)(9, rng).tolist() == [0, 1, 2] == All()(3, rng).tolist()
    assert len(set(WithoutReplacement(5)(9, rng))) == 5 and len(WithoutReplacement(50)(9, rng)) == 9
    again = WithReplacement(20)(4, rng)
    assert len(again) == 20 and set(again) <= set(range(4)) and (np.diff(again) >= 0).all()


def test_windows_strides_and_frame_rates():
    videos = collection(video_file("a", 9), video_file("b", 3), video_file("c", 5))
    every = Real("x", "all", frames=4, windows=data.EveryWindow(step=1))
    clips = every.clips(videos)
    assert len(clips) == 6 + 2 and clips.too_short == ("b",)
    assert numbers(clips)[0] == [0, 1, 2, 3] and numbers(clips)[-1] == [1, 2, 3, 4]
    strided = Real("x", "all", frames=3, stride=3, windows=data.Center())
    assert numbers(strided.clips(videos)) == [[1, 4, 7]]
    two = Real("x", "all", frames=4, windows=EvenlySpaced(2))
    assert numbers(two.clips(videos)) == [[0, 1, 2, 3], [5, 6, 7, 8], [0, 1, 2, 3], [1, 2, 3, 4]]
    halved = Real("x", "all", frames=3, fps=12.5, windows=data.First())
    assert numbers(halved.clips(videos)) == [[0, 2, 4], [0, 2, 4]]
    held = Real("x", "all", frames=4, windows=data.First(), short=data.RepeatLast())
    assert numbers(held.clips(videos))[1] == [0, 1, 2, 2]


def test_random_windows_depend_on_their_video_alone():
    drawn = Real("x", "all", frames=4, seed=1)
    many = [video_file(f"v{i}", 60) for i in range(9)]
    all_clips, fewer = drawn.clips(collection(*many)), drawn.clips(collection(*many[3:]))
    assert numbers(all_clips)[3:] == numbers(fewer)
    assert len({clip[0] for clip in numbers(all_clips)}) > 3


def test_crops_at_several_positions():
    pixels = (HalfPixel((4, 6)), Crop(4))
    rules = Real("x", "all", frames=4, windows=data.First(), pixels=pixels,
                 crop_positions=((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)))  # fmt: skip
    wide = video_file("a", 4)

    def read(frames):
        columns = np.arange(6, dtype=np.uint8).reshape(1, 1, 6, 1)
        return np.tile(columns, (len(frames), 4, 1, 3))

    clips = rules.clips(collection(VideoFile("a", 4, 4, 6, wide.times, 1, 1, read)))
    assert [clips[i]["video"][0, 0, :, 0].tolist() for i in range(3)] == [
        [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]  # fmt: skip


def test_videos_of_another_frame_rate_or_length_are_named():
    real = Real("UCF-101", "all", rates=(25.0, 29.97))
    with pytest.raises(
        ValueError, match=r"slow.avi has 10 frames per second, and videos of UCF-101"
    ):
        real.clips(collection(video_file("fine.avi", 30), video_file("slow.avi", 30, 10.0)))
    with pytest.raises(ValueError, match="the longest is b with 9"):
        real.clips(collection(video_file("a", 8), video_file("b", 9)))
    with pytest.raises(ValueError, match="a has no frame rate"):
        Real("x", "all", fps=8.0).clips(collection(video_file("a", 20, None)))
    warnings = real.clips(collection(video_file("a", 20), video_file("b", 9))).warnings()
    assert warnings == ["1 real videos have fewer than 16 frames, the first is b: Drop"]


def test_the_first_2048_videos_by_name_cover_few_classes(real_clips):
    lists = real_clips.parent / "splits" / "ucf101"
    train, test = (
        sorted(line.split()[0] for line in (lists / name).read_text().split("\n") if line.strip())
        for name in ("trainlist01.txt", "testlist01.txt")
    )
    real = Real("UCF-101", "all", take=SortedFirst(2048))
    for names, classes in ((sorted(train + test), 16), (train, 22)):
        clips = real.clips(collection(*(video_file(name, 20) for name in names)))
        assert len({ucf101_label(video.key) for video in clips.videos()}) == classes
    spread = Real("UCF-101", "all", take=WithoutReplacement(2048)).clips(clips.collection)
    assert len({ucf101_label(video.key) for video in spread.videos()}) == 101


def test_the_hash_depends_on_the_rules_and_not_on_the_description():
    features = PixelFeatures()
    one = Protocol("a", "t", "one", "x", Real("x", "all"), Generated(), (Frechet(features),))
    other = Protocol("b", "u", "two", "y", Real("x", "all"), Generated(), (Frechet(features),))
    assert protocol_hash(one) == protocol_hash(other) == protocol_hash(config.to_json(one))
    assert config.from_json(config.to_json(one)) == one
    changed = config.override(one, "generated.count=5")
    assert protocol_hash(changed) != protocol_hash(one)
    biased = config.override(one, "measures.0.ddof=0")
    assert len({protocol_hash(p) for p in (one, changed, biased)}) == 3
