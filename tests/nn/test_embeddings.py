from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import normal, parameters

from vdm_jax.models import Conditioning
from vdm_jax.nn import Embedding, Label, LogSNR, PooledText, TextByFrame, per_frame, sinusoids
from vdm_jax.nn.embeddings import frame_positions, inverse_cosine

B, F, L, WIDTH = 2, 5, 3, 6
logsnr = jnp.array([-3.0, 2.0])
text, mask = normal(B, L, 4), jnp.array([[True, True, False], [True, False, False]])
captions = Conditioning(text=text, text_mask=mask)
segments = jnp.array([[0, 0, 0, 1, 2]] * B)


@partial(jax.jit, static_argnums=(0, 4))
def apply(module, variables, logsnr, cond, frames=F):
    return module.apply(variables, logsnr, cond, frames, WIDTH)


def embed(module, cond, logsnr=logsnr, variables=None, frames=F):
    variables = parameters(module, logsnr, cond, F, WIDTH) if variables is None else variables
    return apply(module, variables, logsnr, cond, frames)


def test_known_sinusoids():
    known = [-0.46777181, 0.04997917, -0.88384927, 0.99875026]
    np.testing.assert_allclose(sinusoids(jnp.array(500.0), 4), known, atol=2e-5)


def test_inverse_cosine_at_known_times():
    time = inverse_cosine(jnp.array([0.0, 20.0, -20.0, 99.0]))
    np.testing.assert_allclose(time, [0.5, 2.8903e-5, 1 - 2.8903e-5, 2.8903e-5], rtol=1e-4)


def test_positions_count_from_0_in_every_clip():
    np.testing.assert_array_equal(frame_positions(F, segments)[0], [0, 1, 2, 0, 0])
    np.testing.assert_array_equal(frame_positions(F, None)[0], np.arange(F))


def test_per_frame_selects_the_vector_of_the_clip():
    vectors = normal(B, 3, 4)
    np.testing.assert_array_equal(per_frame(vectors, segments), vectors[:, [0, 0, 0, 1, 2]])
    np.testing.assert_array_equal(per_frame(vectors[:, :1], None), vectors[:, :1])


def test_one_log_snr_per_frame_or_per_batch_element():
    shared = embed(LogSNR(), Conditioning())
    assert shared.shape == (B, 1, WIDTH)
    frames = embed(LogSNR(), Conditioning(), jnp.repeat(logsnr[:, None], F, axis=1))
    np.testing.assert_allclose(frames, jnp.repeat(shared, F, axis=1), atol=1e-6)


def test_no_label_is_the_zero_vector():
    variables = parameters(Label(3), logsnr, Conditioning(label=jnp.array([0, 1])), F, WIDTH)
    rows = variables["params"]["Dense_0"]["kernel"]
    embedded = embed(Label(3), Conditioning(label=jnp.array([2, -1])), variables=variables)
    np.testing.assert_array_equal(embedded[:, 0], jnp.stack([rows[2], 0 * rows[2]]))
    np.testing.assert_array_equal(embed(Label(3), Conditioning(), variables=variables), 0)


@pytest.mark.parametrize("module", [PooledText(), TextByFrame()], ids=lambda m: type(m).__name__)
def test_masked_tokens_have_no_effect(module):
    other = Conditioning(text=jnp.where(mask[..., None], text, 9.0), text_mask=mask)
    np.testing.assert_array_equal(embed(module, captions), embed(module, other))


def test_no_text_is_the_zero_vector():
    cond = Conditioning(text=text, text_mask=mask.at[1].set(False))
    embedded = embed(PooledText(), cond)
    np.testing.assert_array_equal(embedded[1], 0)
    np.testing.assert_array_equal(embedded[0], embed(PooledText(), captions)[0])


def test_text_by_frame_differs_between_frames():
    embedded = embed(TextByFrame(), captions)
    assert embedded.shape == (B, F, WIDTH)
    distances = abs(embedded[:, :, None] - embedded[:, None]).max(axis=-1) + jnp.eye(F)[None]
    assert float(distances.min()) > 1e-3


def test_all_missing_captions_give_one_vector():
    empty = Conditioning(text=text, text_mask=jnp.zeros_like(mask))
    embedded = embed(TextByFrame(), empty)
    np.testing.assert_allclose(embedded[0], embedded[1], atol=1e-6)


@pytest.mark.parametrize("module", [PooledText(), TextByFrame()], ids=lambda m: type(m).__name__)
def test_packed_clips_have_their_own_captions(module):
    packed_captions = normal(1, 3, L, 4, seed=1)
    real = jnp.ones((1, 3, L), bool)
    packed = Conditioning(text=packed_captions, text_mask=real, segments=segments[:1])
    together = embed(module, packed, logsnr[:1])
    separate = Conditioning(text=packed_captions[0], text_mask=real[0])
    for clip, (first, frames) in enumerate([(0, 3), (3, 1), (4, 1)]):
        alone = embed(module, separate, jnp.zeros(3), frames=frames)
        alone = jnp.broadcast_to(alone, (3, frames, 6))
        embedded = together[0, first : first + frames]
        np.testing.assert_allclose(embedded, alone[clip], atol=1e-5)


def test_missing_text_raises():
    with pytest.raises(ValueError, match=r"PooledText needs cond.text"):
        embed(PooledText(), Conditioning())


def test_inputs_of_an_embedding_are_numbered_by_class():
    module = Embedding(WIDTH, layers=2, inputs=(LogSNR(), Label(3), LogSNR()))
    cond = Conditioning(label=jnp.array([0, 1]))
    names = jax.eval_shape(lambda k: module.init(k, logsnr, cond, F), jax.random.key(0))["params"]
    assert set(names) == {"LogSNR_0", "Label_0", "LogSNR_1", "Dense_0", "Dense_1"}
