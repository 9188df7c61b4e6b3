"""Broken, short and mislabeled videos in folders are named, counted and skipped."""

import logging

import av
import numpy as np
import pytest
from made import draws, encode, folder, numbers

from vdm_jax.data import VideoFolder
from vdm_jax.data.videos import UnreadableVideo, probe


def test_a_video_shorter_than_a_clip_is_skipped_and_named(tmp_path, caplog):
    encode(tmp_path / "long.mp4", count=12)
    encode(tmp_path / "short.mp4", count=6)
    source = folder(tmp_path, stride=2)
    assert {clip["key"].split("@")[0] for clip in source.clips("train")} == {"long.mp4"}
    assert source.folder.skipped == {
        "short.mp4": "its 6 frames are too few for a clip, which spans 7"
    }
    assert "short.mp4" in caplog.text
    assert "1 of 2 files" in caplog.text


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


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        folder(tmp_path / "nowhere").clips("train")
    with pytest.raises(ValueError, match=r"holds no file ending in .*\.mp4"):
        folder(tmp_path).clips("train")
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no file in .* the first is a.mp4: the file is empty"):
        folder(tmp_path).clips("train")


def test_broken_files_are_named_counted_and_skipped(tmp_path, caplog):
    good = encode(tmp_path / "good.mp4").read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "truncated.mp4").write_bytes(good[: len(good) // 2])
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "notes.gif").write_text("not an image")
    (tmp_path / "._good.mp4").write_bytes(b"left by a file manager")
    source = folder(tmp_path)
    assert {clip["key"].split("@")[0] for clip in source.clips("train")} == {"good.mp4"}
    assert source.folder.skipped.keys() == {
        "empty.mp4", "truncated.mp4", "noise.avi", "notes.gif",
    }  # fmt: skip
    assert "4 of 5 files" in caplog.text
    for name in source.folder.skipped:
        assert sum(f"/{name}:" in line for line in caplog.text.splitlines()) == 1


def test_complete_frames_of_a_truncated_file_are_used(tmp_path):
    # With the index first, a truncated file still has the frames before the cut.
    path = encode(tmp_path / "a.mp4", count=40, movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 600])
    clips = folder(tmp_path, held_out=0.0).clips("train")
    windows = [numbers(clip["video"]) for clip in clips]
    assert 1 < len(windows) < 10
    assert windows[0] == [0, 1, 2, 3]


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_a_file_that_fails_in_decoding_is_replaced_by_the_next(tmp_path, caplog, cache_bytes):
    encode(tmp_path / "a.mp4", count=12)
    encode(tmp_path / "b.mp4", count=12, first=20)
    source = folder(tmp_path, held_out=0.0, cache_bytes=cache_bytes)
    clips = source.clips("train")
    assert len(clips) == 6
    (tmp_path / "a.mp4").unlink()  # after it is probed
    with caplog.at_level(logging.WARNING):
        first = [clips[index] for index in range(3)]
    assert {clip["key"] for clip in first} == {"b.mp4@0"}
    assert all(numbers(clip["video"])[0] >= 20 for clip in draws(clips, 0, 10))
    assert list(source.folder.skipped) == ["a.mp4"]
    assert sum("skipped" in line for line in caplog.text.splitlines()) == 1
    if not cache_bytes:  # else the frames are cached
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


def test_a_file_without_video_is_an_error(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(UnreadableVideo, match="no video stream"):
        probe(path)
