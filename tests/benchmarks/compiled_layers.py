"""Compiled estimates of single layers: how long they take to compile, and how far from the peak.

    python tests/benchmarks/compiled_layers.py --topology v5p:2x2x1 ResBlock TemporalAttention

Each runs forwards and backwards in bfloat16, computed again as `nn.RematLayer()` does, on clips of
16 frames of 12x20 pixels, 8 on each chip: the second level of Imagen Video's base model. Nothing
runs on a TPU, none is needed, and nothing is measured but the compiler.
"""

import argparse

import jax
import jax.numpy as jnp

from vdm_jax import models, nn, parallel

CLIP, ROWS = (16, 12, 20), 8
LAYERS = {
    "ResBlock": nn.ResBlock(1536),
    "SpatialAttention": nn.SpatialAttention(128),
    "TextAttention": nn.TextAttention(128),
    "TemporalAttention": nn.TemporalAttention(128, nn.RelativePositions(reach=15)),
    "TemporalConvolution": nn.TemporalConvolution(),
}


def gradient(layer):
    """(parameters, h, emb, cond) -> the gradients of the first two."""

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
    rows, half = ROWS * mesh.size, jnp.bfloat16
    places = (parallel.batch_sharding(mesh), jax.sharding.NamedSharding(mesh, jax.P()))
    print(f"{'layer':<22}{'compiling':>12}{'a step':>12}{'MFU':>8}{'with repeats':>14}")
    for name in args.layers:
        layer = LAYERS[name]
        if name == "ResBlock":
            layer = layer.clone(channels=args.channels)
        h = jax.ShapeDtypeStruct((rows, *CLIP, args.channels), half, sharding=places[0])
        emb = jax.ShapeDtypeStruct((rows, CLIP[0], 1024), half, sharding=places[0])
        text = jax.ShapeDtypeStruct((rows, 128, 1024), half, sharding=places[0])
        inputs = (h, emb, models.Conditioning(text=text))
        init = inputs[:2] if name == "ResBlock" else inputs
        params = jax.eval_shape(layer.init, jax.random.key(0), *init)["params"]
        params = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, half, sharding=places[1]), params
        )
        step = jax.jit(nn.logical_axis_rules(parallel.MeshRules(mesh))(gradient(layer)))
        found = parallel.estimate(step, (params, *inputs), mesh, args.topology.chip)
        print(
            f"{name:<22}{found.compile_cpu_seconds:>8.1f} CPUs{1e3 * found.step_seconds:>9.2f} ms"
            f"{found.mfu:>8.1%}{found.hardware_utilisation:>14.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
