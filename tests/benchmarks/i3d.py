"""Speed of I3D features beside PyTorch's, on this machine's CPU.

    python tests/benchmarks/i3d.py [--clips 4] [--batch 1 2] [--repeats 3]

Both networks have the same random weights and take the same clips of 16x224x224, alternately, with
as many threads as cores. Times are minima; the ratio is PyTorch's time over ours.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1] / "parity"))
import torch_i3d

from vdm_jax import models, parallel
from vdm_jax.checkpoints import layouts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument(
        "--batch", type=int, nargs="+", default=[1, 2], help="batch sizes, for both networks"
    )
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    theirs = torch_i3d.I3D(epsilon=1e-5).eval()
    state = {n: t.numpy() for n, t in theirs.state_dict().items() if "tracked" not in n}
    network = models.I3D.ported()
    shape = jax.ShapeDtypeStruct((1, 16, 224, 224, 3), jnp.float32)
    like = jax.eval_shape(network.init, jax.random.key(0), shape)["params"]
    variables = {"params": jax.device_put(layouts.I3D_PIERGIAJ.to_params(state, like))}
    run = parallel.Jit(network.apply)
    video = np.random.default_rng(0).uniform(-1, 1, (args.clips, *shape.shape[1:]))
    video = video.astype(np.float32)
    foreign = torch.tensor(video).permute(0, 4, 1, 2, 3).contiguous()

    def ours_of(batch: int) -> np.ndarray:
        parts = [video[i : i + batch] for i in range(0, args.clips, batch)]
        return np.concatenate([run(variables, part) for part in parts])

    def theirs_of(batch: int) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([theirs(part) for part in foreign.split(batch)]).numpy()

    seconds: dict[str, float] = {}
    for batch in args.batch:
        ways = {f"vdm_jax {batch}": ours_of, f"torch {batch}": theirs_of}
        outputs = [way(batch) for way in ways.values()]  # compiles, warms up
        np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4 * np.abs(outputs[1]).max())
        for _ in range(args.repeats):
            for name, way in ways.items():
                began = time.perf_counter()
                way(batch)
                took = (time.perf_counter() - began) / args.clips
                seconds[name] = min(took, seconds.get(name, took))
    ours, other = (min(s for n, s in seconds.items() if n.startswith(k)) for k in ("vdm", "torch"))
    rounded = {name: round(s, 3) for name, s in seconds.items()}
    print(json.dumps({"cores": cores, "seconds_per_clip": rounded, "ratio": round(other / ours, 2),
                      "clips_per_second": round(1 / ours, 2)}, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()
