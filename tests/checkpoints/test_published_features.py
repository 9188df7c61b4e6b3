"""The files of CLIP, VideoMAE, RAFT and LPIPS: those at hand are taken, all are well described."""

import jax
import pytest

from vdm_jax.checkpoints import PUBLISHED, CheckpointError, layouts

AT_HAND = {
    "raft_small": "raft-small/raft-small.pth",
    "lpips_alex_0.1": "lpips/alex.pth",
    "lpips_vgg_0.1": "lpips/vgg.pth",
    "lpips_squeeze_0.1": "lpips/squeeze.pth",
}


@pytest.mark.parametrize("name", AT_HAND)
def test_the_published_files_are_those_that_are_described(name, real_clips):
    nets = real_clips.parent / "nets"
    params = PUBLISHED[name].parameters(path=nets / AT_HAND[name])
    assert jax.tree.structure(params) == jax.tree.structure(PUBLISHED[name].like())
    other = "lpips_vgg_0.0" if name == "raft_small" else "raft_small"
    with pytest.raises(CheckpointError, match=r"bytes; .* is "):
        PUBLISHED[other].check(nets / AT_HAND[name])


def test_a_cut_file_is_named(real_clips, tmp_path):
    whole = (real_clips.parent / "nets" / "lpips" / "alex.pth").read_bytes()
    (tmp_path / "alex.pth").write_bytes(whole[:5000])
    with pytest.raises(CheckpointError, match="it is not all there"):
        PUBLISHED["lpips_alex_0.1"].check(tmp_path / "alex.pth")
    wrong = bytearray(whole)
    wrong[200] ^= 1
    (tmp_path / "alex.pth").write_bytes(wrong)
    with pytest.raises(CheckpointError, match=r"alex\.pth"):
        PUBLISHED["lpips_alex_0.1"].check(tmp_path / "alex.pth")


def test_every_layout_has_a_tensor_for_every_parameter():
    for name, one in PUBLISHED.items():
        foreign = one.layout.to_foreign(one.like())
        assert len(foreign) > 0, name
        assert one.layout in layouts.LAYOUTS, name
        assert one.layout.matches(foreign, foreign.shape) == 1.0, name
