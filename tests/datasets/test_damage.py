"""Damaged downloads: bad files are reported by name and reason, and the rest is built."""

import json
import subprocess
import sys
from pathlib import Path

import archives
import av
import numpy as np
import pytest
from made import encode

from data import build
from data.common import BuildError, UnusableVideo
from data.common.videos import probe
from data.msr_vtt.msr_vtt_dataset_builder import Builder as MSRVTT
from data.ucf101.ucf101_dataset_builder import Builder as UCF101
from data.video_folder.video_folder_dataset_builder import Builder as Folder
from vdm_jax import data


def build_report(kind, folder, **options):
    options = {name: str(value) for name, value in options.items()}
    return kind(options=options, jobs=1, data_dir=str(folder)).build()


def write_sound(path):
    """A file with sound and no video stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))


def with_hole(data: bytes) -> bytes:
    """The data with its middle third replaced by zero bytes, as in an interrupted download."""
    third = len(data) // 3
    return data[:third] + bytes(third) + data[2 * third :]


def write_bad_files(folder: Path, good: Path) -> dict[str, str]:
    """Writes bad files into `folder`; returns the expected reason for each."""
    whole = good.read_bytes()
    front = encode(folder.parent / "front" / "a.mp4", count=40, movflags="faststart").read_bytes()
    avi = encode(folder.parent / "front" / "a.avi", count=40).read_bytes()
    files = {
        "empty.mp4": (b"", "the file is empty"),
        "zeros.mp4": (bytes(5000), "it holds only zero bytes"),
        "cut.mp4": (whole[: len(whole) // 2], "it "),
        "cut behind its index.mp4": (front[: len(front) * 3 // 4], "it is truncated: "),
        "cut.avi": (avi[: len(avi) * 3 // 4], "it is truncated: "),
        "hole.avi": (with_hole(avi), "it "),
        "page.mp4": (b"<!DOCTYPE html><title>404 Not Found</title>", "it cannot be decoded"),
        "noise.mkv": (np.random.default_rng(0).bytes(5000), "it cannot be decoded"),
        "movie.mp4.part": (whole, "its ending .part is not that of a video"),
        "picture.rar": (b"Rar!", "its ending .rar is not that of a video"),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    write_sound(folder / "music.mkv")
    return {name: reason for name, (_, reason) in files.items()} | {
        "music.mkv": "it holds no video stream, only audio"
    }


def test_bad_files_are_reported_with_reasons_and_the_rest_is_built(tmp_path):
    folder = tmp_path / "my videos"
    good = encode(folder / "good.mp4")
    expected = write_bad_files(folder, good)
    report = build_report(Folder, tmp_path / "out", source=folder)
    assert report.written == {"train": 1, "all": 1}
    assert report.found == 1 + len(expected)
    assert report.dropped.keys() == expected.keys()
    for name, reason in expected.items():
        assert report.dropped[name].startswith(reason) or reason in report.dropped[name], name
    saved = json.loads((tmp_path / "out" / "video_folder" / "1.0.0" / "report.json").read_text())
    assert saved["complete"] is False
    assert saved["dropped"] == report.dropped


def rotated(path, degrees):
    """A clip whose container has a rotation matrix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for place in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 80, np.uint8), "rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    content = bytearray(path.read_bytes())
    # The matrix of the track header: a rotation in 16.16 fixed point.
    unit = (65536).to_bytes(4, "big")
    minus = (-65536 % 2**32).to_bytes(4, "big")
    zero = bytes(4)
    place = content.index(b"tkhd") + 4 + 40
    one, other = (unit, minus) if degrees == 90 else (minus, unit)
    content[place : place + 20] = zero + one + zero + other + zero
    path.write_bytes(content)
    return path


def test_unusual_files_are_built_unchanged(tmp_path):
    folder = tmp_path / "videos"
    encode(folder / "with spaces and ü, 动作.mp4")
    encode(folder / "odd.avi", size=(38, 50))
    encode(folder / "rate.mp4", count=10, stamps=[0, 1, 2, 3, 4, 8, 12, 16, 20, 24])
    encode(folder / "an avi in truth.mp4").rename(folder / "real.mp4")
    encode(folder / "other.avi").rename(folder / "lying.mp4")
    rotated(folder / "turned.mp4", 90)
    report = build_report(Folder, tmp_path / "out", source=folder)
    assert report.complete, str(report)
    assert report.written["all"] == 6
    source = data.Clips(
        "video_folder", path=str(tmp_path / "out"), frames=4, size=16, held_out=None,
        fps=6.0, short=data.Loop(), windows=data.First(),
    )  # fmt: skip
    clips = source.clips("train")
    videos = {clip["key"].split("@")[0]: clip["video"] for clip in (clips[n] for n in range(6))}
    assert "with spaces and ü, 动作.mp4" in videos
    slow = np.rint(videos["rate.mp4"].mean(axis=(1, 2, 3)) / 6).astype(int)
    assert slow.tolist() == [0, 4, 5, 6]  # the frames nearest to 0, 4, 8 and 12 of 24ths
    records = source.shards.records("all")
    sizes = dict(zip(records.column("key"), zip(records.column("height"), records.column("width"),
                                                strict=True), strict=True))  # fmt: skip
    assert sizes[b"odd.avi"] == (38, 50)
    assert sizes[b"turned.mp4"] == (48, 32)


def test_mismatches_of_lists_and_files_are_reported(tmp_path):
    source, lists = archives.small_ucf101(tmp_path)
    (source / "Punch" / "v_Punch_g01_c01.avi").unlink()
    encode(source / "Punch" / "v_Punch_g09_c01.avi")
    encode(source / "Punch" / "holiday.avi")
    archives.link(source / "Archery" / "v_Archery_g01_c01.avi", source / "v_Archery_g01_c01.avi")
    with (lists / "trainlist01.txt").open("ab") as file:
        file.write(b"Archery/v_Archery_g02_c01.avi 1\r\nArch\xff\xfery/v_Arch\xffery_g02_c02.avi 1")
    report = build_report(UCF101, tmp_path / "out", source=source, lists=lists)
    assert report.written["all"] == 17
    assert report.dropped == {
        "v_Punch_g01_c01": "the lists name it, but the file is missing",
        "Punch/v_Punch_g09_c01.avi": "it is in no list",
        "Punch/holiday.avi": "its name is not one of UCF-101",
        "Archery/v_Archery_g01_c01 (again)": "an earlier clip has the same name",
        "Archery/v_Archery_g02_c01.avi (again)": "it is twice in the list of train01",
        "trainlist01.txt, line 14": "no clip has the name "
        "'Arch\ufffd\ufffdry/v_Arch\ufffdery_g02_c02.avi 1'",
    }


def test_bad_annotation_files_drop_only_their_own_clips(tmp_path):
    source = archives.msr_vtt(tmp_path, (0, 1, 7010, 7011))
    test = source / "test_videodatainfo.json"
    test.write_text(test.read_text()[:200])
    train = source / "train_val_videodatainfo.json"
    tree = json.loads(train.read_text())
    tree["sentences"].append({"sen_id": 3, "video_id": "video0", "caption": "something else"})
    train.write_text(json.dumps(tree))
    (source / "latin.json").write_bytes(b'{"sentences": [{"caption": "caf\xe9"}]}')
    report = build_report(MSRVTT, tmp_path / "out", source=source)
    assert report.written == {"train": 2, "all": 2}
    assert report.dropped["test_videodatainfo.json"].startswith("it is not JSON: ")
    assert report.dropped["latin.json"] == "it is not UTF-8, at byte 31"
    assert report.dropped["sentence 3 of video0 (again)"] == "an earlier sentence has the same id"
    assert report.dropped["video7010"] == "no JSON file and no list names it"
    assert len(report.dropped) == 5


def test_a_folder_without_usable_clips_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match="video_folder: there is no clip to build"):
        build_report(Folder, tmp_path / "out", source=tmp_path / "empty")
    encode(tmp_path / "bad" / "a.mp4").write_bytes(b"")
    with pytest.raises(
        BuildError, match=r"none of 1 clips can be used; the first is a.mp4: the file"
    ):
        build_report(Folder, tmp_path / "out", source=tmp_path / "bad")


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "data.build", *map(str, arguments)],
        capture_output=True, text=True, cwd=Path(build.__file__).parents[1], timeout=120,
    )  # fmt: skip


def test_exit_status_reports_completeness(tmp_path, capsys):
    encode(tmp_path / "good" / "a.mp4")
    encode(tmp_path / "mixed" / "a.mp4")
    (tmp_path / "mixed" / "b.mp4").write_bytes(b"")
    (tmp_path / "none").mkdir()
    done = run("video_folder", "--source", tmp_path / "good", "--out", tmp_path / "1")
    assert (done.returncode, "found 1, dropped 0" in done.stdout) == (0, True), done.stderr
    for status, name in ((3, "mixed"), (1, "none"), (1, "nowhere")):
        options = ["--source", str(tmp_path / name), "--out", str(tmp_path / name / "out")]
        assert build.main(["video_folder", *options, "--jobs", "1"]) == status
    output = capsys.readouterr()
    assert "dropped 1: b.mp4: the file is empty" in output.out
    assert "there is no" in output.err
    with pytest.raises(SystemExit) as usage:
        build.main(["video_folder", "--sauce", "x"])
    assert usage.value.code == 2


def test_an_interrupted_build_resumes(tmp_path, monkeypatch):
    source, lists = archives.small_ucf101(tmp_path)
    from data.common import preparation

    calls = []

    def interrupted_probe(data):
        calls.append(data)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return probe(data)

    monkeypatch.setattr(preparation, "probe", interrupted_probe)
    with pytest.raises(KeyboardInterrupt):
        build_report(UCF101, tmp_path / "out", source=source, lists=lists)
    monkeypatch.setattr(UCF101, "_finish", lambda builder: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # interrupted again, after all shards are written
        build_report(UCF101, tmp_path / "out", source=source, lists=lists)
    assert len(calls) == 11 + 8
    monkeypatch.undo()
    report = build_report(UCF101, tmp_path / "out", source=source, lists=lists)
    assert report.written["all"] == 18
    assert not (tmp_path / "out" / ".unfinished" / "ucf101").exists()
    assert (
        build_report(UCF101, tmp_path / "out", source=source, lists=lists) == report
    )  # built already


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv", ".webm"])
def test_truncation_is_detected(tmp_path, ending):
    whole = encode(tmp_path / f"a{ending}", count=30).read_bytes()
    assert probe(whole).frames == 30
    for fraction in (0.3, 0.6, 0.9):
        with pytest.raises(UnusableVideo):
            probe(whole[: int(len(whole) * fraction)])


def test_beam_builds_the_same_data_set(tmp_path):
    pytest.importorskip("apache_beam", reason="Apache Beam is not installed")
    folder = tmp_path / "videos"
    for number in range(5):
        encode(folder / f"{number}.mp4", first=number)
    (folder / "bad.mp4").write_bytes(b"")
    reports = []
    for out, more in (("a", ["--jobs", 1]), ("b", ["--beam-runner", "DirectRunner"])):
        done = run("video_folder", "--source", folder, "--out", tmp_path / out, *more)
        assert done.returncode == 3, done.stderr
        reports.append((tmp_path / out / "video_folder" / "1.0.0" / "report.json").read_text())
    assert reports[0] == reports[1]
    records = [data.Shards(tmp_path / out / "video_folder" / "1.0.0").records("train")
               for out in "ab"]  # fmt: skip
    assert [records[0][n] for n in range(5)] == [records[1][n] for n in range(5)]
