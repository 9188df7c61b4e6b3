"""UCF-101: clips, labels and splits of the official lists; missing clips are reported."""

import json
from collections import Counter
from pathlib import Path

import archives
import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader

from data import build
from data.common import BuildError, Report
from data.ucf101.ucf101_dataset_builder import Builder
from vdm_jax.data import Clips, Shards

OFFICIAL = {
    "train01": 9537, "test01": 3783, "train02": 9586, "test02": 3734, "train03": 9624,
    "test03": 3696, "all": 13320,
}  # fmt: skip


def build_report(folder, source, lists, **settings):
    options = {"source": str(source), "lists": str(lists)}
    settings = {"options": options, "jobs": 1, "data_dir": str(folder), **settings}
    return Builder(**settings).build()


@pytest.fixture
def official(real_clips) -> Path:
    return real_clips.parent / "splits" / "ucf101"


def test_official_lists_have_the_official_counts(tmp_path, official):
    # All 13,320 names; tests/benchmarks/full_scale.py also builds their shards.
    source = archives.ucf101(tmp_path, official)
    options = {"source": str(source), "lists": str(official)}
    builder, report = Builder(options=options, data_dir=str(tmp_path)), Report("ucf101")
    items = list(builder.items(report))
    assert not report.dropped
    split_counts = Counter(split for item in items for split in item.splits)
    assert split_counts | {"all": len(items)} == OFFICIAL
    assert len({item.key for item in items}) == 13320
    # Known answers in the order of classInd, which differs from that of sorted folders.
    assert builder.classes.index("Hammering") == 34
    assert builder.classes.index("JumpingJack") == 46
    counts = Counter(item.fields["label"] for item in items)
    assert {builder.classes[label] for label, n in counts.items() if n == 100} == {
        "PlayingViolin", "PullUps", "Skijet", "TaiChi",
    }  # fmt: skip
    assert min(counts.values()) == 100
    assert [(builder.classes[n], c) for n, c in counts.most_common(1)] == [("CricketShot", 167)]
    assert counts[36] == 128  # HandstandPushups, spelled with a capital S in file names
    first = Counter(split for item in items if item.fields["label"] == 0 for split in item.splits)
    assert (first["train01"], first["test01"]) == (101, 44)


def test_missing_clips_are_reported_by_name(tmp_path, official):
    source = archives.ucf101(tmp_path, official, every=60)
    report = build_report(tmp_path / "out", source, official, jobs=2)
    assert (report.found, report.written["all"], len(report.dropped)) == (13320, 222, 13098)
    assert set(report.dropped.values()) == {"the lists name it, but the file is missing"}
    shards = Shards(tmp_path / "out" / "ucf101" / "1.0.0")
    assert len(shards.records("all")) == 222
    for n in ("01", "02", "03"):
        assert report.written[f"train{n}"] + report.written[f"test{n}"] == 222
        assert not set(shards.shard_groups(f"train{n}")) & set(shards.shard_groups(f"test{n}"))


def test_the_real_clips_with_the_official_lists(tmp_path, real_clips, official, capsys):
    places = ["--source", str(real_clips / "ucf101"), "--lists", str(official)]
    status = build.main(["ucf101", *places, "--out", str(tmp_path), "--jobs", "1"])
    assert status == 3  # built, but not complete
    output = capsys.readouterr().out
    assert "train01: 3 of 9,537 published" in output
    assert "dropped 13,315" in output
    report = json.loads((tmp_path / "ucf101" / "1.0.0" / "report.json").read_text())
    assert report["dropped"]["v_YoYo_g25_c05"] == "the lists name it, but the file is missing"
    source = Clips("ucf101", path=str(tmp_path))
    keys = {split: sorted(clip["key"] for clip in source.clips(split))
            for split in ("train", "held_out")}  # fmt: skip
    assert [key.split("/")[0] for key in keys["held_out"]] == ["Biking", "Punch"]
    assert {key.split("/")[0] for key in keys["train"]} == {"Rowing", "SoccerJuggling"}
    records = source.shards.records("all")
    order = np.argsort(records.column("key"))
    assert records.column("frames")[order].tolist() == [201, 108, 135, 240, 251]
    (shard,) = (tmp_path / "ucf101" / "1.0.0").glob("*test01*")
    assert "uncompressed" in ArrayRecordReader(str(shard)).writer_options_string()
    fields = records[int(order[0])]
    assert (fields["group"], fields["clip"]) == ([5], [2])
    assert fields["fps"][0] == pytest.approx(29.97, abs=0.01)


def test_a_flat_folder_and_bare_lists_give_the_same_clips(tmp_path):
    source, lists = archives.small_ucf101(tmp_path)
    for file in sorted(source.rglob("*.avi")):
        archives.link(file, tmp_path / "flat" / file.name)
    for path in lists.glob(
        "*list*.txt"
    ):  # without class folders and class numbers, with other line ends
        lines = path.read_text().split()
        names = [Path(line).name for line in lines if not line.isdigit()]
        (tmp_path / "bare").mkdir(exist_ok=True)
        (tmp_path / "bare" / path.name).write_text("\n".join(names))
    archives.link(lists / "classInd.txt", tmp_path / "bare" / "classInd.txt")
    one = build_report(tmp_path / "one", source, lists)
    two = build_report(tmp_path / "two", tmp_path / "flat", tmp_path / "bare")
    assert one.written == two.written == {
        "all": 18, "train01": 12, "test01": 6, "train02": 12, "test02": 6, "train03": 12,
        "test03": 6,
    }  # fmt: skip
    assert not one.dropped
    assert not two.dropped


def test_a_group_in_both_train_and_test_is_an_error(tmp_path):
    source, lists = archives.small_ucf101(tmp_path)
    with (lists / "testlist01.txt").open("a") as file:
        file.write("Punch/v_Punch_g02_c01.avi\n")
    with pytest.raises(BuildError, match=r"split 01 have group 02 of punch in both train and test"):
        build_report(tmp_path / "out", source, lists)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s, t: (t / "classInd.txt").unlink(), "there is no .*classInd.txt"),
        (lambda s, t: (t / "classInd.txt").write_text("Archery 1\n"), "form '1 ApplyEyeMakeup'"),
        (lambda s, t: [p.unlink() for p in t.glob("*list0*")], "holds no trainlist01.txt"),
        (lambda s, t: [p.unlink() for p in s.rglob("*.avi")], "no clip to build"),
    ],
)
def test_missing_lists_or_clips_are_an_error(tmp_path, damage, message):
    source, lists = archives.small_ucf101(tmp_path)
    damage(source, lists)
    with pytest.raises(BuildError, match=message):
        build_report(tmp_path / "out", source, lists)
