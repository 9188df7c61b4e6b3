"""Mixtures, appended images and buckets: proportions, shapes, and the laws of the loader."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from vdm_jax import config, data


@dataclass(frozen=True)
class Marked:
    """A source of `count` clips whose pixels are `mark` and the clip's index."""

    count: int
    mark: int
    frames: int = 2
    size: int = 1
    labels: bool = True

    def clips(self, split):
        return MarkedClips(self)


@dataclass(frozen=True)
class MarkedClips:
    source: Marked

    def __len__(self):
        return self.source.count

    def __getitem__(self, index):
        source = self.source
        video = np.zeros((source.frames, source.size, source.size, 3), np.uint8)
        video[..., 0], video[..., 1] = source.mark, index
        element = {"video": video, "key": f"{source.mark}/{index}"}
        return element | ({"label": np.int32(index)} if source.labels else {})

    def draw(self, index, rng):
        element = self[index]
        element["video"][..., 2] = rng.integers(256)
        return element


def take(source, count, loader=None, **options):
    loader = loader or data.Loader(8)
    batches = loader(source.clips("train"), **{"seed": 0, **options})
    taken = [next(batches) for _ in range(count)]
    batches.close()
    return taken


def marks(batches):
    """(mark, number) of every clip, in order."""
    return [tuple(int(x) for x in row[0, 0, 0, :2]) for b in batches for row in b["video"]]


MIXTURE = data.Mixture((Marked(5, 1), Marked(30, 2, labels=False), Marked(7, 3)), (1.0, 2.0, 1.0))
BUCKETS = data.Buckets(
    (
        data.Bucket(Marked(9, 1), batch=8, weight=3.0),
        data.Bucket(Marked(9, 2, frames=4), batch=4),
        data.Bucket(Marked(9, 3, frames=1, size=2), batch=16),
    )
)
WITH_IMAGES = data.WithImages(videos=Marked(9, 1), images=Marked(6, 7, frames=1))


def test_a_mixture_has_the_given_proportions_and_whole_epochs_of_each_source():
    drawn = marks(take(MIXTURE, 30))
    assert Counter(mark for mark, _ in drawn) == {1: 60, 2: 120, 3: 60}
    for mark, count in ((1, 5), (2, 30), (3, 7)):
        numbers = [number for m, number in drawn if m == mark]
        epochs = [numbers[start : start + count] for start in range(0, len(numbers), count)]
        assert all(sorted(epoch) == list(range(count)) for epoch in epochs[:-1])
        assert epochs[0] != epochs[1]


def test_members_of_equal_length_are_shuffled_differently():
    twins = data.Mixture((Marked(50, 1), Marked(50, 2)), (1.0, 1.0))
    drawn = marks(take(twins, 12))
    one, two = ([n for mark, n in drawn if mark == m] for m in (1, 2))
    assert one != two


def test_a_mixture_has_captions_and_no_labels():
    (batch,) = take(MIXTURE, 1)
    assert batch.keys() == {"video"}
    words = data.WordTokenizer(("a",), 3)
    (batch,) = take(MIXTURE, 1, data.Loader(8, words))
    assert not batch["text_mask"].any()


def test_held_out_clips_of_a_mixture_are_those_of_all_sources():
    clips = MIXTURE.clips("held_out")
    assert [clips[n]["key"] for n in (0, 4, 5, 34, 35, 41)] == [
        "1/0", "1/4", "2/0", "2/29", "3/0", "3/6",
    ]  # fmt: skip
    assert len(clips) == 42
    with pytest.raises(IndexError):
        clips[42]


def test_images_come_from_the_image_source():
    loader = data.Loader(4, images=3)
    batches = take(WITH_IMAGES, 10, loader)
    videos, images = (np.concatenate([b["video"][:, part, 0, 0, 0] for b in batches])
                      for part in (slice(None, 2), slice(2, None)))  # fmt: skip
    assert (videos == 1).all()
    assert (images == 7).all()
    np.testing.assert_array_equal(batches[0]["segments"], [[0, 0, 1, 2, 3]] * 4)
    assert batches[0]["label"].shape == (4, 4)
    shown = {int(n) for b in batches for n in b["video"][:, 2:, 0, 0, 1].ravel()}
    assert shown == set(range(6))
    expected = loader.shapes(WITH_IMAGES)["video"]
    assert batches[0]["video"].shape == expected.shape
    (plain,) = take(WITH_IMAGES, 1, data.Loader(4))
    assert plain["video"].shape == (4, 2, 1, 1, 3)


def test_each_batch_is_of_one_bucket_in_proportion_to_its_weight():
    batches = take(BUCKETS, 20)
    shapes = Counter(b["video"].shape for b in batches)
    assert shapes == {(8, 2, 1, 1, 3): 12, (4, 4, 1, 1, 3): 4, (16, 1, 2, 2, 3): 4}
    for batch in batches:
        assert len(np.unique(batch["video"][..., 0])) == 1
    assert (BUCKETS.frames, BUCKETS.size) == (2, 1)
    assert data.Loader(8).shapes(BUCKETS)["video"].shape == (8, 2, 1, 1, 3)


@pytest.mark.parametrize(
    "source", [MIXTURE, BUCKETS, WITH_IMAGES], ids=["mixture", "buckets", "images"]
)
@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_partition_every_global_batch(source, hosts):
    loader = data.Loader(8, images=2)
    whole = take(source, 7, loader)
    slices = [take(source, 7, loader, host=host, hosts=hosts) for host in range(hosts)]
    for batch, *host_batches in zip(whole, *slices, strict=True):
        for name in batch:
            joined = np.concatenate([part[name] for part in host_batches])
            np.testing.assert_array_equal(joined, batch[name])


@pytest.mark.parametrize(
    "source", [MIXTURE, BUCKETS, WITH_IMAGES], ids=["mixture", "buckets", "images"]
)
def test_the_state_restores_the_next_batch_for_other_hosts_and_workers(source):
    loader = data.Loader(8, images=2)
    whole = take(source, 9, loader)
    batches = loader(source.clips("train"), seed=0, host=1, hosts=2)
    for _ in range(5):
        next(batches)
    state = batches.state()
    batches.close()
    for change in (loader, replace(loader, workers=2)):
        resumed = take(source, 4, change, start=state)
        for one, other in zip(whole[5:], resumed, strict=True):
            np.testing.assert_array_equal(one["video"], other["video"])


def test_sources_survive_json():
    shapes = data.MovingShapes(frames=2, size=8)
    still = data.MovingShapes(frames=1, size=8)
    for source in (
        data.Mixture((shapes, shapes), (1.0, 2.0)),
        data.WithImages(shapes, still),
        data.Buckets((data.Bucket(shapes, 4),)),
        data.PseudoVideos(still, frames=2, size=4),
        data.Clips("ucf101", windows=data.EveryWindow(2), captions=data.CaptionWithId((1, 2))),
    ):
        assert config.from_json(config.to_json(source)) == source
        assert source.frames == 2 or isinstance(source, data.Clips)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.Mixture((Marked(1, 1),), (1.0, 2.0)), "1 sources and 2 weights"),
        (lambda: data.Mixture((Marked(1, 1),), (0.0,)), "weights are .* positive"),
        (
            lambda: data.Mixture((Marked(1, 1), Marked(1, 1, frames=3)), (1.0, 1.0)),
            r"differ in frames \(Marked.frames=2, Marked.frames=3\)",
        ),
        (lambda: data.WithImages(Marked(1, 1), Marked(1, 1)), "has clips of 2 frames: an image"),
        (lambda: data.Buckets(()), "Buckets.buckets is empty"),
        (lambda: data.Bucket(Marked(1, 1), 0), "batch is 0"),
        (lambda: take(BUCKETS, 1, hosts=3, host=0), "batch is 8, which 3 hosts"),
        (lambda: take(Marked(1, 1), 1, data.Loader(4, images=1)), "1 clips are too few"),
    ],
)
def test_wrong_sources_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
