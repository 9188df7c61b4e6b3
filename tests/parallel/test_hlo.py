"""Collective bytes and cycles of compiled programs, against known programs."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax import parallel
from vdm_jax.parallel import hlo

pytestmark = pytest.mark.usefixtures("eight_devices")

ARRAY_BYTES = 1024 * 4  # of 1,024 floats


def mesh(**axes) -> jax.sharding.Mesh:
    return parallel.Mesh(**axes).build()


def collective_bytes(body, grid, trips=1):
    """Bytes that a device sends, by mesh axes, in a loop of `body` under `shard_map`."""

    def program(x):
        return jax.lax.fori_loop(0, trips, lambda _, y: body(y), x)

    mapped = jax.shard_map(
        program, mesh=grid, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False
    )
    x = jax.ShapeDtypeStruct((1024,), jnp.float32, sharding=NamedSharding(grid, PartitionSpec()))
    compiled = jax.jit(mapped).lower(x).compile()
    return hlo.summarize(compiled.as_text() or "", dict(grid.shape)).collective_bytes


def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather():
    """In a ring of n, a device sends (n - 1) / n of the bytes in each."""
    grid = mesh(data=2, fsdp=4)
    assert collective_bytes(lambda x: jax.lax.psum(x, "fsdp"), grid) == {
        "fsdp": 2 * ARRAY_BYTES * 3 / 4
    }
    assert collective_bytes(lambda x: jax.lax.psum(x, "data"), grid) == {
        "data": 2 * ARRAY_BYTES / 2
    }


def test_an_all_reduce_over_two_axes_has_both_names():
    both = collective_bytes(lambda x: jax.lax.psum(x, ("data", "fsdp")), mesh(data=2, fsdp=4))
    assert both == {"data+fsdp": 2 * ARRAY_BYTES * 7 / 8}


def test_an_all_gather_sends_n_minus_1_shards():
    grid = mesh(data=2, tensor=4)

    def gather(x):
        return jax.lax.all_gather(x, "tensor").sum(axis=0)

    assert collective_bytes(gather, grid) == {"tensor": 4 * ARRAY_BYTES * 3 / 4}


def test_a_collective_permute_sends_the_whole_array():
    grid = mesh(data=2, frames=4)
    pairs = [(i, (i + 1) % 4) for i in range(4)]
    assert collective_bytes(lambda x: jax.lax.ppermute(x, "frames", pairs), grid) == {
        "frames": ARRAY_BYTES
    }


def test_collectives_in_a_loop_count_once_per_trip():
    grid = mesh(data=2, fsdp=4)
    once = collective_bytes(lambda x: jax.lax.psum(x, "fsdp"), grid)["fsdp"]
    assert collective_bytes(lambda x: jax.lax.psum(x, "fsdp"), grid, trips=5)["fsdp"] == 5 * once


@pytest.mark.parametrize(
    "groups, axes",
    [
        ("mesh['axis_0'=2,'axis_1'=4] {'axis_1'}", "fsdp"),
        ("mesh['axis_0'=2,'axis_1'=4] {'axis_0'}", "data"),
        ("mesh['axis_0'=8] {'axis_0':(2)4}", "fsdp"),
        ("mesh['axis_0'=8] {'axis_0':(1)2}", "data"),
        ("{{0,1,2,3},{4,5,6,7}}", "fsdp"),
        ("[2,4]<=[8]", "fsdp"),
        ("[4,2]<=[2,4]T(1,0)", "data"),
        ("{}", "data+fsdp"),
    ],
)
def test_all_notations_of_replica_groups_are_parsed(groups, axes):
    text = f"""HloModule m

ENTRY %main (p: f32[8]) -> f32[8] {{
  %p = f32[8]{{0}} parameter(0)
  ROOT %r = f32[8]{{0}} all-reduce(%p), channel_id=1, replica_groups={groups}, to_apply=%add
}}
"""
    assert list(hlo.summarize(text, {"data": 2, "fsdp": 4}).collective_bytes) == [axes]


def test_cycles_are_summed_and_an_all_reduce_then_slice_is_a_reduce_scatter():
    text = """HloModule m

%all-reduce-scatter.1 (q: f32[8]) -> f32[2] {
  %q = f32[8]{0} parameter(0)
  %r = f32[8]{0} all-reduce(%q), channel_id=1, replica_groups={{0,1,2,3}}, to_apply=%add
  ROOT %s = f32[2]{0} dynamic-slice(%r, %i), dynamic_slice_sizes={2}
}

%body (b: f32[8]) -> f32[8] {
  ROOT %f = f32[8]{0} fusion(%b), kind=kLoop, calls=%x, backend_config={"estimated_cycles":"10"}
}

ENTRY %main (p: f32[8]) -> f32[2] {
  %w = f32[8]{0} while(%p), condition=%c, body=%body, backend_config={"known_trip_count":{"n":"3"}}
  %g = f32[8]{0} fusion(%w), kind=kLoop, calls=%y, backend_config={"estimated_cycles":"7"}
  ROOT %h = f32[2]{0} fusion(%g), kind=kCustom, calls=%all-reduce-scatter.1
}
"""
    summary = hlo.summarize(text, {"fsdp": 4})
    assert summary.cycles == 3 * 10 + 7
    assert summary.collective_bytes == {"fsdp": 8 * 4 * 3 / 4}
