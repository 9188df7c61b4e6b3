"""Topologies: notation, meshes without a compiler, and messages where it is missing."""

import importlib.util

import pytest

from vdm_jax import parallel
from vdm_jax.parallel.topologies import Topology, Unavailable


def test_topologies_are_parsed_and_errors_list_the_chips():
    topology = Topology.parse("v5p:4x4x8")
    assert (topology.chips, topology.devices, str(topology)) == (128, 128, "v5p:4x4x8")
    assert Topology.parse("tpu7x:2x2x1").devices == 8  # two per chip
    for wrong in ("v5p", "v5q:2x2", "v5p:2xx1", "v5p:0x1x1"):
        with pytest.raises(ValueError, match="v5e"):
            Topology.parse(wrong)


def test_the_mesh_of_a_topology_needs_no_compiler():
    shape = Topology.parse("v5p:4x4x4").shape(parallel.Mesh(fsdp=16))
    assert (shape["data"], shape["fsdp"]) == (4, 16)
    with pytest.raises(ValueError, match="64 devices"):
        Topology.parse("v5p:4x4x4").shape(parallel.Mesh(data=3))


def test_the_error_without_a_compiler_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"needs libtpu.*pip install"):
        Topology.parse("v5e:2x2").build(parallel.Mesh())
    with pytest.raises(Unavailable, match=r"needs JAX's CUDA plugin.*pip install"):
        Topology.parse("h100:8").build(parallel.Mesh())
