"""Gathering: interrupted is as if it never was, what is there is whole, and trouble has a name."""

import json
import weakref

import numpy as np
import pytest
from small import Noise, small, videos

from vdm_jax.evaluation import Moments, cached, differences, fingerprint, gather, statistics

CLIPS = Noise(19)


class Stops(Noise):
    """Clips of which one cannot be read: a run that dies there."""

    def __getitem__(self, index: int):
        if index == 13:
            raise KeyboardInterrupt
        return super().__getitem__(index)


class Unread(Noise):
    """Clips that nobody should have to read."""

    def __getitem__(self, index: int):
        raise AssertionError("read again")


def test_gathered_is_the_features_of_all_clips(tmp_path):
    found = gather(small(), CLIPS, tmp_path, {"set": "noise"}, chunk=8)
    np.testing.assert_allclose(found.features(), small()(videos(19)), rtol=1e-5, atol=1e-6)
    assert found.keys() == [f"noise {i}" for i in range(19)]
    whole = Moments.of(found.features())
    assert found.moments().count == 19
    np.testing.assert_allclose(found.moments().covariance(), whole.covariance(), rtol=1e-9)


def test_interrupted_and_resumed_is_bit_for_bit_the_uninterrupted(tmp_path):
    straight = gather(small(), CLIPS, tmp_path / "straight", {}, chunk=4)
    with pytest.raises(KeyboardInterrupt):
        gather(small(), Stops(19), tmp_path / "stopped", {}, chunk=4)
    done = sorted(path.name for path in (tmp_path / "stopped").glob("chunk-*.npz"))
    assert 1 <= len(done) <= 3
    (tmp_path / "stopped" / ".chunk-000003.npz.99").write_bytes(b"half a chunk")
    resumed = gather(small(), CLIPS, tmp_path / "stopped", {}, chunk=4)
    np.testing.assert_array_equal(resumed.features(), straight.features())
    assert resumed.keys() == straight.keys()


def test_what_is_done_is_not_done_again(tmp_path):
    first = cached(small(), CLIPS, tmp_path, {"set": "noise"})
    again = cached(small(), Unread(19), tmp_path, {"set": "noise"})
    np.testing.assert_array_equal(again.features(), first.features())
    other = cached(small(), CLIPS, tmp_path, {"set": "other"})
    assert other.folder != first.folder
    assert first.folder.name == fingerprint({"set": "noise"})


def test_a_fingerprint_does_not_depend_on_the_order_and_on_everything_else():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    records = [{"a": 1}, {"a": 2}, {"a": 1.5}, {"b": 1}, {"a": [1]}, {"a": "1"}]
    assert len({fingerprint(record) for record in records}) == len(records)


def test_differences_name_the_fields():
    a = {"features": {"pixels": [{"to": 224}], "name": "i3d"}, "stride": 1}
    b = {"features": {"pixels": [{"to": 256}], "name": "i3d"}, "stride": 1, "fps": 25}
    found = differences(a, b)
    assert found == ["features.pixels.0.to is 224 and 256", "fps is null and 25"]
    assert differences(a, a) == []


def test_a_folder_of_something_else_is_refused(tmp_path):
    gather(small(), CLIPS, tmp_path, {"stride": 1})
    with pytest.raises(ValueError, match=r"something else: stride is 1 and 2 \(there and here\)"):
        gather(small(), CLIPS, tmp_path, {"stride": 2})
    with pytest.raises(ValueError, match="clips is 19 and 18"):
        gather(small(), Noise(18), tmp_path, {"stride": 1})


def test_broken_clips_are_named(tmp_path):
    with pytest.raises(ValueError, match="there are no clips to compute reals of"):
        gather(small(), Noise(0), tmp_path / "none", {}, title="reals")
    mixed = Noise(19, other=((11, 5),))
    with pytest.raises(ValueError, match="noise 11 has 5 frames of 8 x 8 pixels, noise 0 has 4"):
        gather(small(), mixed, tmp_path / "mixed", {}, chunk=8)
    with pytest.raises(ValueError, match="at least 9 frames, not of 4"):
        gather(small(least=9), CLIPS, tmp_path / "short", {})


def test_features_that_are_not_finite_are_named_by_their_clips(tmp_path):
    def features(video):
        found = small()(video)
        found[2] = np.nan
        return found

    with pytest.raises(ValueError, match="fakes are not finite for noise 2: look for NaN"):
        gather(features, CLIPS, tmp_path, {}, title="fakes")


def test_a_damaged_chunk_is_named(tmp_path):
    found = gather(small(), CLIPS, tmp_path, {}, chunk=8)
    path = tmp_path / "chunk-000001.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"chunk-000001\.npz is damaged"):
        found.features()
    path.unlink()
    with pytest.raises(FileNotFoundError, match="not gathered to the end"):
        found.moments()
    gather(small(), CLIPS, tmp_path, {}, chunk=8)
    assert len(found.features()) == 19


def test_several_processes_take_their_shares(tmp_path, monkeypatch):
    """Process 1 of 2 makes the odd chunks, and process 0 finds them when both have met."""
    straight = gather(small(), CLIPS, tmp_path / "alone", {}, chunk=4)
    folder = tmp_path / "shared"
    with monkeypatch.context() as other:
        other.setattr(statistics.jax, "process_count", lambda: 2)
        other.setattr(statistics.jax, "process_index", lambda: 1)
        other.setattr(statistics.parallel, "first", lambda: True)
        other.setattr(statistics.parallel, "meet", lambda place: None)
        gather(small(), CLIPS, folder, {}, chunk=4)
        names = sorted(path.name for path in folder.glob("chunk-*"))
        assert names == ["chunk-000001.npz", "chunk-000003.npz"]
        other.setattr(statistics.jax, "process_index", lambda: 0)
        both = gather(small(), CLIPS, folder, {}, chunk=4)
    np.testing.assert_array_equal(both.features(), straight.features())


class Counted(Noise):
    """Clips that count how many of them are alive at once."""

    alive, most = 0, 0

    def __getitem__(self, index: int):
        element = super().__getitem__(index)
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)
        weakref.finalize(element["video"], self.gone)
        return element

    @staticmethod
    def gone():
        Counted.alive -= 1


def test_memory_does_not_grow_with_the_clips(tmp_path):
    """Of 600 clips no more are alive than two chunks of four, and the first, asked for its size."""
    gather(lambda video: video.mean((1, 2, 3)), Counted(600), tmp_path, {}, chunk=4)
    assert Counted.alive <= 4
    assert Counted.most <= 2 * 4 + 1


def test_the_index_says_what_is_there(tmp_path):
    gather(small(), CLIPS, tmp_path, {"split": "test", "seed": 3}, chunk=8)
    index = json.loads((tmp_path / "index.json").read_text())
    assert index == {"clips": 19, "chunk": 8, "split": "test", "seed": 3}
