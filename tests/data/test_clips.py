"""Clips of built data sets have the right frames, equal to those of the original files."""

import pickle
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import archives
import fake_remote
import numpy as np
import pytest
from made import numbers

from data.ucf101.ucf101_dataset_builder import Builder
from vdm_jax import data, storage
from vdm_jax.data.videos import probe, read


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """Three classes of three groups of two clips, of 12 and 16 frames; frame i of a group encodes
    group + i."""
    folder = tmp_path_factory.mktemp("built")
    source, lists = archives.small_ucf101(folder)
    options = {"source": str(source), "lists": str(lists)}
    Builder(options=options, jobs=1, data_dir=str(folder / "out")).build()
    return str(folder / "out")


def clips(path, which="train", **fields):
    fields = {"frames": 4, "size": 16, "path": path, **fields}
    return data.Clips("ucf101", **fields).clips(which)


def frames(element) -> list[int]:
    """The frames of its video that a clip has."""
    group = int(element["key"].split("_g")[1][:2])
    return [n - group for n in numbers(element["video"])]


def test_splits_match_the_lists(path):
    assert {c["key"].split("_g")[1][:2] for c in clips(path)} == {"02", "03"}
    assert {c["key"].split("_g")[1][:2] for c in clips(path, "held_out")} == {"01"}
    second = clips(path, "held_out", split="train02", held_out="test02")
    assert {c["key"].split("_g")[1][:2] for c in second} == {"02"}
    assert len(clips(path, split="all", held_out=None)) == 18


def test_labels_match_the_classes(path):
    source = data.Clips("ucf101", path=path, frames=4, size=16)
    assert source.classes == archives.CLASSES
    for clip in source.clips("train"):
        assert source.classes[clip["label"]] == clip["key"].split("/")[0]
        assert clip["label"].dtype == np.int32


def test_windows(path):
    for clip in clips(path, windows=data.First()):
        assert frames(clip) == [0, 1, 2, 3]
    for clip in clips(path, windows=data.Center(), stride=2):
        count = 12 if "_c01" in clip["key"] else 16
        first = (count - 7) // 2
        assert frames(clip) == [first, first + 2, first + 4, first + 6]
    counts = Counter(
        (clip["key"].split("@")[0], tuple(frames(clip)))
        for clip in clips(path, windows=data.EveryWindow())
    )
    assert set(counts.values()) == {1}
    assert Counter(key[-3:] for key, _ in counts) == {"c01": 6 * 3, "c02": 6 * 4}  # side by side
    starts = [frames(c)[0] for c in clips(path, windows=data.EveryWindow(step=1))]
    assert Counter(starts) == {s: 12 if s <= 8 else 6 for s in range(13)}


def test_random_windows_cover_a_video_and_depend_on_the_generator_alone(path):
    train = clips(path)
    assert len(train) == 12  # one clip of each video
    long = next(i for i in range(12) if "_c02" in train[i]["key"])
    rng = np.random.default_rng
    assert {frames(train.draw(long, rng(n)))[0] for n in range(150)} == set(range(13))
    other = pickle.loads(pickle.dumps(train))
    for index in range(12):
        one, two = (c.draw(index, rng(index)) for c in (train, other))
        assert one["key"] == two["key"]
        np.testing.assert_array_equal(one["video"], two["video"])


def test_resampling_to_a_frame_rate(path):
    for clip in clips(path, split="all", held_out=None, fps=12.5, windows=data.First()):
        step = 30 / 12.5 if "_g01" in clip["key"] else 2
        np.testing.assert_allclose(frames(clip), step * np.arange(4), atol=0.5)


def test_short_videos(path, caplog):
    seven = partial(clips, path, stride=2, frames=7, windows=data.First())  # spans 13 frames
    assert {clip["key"].split("@")[0][-3:] for clip in seven()} == {"c02"}
    assert "6 of 12 videos of ucf101 are shorter than a clip" in caplog.text
    with pytest.raises(ValueError, match=r"6 of 12 videos .* spans 13 .* the shortest has 12"):
        seven(short=data.Raise())
    looped = [frames(c) for c in seven(short=data.Loop()) if "c01" in c["key"]]
    assert looped == [[0, 2, 4, 6, 8, 10, 0]] * 6
    repeated = [frames(c) for c in seven(short=data.RepeatLast()) if "c01" in c["key"]]
    assert repeated == [[0, 2, 4, 6, 8, 10, 11]] * 6
    with pytest.raises(ValueError, match="no clip of 40 frames, 1 apart, in 12 videos, the longes"):
        clips(path, frames=40)


def test_shards_have_the_pixels_of_the_files(tmp_path, real_clips: Path):
    lists = real_clips.parent / "splits" / "ucf101"
    options = {"source": str(real_clips / "ucf101"), "lists": str(lists)}
    Builder(options=options, jobs=1, data_dir=str(tmp_path)).build()
    train = clips(str(tmp_path), split="all", held_out=None, size=32, stride=3)
    for seed in range(12):
        clip = train.draw(seed % 5, np.random.default_rng(seed))
        key, start = clip["key"].split("@")
        file = real_clips / "ucf101" / f"{key}.avi"
        whole = read(probe(file), np.arange(4) * 3 + int(start), lambda h, w: (32, 43))
        np.testing.assert_array_equal(clip["video"], whole[:, :, 5:37])


def test_the_loader_reads_shards(path):
    loader = data.Loader(batch=6)
    batches = loader(clips(path), seed=0)
    first = [next(batches) for _ in range(4)]
    batches.close()
    again = loader(clips(path), seed=0, start=2)
    np.testing.assert_array_equal(next(again)["video"], first[2]["video"])
    again.close()
    assert first[0]["label"].shape == (6,)
    assert sorted(np.concatenate([b["label"] for b in first[:2]])) == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize(
    ("fields", "split", "error", "message"),
    [
        ({"split": "tain"}, "train", ValueError, "no split 'tain'; did you mean 'train"),
        ({"split": "all"}, "held_out", ValueError, "'all' and 'test' of ucf101 share clips"),
        ({"held_out": None}, "held_out", ValueError, "nothing of ucf101 is held out"),
        ({"path": "nowhere"}, "train", FileNotFoundError, "python -m data.build ucf101 --source"),
        ({"frames": 0}, "train", ValueError, "frames is 0"),
        ({"fps": -1.0}, "train", ValueError, "fps is -1"),
    ],
)
def test_wrong_sources_are_errors(path, fields, split, error, message):
    with pytest.raises(error, match=message):
        clips(which=split, **{"path": path, **fields})


def test_a_misspelled_data_set_and_missing_shards_are_errors(path, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no data set 'ufc101' .* did you mean 'ucf101'"):
        data.Clips("ufc101", path=path).clips("train")
    shutil.copytree(path, tmp_path / "copy")
    next((tmp_path / "copy").rglob("*.array_record-*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"has 0 of the .* copy the folder again"):
        list(clips(str(tmp_path / "copy"), split="all", held_out=None))
    next((tmp_path / "copy").rglob("clips.json")).unlink()
    with pytest.raises(FileNotFoundError, match="is no finished data set"):
        clips(str(tmp_path / "copy"))


def test_a_remote_data_set_is_copied_once(path, tmp_path, monkeypatch):
    fake_remote.register()
    storage.copy(path, "s3://bucket/datasets")
    monkeypatch.setenv("VDM_JAX_DATA", str(tmp_path))
    expected = [c["key"] for c in clips(path)]
    assert [c["key"] for c in clips("s3://bucket/datasets")] == expected
    files = {f: f.stat().st_ino for f in tmp_path.rglob("*") if f.is_file()}
    damaged = next(f for f in files if "array_record" in f.name)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert [c["key"] for c in clips("s3://bucket/datasets")] == expected
    assert [f for f in files if f.stat().st_ino != files[f]] == [damaged]
    with pytest.raises(FileNotFoundError, match=r"no data set 'ufc101' .* did you mean 'ucf101'"):
        data.Clips("ufc101", path="s3://bucket/datasets").clips("train")
