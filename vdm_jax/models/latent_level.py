"""The levels of Stable Diffusion's U-Net."""

import dataclasses

import flax.linen as nn

from vdm_jax.models.unet import Block, Level, LevelBlocks
from vdm_jax.nn import AdditiveBlock, DownsampleConv, UpsampleConv, as_submodules, remat_level


@dataclasses.dataclass(frozen=True)
class LatentLevel(Level):
    """One resolution of Stable Diffusion's U-Net, with convolutions between resolutions.

    Down: `blocks` times a residual block and the mixers, then `downsample`. Up: one block more,
    then `upsample`. Below the last level: a block, the mixers `bottom`, a block.
    (Rombach et al. 2022, appendix E.1; the U-Net of Dhariwal & Nichol 2021)

    bottom: mixers between the two blocks below the last level.
    downsample: the layer between this level and the next on the way down.
    upsample: the layer between this level and the one above on the way up.
    """

    bottom: tuple[nn.Module, ...] = ()
    downsample: nn.Module = DownsampleConv()
    upsample: nn.Module = UpsampleConv()

    def __post_init__(self):
        if self.stride != (1, 2, 2):
            raise ValueError(
                f"LatentLevel.stride is {self.stride}; it halves rows and columns: (1, 2, 2)"
            )

    def down(self, base: int, dropout: float, below: Level | None, name: str) -> nn.Module:
        width = base * self.width
        block = Block(AdditiveBlock(width, dropout, parent=None), self.mixers)
        resample = () if below is None else (self.downsample,)
        blocks = remat_level(self.remat, LatentBlocks)
        return blocks(self, width, (block,) * self.blocks, resample, name=name)

    def middle(self, base: int, dropout: float, name: str) -> nn.Module:
        width = base * self.width
        block = AdditiveBlock(width, dropout, parent=None)
        blocks = (Block(block, self.bottom), Block(block))
        unrolled = dataclasses.replace(self, scan=None)  # these two are never a loop
        return remat_level(self.remat, LevelBlocks)(unrolled, width, blocks, name=name)

    def up(self, base: int, dropout: float, above: Level | None, name: str) -> nn.Module:
        width = base * self.width
        block = Block(AdditiveBlock(width, dropout, parent=None), self.mixers)
        resample = () if above is None else (self.upsample,)
        blocks = remat_level(self.remat, LatentBlocks)
        return blocks(self, width, (block,) * (self.blocks + 1), resample, name=name)


class LatentBlocks(LevelBlocks):
    """Blocks of a level, then the layers `resample`: `h -> h`."""

    resample: tuple[nn.Module, ...]

    @nn.compact
    def __call__(self, h, emb, cond, train: bool, skips=()):
        h, outputs = super().__call__(h, emb, cond, train, skips)
        for resample in as_submodules(self, self.resample):
            h = resample(h)
            outputs = (*outputs, h)
        return h, outputs
