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


def same(one: Conditioning, other: Conditioning) -> bool:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    return all(
        bool((a == b).all()) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True)
    )


def test_what_is_kept_is_whole_and_what_is_not_is_gone():
    kept = jnp.array([[True, False, True], [False, True, False]])
    some = packed.keep(kept)
    np.testing.assert_array_equal(some.label, [[0, -1, 2], [-1, 4, -1]])
    np.testing.assert_array_equal(some.text_mask[kept], mask[kept])
    assert not some.text_mask[~kept].any()
    np.testing.assert_array_equal(some.segments, packed.segments)
    assert same(packed.keep(jnp.ones((B, N), bool)), packed)


def test_null_keeps_nothing_but_the_frames():
    assert same(packed.null(), packed.keep(jnp.zeros((B, N), bool)))
    assert same(packed.null().null(), packed.null())
    assert same(Conditioning().null(), Conditioning())


def test_dropping_never_and_always():
    key = jax.random.key(0)
    assert same(packed.drop(key, 0.0), packed)
    assert same(packed.drop(key, 1.0), packed.null())
    assert same(Conditioning().drop(key, 0.5), Conditioning())


def test_a_clip_loses_all_its_conditions_at_the_given_rate():
    many = Conditioning(label=jnp.zeros(10_000, int), text_mask=jnp.ones((10_000, 2), bool))
    dropped = many.drop(jax.random.key(0), 0.1)
    np.testing.assert_array_equal(dropped.label == -1, ~dropped.text_mask.any(axis=1))
    rate, deviation = float((dropped.label == -1).mean()), (0.1 * 0.9 / 10_000) ** 0.5
    assert abs(rate - 0.1) < 4 * deviation


def test_a_batch_may_hold_more_than_conditions():
    batch = {"video": np.zeros((2, 1, 4, 4, 3), np.uint8), "label": np.array([1, 2])}
    assert same(Conditioning.of(batch), Conditioning(label=jnp.array([1, 2])))
