"""A small video model on any folder of clips, for a CPU: 8x32x32, minutes to hours.

    vdm-jax train experiments/vdm/video_folder_small.py --set data.path=my/videos \\
        --workdir runs/my_videos

The network predicts x: 4x4 pixels are 48 numbers, and 32 channels could not carry their noise to an
output of eps or v.

On five clips of UCF-101 (8 minutes on two idle CPU cores, seed 0), squared error of x_hat on their
held-out last parts, by log-SNR, beside the per-frequency Wiener filter of the training clips:

    log-SNR     -9      -7      -5      -3      -1       1       3       5
    model     .107    .100    .052    .030    .022    .0190   .0178   .0177
    Wiener    .107    .103    .085    .056    .033    .0175   .0085   .0033

Where little is noise the filter is ahead: the model's own blur is what it leaves.
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
