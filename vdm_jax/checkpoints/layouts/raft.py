"""Layouts of RAFT: its authors' and torchvision's."""

from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.rules import BATCH_NORM, Rule, batch_norm, convolution

BLOCK = "layer{i}.{j}"


def _encoder(foreign: str, ours: str, convolutions: int, norms: bool) -> tuple[Rule, ...]:
    """An encoder of the authors; instance norms have no parameters."""
    theirs, block = f"{foreign}.{BLOCK}", f"{ours}/block_{{i}}_{{j}}"
    rules = (
        *convolution(f"{foreign}.conv1", f"{ours}/input"),
        *convolution(f"{foreign}.conv2", f"{ours}/output"),
        *convolution(f"{theirs}.downsample.0", f"{block}/skip"),
    )
    for n in range(1, convolutions + 1):
        rules += convolution(f"{theirs}.conv{n}", f"{block}/conv_{n}")
        rules += batch_norm(f"{theirs}.norm{n}", f"{block}/norm_{n}") if norms else ()
    if norms:
        rules += batch_norm(f"{foreign}.norm1", f"{ours}/norm")
        rules += batch_norm(f"{theirs}.norm{convolutions + 1}", f"{block}/skip_norm")
    return rules


def _torchvision_encoder(foreign: str, ours: str, convolutions: int, norms: bool):
    theirs, block = f"{foreign}.{BLOCK}", f"{ours}/block_{{i}}_{{j}}"
    pairs = [(f"{foreign}.convnormrelu", f"{ours}/input", f"{ours}/norm")]
    pairs += [(f"{theirs}.downsample", f"{block}/skip", f"{block}/skip_norm")]
    for n in range(1, convolutions + 1):
        pairs += [(f"{theirs}.convnormrelu{n}", f"{block}/conv_{n}", f"{block}/norm_{n}")]
    rules = convolution(f"{foreign}.conv", f"{ours}/output")
    for name, conv, norm in pairs:
        rules += convolution(f"{name}.0", conv)
        rules += batch_norm(f"{name}.1", norm) if norms else ()
    return rules


def _update(names: dict[str, str]) -> tuple[Rule, ...]:
    rules = (convolution(theirs, f"update/{ours}") for ours, theirs in names.items())
    return tuple(rule for both in rules for rule in both)


def _authors(small: bool) -> tuple[Rule, ...]:
    block = "module.update_block"
    encoder = {"flow_0": "convf1", "flow_1": "convf2", "motion": "conv", "correlation_0": "convc1"}
    encoder |= {} if small else {"correlation_1": "convc2"}
    names = {ours: f"{block}.encoder.{theirs}" for ours, theirs in encoder.items()}
    passes = ("",) if small else ("1", "2")
    names |= {
        f"{gate}_{i}": f"{block}.gru.conv{gate}{n}" for i, n in enumerate(passes) for gate in "zrq"
    }
    names |= {"head": f"{block}.flow_head.conv1", "step": f"{block}.flow_head.conv2"}
    rules = _update(names)
    if not small:
        rules += convolution(f"{block}.mask.0", "upsampling/inner")
        rules += convolution(f"{block}.mask.2", "upsampling/shares")
    rules += _encoder("module.fnet", "features", 3 if small else 2, norms=False)
    return rules + _encoder("module.cnet", "context", 3 if small else 2, norms=not small)


def _torchvision(small: bool) -> tuple[Rule, ...]:
    block = "update_block"
    encoder = {"flow_0": "convflow1.0", "flow_1": "convflow2.0", "motion": "conv.0"}
    encoder |= {f"correlation_{i}": f"convcorr{i + 1}.0" for i in range(1 if small else 2)}
    names = {ours: f"{block}.motion_encoder.{theirs}" for ours, theirs in encoder.items()}
    names |= {
        f"{gate}_{i}": f"{block}.recurrent_block.convgru{i + 1}.conv{gate}"
        for i in range(1 if small else 2)
        for gate in "zrq"
    }
    names |= {"head": f"{block}.flow_head.conv1", "step": f"{block}.flow_head.conv2"}
    rules = _update(names)
    if not small:
        rules += convolution("mask_predictor.convrelu.0", "upsampling/inner")
        rules += convolution("mask_predictor.conv", "upsampling/shares")
    sizes = {"convolutions": 3 if small else 2}
    rules += _torchvision_encoder("feature_encoder", "features", norms=False, **sizes)
    return rules + _torchvision_encoder("context_encoder", "context", norms=not small, **sizes)


STEP_COUNTS = ("*.num_batches_tracked",)

RAFT_SMALL = Layout("RAFT, small", _authors(small=True), files=("raft-small.pth",))
"""`models.Raft.small()`."""

RAFT_LARGE = Layout(
    "RAFT",
    _authors(small=False),
    files=("raft-things.pth", "raft-sintel.pth", "raft-kitti.pth", "raft-chairs.pth"),
    ignored=STEP_COUNTS,
    duplicates=tuple(
        (f"module.cnet.layer{i}.0.downsample.1.{name}", f"module.cnet.layer{i}.0.norm3.{name}")
        for i in (2, 3)
        for name, _ in BATCH_NORM
    ),
)
"""`models.Raft.large()`."""

RAFT_SMALL_TORCHVISION = Layout("RAFT, small (torchvision)", _torchvision(small=True))
"""`models.Raft.small()`, as torchvision's raft_small."""

RAFT_LARGE_TORCHVISION = Layout(
    "RAFT (torchvision)", _torchvision(small=False), ignored=STEP_COUNTS
)
"""`models.Raft.large()`, as torchvision's raft_large."""
