"""MSR-VTT: official and benchmark splits, captions with their ids, in all annotation formats."""

import json
from collections import Counter

import archives
import numpy as np
import pytest

from data.common import BuildError, Report
from data.msr_vtt.msr_vtt_dataset_builder import Builder
from vdm_jax import data

SMALL = (0, 1, 6513, 7010, 7020, 9770)


def builder(folder, source, lists=None, **settings):
    options = {"source": str(source), "lists": lists and str(lists)}
    return Builder(options=options, jobs=1, data_dir=str(folder), **settings)


def list_items(tmp_path, source, lists=None):
    report = Report("msr_vtt", Builder.EXPECTED)
    return list(builder(tmp_path, source, lists).items(report)), report


def counts(items):
    return Counter(split for item in items for split in item.splits)


@pytest.fixture
def lists(real_clips):
    return real_clips.parent / "text" / "msrvtt"


def test_ten_thousand_ids_have_the_official_counts(tmp_path, lists):
    # tests/benchmarks/full_scale.py also builds their shards.
    source = archives.msr_vtt(tmp_path, range(10_000))
    items, report = list_items(tmp_path, source, lists)
    assert not report.dropped
    assert counts(items) == {
        "train": 6513, "val": 497, "test": 2990, "train_1k_a": 9000, "test_1k_a": 1000,
        "test_1k_b": 1000,
    }  # fmt: skip
    assert all(len(item.fields["captions"]) == 20 or "test_1k_a" in item.splits for item in items)
    by_key = {item.key: item for item in items}
    assert by_key["video7010"].fields["caption_ids"] == list(range(140_200, 140_220))
    first = by_key["video9770"]  # the first row of the benchmark's table
    assert first.fields["captions"][first.fields["caption_1k_a"]] == (
        "a person is connecting something to system"
    )
    for item in items:  # 1k-A: both of its splits contain official test clips
        if "test_1k_a" in item.splits:
            assert "test" in item.splits
            assert "train_1k_a" not in item.splits
    assert any({"test", "train_1k_a"} <= set(item.splits) for item in items)


def test_the_real_clips_with_the_1k_a_list(tmp_path, real_clips, lists):
    report = builder(tmp_path, real_clips / "msrvtt", lists).build()
    assert (report.written["test"], report.written["test_1k_a"]) == (2, 2)
    assert report.mismatches["train"] == (0, 6513)
    source = data.Clips(
        "msr_vtt", path=str(tmp_path), split="test_1k_a", held_out=None, size=32, stride=4,
        captions=data.CaptionOf("caption_1k_a"),
    )  # fmt: skip
    clips = source.clips("train")
    caption_of = {clip["key"].split("@")[0]: clip["caption"] for clip in (clips[0], clips[1])}
    assert caption_of["video9770"] == "a person is connecting something to system"
    assert clips[0]["video"].shape == (16, 32, 32, 3)


@pytest.fixture
def path(tmp_path):
    source = archives.msr_vtt(tmp_path, SMALL)
    table = "key,vid_key,video_id,sentence\nret0,msr9770,video9770,caption 195407\n"
    (source / "MSRVTT_JSFUSION_test.csv").write_text(table)
    report = builder(tmp_path / "out", source).build()
    assert report.written == {"train": 2, "val": 1, "test": 3, "test_1k_a": 1, "all": 6}
    return str(tmp_path / "out")


def clips(path, captions, split="test"):
    fields = {"frames": 2, "size": 8, "held_out": None, "windows": data.First()}
    source = data.Clips("msr_vtt", path=path, split=split, captions=captions, **fields)
    return source.clips("train")


def captions_of(path, captions, split="test"):
    return {clip["key"].split("@")[0]: clip["caption"] for clip in clips(path, captions, split)}


def test_caption_policies(path):
    first = {f"video{n}": f"caption {20 * n}" for n in (7010, 7020, 9770)}
    assert (
        captions_of(path, data.FirstCaption()) == captions_of(path, data.RandomCaption()) == first
    )
    ids = (20 * 7010 + 3, 20 * 7020 + 19, 20 * 9770)
    assert set(captions_of(path, data.CaptionWithId(ids)).values()) == {f"caption {n}" for n in ids}
    with pytest.raises(ValueError, match=r"video7020 has the captions .* CaptionWithId.ids \(2 of"):
        captions_of(path, data.CaptionWithId((140_200, 195_400)))
    assert captions_of(path, data.CaptionOf("caption_1k_a"), "test_1k_a") == {
        "video9770": "caption 195407"
    }
    with pytest.raises(ValueError, match=r"video70.0 has no caption of 'caption_1k_a'"):
        captions_of(path, data.CaptionOf("caption_1k_a"))
    with pytest.raises(ValueError, match="this data set has caption_1k_a"):
        captions_of(path, data.CaptionOf("caption_1kb"))
    every = clips(path, data.EveryCaption())
    assert len(every) == 60
    captions = Counter(clip["caption"] for clip in every)
    assert captions == {f"caption {20 * n + k}": 1 for n in (7010, 7020, 9770) for k in range(20)}
    drawn = clips(path, data.RandomCaption())
    captions_drawn = {drawn.draw(0, np.random.default_rng(n))["caption"] for n in range(300)}
    assert len(captions_drawn) == 20
    assert {int(drawn[n]["label"]) for n in range(3)} == {10, 0}  # the category


def test_other_annotation_formats_give_the_same_items(tmp_path):
    source = archives.msr_vtt(tmp_path, SMALL)
    items, _ = list_items(tmp_path, source)
    both = [json.loads(file.read_text()) for file in sorted(source.glob("*.json"))]
    merged = {key: both[0][key] + both[1][key] for key in ("videos", "sentences")}
    rows = [{"image_id": s["video_id"], "id": s["sen_id"], "caption": s["caption"]}
            for s in merged["sentences"]]  # fmt: skip
    for file in source.glob("*.json"):
        file.unlink()
    for name, tree in (("MSRVTT_data.json", merged), ("MSR_VTT.json", {"annotations": rows})):
        (source / name).write_text(json.dumps(tree))
        others, report = list_items(tmp_path, source)
        assert not report.dropped
        assert counts(others) == counts(items) == {"train": 2, "val": 1, "test": 3}
        for one, other in zip(items, others, strict=True):
            assert one.fields["captions"] == other.fields["captions"]
            assert one.fields["caption_ids"] == other.fields["caption_ids"]
    assert len(list_items(tmp_path, source)[0]) == 6  # both formats together


@pytest.mark.parametrize("line", ["{0},{1},{2},{3}\n", "{0};{1};{2};{3}\r\n"])
def test_both_dialects_of_the_1k_a_table(tmp_path, line):
    source = archives.msr_vtt(tmp_path, SMALL)
    rows = [("key", "vid_key", "video_id", "sentence"), ("ret0", "msr9770", "video9770", "a cat")]
    text = "".join(line.format(*row) for row in rows)
    (source / "MSRVTT_JSFUSION_test.csv").write_bytes(text.encode())
    items, _ = list_items(tmp_path, source)
    (item,) = (item for item in items if "test_1k_a" in item.splits)
    assert item.fields["captions"][item.fields["caption_1k_a"]] == "a cat"
    assert item.fields["caption_ids"][-1] == -1  # a sentence outside the 20


def test_missing_annotations_are_an_error(tmp_path):
    source = archives.msr_vtt(tmp_path, SMALL)
    for file in source.glob("*.json"):
        file.unlink()
    with pytest.raises(BuildError, match="holds no readable JSON file with videos and sentences"):
        list_items(tmp_path, source)
