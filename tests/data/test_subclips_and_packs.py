"""Non-square frames, subclips, strides, packs of images."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from vdm_jax.data import (
    CenterCrop,
    Loader,
    MovingShapes,
    Packed,
    RandomCrop,
    RandomPatch,
    RandomSubclips,
    Stretch,
    VideoFolder,
    Window,
    WordTokenizer,
)

SHAPES = MovingShapes(frames=6, size=20, examples=32, held_out=4)


@pytest.mark.parametrize("height, width", [(240, 320), (320, 240), (77, 301), (768, 1280)])
def test_crops_fit_into_resized_frames(height, width):
    for crop in (CenterCrop(), RandomCrop(), Stretch()):
        for size in (24, (24, 40), (48, 16)):
            h, w = size if isinstance(size, tuple) else (size, size)
            tall, wide = crop.target_size(height, width, size)
            assert tall >= h and wide >= w
            assert tall == h or wide == w  # no larger than needed
            top, left = crop.corner((tall - h, wide - w), (0.5, 0.5))
            assert 0 <= top <= tall - h and 0 <= left <= wide - w
    h, w = CenterCrop().target_size(height, width, (24, 40))
    assert abs(h / w - height / width) < 0.05  # the aspect ratio is preserved


def test_a_patch_has_the_scale_of_the_whole_frame():
    crop = RandomPatch(of=(768, 1280))
    assert crop.target_size(1080, 1920, 256) == (768, 1365)
    corners = {crop.corner((512, 1109), u) for u in ((0.0, 0.0), (0.999, 0.999))}
    assert corners == {(0, 0), (512, 1108)}


def test_non_square_frames_of_real_clips(real_clips):
    folder = VideoFolder(str(real_clips / "ucf101"), frames=2, size=(24, 40), held_out=0.2)
    assert folder.clips("held_out")[0]["video"].shape == (2, 24, 40, 3)
    assert Loader(batch=2).shapes(folder)["video"].shape == (2, 2, 24, 40, 3)


def test_a_stride_gives_every_nth_frame_of_the_longer_clip():
    """A clip is a function of its index, including the frames that a stride leaves out."""
    long, every = SHAPES.clips("train"), replace(SHAPES, frames=2, stride=3).clips("train")
    for index in range(8):
        np.testing.assert_array_equal(every[index]["video"], long[index]["video"][::3])
        assert every[index]["caption"] == long[index]["caption"]


def test_a_subclip_equals_the_window_of_the_clip():
    window = Window(range(2, 5), range(7, 15), range(3, 14))
    clips = SHAPES.clips("train")
    for index in range(4):
        whole = clips[index]["video"][2:5, 7:15, 3:14]
        np.testing.assert_array_equal(clips.subclip(index, window)["video"], whole)


class WithoutSubclips:
    """A split without `subclip`."""

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return len(self.split)

    def __getitem__(self, index):
        return self.split[index]


def test_subclips_are_equal_with_and_without_the_ability_of_the_split():
    source = RandomSubclips(SHAPES, frames=3, size=8)
    split = source.clips("train")
    cut = replace(split, split=WithoutSubclips(split.split))
    for index in range(4):
        rendered, cropped = (s.draw(index, np.random.default_rng(5)) for s in (split, cut))
        assert rendered["video"].shape == (3, 8, 8, 3) and rendered["caption"] == cropped["caption"]
        np.testing.assert_array_equal(rendered["video"], cropped["video"])
    held_out = source.clips("held_out")
    np.testing.assert_array_equal(held_out[1]["video"], held_out[1]["video"])
    with pytest.raises(ValueError, match=r"\(6, 20, 20\).* no subclip of 7 frames of 8x8"):
        RandomSubclips(SHAPES, frames=7, size=8)


def test_elements_are_clips_or_packs_of_images():
    words = WordTokenizer(SHAPES.vocabulary, length=SHAPES.longest_caption)
    loader, source = Loader(batch=16, text=words), Packed(SHAPES, share=0.5)
    shapes = loader.shapes(source)
    batches = loader(pickle.loads(pickle.dumps(source.clips("train"))), seed=0)
    batch = next(batches)
    batches.close()
    for name, shape in shapes.items():
        assert batch[name].shape == shape.shape and batch[name].dtype == shape.dtype
    assert batch["segments"].shape == (16, 6) and batch["tokens"].shape[:2] == (16, 6)
    packs = batch["segments"][:, -1] == 5
    assert 0 < packs.sum() < 16
    clips, images = ~batch["text_mask"].any(axis=2)[~packs], batch["text_mask"].any(axis=2)[packs]
    assert not clips[:, 0].any() and clips[:, 1:].all()  # a clip has one caption
    assert images.all()  # an image has its own
    assert (batch["label"][~packs][:, 1:] == -1).all() and (batch["label"][packs] >= 0).all()
    assert "segments" not in source.clips("held_out")[0]


def test_images_of_packs_match_their_captions():
    element = Packed(SHAPES, share=1.0).clips("train").draw(0, np.random.default_rng(0))
    for image, caption in zip(element["video"], element["caption"], strict=True):
        color = next(c for c in SHAPES.colors if c in caption)
        bright = image.reshape(-1, 3)[image.reshape(-1, 3).sum(axis=1).argmax()]
        distance = [np.abs(bright - SHAPES.color(c).astype(int)).sum() for c in SHAPES.colors]
        assert SHAPES.colors[int(np.argmin(distance))] == color
