"""Every axis of a mesh, alone and with others, gives what one device gives, of every network."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from vdm_jax import diffusion, models, nn, parallel, sampling
from vdm_jax.models.text import clip, t5
from vdm_jax.parallel import hlo, rules
from vdm_jax.sampling.sharded import ShardedTask

pytestmark = pytest.mark.usefixtures("eight_devices")

S = 8
SPACE, TIME, TEXT = nn.SpatialAttention(8), nn.TemporalAttention(8), nn.TextAttention(8)
WIDE = nn.Transformer((nn.SelfAttention(8), nn.CrossAttention(8), nn.GatedFeedForward(2)))
KEY = jax.random.key(0)
MESHES = {
    "data": parallel.Mesh(data=4),
    "fsdp": parallel.Mesh(data=1, fsdp=4),
    "frames": parallel.Mesh(data=1, frames=4),
    "tensor": parallel.Mesh(data=1, tensor=2),
    "data+frames": parallel.Mesh(data=2, frames=2),
    "fsdp+frames+tensor": parallel.Mesh(data=1, fsdp=2, frames=2, tensor=2),
}


def unet(*levels, outputs=None, inputs=(nn.LogSNR(),)):
    embedding = nn.Embedding(width=16, layers=1, inputs=inputs)
    return models.UNet(16, levels, embedding, outputs=outputs)


READS = (nn.LogSNR(), nn.PooledText())
NETWORKS = {
    "unet": unet(
        models.Level(1, (TIME,), blocks=0),
        models.Level(2, (SPACE,), blocks=0, remat=nn.RematLevel()),
    ),
    "super-resolution": models.SuperResolution(
        unet(
            models.EfficientLevel(
                2,
                (TIME, SPACE, TEXT, nn.FeedForward(2), nn.TemporalConvolution()),
                1,
                remat=nn.RematLayer(),
            ),
            outputs=3,
            inputs=READS,
        )
    ),
    "residual": models.Residual(
        models.Patched(
            unet(models.EfficientLevel(1, (nn.TemporalConvolution(),), 1, (1, 1, 1)), outputs=12)
        )
    ),
    "latent": unet(
        models.LatentLevel(1, (WIDE, TIME), 0, bottom=(nn.LinearSpatialAttention(8),)),
    ),
    "looped": unet(
        models.Level(1, (SPACE, TIME), blocks=2, remat=nn.RematLayer(), scan=nn.ScanBlocks())
    ),
    "packed": unet(models.Level(1, (TEXT, TIME, nn.TemporalConvolution()), blocks=0), inputs=READS),
    "autoencoder": models.AutoencoderKL(channels=8, widths=(1, 2), blocks=0),
    "t5": t5.T5(
        16, layers=1, heads=2, feed_forward=t5.GatedFeedForward(32), head_dim=8, vocabulary=32
    ),
    "clip": clip.ClipText(16, layers=1, heads=2, vocabulary=32, length=5),
}


@pytest.fixture(autouse=True)
def small_parameters_are_split_as_large_ones_are(monkeypatch):
    monkeypatch.setattr(rules, "SMALL", 2**9)


def inputs(name, b=4, f=8):
    """What a network is called with: z, logsnr, conditions; a video; or tokens and their mask."""
    rng = np.random.default_rng(0)
    if name in ("t5", "clip"):
        return np.arange(b * 5).reshape(b, 5), np.arange(5) < np.full((b, 1), 3)
    z = np.float32(rng.normal(size=(b, f, S, S, 3)))
    if name == "autoencoder":
        return (z,)
    cond = {"text": rng.normal(size=(b, 4, 8)), "text_mask": np.arange(4) < np.full((b, 1), 3)}
    logsnr = np.linspace(-4, 4, b)
    if name in ("super-resolution", "residual"):
        cond["lowres"] = rng.normal(size=(b, f // 2, S // 2, S // 2, 3))
    if name == "packed":
        cond["segments"] = np.tile([0] * (f - 2) + [1, 2], (b, 1)).astype(np.int32)
        cond["text"] = rng.normal(size=(b, 3, 4, 8))
        cond["text_mask"] = np.tile(np.arange(4) < 3, (b, 3, 1))
        logsnr = np.repeat(logsnr[:, None], f, axis=1)
    cast = jax.tree.map(lambda x: x.astype(np.float32) if x.dtype == float else x, cond)
    return z, np.float32(logsnr), models.Conditioning(**cast)


def parameters(init, *batch):
    """Random ones, none of them zero, of the shapes that `init` gives: nothing is compiled."""
    rng = np.random.default_rng(1)

    def random(shape):
        spread = rng.normal(size=shape.shape)
        if len(shape.shape) < 2:
            return np.float32(1 + 0.1 * spread)
        return np.float32(spread / np.sqrt(np.prod(shape.shape[:-1])))

    return jax.tree.map(random, jax.eval_shape(init, KEY, *batch))


def of(name):
    """A network's parameters and inputs."""
    return parameters(NETWORKS[name].init, *inputs(name, 1))["params"], inputs(name)


def outcome(network):
    """(parameters, inputs) -> output and gradients, of the parameters and of a video."""

    def loss(params, *batch):
        out = network.apply({"params": params}, *batch)
        return jnp.square(out - 0.5).mean(), out

    def run(params, *batch):
        argnums = (0, 1) if batch[0].dtype == np.float32 else 0
        (_, out), grads = jax.value_and_grad(loss, argnums, has_aux=True)(params, *batch)
        return out, grads

    return run


def alike(found, expected, where=""):
    """Equal to 1e-5 of the largest element of each array.

    Some gradients are zero but for rounding, such as that of a bias before a norm of one channel:
    no array is measured against less than a thousandth of the largest of all.
    """
    largest = max(float(np.abs(b).max()) for b in jax.tree.leaves(expected))
    leaves = zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True)
    for (path, a), b in leaves:
        size = max(float(np.abs(b).max()), largest / 1000)
        np.testing.assert_allclose(
            np.asarray(a) / size, np.asarray(b) / size, atol=1e-5,
            err_msg=f"{where} {jax.tree_util.keystr(path)}",
        )  # fmt: skip


def grid(name):
    """A mesh, of as many devices as it needs."""
    mesh = MESHES[name]
    return mesh.build(jax.devices()[: mesh.data * mesh.fsdp * mesh.frames * mesh.tensor])


def on(mesh, params, batch):
    """Parameters and inputs on the devices of a mesh."""
    params = jax.device_put(params, parallel.shardings(params, mesh))
    return params, *jax.device_put(batch, parallel.batch_sharding(mesh))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_one_device(name):
    """One test for all meshes: what one device makes is compiled once."""
    params, batch = of(name)
    expected = jax.jit(outcome(NETWORKS[name]))(params, *batch)
    # Gradients of biases may be zero, see `alike`, even without rounding.
    assert all(np.abs(x).max() > 0 for x in jax.tree.leaves(expected) if x.ndim > 1)
    for mesh in MESHES:
        if name != "super-resolution" and mesh == "data+frames":
            continue  # each axis alone, and the most of them that eight devices can combine
        if name == "looped" and mesh != "fsdp+frames+tensor":
            continue  # the layers of "unet"
        run = nn.logical_axis_rules(parallel.MeshRules(grid(mesh)))(outcome(NETWORKS[name]))
        alike(jax.jit(run)(*on(grid(mesh), params, batch)), expected, mesh)


def collectives(compiled) -> dict[str, list[int]]:
    """The sizes of what each kind of collective of a program gives, in elements."""
    kinds = "all-to-all|all-gather|all-reduce|reduce-scatter|collective-permute"
    found: dict[str, list[int]] = {}
    for line in compiled.as_text().splitlines():
        call = re.search(rf" = (.*) ({kinds})(-start)?\(", line)
        if call:
            shapes = re.findall(r"\w\d+\[([\d,]*)\]", call[1])
            size = sum(int(np.prod([int(n) for n in s.split(",") if n])) for s in shapes)
            found.setdefault(call[2], []).append(size)
    return found


@pytest.mark.parametrize(("name", "layers"), [("unet", 1), ("super-resolution", 4)])
def test_between_space_and_time_videos_are_exchanged_and_nothing_else_is(name, layers):
    """Split by frames, a network's forward pass has two exchanges for each layer over time."""
    params, batch = of(name)
    network, mesh = NETWORKS[name], grid("frames")
    forward = nn.logical_axis_rules(parallel.MeshRules(mesh))(
        lambda p, *xs: network.apply({"params": p}, *xs)
    )
    found = collectives(jax.jit(forward).lower(*on(mesh, params, batch)).compile())
    assert {kind: len(sizes) for kind, sizes in found.items()} == {"all-to-all": 2 * layers}


def test_what_stays_for_the_backward_pass_changes_nothing_of_what_is_sent():
    """Split by rows, each device has the gradient of its own pictures: parameters travel alone."""
    mesh, block, enlarged = grid("fsdp"), nn.ResBlock(16), nn.Upsample((1, 2, 2))
    h, emb = np.zeros((8, 2, S, S, 16), np.float32), np.zeros((8, 2, 16), np.float32)
    params = parameters(partial(block.init, resample=enlarged), h, emb)["params"]
    shardings = parallel.shardings(params, mesh)

    def call(params, h, emb):
        return block.apply({"params": params}, h, emb, resample=enlarged)

    def loss(params, h, emb, keep):
        return jnp.square(jax.checkpoint(call, policy=keep.policy)(params, h, emb)).mean()

    sent = []
    for keep in (nn.SaveNothing(), nn.SaveConvolutions()):
        gradient = nn.logical_axis_rules(parallel.MeshRules(mesh))(
            jax.grad(partial(loss, keep=keep))
        )
        step = jax.jit(gradient, out_shardings=shardings)
        compiled = step.lower(*on(mesh, params, (h, emb))).compile()
        sent.append(hlo.summarize(compiled.as_text() or "", dict(mesh.shape)).sent)
    assert sent[0] == sent[1]


def test_rows_of_pixels_are_split_where_frames_do_not_divide():
    """One video of 6 frames on 4 devices: convolutions exchange edges, no device has the whole."""
    params, _ = of("super-resolution")
    network, mesh = NETWORKS["super-resolution"], grid("data")
    batch = inputs("super-resolution", b=1, f=6)

    def forward(params, *batch):
        return network.apply({"params": params}, *batch)

    split = nn.logical_axis_rules(parallel.MeshRules(mesh, parallel.ONE_VIDEO))(forward)
    every = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    compiled = jax.jit(split).lower(*jax.device_put((params, *batch), every)).compile()
    alike(compiled(*jax.device_put((params, *batch), every)), jax.jit(forward)(params, *batch))
    assert collectives(compiled)["collective-permute"]


@pytest.mark.parametrize("name", ["t5", "clip"])
def test_a_text_encoder_is_split_by_heads_and_wide_layers(name):
    """Two sums a layer; else only kernels move: several side by side are kept split as one."""
    (params, batch), where = of(name), grid("tensor")
    forward = nn.logical_axis_rules(parallel.MeshRules(where))(
        lambda params, *batch: NETWORKS[name].apply({"params": params}, *batch)
    )
    found = collectives(jax.jit(forward).lower(*on(where, params, batch)).compile())
    kernels = {part for x in jax.tree.leaves(params) for part in (x.size, x.size // 2)}
    assert len(found.pop("all-reduce")) == 2
    assert kernels.issuperset(size for sizes in found.values() for size in sizes)


def test_samples_are_those_of_one_device():
    """By every axis, alone and with others."""
    task = tiny.denoising().task
    generator = sampling.Generator(diffusion.DDIM(steps=2), guidance=2.0)
    cond = models.Conditioning(label=jnp.zeros(4, int))
    video = {"video": jax.ShapeDtypeStruct((1, 4, 8, 8, 3), jnp.uint8)}
    params, _ = parameters(task.init, video)
    keys = jax.random.split(KEY, 4)

    def sample(task, params, keys, cond):
        return generator(task, params, {}, keys, cond, (4, 4, 8, 8, 3))

    run = jax.jit(sample, static_argnums=0)
    expected = run(task, params, keys, cond)
    for mesh in MESHES:
        where = grid(mesh)
        found = run(ShardedTask(task, parallel.MeshRules(where)), *on(where, params, (keys, cond)))
        alike(found, expected, mesh)
