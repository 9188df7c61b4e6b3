"""Every network gives the same on every mesh axis, alone and combined, as on one device."""

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
def shard_small_parameters(monkeypatch):
    monkeypatch.setattr(rules, "MIN_SHARDED", 2**9)


def inputs(name, b=4, f=8):
    """A network's arguments: z, logsnr, conditions; a video; or tokens and their mask."""
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
    """Random nonzero parameters with the shapes of `init`, without compiling it."""
    rng = np.random.default_rng(1)

    def random(shape):
        normal = rng.normal(size=shape.shape)
        if len(shape.shape) < 2:
            return np.float32(1 + 0.1 * normal)
        return np.float32(normal / np.sqrt(np.prod(shape.shape[:-1])))

    return jax.tree.map(random, jax.eval_shape(init, KEY, *batch))


def parameters_and_inputs(name):
    """A network's parameters and inputs."""
    return parameters(NETWORKS[name].init, *inputs(name, 1))["params"], inputs(name)


def output_and_gradients(network):
    """(parameters, inputs) -> output, and gradients of the parameters and of a video."""

    def loss(params, *batch):
        out = network.apply({"params": params}, *batch)
        return jnp.square(out - 0.5).mean(), out

    def run(params, *batch):
        argnums = (0, 1) if batch[0].dtype == np.float32 else 0
        (_, out), grads = jax.value_and_grad(loss, argnums, has_aux=True)(params, *batch)
        return out, grads

    return run


def rounding(run, expected, params, *batch):
    """How much each array of `expected = run(params, *batch)` changes by rounding.

    That is 8 times its largest change among four random changes of the parameters in their 20th
    bit, about the rounding of a float32 sum of 2000 pixels. It also scales gradients that are zero
    except for rounding, such as that of a bias before a norm of one channel. Programs with
    other orders of summation differ by up to a quarter of this.
    """
    largest = jax.tree.map(lambda x: 0.0, expected)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        changed = jax.tree.map(
            lambda x, rng=rng: np.float32(x * (1 + 2.0**-20 * rng.choice([-1, 1], x.shape))), params
        )
        largest = jax.tree.map(
            lambda most, a, b: max(most, float(np.abs(a - b).max())),
            largest, run(changed, *batch), expected,
        )  # fmt: skip
    return jax.tree.map(lambda change: 8 * change, largest)


def assert_close(actual, expected, tolerances=None, label=""):
    """Asserts equality to the tolerance of each array, 1e-5 of its largest element without any."""
    if tolerances is None:
        tolerances = jax.tree.map(lambda b: 1e-5 * float(np.abs(b).max()), expected)
    trees = (
        jax.tree_util.tree_leaves_with_path(actual),
        *map(jax.tree.leaves, (expected, tolerances)),
    )
    for (path, a), b, atol in zip(*trees, strict=True):
        err_msg = f"{label} {jax.tree_util.keystr(path)}"
        np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=err_msg)


def grid(name):
    """The mesh of this name, of as many devices as it needs."""
    mesh = MESHES[name]
    return mesh.build(jax.devices()[: mesh.data * mesh.fsdp * mesh.frames * mesh.tensor])


def device_put(mesh, params, batch):
    """Parameters and inputs, sharded over a mesh."""
    params = jax.device_put(params, parallel.shardings(params, mesh))
    return params, *jax.device_put(batch, parallel.batch_sharding(mesh))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_one_device(name):
    """One test for all meshes, so that one device's program is compiled once."""
    params, batch = parameters_and_inputs(name)
    run_alone = jax.jit(output_and_gradients(NETWORKS[name]))
    expected = run_alone(params, *batch)
    tolerances = rounding(run_alone, expected, params, *batch)
    # Gradients of biases may be exactly zero, see `rounding`.
    assert all(np.abs(x).max() > 0 for x in jax.tree.leaves(expected) if x.ndim > 1)
    for mesh in MESHES:
        if name != "super-resolution" and mesh == "data+frames":
            continue  # the other meshes have each axis alone, and three combined
        if name == "looped" and mesh != "fsdp+frames+tensor":
            continue  # the layers of "unet"
        run = nn.logical_axis_rules(parallel.MeshRules(grid(mesh)))(
            output_and_gradients(NETWORKS[name])
        )
        sharded = jax.jit(run)(*device_put(grid(mesh), params, batch))
        assert_close(sharded, expected, tolerances, mesh)


def collectives(compiled) -> dict[str, list[int]]:
    """The output sizes of a program's collectives, in elements, by kind."""
    kinds = "all-to-all|all-gather|all-reduce|reduce-scatter|collective-permute"
    sizes: dict[str, list[int]] = {}
    for line in compiled.as_text().splitlines():
        call = re.search(rf" = (.*) ({kinds})(-start)?\(", line)
        if call:
            shapes = re.findall(r"\w\d+\[([\d,]*)\]", call[1])
            size = sum(int(np.prod([int(n) for n in s.split(",") if n])) for s in shapes)
            sizes.setdefault(call[2], []).append(size)
    return sizes


@pytest.mark.parametrize(("name", "layers"), [("unet", 1), ("super-resolution", 4)])
def test_the_frames_axis_needs_two_all_to_alls_per_layer_over_time(name, layers):
    """The forward pass has no other collectives."""
    params, batch = parameters_and_inputs(name)
    network, mesh = NETWORKS[name], grid("frames")
    forward = nn.logical_axis_rules(parallel.MeshRules(mesh))(
        lambda p, *xs: network.apply({"params": p}, *xs)
    )
    counts = collectives(jax.jit(forward).lower(*device_put(mesh, params, batch)).compile())
    assert {kind: len(sizes) for kind, sizes in counts.items()} == {"all-to-all": 2 * layers}


def test_the_save_policy_of_remat_does_not_change_collectives():
    """Each device has the gradients of its own batch elements: only parameters are sent."""
    mesh, block = grid("fsdp"), nn.ResBlock(16, resample=nn.Upsample((1, 2, 2)))
    h, emb = np.zeros((8, 2, S, S, 16), np.float32), np.zeros((8, 2, 16), np.float32)
    params = parameters(block.init, h, emb)["params"]
    shardings = parallel.shardings(params, mesh)

    def call(params, h, emb):
        return block.apply({"params": params}, h, emb)

    def loss(params, h, emb, save):
        return jnp.square(jax.checkpoint(call, policy=save.policy)(params, h, emb)).mean()

    sent = []
    for save in (nn.SaveNothing(), nn.SaveConvolutions()):
        gradient = nn.logical_axis_rules(parallel.MeshRules(mesh))(
            jax.grad(partial(loss, save=save))
        )
        step = jax.jit(gradient, out_shardings=shardings)
        compiled = step.lower(*device_put(mesh, params, (h, emb))).compile()
        sent.append(hlo.summarize(compiled.as_text() or "", dict(mesh.shape)).collective_bytes)
    assert sent[0] == sent[1]


def test_rows_of_pixels_are_sharded_where_frames_do_not_divide():
    """One video of 6 frames on 4 devices: convolutions exchange edges."""
    params, _ = parameters_and_inputs("super-resolution")
    network, mesh = NETWORKS["super-resolution"], grid("data")
    batch = inputs("super-resolution", b=1, f=6)

    def forward(params, *batch):
        return network.apply({"params": params}, *batch)

    sharded = nn.logical_axis_rules(parallel.MeshRules(mesh, parallel.ONE_VIDEO_RULES))(forward)
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    compiled = jax.jit(sharded).lower(*jax.device_put((params, *batch), replicated)).compile()
    assert_close(
        compiled(*jax.device_put((params, *batch), replicated)), jax.jit(forward)(params, *batch)
    )
    assert collectives(compiled)["collective-permute"]


@pytest.mark.parametrize("name", ["t5", "clip"])
def test_a_text_encoder_is_sharded_by_heads_and_wide_layers(name):
    """Two all-reduces per layer; all other collectives move kernels, fused ones in one shard."""
    (params, batch), mesh = parameters_and_inputs(name), grid("tensor")
    forward = nn.logical_axis_rules(parallel.MeshRules(mesh))(
        lambda params, *batch: NETWORKS[name].apply({"params": params}, *batch)
    )
    by_kind = collectives(jax.jit(forward).lower(*device_put(mesh, params, batch)).compile())
    kernels = {size for x in jax.tree.leaves(params) for size in (x.size, x.size // 2)}
    assert len(by_kind.pop("all-reduce")) == 2
    assert kernels.issuperset(size for sizes in by_kind.values() for size in sizes)


def test_samples_are_those_of_one_device():
    """On every mesh axis, alone and combined."""
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
        on = grid(mesh)
        samples = run(
            ShardedTask(task, parallel.MeshRules(on)), *device_put(on, params, (keys, cond))
        )
        assert_close(samples, expected, label=mesh)
