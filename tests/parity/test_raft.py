"""RAFT against torch with the same weights, its files, and the flow of published weights."""

import hashlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from vdm_jax import models
from vdm_jax.checkpoints import CheckpointError, layouts, read_weights
from vdm_jax.metrics.flows import bilinear_sample, target_positions

torch = pytest.importorskip("torch")
from foreign import assert_same_bytes  # noqa: E402
from torch_raft import RAFT  # noqa: E402

SIZES = {
    "small": (models.Raft.small(), layouts.RAFT_SMALL, layouts.RAFT_SMALL_TORCHVISION),
    "large": (models.Raft.large(), layouts.RAFT_LARGE, layouts.RAFT_LARGE_TORCHVISION),
}
FRAMES = np.random.default_rng(0).uniform(-1, 1, (2, 1, 128, 136, 3)).astype(np.float32)
COUNTS = "num_batches_tracked"


def like(network):
    pair = (jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32),) * 2
    return jax.eval_shape(network.init, jax.random.key(0), *pair)["params"]


def write_random(size, path):
    """Writes random weights under the authors' names, those of a network on several devices."""
    torch.manual_seed(0)
    theirs = RAFT(size == "small").eval()
    with torch.no_grad():
        for name, buffer in theirs.named_buffers():
            if COUNTS not in name:
                buffer.copy_(torch.rand_like(buffer) + 0.5)
        theirs.update_block.flow_head.conv2.weight.mul_(30)  # for a flow of several pixels
    torch.save({f"module.{n}": t for n, t in theirs.state_dict().items()}, path)
    return theirs


def flow(network, params, first, second):
    with jax.default_matmul_precision("highest"):
        return np.asarray(jax.jit(network.apply)({"params": params}, first, second))


@pytest.mark.parametrize("size", SIZES)
def test_flows_equal_those_of_torch(size, tmp_path):
    network, layout, _ = SIZES[size]
    theirs = write_random(size, tmp_path / "raft.pth")
    tensors = read_weights(tmp_path / "raft.pth")
    assert layouts.recognize(tensors, tensors.shape) == (layout, 1.0)
    params = layout.to_params(tensors, like(network))
    repeats = {name for name, _ in layout.duplicates}
    own = {n: tensors[n] for n in tensors if n not in repeats and COUNTS not in n}
    assert_same_bytes(layout.to_foreign(params), own)
    with torch.no_grad():
        pair = (torch.tensor(x.transpose(0, 3, 1, 2)) for x in FRAMES)
        expected = theirs(*pair, iterations=3).numpy().transpose(0, 2, 3, 1)
    ours = flow(network.clone(iterations=3), params, *FRAMES)
    assert np.abs(expected).max() > 4
    np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())


TORCHVISION = {
    "small": "b52844207e5a43c48b531e21242a63b775b5e556d38eb5545e847e2acf44dd88",
    "large": "35820e9d1f452e14b14551fa144f088228d35f5733a37adbaaad80ed47441881",
}
"""SHA-256 of the names and shapes of torchvision 0.29's tensors, without counters."""


@pytest.mark.parametrize("size", SIZES)
def test_torchvision_has_the_same_tensors_under_other_names(size):
    network, layout, torchvision = SIZES[size]
    shapes = like(network)
    count = {"small": 990_162, "large": 5_260_416}[size]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count
    foreign = torchvision.to_foreign(shapes)
    lines = sorted(f"{name} {foreign.shape(name)}" for name in foreign)
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == TORCHVISION[size]
    assert layouts.recognize(foreign, foreign.shape) == (torchvision, 1.0)
    assert len(set(foreign)) == len(set(layout.to_foreign(shapes)))


def test_wrong_files_raise_with_the_reason(tmp_path):
    network, layout, _ = SIZES["small"]
    write_random("large", tmp_path / "large.pth")
    with pytest.raises(CheckpointError, match=r"expected \(8, 32, 1, 1\)|is no parameter|there is"):
        layout.to_params(read_weights(tmp_path / "large.pth"), like(network))
    write_random("small", tmp_path / "small.pth")
    whole = (tmp_path / "small.pth").read_bytes()
    tensors = torch.load(io.BytesIO(whole))
    del tensors["module.cnet.conv2.bias"]
    torch.save(tensors, tmp_path / "less.pth")
    with pytest.raises(CheckpointError, match=r"no tensor module\.cnet\.conv2\.bias"):
        layout.to_params(read_weights(tmp_path / "less.pth"), like(network))
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"cut\.pth"):
        layout.to_params(read_weights(tmp_path / "cut.pth"), like(network))


def test_flow_of_the_published_weights(real_clips):
    """princeton-vl/RAFT, raft-small.pth on demo-frames 16 and 17, 12 iterations: the flow, and the
    difference of the second frame from the first before and after warping (of 255)."""
    folder = real_clips.parent / "nets" / "raft-small"
    network, layout, _ = SIZES["small"]
    params = layout.to_params(read_weights(folder / "raft-small.pth"), like(network))
    first, second = (
        np.asarray(Image.open(folder / f"frame_00{i}.png").convert("RGB"), np.float32)[None, :432]
        for i in (16, 17)
    )
    motion = flow(network, params, first / 127.5 - 1, second / 127.5 - 1)
    size = np.linalg.norm(motion, axis=-1)
    np.testing.assert_allclose(motion.mean(axis=(0, 1, 2)), (-1.6125, -0.1981), atol=2e-4)
    np.testing.assert_allclose((size.mean(), size.max()), (2.5178, 13.184), atol=1e-3)
    black = np.pad(second, ((0, 0), (16, 16), (16, 16), (0, 0)))  # beyond the frame
    warp = jax.jit(lambda x, motion: bilinear_sample(x, target_positions(motion) + 16))
    assert np.abs(first - second).mean() == pytest.approx(11.385, abs=1e-3)
    assert np.abs(first - warp(black, motion)).mean() == pytest.approx(3.539, abs=1e-3)


def test_wrong_frame_sizes_raise():
    network = models.Raft.small()
    with pytest.raises(ValueError, match=r"divisible by 8, not \(1, 64, 60, 3\)"):
        jax.eval_shape(network.init, jax.random.key(0), *jnp.zeros((2, 1, 64, 60, 3)))
    with pytest.raises(ValueError, match="need 64 pixels each way"):
        jax.eval_shape(network.init, jax.random.key(0), *jnp.zeros((2, 1, 32, 64, 3)))
