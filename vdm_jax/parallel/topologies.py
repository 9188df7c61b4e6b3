"""Grids of chips that are not there, for which programs can be compiled all the same."""

import dataclasses
import glob
import importlib.util
import math
import os
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies

from vdm_jax.parallel import gpus
from vdm_jax.parallel.chips import CHIPS, Chip
from vdm_jax.parallel.mesh import Mesh

ELSEWHERE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5p-8",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""What libtpu is told where there is no TPU: not to look for one, and to leave others alone."""


class Unavailable(RuntimeError):
    """There is no compiler here for these chips."""


@dataclasses.dataclass(frozen=True)
class Topology:
    """Chips of one kind in a grid, written as its vendor does: `v5p:4x4x4`, `v5e:2x2`.

    GPUs are those of one machine, `h100:8`, or of several, `h100:4x8`.
    """

    name: str
    grid: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Topology":
        """The topology of a text.

        Raises:
          ValueError: no such chip, or a grid that is none.
        """
        name, _, grid = text.lower().partition(":")
        sides = grid.split("x")
        if name not in CHIPS or not all(side.isdigit() and int(side) for side in sides):
            raise ValueError(
                f"topology {text!r}: a chip and a grid are wanted, such as v5p:4x4x4, v5e:4x4 or "
                f"h100:8; the chips are {', '.join(CHIPS)}"
            )
        return cls(name, tuple(map(int, sides)))

    def __str__(self) -> str:
        return f"{self.name}:{'x'.join(map(str, self.grid))}"

    @property
    def chip(self) -> Chip:
        return CHIPS[self.name]

    @property
    def chips(self) -> int:
        return math.prod(self.grid)

    @property
    def devices(self) -> int:
        """How many devices JAX sees."""
        return self.chips * self.chip.devices

    def build(self, mesh: Mesh) -> jax.sharding.Mesh:
        """A mesh of these chips, to compile for. Of GPUs, those of this machine if they are these.

        Raises:
          Unavailable: no compiler for such chips, or a grid that it does not know.
        """
        if self.chip.clock is None:
            return mesh.build(jax.devices() if self.at_hand else self._gpus())
        return mesh.build(self._tpus())

    def shape(self, mesh: Mesh) -> dict[str, int]:
        """The length of each axis of the mesh; no compiler is needed for it."""
        blank = mesh.build([_Nowhere()] * self.devices)
        return dict(blank.shape)

    @property
    def compilers(self) -> tuple[str, ...]:
        """The packages of which one compiles for these chips."""
        return ("libtpu",) if self.chip.clock else ("jax_cuda13_plugin", "jax_cuda12_plugin")

    @property
    def sought(self) -> bool:
        """Whether chips of this machine may be these: GPUs where there are any."""
        return self.chip.clock is None and bool(glob.glob("/dev/nvidia[0-9]*"))

    @property
    def at_hand(self) -> bool:
        """Whether these are the devices of this machine."""
        devices = jax.devices() if self.sought else []
        return len(devices) == self.devices and devices[0].device_kind == self.chip.kind

    def _tpus(self) -> list[Any]:
        self._needs("the package libtpu is", "'vdm_jax[tpu]', or pip install libtpu; no TPU is")
        if not glob.glob("/dev/accel*"):
            for name, value in ELSEWHERE.items():
                os.environ.setdefault(name, value)
        more: dict[str, Any] = {}
        if self.name == "v4":  # both cores as one device, as they are where they run
            more["chip_config_name"] = "megacore"
        if self.chips == 1:
            more["chips_per_host_bounds"] = (1,) * 3
        return self._described("tpu", str(self), more)

    def _gpus(self) -> list[Any]:
        self._needs("JAX's packages for CUDA are", "'jax[cuda13]', or 'jax[cuda12]'; no GPU is")
        machines, each = (1, *self.grid)[-2:]
        more = {"target_config": gpus.target(self.name), "topology": f"1x{machines}x{each}"}
        return self._described("cuda", self.name, more)

    def _needs(self, packages: str, install: str) -> None:
        if not any(importlib.util.find_spec(name) for name in self.compilers):
            raise Unavailable(f"to compile for {self} {packages} needed: pip install {install}")

    def _described(self, platform: str, name: str, more: dict[str, Any]) -> list[Any]:
        try:
            return topologies.get_topology_desc(name, platform=platform, **more).devices
        except jax.errors.JaxRuntimeError as error:
            raise Unavailable(f"{platform} has no {self} to compile for: {error}") from error


def spans(mesh: jax.sharding.Mesh, axes: tuple[str, ...]) -> int:
    """Along how many directions of the grid of chips these axes of a mesh go; at least one."""
    if not hasattr(mesh.devices.flat[0], "coords"):
        return 1
    lengths = [mesh.shape[a] if a in axes else 1 for a in mesh.axis_names]
    block = mesh.devices[tuple(slice(n) for n in lengths)]
    coords = np.array([device.coords for device in block.flat])
    return max(1, int((np.ptp(coords, axis=0) > 0).sum()))


class _Nowhere:
    """A device to count."""

    platform = "none"
