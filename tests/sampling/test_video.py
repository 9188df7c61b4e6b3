"""Video files decode to the frames that were written."""

import io
import os

import av
import numpy as np
import pytest
from PIL import Image

from vdm_jax.sampling import video


def ball(frames=6, height=32, width=48) -> np.ndarray:
    """A yellow ball on dark blue that moves two pixels a frame."""
    y, x = np.mgrid[:height, :width]
    clip = np.empty((frames, height, width, 3), np.uint8)
    clip[:] = (20, 30, 90)
    for f in range(frames):
        clip[f][(y - height / 2) ** 2 + (x - 12 - 2 * f) ** 2 < (height // 4) ** 2] = (230, 200, 40)
    return clip


def decode(path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return np.stack(frames), float(stream.average_rate)


@pytest.mark.parametrize("height,width", [(32, 48), (33, 47), (16, 16)])
def test_mp4_decodes_to_the_frames_at_their_rate(tmp_path, height, width):
    clip = ball(height=height, width=width)
    video.write(tmp_path / "a.mp4", clip, fps=12)
    frames, fps = decode(tmp_path / "a.mp4")
    assert fps == 12
    assert frames.shape == (6, height + height % 2, width + width % 2, 3)
    # yuv420p stores luma for every pixel and color for every second; 40 dB of luma is invisible.
    luma = np.array([0.2126, 0.7152, 0.0722])
    error = frames[:, :height, :width] @ luma - clip @ luma
    assert np.sqrt(np.mean(error**2)) < 255 * 10 ** (-40 / 20)


def test_mp4_keeps_colors(tmp_path):
    colors = np.array([(230, 40, 40), (40, 160, 70), (30, 60, 220), (128, 128, 128)], np.uint8)
    clip = np.broadcast_to(colors[:, None, None], (4, 16, 16, 3))
    video.write(tmp_path / "a.mp4", clip, fps=12)
    # Rounding to limited range and back changes blue, the worst channel, by at most 1.8 levels.
    np.testing.assert_allclose(decode(tmp_path / "a.mp4")[0], clip.astype(float), atol=3)


def test_mp4_keeps_broadcast_rates(tmp_path):
    video.write_mp4(tmp_path / "a.mp4", ball(), fps=30000 / 1001)
    assert decode(tmp_path / "a.mp4")[1] == 30000 / 1001


def test_gif_is_exact_for_small_clips_and_loops(tmp_path):
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (5, 14, 15, 3), dtype=np.uint8)  # at most 210 colors per frame
    video.write(tmp_path / "a.gif", clip, fps=8)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 5
        assert image.info["loop"] == 0
        for f in range(5):
            image.seek(f)
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), clip[f])


@pytest.mark.parametrize("fps", [7, 8, 24, 30, 50])
def test_gif_keeps_time(fps):
    clip = np.arange(2 * fps, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    with Image.open(io.BytesIO(video.gif(clip, fps))) as image:
        total = 0
        for f in range(image.n_frames):
            image.seek(f)
            total += image.info["duration"]
    assert image.n_frames == 2 * fps
    assert total == 2000


def test_gif_refuses_rates_that_browsers_slow_down():
    with pytest.raises(ValueError, match="at most 50 frames a second"):
        video.gif(ball(), fps=60)


def test_png_grid_has_a_row_per_clip_and_a_column_per_frame(tmp_path):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (3, 4, 16, 16, 3), dtype=np.uint8)
    video.write_png_grid(tmp_path / "a.png", list(clips))
    image = np.asarray(Image.open(tmp_path / "a.png"))
    assert image.shape == (3 * 64 + 2 * 2, 4 * 64 + 3 * 2, 3)
    for n in range(3):
        for f in range(4):
            tile = image[66 * n : 66 * n + 64, 66 * f : 66 * f + 64]
            np.testing.assert_array_equal(tile[::4, ::4], clips[n, f])
            np.testing.assert_array_equal(tile[3::4, 3::4], clips[n, f])


def test_png_of_one_gray_video(tmp_path):
    video.write(tmp_path / "a.png", ball(frames=2, height=64, width=64)[..., :1])
    assert Image.open(tmp_path / "a.png").size == (130, 64)


def test_grid_refuses_mixed_shapes_and_nothing():
    with pytest.raises(ValueError, match="one shape"):
        video.png_grid([ball(frames=2), ball(frames=3)])
    with pytest.raises(ValueError, match="at least one"):
        video.png_grid([])


def test_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"\.mp4, \.gif or \.png"):
        video.write(tmp_path / "a.avi", ball())


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png"])
@pytest.mark.parametrize(
    "broken",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
    ],
)
def test_arrays_that_are_no_videos_are_refused_without_a_file(tmp_path, suffix, broken, unchecked):
    with pytest.raises(ValueError, match="uint8"):
        video.write(tmp_path / f"a{suffix}", broken)
    assert not list(tmp_path.iterdir())


def test_fps_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        video.mp4(ball(), fps=0)


def test_a_failed_write_keeps_the_old_file_and_no_partial_one(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    video.write(path, ball())
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        video.write(path, ball(frames=2))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_files_are_readable_by_others_as_the_umask_says(tmp_path):
    old = os.umask(0o022)
    try:
        video.write(tmp_path / "new" / "a.gif", ball())
    finally:
        os.umask(old)
    assert (tmp_path / "new" / "a.gif").stat().st_mode & 0o777 == 0o644
