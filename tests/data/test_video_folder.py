"""Folders of videos: frames, disjoint splits, labels, captions and crops."""

import json
import pickle
import struct
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from made import draws, encode, folder, numbers
from PIL import Image

from vdm_jax.data import CenterCrop, Loader, RandomCrop, Stretch, VideoFolder, WordTokenizer
from vdm_jax.data.videos import probe, read


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mov", "a.gif", "a.webm"])
@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_clips_are_consecutive_frames_in_every_container(tmp_path, name, cache_bytes):
    encode(tmp_path / name, fps=25)
    clips = folder(tmp_path, held_out=0.0, cache_bytes=cache_bytes).clips("train")
    assert [numbers(clip["video"]) for clip in clips] == [
        list(range(start, start + 4)) for start in range(0, 24, 4)
    ]
    assert [clip["key"] for clip in clips] == [f"{name}@{start}" for start in range(0, 24, 4)]
    for clip in draws(clips, 0):
        frames = numbers(clip["video"])
        assert frames == list(range(frames[0], frames[0] + 4))


def test_training_draws_every_window_of_its_part_and_no_held_out_frame(tmp_path):
    encode(tmp_path / "a.mp4", count=40)
    source = folder(tmp_path, held_out=0.25)
    drawn = [numbers(clip["video"]) for clip in draws(source.clips("train"), 0, 400)]
    held_out = [numbers(clip["video"]) for clip in source.clips("held_out")]
    assert {clip[0] for clip in drawn} == set(range(27))
    assert held_out == [[30, 31, 32, 33], [34, 35, 36, 37]]
    plain = [number for clip in source.clips("train") for number in numbers(clip["video"])]
    assert set(plain) == set(range(30))  # an epoch covers the training part


@pytest.mark.parametrize("held_out", [0.01, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("count", [8, 9, 15, 40])
def test_splits_of_one_video_are_disjoint_and_neither_is_empty(tmp_path, held_out, count):
    encode(tmp_path / "a.mp4", count=count)
    source = folder(tmp_path, held_out=held_out)
    splits = [
        {number for clip in source.clips(split) for number in numbers(clip["video"])}
        for split in ("train", "held_out")
    ]
    assert splits[0]
    assert splits[1]
    assert max(splits[0]) < min(splits[1])


def test_videos_too_short_to_divide_are_held_out_whole(tmp_path):
    for index in range(10):
        encode(tmp_path / f"{index}.mp4", count=6)
    source = folder(tmp_path, held_out=0.2)
    keys = [
        {clip["key"].split("@")[0] for clip in source.clips(split)}
        for split in ("train", "held_out")
    ]
    assert (len(keys[0]), len(keys[1])) == (8, 2)
    assert not keys[0] & keys[1]


def test_nothing_to_hold_out_is_an_error(tmp_path):
    encode(tmp_path / "a.mp4", count=6)
    with pytest.raises(ValueError, match="nothing is held out of 1 usable videos"):
        folder(tmp_path).clips("held_out")


def test_stride_skips_frames(tmp_path):
    encode(tmp_path / "a.mp4", count=24)
    clips = folder(tmp_path, stride=3, held_out=0.0).clips("train")
    assert [numbers(clip["video"]) for clip in clips] == [
        [0, 3, 6, 9],
        [10, 13, 16, 19],
        [14, 17, 20, 23],
    ]


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_fps_takes_the_nearest_frames(tmp_path, cache_bytes):
    # 48 ticks a second; the second half has a third of the frame rate of the first.
    stamps = [*range(0, 24, 2), *range(24, 96, 6)]
    encode(tmp_path / "a.mp4", count=24, fps=48, stamps=stamps)
    clips = folder(tmp_path, fps=12.0, held_out=0.0, cache_bytes=cache_bytes).clips("train")
    frames = [number for clip in clips for number in numbers(clip["video"])]
    times = np.array(stamps) / 48
    for place, number in enumerate(frames[:20]):
        gap = np.abs(times - place / 12)
        assert gap[number] == pytest.approx(gap.min())


def test_resampling_to_the_same_rate_changes_nothing(tmp_path):
    encode(tmp_path / "a.mp4", count=24, fps=24)
    same = folder(tmp_path, fps=24.0, held_out=0.0).folder.files[0].timeline
    np.testing.assert_array_equal(same, np.arange(24))
    twice = folder(tmp_path, fps=48.0, held_out=0.0).folder.files[0].timeline
    assert len(twice) == 48
    assert set(twice) == set(range(24))


def ramp(path, size):
    """Writes a video whose red increases from left to right and green from top to bottom."""
    y, x = np.mgrid[: size[0], : size[1]]
    image = np.stack([x * 255 / (size[1] - 1), y * 255 / (size[0] - 1), 0 * x], -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        stream.bit_rate = 10_000_000
        for _ in range(8):
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(("crop", "width"), [(CenterCrop(), (0.25, 0.75)), (Stretch(), (0.0, 1.0))])
def test_crops_keep_the_documented_part(tmp_path, crop, width):
    ramp(tmp_path / "a.mp4", (64, 128))
    video = folder(tmp_path, crop=crop, size=32).clips("train")[0]["video"] / 255
    assert video.shape == (4, 32, 32, 3)
    edges = video[0, :, :, 0].mean(0)[[0, -1]]
    np.testing.assert_allclose(edges, width, atol=0.03)
    np.testing.assert_allclose(video[0, [0, -1], :, 1].mean(1), (0, 1), atol=0.03)


def test_random_crops_reach_both_ends_and_flips_mirror(tmp_path):
    ramp(tmp_path / "a.mp4", (64, 128))
    clips = folder(tmp_path, crop=RandomCrop(), size=32).clips("train")
    left = [clip["video"][0, :, 0, 0].mean() / 255 for clip in draws(clips, 0, 200)]
    assert min(left) < 0.03
    assert max(left) == pytest.approx(0.5, abs=0.03)
    clips = folder(tmp_path, flip=0.5, size=32).clips("train")
    rising = [clip["video"][0, 0, -1, 0] > clip["video"][0, 0, 0, 0] for clip in draws(clips, 0)]
    assert 10 < sum(rising) < 40
    upright = clips[0]["video"][0]
    turned = draws(clips, 0)[rising.index(False)]["video"][0]
    np.testing.assert_allclose(turned[:, ::-1], upright, atol=3)


def test_rotated_videos_are_upright(tmp_path):
    ramp(tmp_path / "a.mp4", (64, 64))
    data = (tmp_path / "a.mp4").read_bytes()
    # The display matrix in `tkhd`: a quarter turn clockwise when shown.
    one = 1 << 16
    place = data.index(struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30), data.index(b"tkhd"))
    turn = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    (tmp_path / "a.mp4").write_bytes(data[:place] + turn + data[place + 36 :])
    video = folder(tmp_path, size=32).clips("train")[0]["video"][0] / 255
    # After the rotation red increases downwards and green to the left.
    np.testing.assert_allclose(video[[0, -1], :, 0].mean(1), (0, 1), atol=0.05)
    np.testing.assert_allclose(video[:, [0, -1], 1].mean(0), (1, 0), atol=0.05)


def test_images_are_clips_of_one_frame_only(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    for name in ("a.png", "b%d.png", "c.webp"):
        Image.fromarray(image).save(tmp_path / name, lossless=True)
    clips = folder(tmp_path, frames=1, size=20, held_out=0.0).clips("train")
    assert [clip["key"] for clip in clips] == ["a.png@0", "b%d.png@0", "c.webp@0"]
    for clip in list(clips)[:2]:
        np.testing.assert_array_equal(clip["video"][0], image)
    with pytest.raises(ValueError, match="images are clips only where frames is 1"):
        folder(tmp_path).clips("train")


# Labels and captions


def test_labels_are_sub_folders_in_case_insensitive_order(tmp_path):
    for name in ("JumpingJack", "JumpRope", "Hammering", "hammerThrow"):
        encode(tmp_path / name / "deep" / "v.mp4", count=8)
    source = folder(tmp_path, held_out=0.0)
    assert source.classes == ("Hammering", "hammerThrow", "JumpingJack", "JumpRope")
    labels = {clip["key"].split("/")[0]: int(clip["label"]) for clip in source.clips("train")}
    assert labels == {name: label for label, name in enumerate(source.classes)}


def test_without_sub_folders_there_are_no_labels(tmp_path):
    encode(tmp_path / "v.mp4")
    source = folder(tmp_path)
    assert source.classes == ()
    assert source.clips("train")[0].keys() == {"video", "key"}


def test_captions_from_a_table(tmp_path, caplog):
    for name in ("x/a.mp4", "x/b.mp4", "c.mp4"):
        encode(tmp_path / name, count=4)
    (tmp_path / "captions.csv").write_bytes(
        b"\xef\xbb\xbffile,caption\r\n"
        b'x/a.mp4,"one, or"\r\nx/a.mp4,two\r\nc.mp4,three\r\nz.mp4,four\r\n'
    )
    source = folder(tmp_path, captions="captions.csv", held_out=0.0)
    clips = source.clips("train")
    assert {clip["key"]: clip["caption"] for clip in clips} == {
        "c.mp4@0": "three",
        "x/a.mp4@0": "one, or",
    }
    assert {clip["caption"] for clip in draws(clips, 1)} == {"one, or", "two"}
    assert source.folder.skipped == {"x/b.mp4": "it has no caption, but others have"}
    assert "1 rows name no video, the first is 'z.mp4'" in caplog.text


def test_captions_from_sidecar_files(tmp_path):
    for name in "ab":
        encode(tmp_path / f"{name}.mp4", count=4)
    (tmp_path / "a.txt").write_text("a red ball\n")
    (tmp_path / "b.json").write_text(json.dumps({"caption": "a blue ball"}))
    clips = folder(tmp_path, held_out=0.0).clips("train")
    assert [clip["caption"] for clip in clips] == ["a red ball", "a blue ball"]
    text = WordTokenizer(("a", "ball", "blue", "red"), 3)
    batches = Loader(2, text)(clips, seed=0)
    assert sorted(text.decode(next(batches)["tokens"])) == ["a blue ball", "a red ball"]
    batches.close()


def test_draws_depend_on_the_generator_alone_and_survive_pickling(tmp_path):
    for name in "abc":
        encode(tmp_path / f"{name}.mp4")
    clips = folder(tmp_path, crop=RandomCrop(), flip=0.5, cache_bytes=20_000).clips("train")
    other = pickle.loads(pickle.dumps(clips))
    assert len(clips) == len(other)
    for index in range(0, len(clips), 3):
        one, two = (c.draw(index, np.random.default_rng(index)) for c in (clips, other))
        assert one["key"] == two["key"]
        np.testing.assert_array_equal(one["video"], two["video"])


def test_epochs_draw_new_windows_and_resume_exactly(tmp_path):
    encode(tmp_path / "a.mp4", count=40)
    clips = folder(tmp_path).clips("train")
    make = Loader(3)
    batches = make(clips, seed=1)
    epochs = [[next(batches)["video"] for _ in range(3)] for _ in range(2)]
    batches.close()
    starts = [sorted(numbers(v)[0] for batch in epoch for v in batch) for epoch in epochs]
    assert starts[0] != starts[1]
    resumed = make(clips, seed=1, start=4)
    np.testing.assert_array_equal(next(resumed)["video"], epochs[1][1])
    resumed.close()


REAL = [
    "ucf101/Biking/v_Biking_g05_c02.avi",
    "hmdb51/TrumanShow_wave_f_nm_np1_fr_med_26.avi",
    "kinetics/flipping_a_pancake.mkv",
    "misc/carphone_pristine.mp4",
    "msrvtt/video9771.mp4",
    "../fixtures/i3d/v_CricketShot_g04_c01_rgb.gif",
]
COUNTS = [201, 48, 310, 120, 419, 79]
"""Frame counts from a full decoding; three containers state other counts, or none."""


@pytest.mark.parametrize(("name", "count"), zip(REAL, COUNTS, strict=True))
def test_windows_of_real_clips_equal_those_of_a_full_decoding(real_clips: Path, name, count):
    video = probe(real_clips / name)
    assert len(video) == count
    whole = read(video, range(count), partial(CenterCrop().target_size, size=32))
    for start in (1, count // 3, count - 20):
        frames = np.arange(start, start + 18, 2)
        window = read(video, frames, partial(CenterCrop().target_size, size=32))
        np.testing.assert_array_equal(window, whole[frames])


def test_the_resize_is_lanczos(real_clips: Path):
    path = real_clips / "ucf101/Biking/v_Biking_g05_c02.avi"
    (ours,) = read(probe(path), [100], lambda height, width: (64, 85))
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[100]
    theirs = np.asarray(frame.to_image().resize((85, 64), Image.Resampling.LANCZOS))
    assert np.abs(ours.astype(float) - theirs).mean() < 2


def test_class_folders_of_real_clips(real_clips: Path):
    source = VideoFolder(str(real_clips / "ucf101"), frames=16, size=32)
    assert source.classes == ("Biking", "Punch", "Rowing", "SoccerJuggling")
    for split in ("train", "held_out"):
        clips = source.clips(split)
        assert {source.classes[clips[i]["label"]] for i in range(len(clips))} == set(source.classes)
    assert source.folder.skipped == {}
