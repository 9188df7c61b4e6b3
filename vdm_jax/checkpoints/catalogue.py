"""The catalogue of published weights that metrics use, by name."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from vdm_jax import models
from vdm_jax.checkpoints import layouts
from vdm_jax.checkpoints.published import Published

_CLIPS = ((1, 9, 224, 224, 3),)
_TENSOR_BYTES = 50_818_176
"""The data file of I3D: 12,704,544 parameters."""
_TENSORS = tuple(
    f"RGB/inception_i3d/{name}"
    for name in (
        *("Logits/Conv3d_0c_1x1/conv_3d/w", "Logits/Conv3d_0c_1x1/conv_3d/b"),
        "Conv3d_1a_7x7/conv_3d/w",
    )
)
"""Tensors whose checksums identify a variant; the index (of known SHA-256) has all checksums."""


def _kinetics_i3d(name: str, variant: str, sha256: str, crc32c: tuple[int, ...]) -> Published:
    """A checkpoint in DeepMind's repository."""
    folder = f"data/checkpoints/{variant}"
    files = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
    raw = "https://raw.githubusercontent.com/google-deepmind/kinetics-i3d/"
    commit = "0667e889a5904b4dc122e0ded4c332f49f8df42c"
    return Published(
        name=name,
        file=f"kinetics-i3d/{variant}/{files[0]}",
        companions=files[1:],
        page=f"https://github.com/google-deepmind/kinetics-i3d, {folder}",
        urls=tuple(f"{raw}{commit}/{folder}/{file}" for file in files),
        layout=layouts.I3D_TENSORFLOW,
        network=models.I3D(),
        inputs=_CLIPS,
        sha256=sha256,
        size=10_953,
        bytes=10_953 + _TENSOR_BYTES,
        crc32c=tuple(zip(_TENSORS, crc32c, strict=True)),
    )


_SCRATCH = (2968598036, 549507829, 1008621070)
_IMAGENET = (1961429192, 2324149748, 1301742067)

CLASSIFIERS = (
    _kinetics_i3d(
        "i3d_kinetics400",
        "rgb_scratch",
        "4fcd08b3e140f0267730e462295054c6a38f6cfd9991c310ee3d37bbdfd7030c",
        _SCRATCH,
    ),
    _kinetics_i3d(
        "i3d_rgb_imagenet",
        "rgb_imagenet",
        "f4bfd6f4af485f276c68333d3eca3697b691bb647f0167a03fe021147ca7f8eb",
        _IMAGENET,
    ),
    Published(
        name="i3d_kinetics400_hub",
        file="i3d-kinetics-400-1/variables/variables.index",
        companions=("variables.data-00000-of-00001",),
        page="https://tfhub.dev/deepmind/i3d-kinetics-400/1",
        layout=layouts.I3D_TENSORFLOW_HUB,
        network=models.I3D(),
        inputs=_CLIPS,
        sha256="8a24abf28326004e6ff0eba31534277e2fdff3c33dc593698a6d11c32385afd5",
        size=4_368,
        bytes=4_368 + _TENSOR_BYTES,
        crc32c=tuple(zip(_TENSORS, _SCRATCH, strict=True)),
    ),
    Published(
        name="i3d_pretrained_400",
        file="i3d_pretrained_400.pt",
        page="https://github.com/SongweiGe/TATS, tats/fvd/i3d_pretrained_400.pt",
        urls=(
            "https://raw.githubusercontent.com/SongweiGe/TATS/"
            "03bbce1daa3da7e9bff8221e9ec433df9484817f/tats/fvd/i3d_pretrained_400.pt",
        ),
        layout=layouts.I3D_PIERGIAJ,
        network=models.I3D.ported(),
        inputs=_CLIPS,
        blob="a867b87ac3a9097d200598b1d48a1b890d8ec744",
    ),
    Published(
        name="i3d_torchscript",
        file="i3d_torchscript.pt",
        page="https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt",
        urls=("https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",),
        layout=layouts.I3D_HASSONY2,
        network=models.I3D.ported(1e-3),
        inputs=_CLIPS,
        blob="93daef59c7ae0e9e8f76225521407e60cbafa6aa",
    ),
    Published(
        name="c3d_ucf101",
        file="conv3d_deepnetA_ucf.npz",
        page="https://github.com/rezoo/tgan2/releases/tag/v1.0",
        urls=("https://github.com/rezoo/tgan2/releases/download/v1.0/conv3d_deepnetA_ucf.npz",),
        layout=layouts.C3D_CHAINER,
        network=models.C3D(),
        inputs=((1, 16, 112, 112, 3),),
    ),
    Published(
        name="c3d_ucf101_torchscript",
        file="c3d_ucf101.pt",
        page="https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt",
        urls=("https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt?dl=1",),
        layout=layouts.C3D_TORCH,
        network=models.C3D(),
        inputs=((1, 16, 112, 112, 3),),
    ),
    Published(
        name="inception_fid",
        file="pt_inception-2015-12-05-6726825d.pth",
        page="https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights",
        urls=(
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
        ),
        layout=layouts.INCEPTION,
        network=models.Inception(),
        inputs=((1, 299, 299, 3),),
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        size=95_628_359,
    ),
)
"""Classifiers of actions and images: I3D, C3D, Inception."""


def _clip(name: str, image: Any, text: Any, repository: str, file: str) -> tuple[Published, ...]:
    """The image and text encoders in one file from Hugging Face."""
    page = f"https://huggingface.co/{repository}"
    tokens = jax.ShapeDtypeStruct((1, 77), jnp.int32)
    return tuple(
        Published(
            name=f"{name}_{side}", file=f"{repository}/{file}", page=page, layout=layout,
            network=network, inputs=inputs, urls=(f"{page}/resolve/main/{file}",),
        )
        for side, network, layout, inputs in (
            ("image", image, layouts.CLIP_IMAGE, ((1, 224, 224, 3),)),
            ("text", text, layouts.CLIP_TEXT_PROJECTED, (tokens,)),
        )
    )  # fmt: skip


CLIP = (
    *_clip(
        "clip_vit_b32", models.ClipImage.vit_b32(), models.ClipText.vit_b32(),
        "openai/clip-vit-base-patch32", "pytorch_model.bin",
    ),
    *_clip(
        "clip_vit_b16", models.ClipImage.vit_b16(), models.ClipText.vit_b16(),
        "openai/clip-vit-base-patch16", "pytorch_model.bin",
    ),
    *_clip(
        "clip_vit_l14", models.ClipImage.vit_l14(), models.ClipText.vit_l14(),
        "openai/clip-vit-large-patch14", "model.safetensors",
    ),
    *_clip(
        "open_clip_h", models.ClipImage.open_clip_h(), models.ClipText.open_clip_h(),
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "model.safetensors",
    ),
)  # fmt: skip

_MAE = "https://huggingface.co/OpenGVLab/InternVideoMAE_models"
VIDEO_MAE = Published(
    name="video_mae_giant_ssv2",
    file="video_mae/vit_g_hybrid_pt_1200e_ssv2_ft.pth",
    page=_MAE,
    layout=layouts.VIDEO_MAE,
    network=models.VideoMAE.giant(),
    inputs=((1, 16, 224, 224, 3),),
    urls=(f"{_MAE}/resolve/main/mae-g/vit_g_hybrid_pt_1200e_ssv2_ft.pth",),
)
"""Fine-tuned on Something-Something v2, for content-debiased FVD."""

_RAFT = "https://github.com/princeton-vl/RAFT"
_TORCHVISION = "https://download.pytorch.org/models"
_PAIR = ((1, 64, 64, 3),) * 2


def _digest_in_name(file: str) -> str:
    """The first eight digits of the SHA-256, with which the names of torchvision's files end."""
    return file.removesuffix(".pth").rsplit("-", 1)[1]


RAFT = (
    Published(
        "raft_small", "raft/raft-small.pth", _RAFT, layouts.RAFT_SMALL, models.Raft.small(), _PAIR,
        sha256="c7d41b9cc88442bb8aa911dbb33086dac55a226394b142937ff22d5578717332",
        size=3_984_814,
        urls=(f"{_RAFT}/raw/3a46c2326f61e9cc102deac43a85ddfc751f2176/models/raft-small.pth",),
    ),
    *(
        Published(
            f"raft_{data}", f"raft/raft-{data}.pth", f"{_RAFT} (download_models.sh: models.zip)",
            layouts.RAFT_LARGE, models.Raft.large(), _PAIR,
        )
        for data in ("chairs", "things", "sintel", "kitti")
    ),
    *(
        Published(
            f"raft_{size}_torchvision", f"torchvision/{file}", "https://pytorch.org/vision",
            layout, network, _PAIR, sha256=_digest_in_name(file),
            urls=(f"{_TORCHVISION}/{file}",),
        )
        for size, network, layout, file in (
            ("small", models.Raft.small(), layouts.RAFT_SMALL_TORCHVISION,
             "raft_small_C_T_V2-01064c6d.pth"),
            ("large", models.Raft.large(), layouts.RAFT_LARGE_TORCHVISION,
             "raft_large_C_T_SKHT_V2-ff5fadd5.pth"),
        )
    ),
)  # fmt: skip

_LPIPS = "https://github.com/richzhang/PerceptualSimilarity"
_WIDTHS = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": (64, 128, 256, 512, 512),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}
_HEADS = {
    ("0.1", "alex"): (6009, "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    ("0.1", "vgg"): (7289, "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
    ("0.1", "squeeze"): (10811, "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76"),
    ("0.0", "alex"): (5455, "18720f55913d0af89042f13faa7e536a6ce1444a0914e6db9461355ece1e8cd5"),
    ("0.0", "vgg"): (6735, "b9e4236260c3dd988fc79d2a48d645d885afcbb21f9fd595e6744cf7419b582c"),
    ("0.0", "squeeze"): (10057, "c27abd3a0145541baa50990817df58d3759c3f8154949f42af3b59b4e042d0bf"),
}
_AT = "raw/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights"
LPIPS = (
    *(
        Published(
            f"lpips_{trunk}_{version}", f"lpips/v{version}/{trunk}.pth", _LPIPS,
            layouts.LPIPS_HEADS, models.LpipsHeads(),
            tuple((1, 1, 1, width) for width in _WIDTHS[trunk]),
            sha256=digest, size=size, urls=(f"{_LPIPS}/{_AT}/v{version}/{trunk}.pth",),
        )
        for (version, trunk), (size, digest) in _HEADS.items()
    ),
    *(
        Published(
            name, f"torchvision/{file}", "https://pytorch.org/vision", layout, network,
            ((1, 64, 64, 3),), sha256=_digest_in_name(file), urls=(f"{_TORCHVISION}/{file}",),
        )
        for name, network, layout, file in (
            ("alexnet", models.AlexNet(), layouts.TORCHVISION_TRUNK, "alexnet-owt-7be5be79.pth"),
            ("vgg16", models.VGG16(), layouts.TORCHVISION_TRUNK, "vgg16-397923af.pth"),
            ("squeezenet1_1", models.SqueezeNet(), layouts.SQUEEZENET,
             "squeezenet1_1-b8a52dc0.pth"),
        )
    ),
)  # fmt: skip
"""The channel weights, and the trunks."""

PUBLISHED: Mapping[str, Published] = {
    weights.name: weights for weights in (*CLASSIFIERS, *CLIP, VIDEO_MAE, *RAFT, *LPIPS)
}
"""All published weights by name."""
