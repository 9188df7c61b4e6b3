import jax
import jax.numpy as jnp
import numpy as np

from vdm_jax.models import Conditioning

B, N, L = 2, 3, 4
mask = jnp.arange(L)[None, None] < jnp.array([[4, 2, 0], [1, 3, 4]])[..., None]
packed = Conditioning(
    label=jnp.arange(B * N).reshape(B, N),
    tokens=jnp.ones((B, N, L), int),
    text_mask=mask,
    segments=jnp.array([[0, 0, 1, 2]] * B),
)


def equal(one: Conditioning, other: Conditioning) -> bool:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    return all(
        bool((a == b).all()) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True)
    )


def test_where_keeps_or_drops_all_conditions_of_a_clip():
    clips = jnp.array([[True, False, True], [False, True, False]])
    partial = packed.where(clips)
    np.testing.assert_array_equal(partial.label, [[0, -1, 2], [-1, 4, -1]])
    np.testing.assert_array_equal(partial.text_mask[clips], mask[clips])
    assert not partial.text_mask[~clips].any()
    np.testing.assert_array_equal(partial.segments, packed.segments)
    assert equal(packed.where(jnp.ones((B, N), bool)), packed)


def test_null_drops_all_but_segments():
    assert equal(packed.null(), packed.where(jnp.zeros((B, N), bool)))
    assert equal(packed.null().null(), packed.null())
    assert equal(Conditioning().null(), Conditioning())


def test_dropping_at_rates_0_and_1():
    key = jax.random.key(0)
    assert equal(packed.drop(key, 0.0), packed)
    assert equal(packed.drop(key, 1.0), packed.null())
    assert equal(Conditioning().drop(key, 0.5), Conditioning())


def test_conditions_of_a_clip_are_dropped_together_at_the_rate():
    many = Conditioning(label=jnp.zeros(10_000, int), text_mask=jnp.ones((10_000, 2), bool))
    dropped = many.drop(jax.random.key(0), 0.1)
    np.testing.assert_array_equal(dropped.label == -1, ~dropped.text_mask.any(axis=1))
    rate, deviation = float((dropped.label == -1).mean()), (0.1 * 0.9 / 10_000) ** 0.5
    assert abs(rate - 0.1) < 4 * deviation


def test_of_ignores_arrays_that_are_no_conditions():
    batch = {"video": np.zeros((2, 1, 4, 4, 3), np.uint8), "label": jnp.array([1, 2])}
    assert equal(Conditioning.of(batch), Conditioning(label=jnp.array([1, 2])))
