"""Saved features: interrupted equals uninterrupted, files are whole, and errors name the clip."""

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import several
from small_features import Noise, small, videos

from vdm_jax.config import differences
from vdm_jax.metrics import Moments, cached_features, compute_features, fingerprint

CLIPS = Noise(19)


class Interrupted(Noise):
    """Clips whose reading is interrupted at one of them."""

    def __getitem__(self, index: int):
        if index == 13:
            raise KeyboardInterrupt
        return super().__getitem__(index)


class Unread(Noise):
    """Clips that must not be read."""

    def __getitem__(self, index: int):
        raise AssertionError("read again")


def test_stored_features_are_those_of_all_clips(tmp_path):
    result = compute_features(small(), CLIPS, tmp_path, {"set": "noise"}, chunk=8)
    np.testing.assert_allclose(result.features(), small()(videos(19)), rtol=1e-5, atol=1e-6)
    assert result.keys() == [f"noise {i}" for i in range(19)]
    whole = Moments.of(result.features())
    assert result.moments().count == 19
    np.testing.assert_allclose(result.moments().covariance(), whole.covariance(), rtol=1e-9)


def test_resuming_an_interrupted_computation_is_bit_identical(tmp_path):
    uninterrupted = compute_features(small(), CLIPS, tmp_path / "uninterrupted", {}, chunk=4)
    with pytest.raises(KeyboardInterrupt):
        compute_features(small(), Interrupted(19), tmp_path / "interrupted", {}, chunk=4)
    done = sorted(path.name for path in (tmp_path / "interrupted").glob("chunk-*.npz"))
    assert 1 <= len(done) <= 3
    (tmp_path / "interrupted" / ".chunk-000003.npz.99").write_bytes(b"half a chunk")
    resumed = compute_features(small(), CLIPS, tmp_path / "interrupted", {}, chunk=4)
    np.testing.assert_array_equal(resumed.features(), uninterrupted.features())
    assert resumed.keys() == uninterrupted.keys()


def test_saved_features_are_not_recomputed(tmp_path):
    first = cached_features(small(), CLIPS, tmp_path, {"set": "noise"})
    again = cached_features(small(), Unread(19), tmp_path, {"set": "noise"})
    np.testing.assert_array_equal(again.features(), first.features())
    other = cached_features(small(), CLIPS, tmp_path, {"set": "other"})
    assert other.folder != first.folder
    assert first.folder.name == fingerprint({"set": "noise"})


def test_a_fingerprint_depends_on_everything_but_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    records = [{"a": 1}, {"a": 2}, {"a": 1.5}, {"b": 1}, {"a": [1]}, {"a": "1"}]
    assert len({fingerprint(record) for record in records}) == len(records)


def test_differences_name_the_fields():
    a = {"features": {"pixels": [{"to": 224}], "name": "i3d"}, "stride": 1}
    b = {"features": {"pixels": [{"to": 256}], "name": "i3d"}, "stride": 1, "fps": 25}
    result = differences(b, a)
    assert result == ["features.pixels.0.to: 224 -> 256", "fps: None -> 25"]
    assert differences(a, a) == []


def test_a_folder_with_other_features_is_refused(tmp_path):
    compute_features(small(), CLIPS, tmp_path, {"stride": 1})
    with pytest.raises(ValueError, match=r"other features: stride: 1 -> 2 \(saved -> requested\)"):
        compute_features(small(), CLIPS, tmp_path, {"stride": 2})
    with pytest.raises(ValueError, match="clips: 19 -> 18"):
        compute_features(small(), Noise(18), tmp_path, {"stride": 1})


def test_broken_clips_are_named(tmp_path):
    with pytest.raises(ValueError, match="no clips to compute reals of"):
        compute_features(small(), Noise(0), tmp_path / "none", {}, title="reals")
    mixed = Noise(19, other=((11, 5),))
    with pytest.raises(ValueError, match="noise 11 has 5 frames of 8 x 8 pixels, noise 0 has 4"):
        compute_features(small(), mixed, tmp_path / "mixed", {}, chunk=8)
    with pytest.raises(ValueError, match="at least 9 frames, not 4"):
        compute_features(small(min_frames=9), CLIPS, tmp_path / "short", {})


def test_clips_with_features_that_are_not_finite_are_named(tmp_path):
    def features(video):
        result = small()(video)
        result[2] = np.nan
        return result

    with pytest.raises(ValueError, match="fakes are not finite for noise 2: check"):
        compute_features(features, CLIPS, tmp_path, {}, title="fakes")


def test_a_damaged_chunk_is_named(tmp_path):
    result = compute_features(small(), CLIPS, tmp_path, {}, chunk=8)
    path = tmp_path / "chunk-000001.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"chunk-000001\.npz is damaged"):
        result.features()
    path.unlink()
    with pytest.raises(FileNotFoundError, match="interrupted"):
        result.moments()
    compute_features(small(), CLIPS, tmp_path, {}, chunk=8)
    assert len(result.features()) == 19


ONE_OF_TWO = """
import sys
from vdm_jax import parallel
address, process, folder = sys.argv[1:]
parallel.Processes(address, 2, int(process)).start()
from small_features import Noise, small
from vdm_jax.metrics import compute_features
print("all", len(compute_features(small(), Noise(19), folder, {}, chunk=4).features()))
"""


def test_two_processes_of_two_devices_equal_one_of_eight(tmp_path, eight_devices):
    """Each computes every second chunk, and both read all of them at the end."""
    uninterrupted = compute_features(small(), CLIPS, tmp_path / "alone", {}, chunk=4)
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(map(str, (tests.parent, tests)))
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
    assert all("all 19" in output for output in several.end(runs))
    together = compute_features(small(), Unread(19), tmp_path / "shared", {}, chunk=4)
    assert together.keys() == uninterrupted.keys()
    np.testing.assert_allclose(together.features(), uninterrupted.features(), rtol=1e-5, atol=1e-6)


class Counted(Noise):
    """Clips that count how many of them are in memory at once."""

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


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path):
    """Of 600 clips at most two chunks of four are in memory, and the first, read for its size."""
    compute_features(lambda video: video.mean((1, 2, 3)), Counted(600), tmp_path, {}, chunk=4)
    assert Counted.alive <= 4
    assert Counted.most <= 2 * 4 + 1


def test_the_index_holds_the_record(tmp_path):
    compute_features(small(), CLIPS, tmp_path, {"split": "test", "seed": 3}, chunk=8)
    index = json.loads((tmp_path / "index.json").read_text())
    assert index == {"clips": 19, "chunk": 8, "split": "test", "seed": 3}
