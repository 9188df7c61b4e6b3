"""UCF-101: every clip in the splits of the official lists, its label, and what is missing named."""

import json
from collections import Counter
from pathlib import Path

import archives
import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader

from data import build
from data.common import Problem, Report
from data.ucf101.ucf101_dataset_builder import Builder
from vdm_jax.data import Clips, Shards

OFFICIAL = {
    "train01": 9537, "test01": 3783, "train02": 9586, "test02": 3734, "train03": 9624,
    "test03": 3696, "all": 13320,
}  # fmt: skip


def built(folder, source, lists, **settings):
    options = {"source": str(source), "lists": str(lists)}
    settings = {"options": options, "jobs": 1, "data_dir": str(folder), **settings}
    return Builder(**settings).build()


@pytest.fixture
def official(real_clips) -> Path:
    return real_clips.parent / "splits" / "ucf101"


def test_the_official_lists_give_the_official_counts(tmp_path, official):
    # All 13,320 names; tests/benchmarks/full_scale.py builds the shards of them too.
    source = archives.ucf101(tmp_path, official)
    options = {"source": str(source), "lists": str(official)}
    builder, report = Builder(options=options, data_dir=str(tmp_path)), Report("ucf101")
    items = list(builder.items(report))
    assert not report.dropped
    found = Counter(split for item in items for split in item.splits)
    assert found | {"all": len(items)} == OFFICIAL
    assert len({item.key for item in items}) == 13320
    # Known answers: in classInd's order, which is not that of sorted folders.
    assert builder.classes.index("Hammering") == 34
    assert builder.classes.index("JumpingJack") == 46
    counts = Counter(item.fields["label"] for item in items)
    assert {builder.classes[label] for label, n in counts.items() if n == 100} == {
        "PlayingViolin", "PullUps", "Skijet", "TaiChi",
    }  # fmt: skip
    assert min(counts.values()) == 100
    assert [(builder.classes[n], c) for n, c in counts.most_common(1)] == [("CricketShot", 167)]
    assert counts[36] == 128  # HandstandPushups, whose files spell it with a capital S
    first = Counter(split for item in items if item.fields["label"] == 0 for split in item.splits)
    assert (first["train01"], first["test01"]) == (101, 44)


def test_a_part_of_the_archive_is_built_and_the_rest_is_missed_by_name(tmp_path, official):
    source = archives.ucf101(tmp_path, official, every=60)
    report = built(tmp_path / "out", source, official, jobs=2)
    assert (report.found, report.written["all"], len(report.dropped)) == (13320, 222, 13098)
    assert set(report.dropped.values()) == {"the lists name it, and there is no such file"}
    shards = Shards(tmp_path / "out" / "ucf101" / "1.0.0")
    assert len(shards.records("all")) == 222
    for n in ("01", "02", "03"):
        assert report.written[f"train{n}"] + report.written[f"test{n}"] == 222
        assert not set(shards.parts(f"train{n}")) & set(shards.parts(f"test{n}"))


def test_the_real_clips_with_the_official_lists(tmp_path, real_clips, official, capsys):
    places = ["--source", str(real_clips / "ucf101"), "--lists", str(official)]
    status = build.main(["ucf101", *places, "--out", str(tmp_path), "--jobs", "1"])
    assert status == 3  # built, and not all of it
    told = capsys.readouterr().out
    assert "train01: 3 of 9,537 published" in told
    assert "dropped 13,315" in told
    report = json.loads((tmp_path / "ucf101" / "1.0.0" / "report.json").read_text())
    assert report["dropped"]["v_YoYo_g25_c05"] == "the lists name it, and there is no such file"
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


def test_a_flat_folder_and_other_lists_give_the_same(tmp_path):
    source, lists = archives.small_ucf101(tmp_path)
    for file in sorted(source.rglob("*.avi")):
        archives.link(file, tmp_path / "flat" / file.name)
    for path in lists.glob("*list*.txt"):  # no class folders, no class numbers, other line ends
        lines = path.read_text().split()
        names = [Path(line).name for line in lines if not line.isdigit()]
        (tmp_path / "bare").mkdir(exist_ok=True)
        (tmp_path / "bare" / path.name).write_text("\n".join(names))
    archives.link(lists / "classInd.txt", tmp_path / "bare" / "classInd.txt")
    one = built(tmp_path / "one", source, lists)
    two = built(tmp_path / "two", tmp_path / "flat", tmp_path / "bare")
    assert one.written == two.written == {
        "all": 18, "train01": 12, "test01": 6, "train02": 12, "test02": 6, "train03": 12,
        "test03": 6,
    }  # fmt: skip
    assert not one.dropped
    assert not two.dropped


def test_a_group_on_both_sides_is_a_leak(tmp_path):
    source, lists = archives.small_ucf101(tmp_path)
    with (lists / "testlist01.txt").open("a") as file:
        file.write("Punch/v_Punch_g02_c01.avi\n")
    with pytest.raises(Problem, match=r"split 01 have group 02 of punch in training and in the te"):
        built(tmp_path / "out", source, lists)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s, t: (t / "classInd.txt").unlink(), "there is no .*classInd.txt"),
        (lambda s, t: (t / "classInd.txt").write_text("Archery 1\n"), "form '1 ApplyEyeMakeup'"),
        (lambda s, t: [p.unlink() for p in t.glob("*list0*")], "holds no trainlist01.txt"),
        (lambda s, t: [p.unlink() for p in s.rglob("*.avi")], "not one clip to build"),
    ],
)
def test_without_lists_or_clips_nothing_is_built(tmp_path, spoil, message):
    source, lists = archives.small_ucf101(tmp_path)
    spoil(source, lists)
    with pytest.raises(Problem, match=message):
        built(tmp_path / "out", source, lists)
