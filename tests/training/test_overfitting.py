"""A model trained on one clip samples that clip."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import several
import tiny

from vdm_jax import data, diffusion, models, nn, sampling, training
from vdm_jax.metrics import psnr

SOURCE = data.MovingShapes(frames=4, size=8, motions=("left",), sizes=("large",))
WORDS = data.WordTokenizer(SOURCE.vocabulary, length=SOURCE.longest_caption)
STEPS = 120


def test_a_model_of_one_clip_samples_it():
    clip = SOURCE.clips("train")[0]
    embedding = nn.Embedding(width=64, layers=1, inputs=(nn.LogSNR(), nn.TextByFrame()))
    network = tiny.network(
        channels=32,
        levels=(models.Level(1, (nn.TemporalAttention(head_dim=8),), blocks=0),),
        embedding=embedding,
        text=models.WordEncoder(WORDS.size, features=16),
    )
    process = diffusion.Process(diffusion.Cosine(), diffusion.VariancePreserving(), diffusion.X())
    task = training.Denoising(
        models.Patched(network, patch=4),
        process,
        weight=diffusion.Constant(),
        condition_dropout=0.0,
    )
    optimizer = training.Adam(peak=3e-3, warmup=10, decay=training.Cosine(), b2=0.99, ema=0.98)

    captions = WORDS.batch([clip["caption"]] * 8)
    batch = jax.tree.map(jnp.asarray, {"video": np.stack([clip["video"]] * 8), **captions})
    init = jax.jit(partial(training.init, task, optimizer))
    step = training.make_step(task, optimizer, STEPS)
    step = jax.jit(step, donate_argnums=0, compiler_options=several.FAST)
    state, frozen = init(jax.random.key(0), batch)
    for _ in range(STEPS):
        state, _ = step(state, frozen, batch)

    experiment = tiny.denoising(task=task, data=SOURCE, loader=data.Loader(batch=8, text=WORDS))
    generator = sampling.Generator(sampler=diffusion.DDIM(steps=16), batch=8)
    trained = generator.trained_model(experiment, state.ema, frozen)
    samples = trained.generate(
        jax.random.key(1), trained.encode([clip["caption"]] * 8, [-1] * 8), 8
    )
    mean_frame = np.broadcast_to(clip["video"].mean(axis=0), clip["video"].shape)
    assert psnr(mean_frame, clip["video"]) < 20  # the clip moves
    assert all(psnr(sample, clip["video"]) >= 25 for sample in samples)
