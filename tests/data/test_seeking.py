"""Records give the frames of a full decoding, from any keyframe, in every container and codec."""

from pathlib import Path

import av
import numpy as np
import pytest
from made import encode

from data.common.copies import Recode, Remux, lossless, remux
from data.common.videos import probe
from vdm_jax.data import shards
from vdm_jax.data.videos import TOLERANT, read

REAL = [
    "ucf101/Rowing/v_Rowing_g16_c03.avi",  # MPEG-4 part 2, a keyframe every 12 frames
    "hmdb51/TrumanShow_wave_f_nm_np1_fr_med_26.avi",  # with packed B-frames
    "msrvtt/video9771.mp4",  # H.264, the first frame not at 0
    "kinetics/mmaction2_demo_armwrestling.mp4",
    "kinetics/flipping_a_pancake.mkv",
    "misc/carphone_pristine.mp4",
    "misc/bikes.mp4",
    "../fixtures/i3d/v_CricketShot_g04_c01_rgb.gif",
]


def small(height, width):
    return 32, 48


def agrees(content: bytes) -> dict:
    """The record of a video, whose windows are those of a decoding of every frame."""
    facts = probe(content)
    record = {name: [v] if not isinstance(v, list) else v for name, v in facts.record().items()}
    video = shards.video(record | {"video": [content]})
    whole = read(video, range(facts.frames), small)
    rng = np.random.default_rng(0)
    starts = [*facts.keyframes[1:4], *rng.integers(0, max(1, facts.frames - 9), 6)]
    for start in starts:
        frames = np.minimum(start + 2 * np.arange(5), facts.frames - 1)
        np.testing.assert_array_equal(read(video, frames, small), whole[frames])
    return record


@pytest.mark.parametrize("name", REAL)
def test_real_files(real_clips: Path, name):
    content = (real_clips / name).read_bytes()
    record = agrees(content)
    with av.open(str(real_clips / name), **TOLERANT) as container:
        assert record["frames"] == [sum(1 for _ in container.decode(video=0))]


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv", ".webm", ".gif"])
def test_made_files(tmp_path, ending):
    record = agrees(encode(tmp_path / f"a{ending}", count=30).read_bytes())
    assert record["frames"] == [30]


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "libsvtav1", "libaom-av1", "mpeg1video",
                                   "mpeg2video", "mjpeg", "prores_ks", "libx264"])  # fmt: skip
def test_other_codecs(tmp_path, codec):
    path = tmp_path / "a.mkv"
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
    try:
        container = av.open(str(path), "w")
        stream = container.add_stream(codec, rate=25)
    except (ValueError, av.error.FFmpegError):
        pytest.skip(f"this PyAV encodes no {codec}")
    stream.height = stream.width = 64
    stream.pix_fmt = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}.get(codec, "yuv420p")
    stream.codec_context.gop_size = 8
    with container:
        for place in range(30):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, place, axis=1), "rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    record = agrees(path.read_bytes())
    assert record["frames"] == [30]


def test_smaller_and_lossless_copies(real_clips: Path):
    content = (real_clips / "ucf101" / "Rowing" / "v_Rowing_g16_c03.avi").read_bytes()
    record = agrees(Recode(size=64, fps=10.0)(content, probe(content))[0])
    assert record["keyframes"] == [0, 12, 24, 36, 48]
    noise = np.random.default_rng(0).integers(0, 255, (12, 32, 48, 3), np.uint8)
    record = agrees(lossless(noise))
    video = shards.video(record | {"video": [lossless(noise)]})
    np.testing.assert_array_equal(read(video, range(12), small), noise)


def test_a_keyframe_that_lies_is_not_believed(tmp_path):
    # Frames after an open group's keyframe are shown before it, and refer to what came before.
    path = tmp_path / "a.mkv"
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
    with av.open(str(path), "w") as container:
        options = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:scenecut=0:bframes=3"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for place in range(40):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * place, axis=0), "rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    agrees(path.read_bytes())


@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear", "area"])
def test_every_filter_keeps_what_is_flat_and_lets_no_fine_pattern_through(filter):
    down, across = np.mgrid[0:64, 0:64]
    board = np.where((down + across) % 2, 255, 0).astype(np.uint8)  # finer than 16 pixels can show
    frames = np.repeat(np.stack([board, np.full_like(board, 200)])[..., None], 3, axis=-1)
    record = {name: [v] if not isinstance(v, list) else v
              for name, v in probe(lossless(frames)).record().items()}  # fmt: skip
    video = shards.video(record | {"video": [lossless(frames)]})
    board, flat = read(video, [0, 1], lambda h, w: (16, 16), filter).astype(int)
    assert (
        np.abs(board[1:-1, 1:-1] - 127.5).max() < 1
    )  # at the border half of the filter is cut off
    assert np.abs(flat - 200).max() <= 1


def test_an_unknown_filter_is_refused():
    record = probe(lossless(np.zeros((1, 16, 16), np.uint8))).record()
    record = {name: v if isinstance(v, list) else [v] for name, v in record.items()}
    video = shards.video(record | {"video": [lossless(np.zeros((1, 16, 16), np.uint8))]})
    with pytest.raises(ValueError, match="unknown filter 'cubic': it is one of lanczos, bicubic"):
        read(video, [0], small, "cubic")


@pytest.mark.parametrize("name", [*REAL[:4], "kinetics/flipping_a_pancake.mkv"])
def test_a_stream_taken_over_as_it_is_gives_the_same_pictures(real_clips: Path, name):
    content = (real_clips / name).read_bytes()
    facts = probe(content)
    copy, again = Remux()(content, facts)
    if name == REAL[1]:  # it does not tell the times of its frames, and stays as it is
        assert copy is content
        return
    assert copy is not content
    agrees(copy)
    pair = []
    for data, told in ((content, facts), (copy, again)):
        record = {n: v if isinstance(v, list) else [v] for n, v in told.record().items()}
        pair.append(read(shards.video(record | {"video": [data]}), range(facts.frames), small))
    np.testing.assert_array_equal(*pair)
    assert again.seconds == pytest.approx(facts.seconds, abs=0.002)


@pytest.mark.parametrize("name", [REAL[2], "kinetics/WUzgd7C1pWA.mp4", "misc/bikes.mp4"])
def test_a_part_cut_out_has_the_frames_of_its_time(real_clips: Path, name):
    content = (real_clips / name).read_bytes()
    facts = probe(content)
    part = remux(content, 3.0, 6.0)
    assert len(part) < len(content)
    told = probe(part).within(3.0, 6.0)
    videos = []
    for data, found in ((content, facts), (part, told)):
        record = {n: v if isinstance(v, list) else [v] for n, v in found.record().items()}
        videos.append(shards.video(record | {"video": [data]}))
    inside = np.flatnonzero((videos[0].times >= 2.999) & (videos[0].times < 5.999))
    assert told.frames == len(inside)
    np.testing.assert_array_equal(
        read(videos[1], range(told.frames), small), read(videos[0], inside, small)
    )
