"""Gathering: interrupted is as if it never was, what is there is whole, and trouble has a name."""

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import several
from small import Noise, small, videos

from vdm_jax.config import differences
from vdm_jax.evaluation import Moments, cached_features, fingerprint, gather

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
    first = cached_features(small(), CLIPS, tmp_path, {"set": "noise"})
    again = cached_features(small(), Unread(19), tmp_path, {"set": "noise"})
    np.testing.assert_array_equal(again.features(), first.features())
    other = cached_features(small(), CLIPS, tmp_path, {"set": "other"})
    assert other.folder != first.folder
    assert first.folder.name == fingerprint({"set": "noise"})


def test_a_fingerprint_does_not_depend_on_the_order_and_on_everything_else():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    records = [{"a": 1}, {"a": 2}, {"a": 1.5}, {"b": 1}, {"a": [1]}, {"a": "1"}]
    assert len({fingerprint(record) for record in records}) == len(records)


def test_differences_name_the_fields():
    a = {"features": {"pixels": [{"to": 224}], "name": "i3d"}, "stride": 1}
    b = {"features": {"pixels": [{"to": 256}], "name": "i3d"}, "stride": 1, "fps": 25}
    found = differences(b, a)
    assert found == ["features.pixels.0.to: 224 -> 256", "fps: None -> 25"]
    assert differences(a, a) == []


def test_a_folder_of_something_else_is_refused(tmp_path):
    gather(small(), CLIPS, tmp_path, {"stride": 1})
    with pytest.raises(ValueError, match=r"something else: stride: 1 -> 2 \(there -> here\)"):
        gather(small(), CLIPS, tmp_path, {"stride": 2})
    with pytest.raises(ValueError, match="clips: 19 -> 18"):
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


ONE_OF_TWO = """
import sys
from vdm_jax import parallel
address, process, folder = sys.argv[1:]
parallel.Processes(address, 2, int(process)).start()
from small import Noise, small
from vdm_jax.evaluation import gather
print("all", len(gather(small(), Noise(19), folder, {}, chunk=4).features()))
"""


def test_two_processes_of_two_devices_gather_what_one_of_eight_does(tmp_path, eight_devices):
    """Each makes every second chunk, and both see all of them at the end."""
    straight = gather(small(), CLIPS, tmp_path / "alone", {}, chunk=4)
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(map(str, (tests.parent, tests, tests / "evaluation")))
    flags = f"--xla_force_host_platform_device_count=2 {several.QUICK}"
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, "-c", ONE_OF_TWO, f"localhost:{several.port()}"]
    runs = [
        subprocess.Popen(
            [*command, str(process), str(tmp_path / "shared")],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for process in range(2)
    ]  # fmt: skip
    assert all("all 19" in told for told in several.end(runs))
    together = gather(small(), Unread(19), tmp_path / "shared", {}, chunk=4)
    assert together.keys() == straight.keys()
    np.testing.assert_allclose(together.features(), straight.features(), rtol=1e-5, atol=1e-6)


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
