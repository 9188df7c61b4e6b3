"""Grids of chips as compilation targets; the chips need not be present."""

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

LIBTPU_WITHOUT_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5p-8",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""Environment variables with which libtpu neither looks for a TPU nor locks one."""


class Unavailable(RuntimeError):
    """No compiler for these chips is installed, or it does not support their grid."""


@dataclasses.dataclass(frozen=True)
class Topology:
    """A grid of chips of one kind, in the vendor's notation: `v5p:4x4x4`, `v5e:2x2`.

    GPUs: `h100:8` is one machine of 8, `h100:4x8` four of them.

    name: a key of `CHIPS`.
    grid: the chips along each side.
    """

    name: str
    grid: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Topology":
        """The topology that a text such as `v5p:4x4x4` names.

        Raises:
          ValueError: an unknown chip, or a grid that is not positive numbers joined by `x`.
        """
        name, _, grid = text.lower().partition(":")
        sides = grid.split("x")
        if name not in CHIPS or not all(side.isdigit() and int(side) for side in sides):
            raise ValueError(
                f"topology {text!r} is not CHIP:GRID, such as v5p:4x4x4, v5e:4x4 or h100:8; "
                f"the chips are {', '.join(CHIPS)}"
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
        """The number of JAX devices."""
        return self.chips * self.chip.devices

    def build(self, mesh: Mesh) -> jax.sharding.Mesh:
        """A mesh of these chips to compile for. This machine's own GPUs are used if they match.

        Raises:
          Unavailable: no compiler for these chips is installed, or it does not support the grid.
        """
        if self.chip.clock is None:
            return mesh.build(jax.devices() if self.available else self._gpus())
        return mesh.build(self._tpus())

    def shape(self, mesh: Mesh) -> dict[str, int]:
        """The length of each mesh axis, without a compiler."""
        placeholder = mesh.build([_PlaceholderDevice()] * self.devices)
        return dict(placeholder.shape)

    @property
    def compilers(self) -> tuple[str, ...]:
        """Packages that compile for these chips; any one suffices."""
        return ("libtpu",) if self.chip.clock else ("jax_cuda13_plugin", "jax_cuda12_plugin")

    @property
    def may_be_local(self) -> bool:
        """Whether this machine may have these chips: they are GPUs, and it has some."""
        return self.chip.clock is None and bool(glob.glob("/dev/nvidia[0-9]*"))

    @property
    def available(self) -> bool:
        """Whether these GPUs are the devices of this machine."""
        devices = jax.devices() if self.may_be_local else []
        return len(devices) == self.devices and devices[0].device_kind == self.chip.kind

    def _tpus(self) -> list[Any]:
        self._require_compiler("libtpu", "TPU", "'vdm_jax[tpu]' or pip install libtpu")
        if not glob.glob("/dev/accel*"):
            for name, value in LIBTPU_WITHOUT_TPU.items():
                os.environ.setdefault(name, value)
        options: dict[str, Any] = {}
        if self.name == "v4":  # both cores are one device, as on the chip itself
            options["chip_config_name"] = "megacore"
        if self.chips == 1:
            options["chips_per_host_bounds"] = (1,) * 3
        return self._compile_targets("tpu", str(self), options)

    def _gpus(self) -> list[Any]:
        self._require_compiler("JAX's CUDA plugin", "GPU", "'jax[cuda13]' or 'jax[cuda12]'")
        machines, each = (1, *self.grid)[-2:]
        options = {
            "target_config": gpus.target_config(self.name),
            "topology": f"1x{machines}x{each}",
        }
        return self._compile_targets("cuda", self.name, options)

    def _require_compiler(self, package: str, kind: str, install: str) -> None:
        if not any(importlib.util.find_spec(name) for name in self.compilers):
            raise Unavailable(
                f"compiling for {self} needs {package} but no {kind}: pip install {install}"
            )

    def _compile_targets(self, platform: str, name: str, options: dict[str, Any]) -> list[Any]:
        try:
            return topologies.get_topology_desc(name, platform=platform, **options).devices
        except jax.errors.JaxRuntimeError as error:
            raise Unavailable(
                f"the {platform} compiler does not support {self}: {error}"
            ) from error


def spans(mesh: jax.sharding.Mesh, axes: tuple[str, ...]) -> int:
    """The number of directions of the chip grid that these mesh axes span; at least one."""
    if not hasattr(mesh.devices.flat[0], "coords"):
        return 1
    lengths = [mesh.shape[a] if a in axes else 1 for a in mesh.axis_names]
    block = mesh.devices[tuple(slice(n) for n in lengths)]
    coords = np.array([device.coords for device in block.flat])
    return max(1, int((np.ptp(coords, axis=0) > 0).sum()))


class _PlaceholderDevice:
    """Stands for a device where only the number of devices matters."""

    platform = "none"
