"""Compiled estimates of known programs for TPUs that are not present."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax import parallel
from vdm_jax.parallel.estimates import estimate, parse_overflow
from vdm_jax.parallel.topologies import Topology, spans


def test_bytes_are_parsed_from_out_of_memory_messages():
    chip = Topology.parse("v5e:2x2").chip
    for message in (
        "Ran out of memory in memory space hbm. Used 20.5G of 15.75G hbm. Exceeded hbm capacity",
        "memory required for HLO temporaries (20.5G) exceeds available HBM (15.75G). HLO module",
    ):
        assert parse_overflow(message, chip) == (20.5 * 2**30, 15.75 * 2**30)
    with pytest.raises(RuntimeError, match="another"):
        parse_overflow("another error", chip)


@pytest.mark.usefixtures("libtpu")
class TestTPU:
    """Needs libtpu and no TPU."""

    def product(self, rows):
        topology = Topology.parse("v5e:2x2")
        grid = topology.build(parallel.Mesh(data=2, fsdp=2))
        over_fsdp = NamedSharding(grid, PartitionSpec("fsdp"))
        over_data = NamedSharding(grid, PartitionSpec("data"))
        x = jax.ShapeDtypeStruct((rows, 4096), jnp.bfloat16, sharding=over_data)
        w = jax.ShapeDtypeStruct((4096, 4096), jnp.bfloat16, sharding=over_fsdp)

        def multiply(x, w):
            w = jax.lax.with_sharding_constraint(w, NamedSharding(grid, PartitionSpec()))
            return jax.lax.with_sharding_constraint(x @ w, over_data)

        return grid, estimate(jax.jit(multiply), (x, w), grid, topology.chip)

    def test_a_matrix_product(self):
        grid, result = self.product(8192)
        assert result.fits
        # Rows are replicated along fsdp: the mesh computes each one twice.
        assert result.flops == 2 * 8192 * 4096 * 4096
        assert result.compiler_flops == pytest.approx(result.flops / 2, rel=0.01)
        assert result.argument_bytes == 2 * (8192 * 4096 / 2 + 4096 * 4096 / 2)
        assert result.collective_bytes == {"fsdp": 2 * 4096 * 4096 / 2}
        assert result.compiler_seconds == pytest.approx(result.flops / 2 / 197e12, rel=0.5)
        assert result.mfu is not None and 0.2 < result.mfu <= 0.51
        assert spans(grid, ("fsdp",)) == 1
        assert spans(grid, ("data", "fsdp")) == 2

    def test_the_time_of_a_loop_is_proportional_to_its_trips(self):
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

        result = estimate(jax.jit(products), (x, w), grid, topology.chip)
        once = estimate(jax.jit(lambda x, w: jnp.sin(x @ w[0])), (x, w), grid, topology.chip)
        assert result.unknown_loops == 0 and result.flops == 8 * once.flops
        assert once.compiler_seconds is not None
        assert result.compiler_seconds == pytest.approx(8 * once.compiler_seconds, rel=0.3)

    def test_a_program_that_does_not_fit_has_the_bytes_it_lacks(self):
        _, result = self.product(8 * 2**20)
        assert not result.fits
        assert result.hbm_bytes > 2 * 2 * 8 * 2**20 * 4096 / 2
        assert result.hbm_spare_bytes == result.hbm_limit_bytes - result.hbm_bytes
        assert result.hbm_spare_bytes < 0
