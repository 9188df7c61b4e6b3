"""What is read from compiled programs, and counted in written ones, against known programs."""

import importlib.util

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax import parallel
from vdm_jax.parallel import hlo
from vdm_jax.parallel.estimates import estimate, overflow
from vdm_jax.parallel.flops import count_flops
from vdm_jax.parallel.topologies import Topology, Unavailable, spans

pytestmark = pytest.mark.usefixtures("eight_devices")

NUMBERS = 1024 * 4  # bytes of 1,024 floats


def mesh(**axes) -> jax.sharding.Mesh:
    return parallel.Mesh(**axes).build()


def sent(body, grid, turns=1):
    """What devices send in a program of every device for itself."""

    def program(x):
        return jax.lax.fori_loop(0, turns, lambda _, y: body(y), x)

    mapped = jax.shard_map(
        program, mesh=grid, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False
    )
    x = jax.ShapeDtypeStruct((1024,), jnp.float32, sharding=NamedSharding(grid, PartitionSpec()))
    compiled = jax.jit(mapped).lower(x).compile()
    return hlo.summarize(compiled.as_text() or "", dict(grid.shape)).sent


def test_a_sum_over_one_axis_sends_two_shares_along_it():
    """A ring of n sends 2 (n - 1) / n of the bytes: n - 1 parts to add up, n - 1 to tell."""
    grid = mesh(data=2, fsdp=4)
    assert sent(lambda x: jax.lax.psum(x, "fsdp"), grid) == {"fsdp": 2 * NUMBERS * 3 / 4}
    assert sent(lambda x: jax.lax.psum(x, "data"), grid) == {"data": 2 * NUMBERS / 2}


def test_axes_that_are_summed_together_are_named_together():
    both = sent(lambda x: jax.lax.psum(x, ("data", "fsdp")), mesh(data=2, fsdp=4))
    assert both == {"data+fsdp": 2 * NUMBERS * 7 / 8}


def test_a_gather_sends_all_parts_but_one():
    grid = mesh(data=2, tensor=4)

    def gather(x):
        return jax.lax.all_gather(x, "tensor").sum(axis=0)

    assert sent(gather, grid) == {"tensor": 4 * NUMBERS * 3 / 4}


def test_a_shift_sends_everything_to_one_neighbour():
    grid = mesh(data=2, frames=4)
    pairs = [(i, (i + 1) % 4) for i in range(4)]
    assert sent(lambda x: jax.lax.ppermute(x, "frames", pairs), grid) == {"frames": NUMBERS}


def test_what_is_sent_in_a_loop_is_sent_as_often_as_it_turns():
    grid = mesh(data=2, fsdp=4)
    once = sent(lambda x: jax.lax.psum(x, "fsdp"), grid)["fsdp"]
    assert sent(lambda x: jax.lax.psum(x, "fsdp"), grid, turns=5)["fsdp"] == 5 * once


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
def test_groups_are_read_in_each_of_the_ways_that_they_are_written(groups, axes):
    text = f"""HloModule m

ENTRY %main (p: f32[8]) -> f32[8] {{
  %p = f32[8]{{0}} parameter(0)
  ROOT %r = f32[8]{{0}} all-reduce(%p), channel_id=1, replica_groups={groups}, to_apply=%add
}}
"""
    assert list(hlo.summarize(text, {"data": 2, "fsdp": 4}).sent) == [axes]


def test_cycles_are_added_up_and_a_sum_that_is_cut_afterwards_is_half_of_one():
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
    found = hlo.summarize(text, {"fsdp": 4})
    assert found.cycles == 3 * 10 + 7
    assert found.sent == {"fsdp": 8 * 4 * 3 / 4}


def test_operations_are_two_for_each_product_as_often_as_loops_turn():
    a, b = jnp.zeros((3, 5)), jnp.zeros((5, 5))

    def product(x, w):
        return jax.lax.scan(lambda y, _: (y @ w, None), x, length=7)[0]

    assert count_flops(jax.make_jaxpr(product)(a, b)).all == 7 * 2 * 3 * 5 * 5


@pytest.mark.parametrize("stride, size", [(1, 8), (2, 4)])
def test_a_convolution_and_both_of_its_gradients_have_equal_operations(stride, size):
    def convolved(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    x, kernel = jnp.zeros((2, 8, 8, 3)), jnp.zeros((3, 3, 3, 6))
    # Of three places of the kernel, one meets the padding at each end; at every second, at one.
    meets = {1: 3 * size - 2, 2: 3 * size - 1}[stride]
    once = 2 * 2 * 6 * 3 * meets**2
    assert count_flops(jax.make_jaxpr(convolved)(x, kernel)).all == once
    gradients = jax.grad(lambda *a: (convolved(*a) ** 2).sum(), (0, 1))
    assert count_flops(jax.make_jaxpr(gradients)(x, kernel)).all == 3 * once


def test_what_remat_computes_again_is_told_apart():
    w = jnp.zeros((4, 4))

    def layers(w, x):
        return jnp.sin(jnp.sin(x @ w) @ w).sum()

    def counted(f):
        return count_flops(jax.make_jaxpr(jax.value_and_grad(f))(w, jnp.zeros((2, 4))))

    plain, again = counted(layers), counted(jax.checkpoint(layers))
    assert plain.rematerialized == 0
    assert again.rematerialized > 0
    assert again.needed == plain.all


def test_steps_of_a_program_that_give_nothing_have_no_operations():
    def said(x):
        jax.debug.print("{}", x)
        return jax.lax.scan(lambda y, _: (y @ y, None), x, length=2)[0]

    assert count_flops(jax.make_jaxpr(said)(jnp.zeros((3, 3)))).all == 2 * 2 * 27


def test_a_topology_is_read_and_written_and_errors_name_the_chips():
    topology = Topology.parse("v5p:4x4x8")
    assert (topology.chips, topology.devices, str(topology)) == (128, 128, "v5p:4x4x8")
    assert Topology.parse("tpu7x:2x2x1").devices == 8  # two a chip
    for wrong in ("v5p", "v5q:2x2", "v5p:2xx1", "v5p:0x1x1"):
        with pytest.raises(ValueError, match="v5e"):
            Topology.parse(wrong)


def test_the_mesh_of_a_topology_needs_no_compiler():
    shape = Topology.parse("v5p:4x4x4").shape(parallel.Mesh(fsdp=16))
    assert (shape["data"], shape["fsdp"]) == (4, 16)
    with pytest.raises(ValueError, match="64 devices"):
        Topology.parse("v5p:4x4x4").shape(parallel.Mesh(data=3))


def test_without_a_compiler_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="pip install"):
        Topology.parse("v5e:2x2").build(parallel.Mesh())
    with pytest.raises(Unavailable, match="CUDA are needed"):
        Topology.parse("h100:8").build(parallel.Mesh())


def test_a_compilers_refusal_says_how_much_is_lacking():
    chip = Topology.parse("v5e:2x2").chip
    for message in (
        "Ran out of memory in memory space hbm. Used 20.5G of 15.75G hbm. Exceeded hbm capacity",
        "memory required for HLO temporaries (20.5G) exceeds available HBM (15.75G). HLO module",
    ):
        assert overflow(message, chip) == (20.5 * 2**30, 15.75 * 2**30)
    with pytest.raises(RuntimeError, match="another"):
        overflow("another error", chip)


@pytest.mark.usefixtures("libtpu")
class TestTPU:
    """Programs compiled for TPUs that are not there."""

    def product(self, rows):
        topology = Topology.parse("v5e:2x2")
        grid = topology.build(parallel.Mesh(data=2, fsdp=2))
        kept = NamedSharding(grid, PartitionSpec("fsdp"))
        spread = NamedSharding(grid, PartitionSpec("data"))
        x = jax.ShapeDtypeStruct((rows, 4096), jnp.bfloat16, sharding=spread)
        w = jax.ShapeDtypeStruct((4096, 4096), jnp.bfloat16, sharding=kept)

        def multiply(x, w):
            w = jax.lax.with_sharding_constraint(w, NamedSharding(grid, PartitionSpec()))
            return jax.lax.with_sharding_constraint(x @ w, spread)

        return grid, estimate(jax.jit(multiply), (x, w), grid, topology.chip)

    def test_a_product_is_planned(self):
        grid, plan = self.product(8192)
        assert plan.fits
        # Rows are the same along fsdp: every one is computed twice over the mesh.
        assert plan.flops == 2 * 8192 * 4096 * 4096
        assert plan.compiler_flops == pytest.approx(plan.flops / 2, rel=0.01)
        assert plan.argument_bytes == 2 * (8192 * 4096 / 2 + 4096 * 4096 / 2)
        assert plan.collective_bytes == {"fsdp": 2 * 4096 * 4096 / 2}
        assert plan.compiler_seconds == pytest.approx(plan.flops / 2 / 197e12, rel=0.5)
        assert plan.mfu is not None and 0.2 < plan.mfu <= 0.51
        assert spans(grid, ("fsdp",)) == 1
        assert spans(grid, ("data", "fsdp")) == 2

    def test_a_loop_takes_as_often_as_it_turns(self):
        topology = Topology.parse("v5e:2x2")
        grid = topology.build(parallel.Mesh())
        x, w = (
            jax.ShapeDtypeStruct(shape, jnp.bfloat16, sharding=NamedSharding(grid, spec))
            for shape, spec in (
                ((4096, 1024), PartitionSpec("data")),
                ((8, 1024, 1024), PartitionSpec()),
            )
        )

        def products(x, w):
            return jax.lax.scan(lambda y, kernel: (jnp.sin(y @ kernel), None), x, w)[0]

        plan = estimate(jax.jit(products), (x, w), grid, topology.chip)
        once = estimate(jax.jit(lambda x, w: jnp.sin(x @ w[0])), (x, w), grid, topology.chip)
        assert plan.unknown_loops == 0 and plan.flops == 8 * once.flops
        assert once.compiler_seconds is not None
        assert plan.compiler_seconds == pytest.approx(8 * once.compiler_seconds, rel=0.3)

    def test_what_does_not_fit_is_said_by_how_much(self):
        _, plan = self.product(8 * 2**20)
        assert not plan.fits
        assert plan.hbm_bytes > 2 * 2 * 8 * 2**20 * 4096 / 2
        assert plan.hbm_spare_bytes == plan.hbm_limit_bytes - plan.hbm_bytes
        assert plan.hbm_spare_bytes < 0
