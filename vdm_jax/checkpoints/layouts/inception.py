"""Layout of FID's Inception-v3: torchvision and pytorch-fid."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import Rule, batch_norm, dense

STEM = {"1a": "1a_3x3", "2a": "2a_3x3", "2b": "2b_3x3", "3b": "3b_1x1", "4a": "4a_3x3"}
A = ("1x1", "5x5_1", "5x5_2", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3", "_pool")
B = ("3x3", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3")
C = ("1x1", "7x7_1", "7x7_2", "7x7_3", *(f"7x7dbl_{n}" for n in range(1, 6)), "_pool")
D = ("3x3_1", "3x3_2", *(f"7x7x3_{n}" for n in range(1, 5)))
E = (
    *("1x1", "3x3_1", "3x3_2a", "3x3_2b", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3a", "3x3dbl_3b"),
    "_pool",
)
BLOCKS = {"5b": A, "5c": A, "5d": A, "6a": B, "6b": C, "6c": C, "6d": C, "6e": C, "7a": D,
          "7b": E, "7c": E}  # fmt: skip


def _rules() -> tuple[Rule, ...]:
    units = {f"convolution_{ours}": f"Conv2d_{theirs}" for ours, theirs in STEM.items()}
    for block, branches in BLOCKS.items():
        for branch in branches:
            ours = f"mixed_{block}/branch_{branch.removeprefix('_')}"
            units[ours] = f"Mixed_{block}.branch{branch}"
    rules = []
    for ours, theirs in units.items():
        kernel = f"{ours}/convolution/kernel"
        rules.append(Rule(f"{theirs}.conv.weight", kernel, "o i h w -> h w i o"))
        rules += batch_norm(f"{theirs}.bn", f"{ours}/norm")
    return (*rules, *dense("fc", "logits"))


INCEPTION = Layout(
    "Inception-v3 of FID (pytorch-fid)",
    _rules(),
    files=("mseitzer/pytorch-fid: pt_inception-2015-12-05-6726825d.pth",),
    ignored=("*.num_batches_tracked",),
)
"""`models.Inception()`."""
