"""I3D layer by layer against PyTorch with the same random weights, from every kind of file."""

import dataclasses
import functools
import hashlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import models
from vdm_jax.checkpoints import PUBLISHED, CheckpointError, layouts, read_weights
from vdm_jax.checkpoints.bundles import read_index
from vdm_jax.models.features.space_time import convolve, max_pool
from vdm_jax.nn import BatchNorm

torch = pytest.importorskip("torch")
import torch_i3d  # noqa: E402
from foreign import assert_same_bytes  # noqa: E402

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import bundle_format  # noqa: E402


@functools.cache
def theirs(scales: bool):
    """The network with random weights; scales of batch norms are 1 without `scales`."""
    torch.manual_seed(0)
    network = torch_i3d.I3D().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif name.endswith("bn.weight"):
                tensor.uniform_(0.5, 2) if scales else tensor.fill_(1)
            elif "conv3d.weight" not in name and "tracked" not in name:
                tensor.normal_(0, 0.3)
    return network


def state(scales: bool) -> dict[str, np.ndarray]:
    tensors = {n: t.numpy() for n, t in theirs(scales).state_dict().items()}
    return {n: a for n, a in tensors.items() if "tracked" not in n}


def tensorflow(hub: bool = False) -> dict[str, np.ndarray]:
    """The tensors of a TensorFlow checkpoint; `hub`: of TensorFlow Hub's."""
    tensors = {}
    for name, array in state(False).items():
        if name.endswith("bn.weight"):
            continue
        array = np.moveaxis(array, (0, 1), (-1, -2)) if array.ndim == 5 else array
        wide = hub and ".bn." in name
        tensors[torch_i3d.tensorflow(name)] = np.ascontiguousarray(
            array.reshape(1, 1, 1, 1, -1) if wide else array
        )
    return tensors


@functools.cache
def like(network):
    clip = jax.ShapeDtypeStruct((1, 9, network.size, network.size, 3), jnp.float32)
    return jax.eval_shape(network.init, jax.random.key(0), clip)["params"]


def assert_close(ours, expected):
    size = np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(ours) / size, expected / size, atol=1e-4)


def test_every_layer_equals_that_of_torch():
    network = models.I3D(size=64, norm=BatchNorm(1e-3))
    params = layouts.I3D_PIERGIAJ.to_params(state(True), like(network))
    clip = np.random.default_rng(0).uniform(-1, 1, (2, 11, 64, 64, 3)).astype(np.float32)
    steps = {}
    with torch.no_grad():
        expected = theirs(True)(torch.tensor(clip).permute(0, 4, 1, 2, 3), steps).numpy()

    @jax.jit
    def run(params, clip):
        return network.apply({"params": params}, clip, capture_intermediates=True)

    logits, captured = run(params, clip)
    assert_close(logits, expected)
    for name, step in steps.items():
        (ours,) = captured["intermediates"][name]["__call__"]
        assert_close(ours, step.permute(0, 2, 3, 4, 1).numpy())


@pytest.mark.parametrize(("side", "stride", "frames"), [(7, 2, 9), (3, 1, 4), (3, 2, 5), (1, 1, 3)])
def test_folded_convolutions_and_pools_equal_3d_ones(side, stride, frames):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, frames, 6, 7, 3)).astype(np.float32)
    kernel = random.normal(size=(side, side, side, 3, 4)).astype(np.float32)
    axes = ("NDHWC", "DHWIO", "NDHWC")
    expected = jax.lax.conv_general_dilated(x, kernel, (stride,) * 3, "SAME", None, None, axes)
    found = jax.jit(convolve, static_argnums=2)(x, kernel, stride)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    window, strides = (side, 1, side), (stride, 1, stride)
    edge = jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, *window, 1), (1, *strides, 1), "SAME")
    pooled = jax.jit(max_pool, static_argnums=(1, 2))(x, window, strides)
    np.testing.assert_array_equal(pooled, edge)


def test_clips_of_wrong_length_or_size_raise():
    network = models.I3D()
    for shape, reason in (((1, 8, 224, 224, 3), "at least 9 frames, not 8"),
                          ((1, 16, 256, 224, 3), "224 x 224 pixels, not 256 x 224")):  # fmt: skip
        with pytest.raises(ValueError, match=reason):
            jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))


@pytest.mark.parametrize(("frames", "steps"), [(9, 1), (16, 1), (17, 2), (40, 4)])
def test_logits_have_ceil_of_an_eighth_of_the_frames_minus_1_steps(frames, steps):
    clip = jax.ShapeDtypeStruct((1, frames, 32, 32, 3), jnp.float32)

    def run(key, clip):
        network = models.I3D(classes=5, size=32)
        return network.init_with_output(key, clip, capture_intermediates=True)[1]

    logits = jax.eval_shape(run, jax.random.key(0), clip)["intermediates"]["logits"]
    assert logits["__call__"][0].shape == (1, steps, 1, 1, 5)


def test_the_number_of_parameters_is_the_published_one():
    leaves = jax.tree.leaves(like(models.I3D()))
    assert sum(np.prod(leaf.shape) for leaf in leaves) == 12_704_544


@pytest.mark.parametrize("hub", [False, True])
def test_tensorflow_checkpoints_load(tmp_path, hub):
    layout = layouts.I3D_TENSORFLOW_HUB if hub else layouts.I3D_TENSORFLOW
    tensors = read_weights(bundle_format.write(tmp_path / "model.ckpt", tensorflow(hub)))
    assert layouts.recognize(tensors, tensors.shape) == (layout, 1.0)
    params = layout.to_params(tensors, like(models.I3D()))
    assert_same_bytes(layout.to_foreign(params), dict(tensors))
    ported = layouts.I3D_PIERGIAJ.to_params(state(False), like(models.I3D.ported()))
    unit = params["mixed_5b"]["branch_2b"]
    for name in ("mean", "variance", "bias"):
        same = ported["mixed_5b"]["branch_2b"]["norm"][name]
        np.testing.assert_array_equal(unit["norm"][name], same)
    np.testing.assert_array_equal(unit["kernel"], ported["mixed_5b"]["branch_2b"]["kernel"])


def test_the_published_indices_list_these_tensors(real_clips):
    folder = real_clips.parent / "fixtures" / "i3d"
    for file, name in (("rgb_scratch.model.ckpt", "i3d_kinetics400"),
                       ("rgb_imagenet.model.ckpt", "i3d_rgb_imagenet"),
                       ("variables", "i3d_kinetics400_hub")):  # fmt: skip
        published, index = PUBLISHED[name], folder / f"{file}.index"
        _, entries = read_index(index)
        expected = published.layout.to_foreign(published.abstract_params())
        assert {n: e.shape for n, e in entries.items()} == {n: expected.shape(n) for n in expected}
        assert published.crc32c == tuple((n, entries[n].crc32c) for n, _ in published.crc32c)
        assert hashlib.sha256(index.read_bytes()).hexdigest() == published.sha256
        assert index.stat().st_size == published.size


def test_files_of_the_pytorch_ports_load(tmp_path):
    torch.save(theirs(True).state_dict(), tmp_path / "i3d_pretrained_400.pt")

    class Nested(torch.nn.Module):
        """A module for tensors under any name."""

        def forward(self, x):
            return x

    archive = Nested()
    for name, array in state(True).items():
        *path, last = torch_i3d.hassony2(name).split(".")
        module = archive
        for scope in path:
            if not hasattr(module, scope):
                module.add_module(scope, Nested())
            module = getattr(module, scope)
        module.register_buffer(last, torch.tensor(array))
    torch.jit.script(archive).save(str(tmp_path / "i3d_torchscript.pt"))
    like_ported, trees = like(models.I3D.ported()), []
    for file, layout in (("i3d_pretrained_400.pt", layouts.I3D_PIERGIAJ),
                         ("i3d_torchscript.pt", layouts.I3D_HASSONY2)):  # fmt: skip
        tensors = read_weights(tmp_path / file)
        assert layouts.recognize(tensors, tensors.shape) == (layout, 1.0)
        params = layout.to_params(tensors, like_ported)
        own = {n: tensors[n] for n in tensors if not layout.is_ignored(n)}
        assert_same_bytes(layout.to_foreign(params), own)
        trees.append(params)
    jax.tree.map(np.testing.assert_array_equal, *trees)


def test_wrong_files_raise_with_the_reason(tmp_path):
    tensors = tensorflow()
    index = bundle_format.write(tmp_path / "model.ckpt", tensors)
    published, entries = PUBLISHED["i3d_kinetics400"], read_weights(index).entries
    crc = tuple((name, entries[name].crc32c) for name, _ in published.crc32c)
    written = dataclasses.replace(published, crc32c=crc, sha256=None, size=None)
    written.check(index)

    def assert_refused(weights, path, *reasons):
        with pytest.raises(CheckpointError) as error:
            weights.check(path)
        assert all(reason in str(error.value) for reason in reasons), str(error.value)

    # The right names and shapes with other values, such as rgb_imagenet instead of rgb_scratch.
    unsized = dataclasses.replace(published, sha256=None, size=None)
    assert_refused(
        unsized, index, "another variant than i3d_kinetics400", "Logits", "expected 2968598036"
    )
    assert_refused(published, index, f"{index.stat().st_size:,} bytes", "10,953")
    hub = bundle_format.write(tmp_path / "hub" / "variables", tensorflow(hub=True))
    assert_refused(written, hub, "is (1, 1, 1, 1, 64), expected (64,)")
    missing = {n: a for n, a in tensors.items() if "Mixed_4d/Branch_3" not in n}
    lacking = bundle_format.write(tmp_path / "lacking" / "model.ckpt", missing)
    assert_refused(written, lacking, "no tensor", "Mixed_4d/Branch_3/Conv3d_0b_1x1")
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    assert_refused(written, index, "is truncated")
    data.write_bytes(whole[:-4] + bytes(4))
    assert_refused(written, index, "is damaged")
