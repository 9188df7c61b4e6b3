"""FID's Inception layer by layer against PyTorch with the same random weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdm_jax import models
from vdm_jax.checkpoints import PUBLISHED, CheckpointError, layouts, read_weights

torch = pytest.importorskip("torch")
import torch_inception  # noqa: E402
from foreign import assert_same_bytes  # noqa: E402


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    network = torch_inception.Inception().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("running_var", "bn.weight")):
                tensor.uniform_(0.5, 2)
            elif name.endswith(("bias", "running_mean")):
                tensor.normal_(0, 0.3)
    return network


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "pt_inception.pth"
    torch.save(theirs.state_dict(), path)
    return path


def test_every_layer_equals_that_of_torch(theirs, file):
    network = models.Inception(size=107)
    tensors = read_weights(file)
    assert layouts.recognize(tensors, tensors.shape) == (layouts.INCEPTION, 1.0)
    params = layouts.INCEPTION.to_params(tensors, PUBLISHED["inception_fid"].abstract_params())
    own = {n: tensors[n] for n in tensors if "num_batches_tracked" not in n}
    assert_same_bytes(layouts.INCEPTION.to_foreign(params), own)
    frames = np.random.default_rng(0).uniform(-1, 1, (1, 2, 107, 107, 3)).astype(np.float32)
    steps = {}
    with torch.no_grad():
        pool, logits = theirs(torch.tensor(frames[0]).permute(0, 3, 1, 2), steps)

    @jax.jit
    def run(params, frames):
        return network.apply({"params": params}, frames, capture_intermediates=True)

    outputs, captured = run(params, frames)
    assert outputs.pool.shape == (1, 2, 2048)
    pairs = [(outputs.pool[0], pool), (outputs.logits[0], logits)]
    for name, step in steps.items():
        (ours,) = captured["intermediates"][name]["__call__"]
        pairs.append((ours, step.permute(0, 2, 3, 1)))
    assert len(pairs) == 18
    for ours, step in pairs:
        size = np.abs(step.numpy()).max()
        np.testing.assert_allclose(ours / size, step.numpy() / size, atol=1e-4)


def test_wrong_frames_and_files_raise(file):
    with pytest.raises(ValueError, match="299 x 299 pixels, not 299 x 224"):
        jax.eval_shape(models.Inception().init, jax.random.key(0), jnp.zeros((1, 299, 224, 3)))
    published = PUBLISHED["inception_fid"]
    with pytest.raises(CheckpointError, match=r"bytes, but .* of inception_fid is 95,628,359"):
        published.check(file)
    with pytest.raises(CheckpointError, match="SHA-256"):
        dataclasses.replace(published, size=None).check(file)
    unsized = dataclasses.replace(published, size=None, sha256=None)
    state = dict(torch.load(file, weights_only=True))
    del state["Mixed_6c.branch7x7dbl_4.bn.running_mean"]
    torch.save(state, file)
    with pytest.raises(
        CheckpointError, match=r"no tensor Mixed_6c\.branch7x7dbl_4\.bn\.running_mean"
    ):
        unsized.check(file)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="not a valid PyTorch file"):
        unsized.check(file)
