"""Layouts of C3D fine-tuned on UCF-101: Chainer and PyTorch."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule

CONVOLUTIONS = ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b")
LAST_MAP = (("h", 4), ("w", 4))
"""Sizes of the last feature map, 512 x 1 x 4 x 4, which fc6 flattens as (c h w)."""


def _rules(weight: str, bias: str) -> tuple[Rule, ...]:
    """weight, bias: suffixes of a layer's name."""
    rules = []
    for name in CONVOLUTIONS:
        ours, axes = f"convolution_{name}", "o i f h w -> f h w i o"
        rules += [Rule(f"conv{name}{weight}", f"{ours}/kernel", axes)]
        rules += [Rule(f"conv{name}{bias}", f"{ours}/bias")]
    for name, axes, sizes in (
        ("fc6", "o (c h w) -> (h w c) o", LAST_MAP), ("fc7", "o i -> i o", ()),
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
"""`models.C3D()`, as TGAN and TGANv2 save it."""

C3D_TORCH = Layout(
    "C3D (PyTorch)",
    _rules(".weight", ".bias"),
    files=("universome/stylegan-v: c3d_ucf101.pt",),
    ignored=("pre*", "mean*", "CONSTANTS.*"),
)
"""`models.C3D()` under the same names in PyTorch; other names are an error.

Known facts about c3d_ucf101.pt: its users load it as TorchScript, pass frames of 0..255 of any
size, [b 3 16 h w], and use 101 probabilities. Its author calls it a perfect reproduction of
TGANv2's Chainer model. That model has layers with these names, and before them `pre` (a 1x1
convolution that turns RGB in [-1, 1] into BGR times 128), a resize, and `mean` (a constant that is
added). The tensor names in the file are not published: Chainer's are assumed.
"""
