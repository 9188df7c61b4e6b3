"""Compiled estimates of single layers: compile time, step time and MFU.

    python tests/benchmarks/compiled_layers.py --topology v5p:2x2x1 ResBlock TemporalAttention

Each layer runs forwards and backwards in bfloat16, rematerialized as by `nn.RematLayer()`, on clips
of 16 frames of 12x20 pixels, 8 a chip: the second level of Imagen Video's base model. This needs no
TPU and measures nothing but the compiler.
"""

import argparse

import jax
import jax.numpy as jnp

from vdm_jax import models, nn, parallel

CLIP, BATCH = (16, 12, 20), 8
LAYERS = {
    "ResBlock": nn.ResBlock(1536),
    "SpatialAttention": nn.SpatialAttention(128),
    "TextAttention": nn.TextAttention(128),
    "TemporalAttention": nn.TemporalAttention(128, nn.RelativePositions(reach=15)),
    "TemporalConvolution": nn.TemporalConvolution(),
}


def gradient(layer):
    """(parameters, h, emb, cond) -> gradients with respect to the first two."""

    def call(params, h, emb, cond):
        rest = () if isinstance(layer, nn.ResBlock) else (cond,)
        return layer.apply({"params": params}, h, emb, *rest)

    def loss(*arguments):
        return jnp.square(jax.checkpoint(call)(*arguments).astype(jnp.float32)).mean()

    return jax.grad(loss, argnums=(0, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layers", nargs="*", default=list(LAYERS), metavar="LAYER")
    parser.add_argument("--topology", type=parallel.Topology.parse, default="v5p:2x2x1")
    parser.add_argument("--channels", type=int, default=1536)
    args = parser.parse_args()
    mesh = args.topology.build(parallel.Mesh(data=1, fsdp=args.topology.devices))
    batch, half = BATCH * mesh.size, jnp.bfloat16
    shardings = (parallel.batch_sharding(mesh), jax.sharding.NamedSharding(mesh, jax.P()))
    print(f"{'layer':<22}{'compile':>12}{'step':>12}{'MFU':>8}{'with remat':>14}")
    for name in args.layers:
        layer = LAYERS[name]
        if name == "ResBlock":
            layer = layer.clone(channels=args.channels)
        h = jax.ShapeDtypeStruct((batch, *CLIP, args.channels), half, sharding=shardings[0])
        emb = jax.ShapeDtypeStruct((batch, CLIP[0], 1024), half, sharding=shardings[0])
        text = jax.ShapeDtypeStruct((batch, 128, 1024), half, sharding=shardings[0])
        inputs = (h, emb, models.Conditioning(text=text))
        init = inputs[:2] if name == "ResBlock" else inputs
        params = jax.eval_shape(layer.init, jax.random.key(0), *init)["params"]
        params = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, half, sharding=shardings[1]), params
        )
        step = jax.jit(nn.logical_axis_rules(parallel.MeshRules(mesh))(gradient(layer)))
        cost = parallel.estimate(step, (params, *inputs), mesh, args.topology.chip)
        print(
            f"{name:<22}{cost.compile_cpu_seconds:>8.1f} CPUs{1e3 * cost.step_seconds:>9.2f} ms"
            f"{cost.mfu:>8.1%}{cost.hardware_utilisation:>14.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
