"""Layouts of LPIPS: the authors' channel weights, torchvision's trunks."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule, convolution

LPIPS_HEADS = Layout(
    "LPIPS, channel weights",
    (Rule("lin{i}.model.1.weight", "head_{i}", "1 c 1 1 -> c"),),
    files=("lpips 0.1.4: lpips/weights/v0.1/alex.pth, vgg.pth, squeeze.pth",),
)
"""`models.LpipsHeads()`."""

CLASSIFIER = ("classifier.*",)

TORCHVISION_TRUNK = Layout(
    "AlexNet or VGG (torchvision)",
    convolution("features.{i}", "convolution_{i}"),
    files=("alexnet-owt-7be5be79.pth", "vgg16-397923af.pth"),
    ignored=CLASSIFIER,
)
"""`models.AlexNet()`, `VGG16()`."""

SQUEEZENET = Layout(
    "SqueezeNet (torchvision)",
    (
        *convolution("features.{i}", "convolution_{i}"),
        *convolution("features.{i}.squeeze", "fire_{i}/squeeze"),
        *convolution("features.{i}.expand1x1", "fire_{i}/expand_1x1"),
        *convolution("features.{i}.expand3x3", "fire_{i}/expand_3x3"),
    ),
    files=("squeezenet1_1-b8a52dc0.pth",),
    ignored=CLASSIFIER,
)
"""`models.SqueezeNet()`."""
