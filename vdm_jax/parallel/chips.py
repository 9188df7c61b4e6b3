"""Peak FLOP/s, memory and bandwidths of TPUs and GPUs, from the vendors' specifications.

TPUs: cloud.google.com/tpu/docs (v4, v5e, v5p, v6e, tpu7x), read November 2026. GPUs: NVIDIA's data
sheets of A100 80GB SXM, H100 SXM and H200 SXM, dense products without sparsity.
"""

import dataclasses

GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
    """One JAX device.

    kind: JAX's name, `device_kind`.
    flops: peak bfloat16 FLOP/s.
    memory: HBM, bytes.
    bandwidth: of HBM, bytes/s.
    link: bytes/s sent along one direction of the chip grid, both ways together (a GPU: to all
      others).
    clock: cycles/s, to convert the compiler's cycles; None where it counts none.
    devices: JAX devices per chip.
    """

    kind: str
    flops: float
    memory: int
    bandwidth: float
    link: float
    clock: float | None = None
    devices: int = 1


CHIPS = {
    "v4": Chip("TPU v4", 275e12, 32 * GIB, 1228e9, 100e9, clock=1.05e9),
    "v5e": Chip("TPU v5 lite", 197e12, 16 * GIB, 819e9, 100e9, clock=1.5e9),
    "v5p": Chip("TPU v5", 459e12, 95 * GIB, 2765e9, 200e9, clock=1.75e9),
    "v6e": Chip("TPU v6 lite", 918e12, 32 * GIB, 1638e9, 200e9, clock=1.75e9),
    "tpu7x": Chip("TPU7x", 1153.5e12, 96 * GIB, 3690e9, 100e9, clock=2.2e9, devices=2),
    "a100": Chip("NVIDIA A100-SXM4-80GB", 312e12, 80 * GIB, 2039e9, 300e9),
    "h100": Chip("NVIDIA H100 80GB HBM3", 989e12, 80 * GIB, 3350e9, 450e9),
    "h200": Chip("NVIDIA H200", 989e12, 140 * GIB, 4800e9, 450e9),
}
"""By name. A clock is the one at which the published matrix units give the published FLOP/s."""
