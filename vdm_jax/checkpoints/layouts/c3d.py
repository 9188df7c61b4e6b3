"""C3D fine-tuned on UCF-101, as Chainer and PyTorch name it."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule

CONVOLUTIONS = ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b")
PLACES = (("h", 4), ("w", 4))
"""Of the last maps, 512 x 1 x 4 x 4, which the first dense layer has in this order."""


def _rules(weight: str, bias: str) -> tuple[Rule, ...]:
    """weight, bias: what follows the name of a layer."""
    rules = []
    for name in CONVOLUTIONS:
        ours, axes = f"convolution_{name}", "o i f h w -> f h w i o"
        rules += [Rule(f"conv{name}{weight}", f"{ours}/kernel", axes)]
        rules += [Rule(f"conv{name}{bias}", f"{ours}/bias")]
    for name, axes, sizes in (
        ("fc6", "o (c h w) -> (h w c) o", PLACES), ("fc7", "o i -> i o", ()),
        ("fc8", "o i -> i o", ()),
    ):  # fmt: skip
        rules += [Rule(f"{name}{weight}", f"{name}/kernel", axes, sizes)]
        rules += [Rule(f"{name}{bias}", f"{name}/bias")]
    return tuple(rules)


C3D_CHAINER = Layout(
    "C3D (Chainer)",
    _rules("/W", "/b"),
    files=("rezoo/tgan2: conv3d_deepnetA_ucf.npz",),
)
"""`models.C3D()`, as TGAN and TGANv2 have it."""

C3D_TORCH = Layout(
    "C3D (PyTorch)",
    _rules(".weight", ".bias"),
    files=("universome/stylegan-v: c3d_ucf101.pt",),
    beside=("pre*", "mean*", "CONSTANTS.*"),
)
"""`models.C3D()` under the same names in PyTorch; other names are refused, the first by name.

What is known of c3d_ucf101.pt: those who use it load it as TorchScript, give it frames of 0..255 of
any size, [b 3 16 h w], and take 101 probabilities. Its author calls it TGANv2's Chainer model,
reproduced perfectly, which has layers of these names, and before them `pre`, a convolution of one
place that makes RGB in [-1, 1] BGR and multiplies by 128, a resize, and `mean`, what is added. The
names of the tensors inside it are published nowhere: Chainer's are assumed.
"""
