"""The loader: an epoch has every clip once, on any number of hosts; the state is one number."""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from vdm_jax.data import Loader, MovingShapes, WordTokenizer, collate

SHAPES = MovingShapes(examples=24, frames=2, size=8)
TEXT = WordTokenizer(SHAPES.vocabulary, SHAPES.longest_caption)


@dataclass(frozen=True)
class Numbered:
    """Clips whose one pixel is their index; `draw` adds a random label."""

    count: int

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        video = np.full((2, 1, 1, 3), index, np.uint8)
        return {"video": video, "key": str(index), "label": np.int32(0)}

    def draw(self, index, rng):
        return self[index] | {"label": np.int32(rng.integers(1 << 30))}


def take(batches, count):
    taken = [next(batches) for _ in range(count)]
    batches.close()
    return taken


def indices(batches):
    return np.concatenate([batch["video"][:, 0, 0, 0, 0] for batch in batches])


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_batch_has_the_documented_arrays():
    (batch,) = take(Loader(4, TEXT)(SHAPES.clips("train"), seed=0), 1)
    assert {name: (array.shape, array.dtype.name) for name, array in batch.items()} == {
        "video": ((4, 2, 8, 8, 3), "uint8"),
        "label": ((4,), "int32"),
        "tokens": ((4, 6), "int32"),
        "text_mask": ((4, 6), "bool"),
    }
    captions = [SHAPES.caption(label) for label in batch["label"]]
    assert TEXT.decode(batch["tokens"]) == captions


def test_an_epoch_has_every_clip_once_in_a_new_order():
    batches = take(Loader(4)(Numbered(24), seed=5), 12)
    first, second = indices(batches[:6]), indices(batches[6:])
    assert sorted(first) == sorted(second) == list(range(24))
    assert (first != second).any()
    assert (first != np.arange(24)).any()
    # The random choices of a clip differ between epochs.
    choices = {}
    for batch in batches:
        for index, label in zip(batch["video"][:, 0, 0, 0, 0], batch["label"], strict=True):
            choices.setdefault(index, set()).add(int(label))
    assert all(len(labels) == 2 for labels in choices.values())


def test_epochs_follow_without_a_gap_if_batches_do_not_divide_them():
    order = indices(take(Loader(4)(Numbered(10), seed=5), 5))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))


def test_order_depends_on_the_seed_alone():
    runs = [take(Loader(4)(Numbered(24), seed=seed), 3) for seed in (1, 1, 2)]
    assert_equal(runs[0], runs[1])
    assert (indices(runs[0]) != indices(runs[2])).any()


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_partition_each_global_batch(hosts):
    loader = Loader(8, images=1)
    whole = take(loader(Numbered(20), seed=3), 5)
    slices = [take(loader(Numbered(20), seed=3, host=h, hosts=hosts), 5) for h in range(hosts)]
    for batch, *host_batches in zip(whole, *slices, strict=True):
        for name in batch:
            joined = np.concatenate([part[name] for part in host_batches])
            np.testing.assert_array_equal(joined, batch[name])


@pytest.mark.parametrize("hosts", [1, 2])
def test_the_state_restores_the_next_batch(hosts):
    make = partial(Loader(4, images=1), Numbered(10), seed=3, host=hosts - 1, hosts=hosts)
    batches = make()
    for _ in range(4):
        next(batches)
    state = batches.state()
    assert state == 4
    resumed = make(start=state)
    following = take(batches, 6)
    assert_equal(take(resumed, 6), following)
    assert resumed.state() == 10


def test_batches_are_equal_with_worker_processes():
    threads = take(Loader(4, TEXT, images=1)(SHAPES.clips("train"), seed=3, start=5), 5)
    processes = take(
        Loader(4, TEXT, images=1, workers=2)(SHAPES.clips("train"), seed=3, start=5), 5
    )
    assert_equal(threads, processes)


def test_appended_images_are_frames_of_other_clips():
    images = 3
    (batch,) = take(Loader(6, TEXT, images=images)(SHAPES.clips("train"), seed=0), 1)
    assert batch["video"].shape == (6, 2 + images, 8, 8, 3)
    np.testing.assert_array_equal(batch["segments"], [[0, 0, 1, 2, 3]] * 6)
    assert batch["segments"].dtype == np.int32
    assert batch["label"].shape == (6, 1 + images)
    assert batch["tokens"].shape == batch["text_mask"].shape == (6, 1 + images, 6)
    known = {clip["video"].tobytes(): clip for clip in SHAPES.clips("train")}
    frames = {frame.tobytes(): clip for clip in SHAPES.clips("train") for frame in clip["video"]}
    for video, labels, tokens in zip(batch["video"], batch["label"], batch["tokens"], strict=True):
        clip = known[video[:2].tobytes()]
        members = [clip, *(frames[frame.tobytes()] for frame in video[2:])]
        assert [member["label"] for member in members] == labels.tolist()
        assert [member["caption"] for member in members] == TEXT.decode(tokens)
        assert clip["key"] not in {member["key"] for member in members[1:]}


@pytest.mark.parametrize("loader", [Loader(4), Loader(4, TEXT), Loader(4, TEXT, images=2)])
def test_shapes_match_a_batch(loader):
    (batch,) = take(loader(SHAPES.clips("train"), seed=0), 1)
    del batch["label"]
    assert {name: (array.shape, array.dtype) for name, array in batch.items()} == {
        name: (array.shape, array.dtype) for name, array in loader.shapes(SHAPES).items()
    }


def test_collate_makes_the_batches_of_the_loader():
    clips = SHAPES.clips("held_out")
    batch = collate([clips[0], clips[1]], TEXT)
    np.testing.assert_array_equal(batch["video"][1], clips[1]["video"])
    assert TEXT.decode(batch["tokens"]) == [clips[0]["caption"], clips[1]["caption"]]
    assert "tokens" not in collate([clips[0]])


def test_prefetch_is_bounded():
    calls = []

    class Recorded(Numbered):
        def draw(self, index, rng):
            calls.append(index)
            return super().draw(index, rng)

    batches = Loader(2, ahead=3)(Recorded(200), seed=0)
    next(batches)
    batches.close()
    assert len(calls) <= 2 * (1 + 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Loader(6)(Numbered(9), seed=0, hosts=4), "batch is 6, which 4 hosts"),
        (lambda: Loader(8)(Numbered(9), seed=0, host=2, hosts=2), "host 2 of 2"),
        (lambda: Loader(8)(Numbered(0), seed=0), "0 clips are too few"),
        (lambda: Loader(8, images=1)(Numbered(1), seed=0), "1 clips are too few"),
        (lambda: Loader(0), "batch is 0"),
        (lambda: collate([Numbered(1)[0]], TEXT), "clip '0' has no caption"),
        (lambda: collate([]), "no elements"),
    ],
)
def test_wrong_loaders_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_interpreter_exits_cleanly_with_an_open_iterator():
    code = (
        "from vdm_jax.data import Loader, MovingShapes\n"
        "batches = Loader(2)(MovingShapes().clips('train'), seed=0)\n"
        "next(batches)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
