"""Pseudo-videos: a still window gives a still clip, a shift gives shifted crops."""

from dataclasses import dataclass

import numpy as np
import pytest

from vdm_jax import data
from vdm_jax.data.pseudo_videos import render_windows

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


@dataclass(frozen=True)
class Images:
    frames: int = 1
    size: int = 40

    def clips(self, split):
        return [{"video": IMAGE[None], "key": "a", "caption": "a cat", "label": np.int32(3)}]


def test_the_whole_image_is_unchanged_and_a_still_window_gives_a_still_clip():
    whole = render_windows(IMAGE, np.array([[0.0, 0.0, 40.0]] * 3), 40)
    np.testing.assert_array_equal(whole, np.stack([IMAGE] * 3))
    still = data.Zoom((0.6, 0.6)).windows(np.random.default_rng(1), 4, 16, 40)[0]
    frames = render_windows(IMAGE, still, 16)
    np.testing.assert_array_equal(frames, np.stack([frames[0]] * 4))


@pytest.mark.parametrize("pixels", [1, 3])
def test_a_shift_gives_shifted_crops(pixels):
    flows = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
    seen = set()
    for seed in range(24):
        windows, name = data.Shift(pixels).windows(np.random.default_rng(seed), 5, 16, 40)
        frames = render_windows(IMAGE, windows, 16)
        top, left = windows[0, :2].astype(int)
        down, across = flows[name.split()[-1]]
        seen.add(name)
        for n, frame in enumerate(frames):
            y, x = top + pixels * n * down, left + pixels * n * across
            np.testing.assert_array_equal(frame, IMAGE[y : y + 16, x : x + 16])
    assert len(seen) == 4


@pytest.mark.parametrize("motion", [data.Zoom((0.3, 1.0)), data.Pan(0.5), data.Shift(2)])
def test_windows_stay_inside_and_move_steadily(motion):
    for seed in range(50):
        windows, _ = motion.windows(np.random.default_rng(seed), 8, 16, 40)
        top, left, width = windows.T
        assert min(top.min(), left.min()) >= -1e-9
        assert max((top + width).max(), (left + width).max()) <= 40 + 1e-9
        steps = np.diff(windows, axis=0)
        np.testing.assert_allclose(steps, np.broadcast_to(steps[:1], steps.shape), atol=1e-9)
        centers = windows[:, :2] + width[:, None] / 2
        if isinstance(motion, data.Zoom):  # a zoom keeps its center
            np.testing.assert_allclose(centers, centers[:1].repeat(8, 0), atol=1e-9)
        else:  # a pan keeps its width
            assert np.ptp(width) == 0


def test_captions_name_the_motion():
    source = data.PseudoVideos(Images(), frames=3, size=16)
    clips = source.clips("train")
    captions = {clips.draw(0, np.random.default_rng(n))["caption"] for n in range(30)}
    assert captions == {"a cat, zooming in", "a cat, zooming out", "a cat, the camera panning"}
    clip = clips.draw(0, np.random.default_rng(0))
    assert clip["video"].shape == (3, 16, 16, 3)
    assert clip["label"] == 3
    np.testing.assert_array_equal(clips[0]["video"], clips[0]["video"])
    silent = data.PseudoVideos(Images(), frames=3, size=16, caption="{caption}").clips("train")
    assert silent[0]["caption"] == "a cat"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.PseudoVideos(Images(frames=2)), "has clips of 2 frames"),
        (lambda: data.PseudoVideos(Images(), size=64), "size is 64, but its images have 40"),
        (lambda: data.PseudoVideos(Images(), size=8, motions=()), "one or more motions"),
        (
            lambda: data.Shift(5).windows(np.random.default_rng(0), 9, 16, 40),
            "need images of 56 pixels, not 40",
        ),
    ],
)
def test_wrong_sources_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
