"""A small video model for a CPU, on any folder of videos: 8 frames of 32x32 pixels.

    vdm-jax train experiments/vdm/video_folder_small.py --set data.path=my/videos \\
        --workdir runs/my_videos

The network predicts x: a patch of 4x4 pixels has 48 values, and 32 channels cannot carry their
noise to an output of eps or v.
Cost: minutes to hours on a CPU; 8 minutes on two idle cores for the numbers below.
Ours, five clips of UCF-101, seed 0: squared error of x_hat on the held-out ends of the clips, by
log-SNR, beside the per-frequency Wiener filter of the training clips:

    log-SNR     -9      -7      -5      -3      -1       1       3       5
    model     .107    .100    .052    .030    .022    .0190   .0178   .0177
    Wiener    .107    .103    .085    .056    .033    .0175   .0085   .0033

At low noise the Wiener filter is better: the model's blur dominates its error.
"""

from vdm_jax import data, diffusion, evaluation, models, nn, sampling, training


def experiment() -> training.Experiment:
    space, time = nn.SpatialAttention(head_dim=16), nn.TemporalAttention(head_dim=16)
    unet = models.UNet(
        channels=32,
        levels=(
            models.Level(width=1, blocks=1, mixers=(time,)),
            models.Level(width=2, blocks=1, mixers=(space, time)),
        ),
        embedding=nn.Embedding(width=256, layers=2),
    )
    return training.Experiment(
        task=training.Denoising(
            model=models.Patched(unet, patch=4),
            process=diffusion.Process(
                diffusion.ShiftedCosine(resolution=64, noise_resolution=32),
                parameterization=diffusion.X(),
            ),
            weight=diffusion.Constant(),
        ),
        data=data.VideoFolder(path="videos", frames=8, size=32, held_out=0.15),
        loader=data.Loader(batch=8),
        optimizer=training.Adam(peak=1e-3, warmup=100, decay=training.Cosine(), b2=0.99, ema=0.998),
        sampling=sampling.Generator(sampler=diffusion.DDIM(steps=64), batch=16),
        evaluations=(evaluation.DenoisingError(clips=64, train_clips=512),),
        steps=3000,
        log_every=50,
    )
