"""Seeking gives the frames of a full decoding, from any keyframe, in every container and codec."""

from pathlib import Path

import av
import numpy as np
import pytest
from made import encode

from data.common.transcoding import Recode, Remux, encode_lossless, remux
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


def as_record(metadata, content: bytes) -> dict:
    fields = metadata.to_fields() | {"video": content}
    return {name: v if isinstance(v, list) else [v] for name, v in fields.items()}


def check_seeking(content: bytes) -> dict:
    """Asserts that windows equal those of a full decoding; returns the record."""
    metadata = probe(content)
    record = as_record(metadata, content)
    video = shards.record_video(record)
    whole = read(video, range(metadata.frames), small)
    rng = np.random.default_rng(0)
    starts = [*metadata.keyframes[1:4], *rng.integers(0, max(1, metadata.frames - 9), 6)]
    for start in starts:
        frames = np.minimum(start + 2 * np.arange(5), metadata.frames - 1)
        np.testing.assert_array_equal(read(video, frames, small), whole[frames])
    return record


@pytest.mark.parametrize("name", REAL)
def test_real_files(real_clips: Path, name):
    content = (real_clips / name).read_bytes()
    record = check_seeking(content)
    with av.open(str(real_clips / name), **TOLERANT) as container:
        assert record["frames"] == [sum(1 for _ in container.decode(video=0))]


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv", ".webm", ".gif"])
def test_every_container(tmp_path, ending):
    record = check_seeking(encode(tmp_path / f"a{ending}", count=30).read_bytes())
    assert record["frames"] == [30]


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "libsvtav1", "libaom-av1", "mpeg1video",
                                   "mpeg2video", "mjpeg", "prores_ks", "libx264"])  # fmt: skip
def test_other_codecs(tmp_path, codec):
    path = tmp_path / "a.mkv"
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3), np.uint8)
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
            frame = av.VideoFrame.from_ndarray(np.roll(image, place, axis=1), "rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    record = check_seeking(path.read_bytes())
    assert record["frames"] == [30]


def test_recoded_and_lossless_copies(real_clips: Path):
    content = (real_clips / "ucf101" / "Rowing" / "v_Rowing_g16_c03.avi").read_bytes()
    record = check_seeking(Recode(size=64, fps=10.0)(content, probe(content))[0])
    assert record["keyframes"] == [0, 12, 24, 36, 48]
    noise = np.random.default_rng(0).integers(0, 255, (12, 32, 48, 3), np.uint8)
    record = check_seeking(encode_lossless(noise))
    video = shards.record_video(record)
    np.testing.assert_array_equal(read(video, range(12), small), noise)


def test_misleading_keyframes_are_not_used(tmp_path):
    # Frames after an open group's keyframe are shown before it and refer to earlier frames.
    path = tmp_path / "a.mkv"
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (64, 64, 3), np.uint8)
    with av.open(str(path), "w") as container:
        options = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:scenecut=0:bframes=3"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for place in range(40):
            frame = av.VideoFrame.from_ndarray(np.roll(image, 3 * place, axis=0), "rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    check_seeking(path.read_bytes())


@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear", "area"])
def test_filters_keep_constants_and_suppress_aliasing(filter):
    down, across = np.mgrid[0:64, 0:64]
    board = np.where((down + across) % 2, 255, 0).astype(
        np.uint8
    )  # finer than 16 pixels can resolve
    frames = np.repeat(np.stack([board, np.full_like(board, 200)])[..., None], 3, axis=-1)
    content = encode_lossless(frames)
    video = shards.record_video(as_record(probe(content), content))
    board, flat = read(video, [0, 1], lambda h, w: (16, 16), filter).astype(int)
    # At the border half of the filter is cut off.
    assert np.abs(board[1:-1, 1:-1] - 127.5).max() < 1
    assert np.abs(flat - 200).max() <= 1


def test_an_unknown_filter_is_an_error(unchecked):
    content = encode_lossless(np.zeros((1, 16, 16), np.uint8))
    video = shards.record_video(as_record(probe(content), content))
    with pytest.raises(ValueError, match="unknown filter 'cubic': it is one of lanczos, bicubic"):
        read(video, [0], small, "cubic")


@pytest.mark.parametrize("name", [*REAL[:4], "kinetics/flipping_a_pancake.mkv"])
def test_remuxing_keeps_the_frames(real_clips: Path, name):
    content = (real_clips / name).read_bytes()
    metadata = probe(content)
    copy, copied = Remux()(content, metadata)
    if name == REAL[1]:  # without timestamps, it is stored unchanged
        assert copy is content
        return
    assert copy is not content
    check_seeking(copy)
    pair = []
    for data, fields in ((content, metadata), (copy, copied)):
        video = shards.record_video(as_record(fields, data))
        pair.append(read(video, range(metadata.frames), small))
    np.testing.assert_array_equal(*pair)
    assert copied.seconds == pytest.approx(metadata.seconds, abs=0.002)


@pytest.mark.parametrize("name", [REAL[2], "kinetics/WUzgd7C1pWA.mp4", "misc/bikes.mp4"])
def test_a_trimmed_video_has_the_frames_of_its_span(real_clips: Path, name):
    content = (real_clips / name).read_bytes()
    metadata = probe(content)
    part = remux(content, 3.0, 6.0)
    assert len(part) < len(content)
    trimmed = probe(part).trim(3.0, 6.0)
    videos = [
        shards.record_video(as_record(fields, data))
        for data, fields in ((content, metadata), (part, trimmed))
    ]
    inside = np.flatnonzero((videos[0].times >= 2.999) & (videos[0].times < 5.999))
    assert trimmed.frames == len(inside)
    np.testing.assert_array_equal(
        read(videos[1], range(trimmed.frames), small), read(videos[0], inside, small)
    )
