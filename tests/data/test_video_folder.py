"""Folders of videos: the right frames, disjoint splits, and no file too broken to be named."""

import json
import logging
import pickle
import struct
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vdm_jax.data import CentreCrop, Loader, RandomCrop, Stretch, VideoFolder, Words
from vdm_jax.data.videos import Unreadable, probe, read

LEVEL = 6
"""Frame i of a test video is grey of level LEVEL * i."""


def encode(path, count=24, size=(32, 32), fps=24, stamps=None, first=0, **options):
    """A video at `path` whose frames tell their number; `stamps` are times in 1/fps seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = [np.full((*size, 3), n * LEVEL, np.uint8) for n in range(first, first + count)]
    if path.suffix == ".gif":
        images = [Image.fromarray(picture) for picture in grey]
        images[0].save(path, save_all=True, append_images=images[1:], duration=1000 // fps)
        return path
    with av.open(str(path), "w", options=options) as container:
        codec = "libvpx" if path.suffix == ".webm" else "mpeg4"
        stream = container.add_stream(
            codec, rate=fps, options={"qmin": "1", "qmax": "2", "b": "4M"}
        )
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        stream.codec_context.gop_size = 8
        for place, picture in enumerate(grey):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = stamps[place] if stamps else place
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(video):
    """Which frames a clip is made of."""
    return np.rint(video.mean(axis=(1, 2, 3)) / LEVEL).astype(int).tolist()


def folder(path, **fields):
    return VideoFolder(str(path), **{"frames": 4, "size": 16, **fields})


def draws(clips, index, count=50):
    return [clips.draw(index, np.random.default_rng(seed)) for seed in range(count)]


# Frames and windows


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mov", "a.gif", "a.webm"])
@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_a_clip_is_consecutive_frames_of_any_container(tmp_path, name, cache_bytes):
    encode(tmp_path / name, fps=25)
    clips = folder(tmp_path, held_out=0.0, cache_bytes=cache_bytes).clips("train")
    assert [numbers(clip["video"]) for clip in clips] == [
        list(range(start, start + 4)) for start in range(0, 24, 4)
    ]
    assert [clip["key"] for clip in clips] == [f"{name}@{start}" for start in range(0, 24, 4)]
    for clip in draws(clips, 0):
        found = numbers(clip["video"])
        assert found == list(range(found[0], found[0] + 4))


def test_training_draws_every_window_of_its_part_and_none_of_the_held_out_one(tmp_path):
    encode(tmp_path / "a.mp4", count=40)
    source = folder(tmp_path, held_out=0.25)
    drawn = [numbers(clip["video"]) for clip in draws(source.clips("train"), 0, 400)]
    held_out = [numbers(clip["video"]) for clip in source.clips("held_out")]
    assert {clip[0] for clip in drawn} == set(range(27))
    assert held_out == [[30, 31, 32, 33], [34, 35, 36, 37]]
    plain = [number for clip in source.clips("train") for number in numbers(clip["video"])]
    assert set(plain) == set(range(30))  # an epoch covers all that it may


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


def test_of_videos_too_short_to_divide_some_are_held_out_whole(tmp_path):
    for index in range(10):
        encode(tmp_path / f"{index}.mp4", count=6)
    source = folder(tmp_path, held_out=0.2)
    keys = [
        {clip["key"].split("@")[0] for clip in source.clips(split)}
        for split in ("train", "held_out")
    ]
    assert (len(keys[0]), len(keys[1])) == (8, 2)
    assert not keys[0] & keys[1]


def test_nothing_to_hold_out_is_an_error_that_says_so(tmp_path):
    encode(tmp_path / "a.mp4", count=6)
    with pytest.raises(ValueError, match="nothing is held out of 1 usable videos"):
        folder(tmp_path).clips("held_out")


def test_stride_spreads_a_clip(tmp_path):
    encode(tmp_path / "a.mp4", count=24)
    clips = folder(tmp_path, stride=3, held_out=0.0).clips("train")
    assert [numbers(clip["video"]) for clip in clips] == [
        [0, 3, 6, 9],
        [10, 13, 16, 19],
        [14, 17, 20, 23],
    ]


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_fps_takes_the_nearest_frame_by_its_time(tmp_path, cache_bytes):
    # 48 ticks a second; the second half is shown at a third of the rate of the first.
    stamps = [*range(0, 24, 2), *range(24, 96, 6)]
    encode(tmp_path / "a.mp4", count=24, fps=48, stamps=stamps)
    clips = folder(tmp_path, fps=12.0, held_out=0.0, cache_bytes=cache_bytes).clips("train")
    found = [number for clip in clips for number in numbers(clip["video"])]
    times = np.array(stamps) / 48
    for place, number in enumerate(found[:20]):
        gap = np.abs(times - place / 12)
        assert gap[number] == pytest.approx(gap.min())


def test_a_rate_of_its_own_leaves_a_video_as_it_is(tmp_path):
    encode(tmp_path / "a.mp4", count=24, fps=24)
    same = folder(tmp_path, fps=24.0, held_out=0.0).opened.files[0].timeline
    np.testing.assert_array_equal(same, np.arange(24))
    twice = folder(tmp_path, fps=48.0, held_out=0.0).opened.files[0].timeline
    assert len(twice) == 48
    assert set(twice) == set(range(24))


def test_a_video_shorter_than_a_clip_is_skipped_and_named(tmp_path, caplog):
    encode(tmp_path / "long.mp4", count=12)
    encode(tmp_path / "short.mp4", count=6)
    source = folder(tmp_path, stride=2)
    assert {clip["key"].split("@")[0] for clip in source.clips("train")} == {"long.mp4"}
    assert source.opened.skipped == {
        "short.mp4": "its 6 frames are too few for a clip, which spans 7"
    }
    assert "short.mp4" in caplog.text
    assert "1 of 2 files" in caplog.text


# Pictures


def ramp(path, size):
    """A video whose red rises from left to right, and green from top to bottom."""
    y, x = np.mgrid[: size[0], : size[1]]
    picture = np.stack([x * 255 / (size[1] - 1), y * 255 / (size[0] - 1), 0 * x], -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        stream.bit_rate = 10_000_000
        for _ in range(8):
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(("crop", "width"), [(CentreCrop(), (0.25, 0.75)), (Stretch(), (0.0, 1.0))])
def test_crops_keep_what_they_say(tmp_path, crop, width):
    ramp(tmp_path / "a.mp4", (64, 128))
    video = folder(tmp_path, crop=crop, size=32).clips("train")[0]["video"] / 255
    assert video.shape == (4, 32, 32, 3)
    edges = video[0, :, :, 0].mean(0)[[0, -1]]
    np.testing.assert_allclose(edges, width, atol=0.03)
    np.testing.assert_allclose(video[0, [0, -1], :, 1].mean(1), (0, 1), atol=0.03)


def test_random_crops_reach_both_ends_and_flips_turn_around(tmp_path):
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


def test_a_telephone_held_upright_is_upright(tmp_path):
    ramp(tmp_path / "a.mp4", (64, 64))
    data = (tmp_path / "a.mp4").read_bytes()
    # The display matrix in `tkhd`: a quarter turn clockwise when shown.
    one = 1 << 16
    place = data.index(struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30), data.index(b"tkhd"))
    turn = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    (tmp_path / "a.mp4").write_bytes(data[:place] + turn + data[place + 36 :])
    video = folder(tmp_path, size=32).clips("train")[0]["video"][0] / 255
    # Red rose to the right, now it rises downwards; green rose downwards, now to the left.
    np.testing.assert_allclose(video[[0, -1], :, 0].mean(1), (0, 1), atol=0.05)
    np.testing.assert_allclose(video[:, [0, -1], 1].mean(0), (1, 0), atol=0.05)


def test_images_are_clips_of_one_frame_and_of_no_more(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    for name in ("a.png", "b%d.png", "c.webp"):
        Image.fromarray(picture).save(tmp_path / name, lossless=True)
    clips = folder(tmp_path, frames=1, size=20, held_out=0.0).clips("train")
    assert [clip["key"] for clip in clips] == ["a.png@0", "b%d.png@0", "c.webp@0"]
    for clip in list(clips)[:2]:
        np.testing.assert_array_equal(clip["video"][0], picture)
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
    assert source.opened.skipped == {"x/b.mp4": "it has no caption, and others have"}
    assert "1 rows name no video, the first is 'z.mp4'" in caplog.text


def test_captions_beside_the_videos(tmp_path):
    for name in "ab":
        encode(tmp_path / f"{name}.mp4", count=4)
    (tmp_path / "a.txt").write_text("a red ball\n")
    (tmp_path / "b.json").write_text(json.dumps({"caption": "a blue ball"}))
    clips = folder(tmp_path, held_out=0.0).clips("train")
    assert [clip["caption"] for clip in clips] == ["a red ball", "a blue ball"]
    text = Words(("a", "ball", "blue", "red"), 3)
    batches = Loader(2, text)(clips, seed=0)
    assert sorted(text.decode(next(batches)["tokens"])) == ["a blue ball", "a red ball"]
    batches.close()


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (None, FileNotFoundError, "no caption table .*captions.csv: it is a CSV file"),
        ("name,text\na.mp4,x\n", ValueError, "columns are .*, not file,caption"),
        ("file,caption\na.mp4,\n", ValueError, "line 2: no caption for 'a.mp4'"),
        ("file,caption\na.mp4,x\n", ValueError, "'a.mp4' is the name of 2 videos"),
    ],
)
def test_wrong_tables_are_named(tmp_path, table, error, message):
    for name in ("x/a.mp4", "y/a.mp4"):
        encode(tmp_path / name, count=4)
    if table is not None:
        (tmp_path / "captions.csv").write_text(table)
    with pytest.raises(error, match=message):
        folder(tmp_path, captions="captions.csv").clips("train")


# Broken things


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        folder(tmp_path / "nowhere").clips("train")
    with pytest.raises(ValueError, match=r"holds no file ending in .*\.mp4"):
        folder(tmp_path).clips("train")
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no file in .* the first is a.mp4: the file is empty"):
        folder(tmp_path).clips("train")


def test_broken_files_are_counted_named_and_skipped(tmp_path, caplog):
    good = encode(tmp_path / "good.mp4").read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "truncated.mp4").write_bytes(good[: len(good) // 2])
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "notes.gif").write_text("not a picture")
    (tmp_path / "._good.mp4").write_bytes(b"what a file manager leaves")
    source = folder(tmp_path)
    assert {clip["key"].split("@")[0] for clip in source.clips("train")} == {"good.mp4"}
    assert source.opened.skipped.keys() == {
        "empty.mp4", "truncated.mp4", "noise.avi", "notes.gif",
    }  # fmt: skip
    assert "4 of 5 files" in caplog.text
    for name in source.opened.skipped:
        assert sum(f"/{name}:" in line for line in caplog.text.splitlines()) == 1


def test_the_whole_part_of_a_truncated_file_is_used(tmp_path):
    # With its index in front, a file cut short still has the frames before the cut.
    path = encode(tmp_path / "a.mp4", count=40, movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 600])
    clips = folder(tmp_path, held_out=0.0).clips("train")
    found = [numbers(clip["video"]) for clip in clips]
    assert 1 < len(found) < 10
    assert found[0] == [0, 1, 2, 3]


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_a_file_that_breaks_when_decoded_gives_way_to_the_next_one(tmp_path, caplog, cache_bytes):
    encode(tmp_path / "a.mp4", count=12)
    encode(tmp_path / "b.mp4", count=12, first=20)
    source = folder(tmp_path, held_out=0.0, cache_bytes=cache_bytes)
    clips = source.clips("train")
    assert len(clips) == 6
    (tmp_path / "a.mp4").unlink()  # after it was found good
    with caplog.at_level(logging.WARNING):
        first = [clips[index] for index in range(3)]
    assert {clip["key"] for clip in first} == {"b.mp4@0"}
    assert all(numbers(clip["video"])[0] >= 20 for clip in draws(clips, 0, 10))
    assert list(source.opened.skipped) == ["a.mp4"]
    assert sum("skipped" in line for line in caplog.text.splitlines()) == 1
    if not cache_bytes:  # else the frames are in memory, and nothing is lost
        (tmp_path / "b.mp4").unlink()
        with pytest.raises(ValueError, match="none of 2 files can be decoded"):
            clips[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frames": 0}, "frames is 0"),
        ({"fps": 0.0}, "fps is 0"),
        ({"flip": 2.0}, "flip is 2"),
        ({"held_out": 1.0}, "held_out is 1"),
    ],
)
def test_wrong_fields_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        VideoFolder(".", **fields)


# Reading


def test_draws_depend_on_the_generator_alone_and_survive_another_process(tmp_path):
    for name in "abc":
        encode(tmp_path / f"{name}.mp4")
    clips = folder(tmp_path, crop=RandomCrop(), flip=0.5, cache_bytes=20_000).clips("train")
    other = pickle.loads(pickle.dumps(clips))
    assert len(clips) == len(other)
    for index in range(0, len(clips), 3):
        one, two = (c.draw(index, np.random.default_rng(index)) for c in (clips, other))
        assert one["key"] == two["key"]
        np.testing.assert_array_equal(one["video"], two["video"])


def test_epochs_crop_anew_and_resume_exactly(tmp_path):
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
"""From a decoding of every frame; three containers state other counts, or none."""


@pytest.mark.parametrize(("name", "count"), zip(REAL, COUNTS, strict=True))
def test_windows_of_real_clips_are_those_of_the_whole_video(real_clips: Path, name, count):
    video = probe(real_clips / name)
    assert len(video) == count
    whole = read(video, range(count), partial(CentreCrop().resized, size=32))
    for start in (1, count // 3, count - 20):
        frames = np.arange(start, start + 18, 2)
        window = read(video, frames, partial(CentreCrop().resized, size=32))
        np.testing.assert_array_equal(window, whole[frames])


def test_one_resize_from_the_decoder_is_a_lanczos_resize(real_clips: Path):
    path = real_clips / "ucf101/Biking/v_Biking_g05_c02.avi"
    (ours,) = read(probe(path), [100], lambda height, width: (64, 85))
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[100]
    theirs = np.asarray(frame.to_image().resize((85, 64), Image.Resampling.LANCZOS))
    assert np.abs(ours.astype(float) - theirs).mean() < 2


def test_a_real_class_tree(real_clips: Path):
    source = VideoFolder(str(real_clips / "ucf101"), frames=16, size=32)
    assert source.classes == ("Biking", "Punch", "Rowing", "SoccerJuggling")
    for split in ("train", "held_out"):
        clips = source.clips(split)
        assert {source.classes[clips[i]["label"]] for i in range(len(clips))} == set(source.classes)
    assert source.opened.skipped == {}


def test_a_video_without_pictures_says_so(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(Unreadable, match="no video stream"):
        probe(path)
