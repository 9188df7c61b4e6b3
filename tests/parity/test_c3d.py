"""C3D against PyTorch with the same random weights, from every kind of file."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import models
from vdm_jax.checkpoints import PUBLISHED, CheckpointError, layouts, read_weights
from vdm_jax.metrics import SubtractMeanClip, presets
from vdm_jax.metrics.inception_score import probabilities

torch = pytest.importorskip("torch")
from foreign import assert_same_bytes  # noqa: E402
from torch.nn import functional as F  # noqa: E402

CLIP = (1, 16, 112, 112, 3)
WIDTHS = {"1a": (3, 4), "2a": (4, 8), "3a": (8, 16), "3b": (16, 16), "4a": (16, 32),
          "4b": (32, 32), "5a": (32, 32), "5b": (32, 32)}  # fmt: skip
DENSE = {"fc6": (32 * 4 * 4, 24), "fc7": (24, 24), "fc8": (24, 101)}
NETWORK = models.C3D(width=4, hidden=24)


class C3D(torch.nn.Module):
    """C3D of small widths; pools include incomplete windows, Chainer's default."""

    def __init__(self):
        super().__init__()
        for name, (before, width) in WIDTHS.items():
            self.add_module(f"conv{name}", torch.nn.Conv3d(before, width, 3, padding=1))
        for name, (before, width) in DENSE.items():
            self.add_module(name, torch.nn.Linear(before, width))

    def forward(self, x):
        for names in (["1a"], ["2a"], ["3a", "3b"], ["4a", "4b"], ["5a", "5b"]):
            for name in names:
                x = F.relu(getattr(self, f"conv{name}")(x))
            window = (1 if names == ["1a"] else 2, 2, 2)
            x = F.max_pool3d(x, window, ceil_mode=True)
        fc7 = F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))
        return fc7, self.fc8(fc7)


@functools.cache
def theirs():
    torch.manual_seed(0)
    return C3D().eval()


def chainer() -> dict[str, np.ndarray]:
    """The same tensors under Chainer's names."""
    tensors = {n: t.numpy() for n, t in theirs().state_dict().items()}
    return {n.replace(".weight", "/W").replace(".bias", "/b"): a for n, a in tensors.items()}


def like():
    clip = jax.ShapeDtypeStruct(CLIP, jnp.float32)
    return jax.eval_shape(NETWORK.init, jax.random.key(0), clip)["params"]


def test_features_equal_those_of_torch(tmp_path):
    np.savez(tmp_path / "c3d.npz", **chainer())
    torch.jit.trace(theirs(), torch.zeros(1, 3, 16, 112, 112)).save(str(tmp_path / "c3d.pt"))
    trees = []
    for file, layout in (("c3d.npz", layouts.C3D_CHAINER), ("c3d.pt", layouts.C3D_TORCH)):
        tensors = read_weights(tmp_path / file)
        assert layouts.recognize(tensors, tensors.shape) == (layout, 1.0)
        params = layout.to_params(tensors, like())
        own = {n: tensors[n] for n in tensors if not layout.is_ignored(n)}
        assert_same_bytes(layout.to_foreign(params), own)
        trees.append(params)
    jax.tree.map(np.testing.assert_array_equal, *trees)
    clip = np.random.default_rng(0).uniform(-100, 100, CLIP).astype(np.float32)
    with torch.no_grad():
        expected = theirs()(torch.tensor(clip).permute(0, 4, 1, 2, 3))
    outputs = jax.jit(NETWORK.apply)({"params": trees[0]}, clip)
    for ours, other in zip((outputs.fc7, outputs.logits), expected, strict=True):
        size = np.abs(other.numpy()).max()
        np.testing.assert_allclose(ours / size, other.numpy() / size, atol=1e-4)


class WithPreprocessing(torch.nn.Module):
    """StyleGAN-V's file, from its description: 8-bit clips of any size to probabilities."""

    def __init__(self, mean):
        super().__init__()
        self.pre = torch.nn.Conv3d(3, 3, 1, bias=False)
        swap = torch.eye(3).flip(0)[:, :, None, None, None]
        self.pre.weight = torch.nn.Parameter(128 * swap)  # B, G, R
        self.mean = torch.nn.Parameter(128 - torch.tensor(mean)[:, :, 8:120, 8:120])
        for name, layer in theirs().named_children():
            self.add_module(name, layer)

    def forward(self, clip):
        x = self.pre(clip.float() / 127.5 - 1)
        b, c, f, h, w = x.shape
        frames = x.permute(0, 2, 1, 3, 4).reshape(b * f, c, h, w)
        frames = F.interpolate(frames, (112, 112), mode="bilinear", align_corners=True)
        x = frames.reshape(b, f, c, 112, 112).permute(0, 2, 1, 3, 4) + self.mean
        return torch.softmax(C3D.forward(self, x)[1], dim=1)


def test_preprocessing_of_the_torchscript_equals_ours(tmp_path):
    rng = np.random.default_rng(1)
    mean = rng.uniform(80, 120, (3, 16, 128, 171)).astype(np.float32)
    np.savez(tmp_path / "mean2.npz", mean=mean)
    whole, clip = WithPreprocessing(mean).eval(), rng.integers(0, 256, (2, 16, 30, 40, 3), np.uint8)
    video = torch.tensor(clip).permute(0, 4, 1, 2, 3)
    torch.jit.trace(whole, video).save(str(tmp_path / "c3d_ucf101.pt"))
    tensors = read_weights(tmp_path / "c3d_ucf101.pt")
    assert {"pre.weight", "mean"} < set(tensors)
    published = dataclasses.replace(PUBLISHED["c3d_ucf101_torchscript"], network=NETWORK)
    params = published.parameters(path=tmp_path / "c3d_ucf101.pt")
    given = presets.C3D_TORCHSCRIPT
    pixels = tuple(
        dataclasses.replace(step, file=str(tmp_path / step.file))
        if isinstance(step, SubtractMeanClip) else step
        for step in given.pixels
    )  # fmt: skip
    ours = dataclasses.replace(given, network=NETWORK, pixels=pixels)
    with torch.no_grad():
        expected = whole(video).numpy()
    found = probabilities(np.asarray(jax.jit(ours.forward)(params, clip)))
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_wrong_clips_and_files_raise(tmp_path, unchecked):
    with pytest.raises(ValueError, match="16 frames of 112 x 112 pixels, not 15 of 112 x 112"):
        jax.eval_shape(NETWORK.init, jax.random.key(0), jnp.zeros((1, 15, 112, 112, 3)))
    published = PUBLISHED["c3d_ucf101"]
    assert published.abstract_params()["fc6"]["kernel"].shape == (8192, 4096)
    small = dataclasses.replace(published, network=NETWORK)
    file = tmp_path / "c3d.npz"

    def assert_refused(weights, *reasons):
        with pytest.raises(CheckpointError) as error:
            weights.check(file)
        assert all(reason in str(error.value) for reason in reasons), str(error.value)

    np.savez(file, **chainer())
    small.check(file)
    assert_refused(published, "is not c3d_ucf101", "of a network of another size")
    assert_refused(PUBLISHED["c3d_ucf101_torchscript"], "no tensor conv1a.")
    np.savez(file, **{n: a for n, a in chainer().items() if n != "fc7/b"})
    assert_refused(small, "no tensor fc7/b")
    np.savez(file, **chainer())
    file.write_bytes(file.read_bytes()[:-500])
    assert_refused(small, "not a valid .npz file")
