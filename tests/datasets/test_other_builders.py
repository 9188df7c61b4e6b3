"""The smaller data sets: clips have the frames, labels, captions and splits of the archive."""

import csv
import struct
from pathlib import Path

import numpy as np
import pytest
from made import encode, numbers
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from data import build
from data.common import BuildError, Recode
from data.common.videos import probe
from vdm_jax import data


def build_report(name, folder, **settings):
    options = {key: str(value) for key, value in settings.pop("options", {}).items()}
    builder = build.builder_class(name)
    return builder(options=options, jobs=1, data_dir=str(folder), **settings).build()


def first_clips(name, path, split="train", **fields):
    fields = {"frames": 4, "size": 16, "windows": data.First(), **fields}
    source = data.Clips(name, path=str(path), split=split, held_out=None, **fields)
    clips = source.clips("train")
    return {clip["key"].split("@")[0]: clip for clip in (clips[n] for n in range(len(clips)))}


def table(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


# CSV tables


def test_webvids_tables(tmp_path):
    for name in ("000001_000050/1234", "000051_000100/99"):
        encode(tmp_path / "videos" / f"{name}.mp4")
    head = ["videoid", "contentUrl", "duration", "page_dir", "name"]
    train = [["1234", "u", "PT00H00M12S", "000001_000050", "A cat, it seems"],
             ["77", "u", "PT00H01M00S", "000001_000050", "gone"]]  # fmt: skip
    val = [["99", "u", "PT00H00M01S", "000051_000100", "Ein Hund – läuft"]]
    options = {
        "source": tmp_path,
        "train": table(tmp_path / "train.csv", [head, *train]),
        "val": table(tmp_path / "val.csv", [head, *val]),
    }
    report = build_report("webvid_csv", tmp_path / "out", options=options)
    assert report.written == {"train": 1, "val": 1, "all": 2}
    assert report.dropped == {"77": "the table names it, but the file is missing"}
    (clip,) = first_clips("webvid_csv", tmp_path / "out").values()
    assert clip["caption"] == "A cat, it seems"
    (clip,) = first_clips("webvid_csv", tmp_path / "out", "val").values()
    assert clip["caption"] == "Ein Hund – läuft"


def test_any_csv_table(tmp_path):
    encode(tmp_path / "clips" / "a b.mp4")
    encode(tmp_path / "clips" / "c.mp4")
    rows = [["Path", "Text", "seconds"], ["a b.mp4", "one", "1.5"], ["a b.mp4", "two", "1.5"],
            ["a b.mp4", "two", "1.5"], ["c.mp4", "", "1"], ["", "nothing", "1"]]  # fmt: skip
    own = table(tmp_path / "own.csv", rows)
    with own.open("ab") as file:
        file.write(b"c.mp4,caf\xe9,1\n")
    options = {"source": tmp_path / "clips", "train": own}
    report = build_report("webvid_csv", tmp_path / "out", options=options)
    assert report.written == {"train": 1, "all": 1}
    assert report.dropped == {
        "a b.mp4 (own.csv, line 4)": "it repeats an earlier row",
        "c.mp4 (own.csv, line 5)": "it has no caption",
        "own.csv, line 6": "it names no file",
        "own.csv, line 7": "it is not UTF-8",
    }
    source = data.Clips("webvid_csv", path=str(tmp_path / "out"), held_out=None, frames=2, size=16,
                        captions=data.EveryCaption())  # fmt: skip
    assert [clip["caption"] for clip in source.clips("train")] == ["one", "two"]


def test_missing_columns_are_named(tmp_path):
    own = table(tmp_path / "own.csv", [["clip", "words"], ["a.mp4", "x"]])
    options = {"source": tmp_path, "train": own}
    with pytest.raises(
        BuildError, match=r"columns clip, words, none of which is named path or id; .*--p"
    ):
        build_report("webvid_csv", tmp_path / "1", options=options)
    with pytest.raises(BuildError, match="has no column 'word', only clip, words"):
        named = {"path_column": "clip", "caption_column": "word"}
        build_report("webvid_csv", tmp_path / "1", options=options | named)
    encode(tmp_path / "a.mp4")
    named = {"path_column": "clip", "caption_column": "words"}
    assert build_report("webvid_csv", tmp_path / "1", options=options | named).complete


def test_images_are_clips_of_one_frame(tmp_path):
    down, across = np.mgrid[0:32, 0:48] * 5
    images = {}
    for level, name in enumerate(("a.png", "b.jpg", "c.webp")):
        images[name] = np.stack([down, across, down + 30 * level], axis=-1).astype(np.uint8)
        Image.fromarray(images[name]).save(tmp_path / name, quality=100, lossless=True)
    whole = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    rows = [["image", "caption"], *([name, name] for name in [*images, "cut.jpg"])]
    options = {"source": tmp_path, "train": table(tmp_path / "t.csv", rows)}
    report = build_report("images_csv", tmp_path / "out", options=options)
    assert report.written["all"] == 3
    assert report.dropped == {"cut.jpg": "it is truncated: its end marker is missing"}
    clips = first_clips("images_csv", tmp_path / "out", frames=1, size=32, crop=data.Stretch())
    for name, image in images.items():
        assert clips[name]["video"].shape == (1, 32, 32, 3)
        assert clips[name]["caption"] == name
        small = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.LANCZOS))
        assert np.abs(clips[name]["video"][0].astype(float) - small).mean() < 3


# Kinetics


def kinetics(folder: Path, splits=("",)) -> Path:
    for split in splits:
        for place in ("yoga/aaaaaaaaaaa_000003_000013", "Hammering/bbbbbbbbbbb_000000_000010"):
            encode(folder / split / f"{place}.mp4")
    return folder


def test_kinetics_from_folders_without_tables(tmp_path):
    source = kinetics(tmp_path / "k", ("train", "validate"))
    report = build_report("kinetics", tmp_path / "out", options={"source": source})
    assert report.dropped.keys() == {  # both folders hold the same clips
        "Hammering/bbbbbbbbbbb_000000_000010 (again)", "yoga/aaaaaaaaaaa_000003_000013 (again)",
    }  # fmt: skip
    clips = first_clips("kinetics", tmp_path / "out")
    assert {key: int(clip["label"]) for key, clip in clips.items()} == {
        "Hammering/bbbbbbbbbbb_000000_000010": 0, "yoga/aaaaaaaaaaa_000003_000013": 1,
    }  # fmt: skip


def test_kinetics_with_the_official_table(tmp_path):
    source = kinetics(tmp_path / "k")
    encode(source / "yoga" / "ccccccccccc.mp4", count=24)  # one second: trimmed already
    encode(source / "yoga" / "ddddddddddd.mp4", count=40, fps=2)  # twenty seconds, with two spans
    head = ["label", "youtube_id", "time_start", "time_end", "split"]
    rows = [["yoga", "aaaaaaaaaaa", 3, 13, "train"], ["Hammering", "bbbbbbbbbbb", 0, 10, "val"],
            ["yoga", "ccccccccccc", 5, 15, "test"], ["yoga", "ddddddddddd", 5, 15, "train"],
            ["yoga", "ddddddddddd", 9, 12, "train"], ["yoga", "ddddddddddd", 30, 40, "train"],
            ["yoga", "eeeeeeeeeee", 5, 15, "train"], ["yoga", "ccccccccccc", 5, 15, "test"],
            ["yoga", "fffffffffff", "x", 15, "test"]]  # fmt: skip
    options = {"source": source, "tables": table(tmp_path / "k.csv", [head, *rows])}
    report = build_report("kinetics", tmp_path / "out", options=options)
    assert report.written == {"train": 3, "val": 1, "test": 1, "all": 5}
    assert report.dropped["eeeeeeeeeee_000005"].startswith("the tables name it")
    assert (
        report.dropped["yoga/ddddddddddd_000030_000040"] == "it has no frames between 30 and 40 s"
    )
    assert "it repeats ccccccccccc at 5 s" in report.dropped["k.csv, line 9"]
    assert "it is no span" in report.dropped["k.csv, line 10"]
    assert len(report.dropped) == 4
    clips = first_clips("kinetics", tmp_path / "out", windows=data.EveryWindow())
    parts = {key: [] for key in clips}
    source = data.Clips("kinetics", path=str(tmp_path / "out"), held_out=None, frames=2, size=16,
                        windows=data.EveryWindow())  # fmt: skip
    for clip in source.clips("train"):
        parts[clip["key"].split("@")[0]] += numbers(clip["video"])
    assert parts["yoga/ddddddddddd_000005_000015"] == list(range(10, 30))  # at 2 frames a second
    assert parts["yoga/ddddddddddd_000009_000012"] == list(range(18, 24))


# Arrays


def write_bair(path, clips, frames=30):
    """Writes a TFRecord file in the format of BAIR; returns its frames."""
    video = np.random.default_rng(0).integers(0, 255, (clips, 2, frames, 64, 64, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for clip in video:
            example = tf_example_pb2.Example()
            feature = example.features.feature
            for number in range(frames):
                for camera, name in enumerate(("image_main", "image_aux1")):
                    content = clip[camera, number].tobytes()
                    feature[f"{number}/{name}/encoded"].bytes_list.value.append(content)
                feature[f"{number}/action"].float_list.value.extend([number, 1, 2, 3])
                feature[f"{number}/endeffector_pos"].float_list.value.extend([0.5, 0.25, number])
            record = example.SerializeToString()
            file.write(struct.pack("<QI", len(record), 0) + record + bytes(4))
    return video


def test_bair_is_lossless_for_both_cameras(tmp_path):
    source = tmp_path / "softmotion30_44k"
    video = write_bair(source / "train" / "traj_0_to_1.tfrecords", 2)
    write_bair(source / "test" / "traj_0.tfrecords", 1, frames=29)
    whole = (source / "train" / "traj_0_to_1.tfrecords").read_bytes()
    (source / "train" / "traj_2.tfrecords").write_bytes(whole[: len(whole) // 4])
    for camera, name in enumerate(("bair", "bair/image_aux1")):
        options = {"source": source} | ({"camera": "image_aux1"} if camera else {})
        report = build_report("bair", tmp_path / "out", options=options)
        assert report.written == {"train": 2, "all": 2}
        assert report.mismatches["train"] == (2, 43264)
        assert report.dropped == {
            "test/traj_0-0": f"frame 29 of {('image_main', 'image_aux1')[camera]} is not "
            "64x64 pixels",
            "train/traj_2.tfrecords": "it is truncated within record 0",
        }
        clips = first_clips(name, tmp_path / "out", frames=30, size=64)
        for number in range(2):
            stored = clips[f"train/traj_0_to_1-{number}"]["video"]
            np.testing.assert_array_equal(stored, video[number, camera])
    record = data.Shards(tmp_path / "out" / "bair" / "1.0.0").records("train")[0]
    assert record["action"][4:8] == [1, 1, 2, 3]
    assert len(record["endeffector"]) == 90
    with pytest.raises(BuildError, match="--camera is 'left'"):
        build_report("bair", tmp_path, options={"source": source, "camera": "left"})


def test_moving_mnist_is_lossless(tmp_path):
    video = np.random.default_rng(0).integers(0, 255, (20, 5, 64, 64), np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", video)
    options = {"source": tmp_path / "mnist_test_seq.npy"}
    report = build_report("moving_mnist", tmp_path / "out", options=options)
    assert report.written == {"test": 5, "all": 5}
    assert report.mismatches == {"test": (5, 10000), "all": (5, 10000)}
    clips = first_clips("moving_mnist", tmp_path / "out", "test", frames=20, size=64)
    for number in range(5):
        stored = clips[f"{number:05}"]["video"]
        np.testing.assert_array_equal(stored, np.repeat(video[:, number, ..., None], 3, axis=-1))
    content = (tmp_path / "mnist_test_seq.npy").read_bytes()
    (tmp_path / "mnist_test_seq.npy").write_bytes(content[:5000])
    with pytest.raises(BuildError, match="cannot be read; download it again"):
        build_report("moving_mnist", tmp_path / "other", options=options)


# Folders


def test_any_folder(tmp_path):
    for name in ("birds/a", "Ants/b", "birds/c", "Ants/d"):
        encode(tmp_path / "mine" / f"{name}.mp4")
    (tmp_path / "mine" / "birds" / "a.txt").write_text("a bird\n\na blue bird\n")
    (tmp_path / "mine" / "Ants" / "b.json").write_text('{"caption": "an ant"}')
    (tmp_path / "mine" / "Ants" / "d.json").write_text("{")
    options = {"source": tmp_path / "mine", "held_out": 0.5}
    report = build_report("video_folder", tmp_path / "out", options=options)
    assert report.complete
    assert report.notes["Ants/d.mp4"].startswith("its captions cannot be read")
    both = [first_clips("video_folder", tmp_path / "out", split) for split in ("train", "test")]
    assert not both[0].keys() & both[1].keys()
    clips = both[0] | both[1]
    assert {key: int(clip["label"]) for key, clip in clips.items()} == {
        "Ants/b.mp4": 0, "Ants/d.mp4": 0, "birds/a.mp4": 1, "birds/c.mp4": 1,
    }  # fmt: skip
    assert clips["birds/a.mp4"]["caption"] == "a bird"
    assert clips["Ants/b.mp4"]["caption"] == "an ant"
    assert "caption" not in clips["birds/c.mp4"]


def test_split_folders(tmp_path):
    for name in ("train/x/a", "test/x/b", "other/c"):
        encode(tmp_path / "mine" / f"{name}.mp4")
    report = build_report("video_folder", tmp_path / "out", options={"source": tmp_path / "mine"})
    assert report.written == {"train": 1, "test": 1, "all": 2}
    assert report.dropped == {"other/c.mp4": "it is in none of the folders train, val, test"}


# Smaller copies


def test_recoding_gives_the_requested_size_and_rate(tmp_path):
    encode(tmp_path / "mine" / "a.mp4", count=36, size=(48, 64), fps=24)
    options = {"source": tmp_path / "mine"}
    transcoder = Recode(size=24, fps=8.0, crf=10)
    report = build_report("video_folder", tmp_path / "out", options=options, transcoder=transcoder)
    assert report.complete
    source = data.Clips("video_folder/24px_8fps_crf10", path=str(tmp_path / "out"), frames=12,
                        size=24, held_out=None)  # fmt: skip
    record = source.shards.records("train")[0]
    assert (record["height"], record["width"], record["frames"]) == ([24], [32], [12])
    assert record["fps"] == pytest.approx([8])
    (clip,) = source.clips("train")
    assert np.abs(np.array(numbers(clip["video"])) - 3 * np.arange(12)).max() <= 1
    with pytest.raises(FileNotFoundError, match="dataset='video_folder/24px_8fps_crf10'"):
        data.Clips("video_folder", path=str(tmp_path / "out")).clips("train")


def test_recoding_a_real_clip_keeps_its_frames(real_clips):
    whole = (real_clips / "ucf101" / "Biking" / "v_Biking_g05_c02.avi").read_bytes()
    copy, small = Recode(size=64)(whole, probe(whole))
    assert (small.frames, small.height, small.width) == (201, 64, 86)
    assert small.keyframes == tuple(range(0, 201, 12))
    assert len(copy) < len(whole) / 3
