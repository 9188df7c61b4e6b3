"""The catalogue's files of CLIP, VideoMAE, RAFT and LPIPS: available ones load."""

import jax
import pytest

from vdm_jax.checkpoints import PUBLISHED, CheckpointError, layouts

AVAILABLE = {
    "raft_small": "raft-small/raft-small.pth",
    "lpips_alex_0.1": "lpips/alex.pth",
    "lpips_vgg_0.1": "lpips/vgg.pth",
    "lpips_squeeze_0.1": "lpips/squeeze.pth",
}


@pytest.mark.parametrize("name", AVAILABLE)
def test_published_files_match_the_catalogue(name, real_clips):
    nets = real_clips.parent / "nets"
    params = PUBLISHED[name].parameters(path=nets / AVAILABLE[name])
    assert jax.tree.structure(params) == jax.tree.structure(PUBLISHED[name].abstract_params())
    other = "lpips_vgg_0.0" if name == "raft_small" else "raft_small"
    with pytest.raises(CheckpointError, match=r"bytes, but .* is "):
        PUBLISHED[other].check(nets / AVAILABLE[name])


def test_truncated_and_damaged_files_are_errors(real_clips, tmp_path):
    whole = (real_clips.parent / "nets" / "lpips" / "alex.pth").read_bytes()
    (tmp_path / "alex.pth").write_bytes(whole[:5000])
    with pytest.raises(CheckpointError, match="it is truncated"):
        PUBLISHED["lpips_alex_0.1"].check(tmp_path / "alex.pth")
    wrong = bytearray(whole)
    wrong[200] ^= 1
    (tmp_path / "alex.pth").write_bytes(wrong)
    with pytest.raises(CheckpointError, match=r"alex\.pth"):
        PUBLISHED["lpips_alex_0.1"].check(tmp_path / "alex.pth")


def test_every_layout_has_a_tensor_for_every_parameter():
    for name, one in PUBLISHED.items():
        foreign = one.layout.to_foreign(one.abstract_params())
        assert len(foreign) > 0, name
        assert one.layout in layouts.LAYOUTS, name
        assert one.layout.match_score(foreign, foreign.shape) == 1.0, name
