"""Folders of videos: every format gives the same frames, and every fault is named."""

import numpy as np
import pytest
from PIL import Image

from vdm_jax import sampling
from vdm_jax.protocols import H264, Generated, Gif, Jpeg, collect, read_captions, read_list

RNG = np.random.default_rng(0)
# Large even blocks of few colors, which GIF preserves and H.264 nearly does.
BLOCKS = RNG.integers(0, 4, (3, 18, 2, 2, 3)) * 80
CLIPS = BLOCKS.repeat(16, axis=2).repeat(16, axis=3).astype(np.uint8)


def write(folder, suffix: str, clips=CLIPS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, clip in enumerate(clips):
        if suffix == "npy":
            np.save(folder / f"{i}.npy", clip)
        elif suffix == "png":
            (folder / f"{i}").mkdir()
            for n, frame in enumerate(clip):  # as strings, 10 sorts before 2
                Image.fromarray(frame).save(folder / f"{i}" / f"frame_{n}.png")
        else:
            sampling.write(folder / f"{i}.{suffix}", clip, fps=10)


@pytest.mark.parametrize(("suffix", "error"), [("npy", 0), ("png", 0), ("gif", 0), ("mp4", 12)])
def test_every_format_gives_the_written_frames(tmp_path, suffix, error):
    write(tmp_path, suffix)
    videos = collect(tmp_path)
    clips = Generated(count=None, frames=8, stride=2).clips(videos)
    assert len(clips) == 3 and [v.key.partition(".")[0] for v in clips.videos] == ["0", "1", "2"]
    for i, clip in enumerate(CLIPS):
        video = clips[i]["video"]
        assert video.shape == (8, 32, 32, 3) and video.dtype == np.uint8
        assert np.abs(video.astype(int) - clip[0:16:2].astype(int)).mean() <= error
    assert videos.rates == ({0.0: 3} if suffix in ("npy", "png") else {10.0: 3})


def test_compression_steps_equal_the_files(tmp_path):
    """Higher quality gives a smaller error; clips of at most 256 colors are unchanged by GIF."""
    write(tmp_path, "gif")
    stored = collect(tmp_path).videos[0].read(np.arange(18))
    np.testing.assert_array_equal(Gif()(CLIPS[0].astype(np.float32)), stored)
    odd = RNG.integers(0, 256, (5, 7, 9, 1)).repeat(8, 1).repeat(8, 2).repeat(3, 3)[:, :-1, :-1]
    odd = odd.astype(np.float32)
    for steps in ((H264(0), H264(18), H264(40)), (Jpeg(95), Jpeg(50), Jpeg(5))):
        near, middle, far = (np.square(np.asarray(step(odd)) - odd).mean() for step in steps)
        assert near < middle < far and near < 4
        assert steps[0](odd).shape == odd.shape == (5, 55, 71, 3)


def test_one_array_can_hold_many_clips(tmp_path):
    np.save(tmp_path / "all.npy", CLIPS)
    clips = Generated(count=None).clips(collect(tmp_path))
    assert [v.key for v in clips.videos] == [f"all.npy#{i:05d}" for i in range(3)]
    np.testing.assert_array_equal(clips[2]["video"], CLIPS[2, :16])


def test_images_next_to_videos_are_not_clips(tmp_path):
    write(tmp_path / "a", "gif")
    Image.fromarray(CLIPS[0, 0]).save(tmp_path / "a" / "grid.png")
    assert len(collect(tmp_path).videos) == 3


def error_of(folder, **rules) -> str:
    with pytest.raises(ValueError) as error:
        Generated(**rules).clips(collect(folder))
    return str(error.value)


def test_faulty_samples_are_named(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no video" in error_of(empty)
    with pytest.raises(FileNotFoundError, match="no folder"):
        collect(tmp_path / "nowhere")

    write(tmp_path / "short", "npy", [CLIPS[0], CLIPS[1, :9]])
    assert "1.npy has 9" in error_of(tmp_path / "short")
    assert "1 of 2 have 18, and 1.npy has 9" in error_of(tmp_path / "short", frames=8)
    write(tmp_path / "sizes", "npy", [CLIPS[0], CLIPS[1], CLIPS[2, :, :30]])
    assert "2 of 3 have 32 x 32, and 2.npy has 30 x 32" in error_of(tmp_path / "sizes")

    write(tmp_path / "floats", "npy", [CLIPS[0] / 255])
    assert "float64 (18, 32, 32, 3), not uint8" in error_of(tmp_path / "floats")
    write(tmp_path / "torch", "npy", [CLIPS[0].transpose(0, 3, 1, 2)])
    assert "channels last" in error_of(tmp_path / "torch")
    (tmp_path / "torch" / "pickle.npy").write_bytes(b"\x80\x04N.")
    (tmp_path / "torch" / "good.npy").unlink(missing_ok=True)
    write(tmp_path / "torch", "gif")
    message = error_of(tmp_path / "torch")
    assert "2 samples" in message and "are unreadable; 0.npy" in message
    assert "pickle.npy" in collect(tmp_path / "torch").skipped

    write(tmp_path / "cut", "mp4")
    whole = (tmp_path / "cut" / "1.mp4").read_bytes()
    (tmp_path / "cut" / "1.mp4").write_bytes(whole[: len(whole) // 3])
    assert "are unreadable; 1.mp4" in error_of(tmp_path / "cut")


def test_deviations_from_the_protocol_are_warned_about(tmp_path):
    write(tmp_path, "npy")
    rules = Generated(count=5, size=64)
    warnings = rules.clips(collect(tmp_path), 5).warnings(5)
    assert warnings[0] == "the protocol needs 5 samples and the folder has 3"
    assert warnings[1].startswith("only 16 of 18 frames per sample are measured")
    assert warnings[2] == "samples are 32 x 32 and the protocol's are 64 x 64"
    assert "only the first 2 of 3 samples" in rules.clips(collect(tmp_path), 2).warnings(2)[0]


def test_captions_come_from_a_table_or_from_sidecar_files(tmp_path):
    write(tmp_path, "npy")
    clips = Generated(count=None).clips(collect(tmp_path))
    with pytest.raises(ValueError, match=r"3 of 3 samples .* no caption, the first is 0.npy"):
        _ = clips.captions
    (tmp_path / "0.txt").write_text("a dog\n")
    assert collect(tmp_path).videos[0].captions == ("a dog",)
    (tmp_path / "captions.csv").write_text('file,caption\n0.npy,"a, b"\n1.npy,c\n2.npy,d\n')
    assert Generated(count=None).clips(collect(tmp_path)).captions == ["a, b", "c", "d"]


def test_lists_and_tables_in_the_formats_of_data_sets(tmp_path, real_clips):
    text = real_clips.parent / "text" / "msrvtt"
    assert len(read_list(text / "test_list_full.txt")) == 2990
    csv = text / "MSRVTT_JSFUSION_test.csv"
    assert len(read_list(csv)) == 1000
    assert read_captions(csv)("video9770") == ("a person is connecting something to system",)
    semicolons = tmp_path / "a.csv"
    semicolons.write_text('key;vid_key;video_id;sentence\r\nret0;msr1;video1;a "quoted, word\r\n')
    assert read_captions(semicolons)("video1") == ('a "quoted, word',)
    tree = tmp_path / "test.json"
    tree.write_text(
        '{"videos": [], "sentences": [{"sen_id": 7, "video_id": "video1", "caption": "b"},'
        '{"sen_id": 3, "video_id": "video1", "caption": "a"}]}'
    )
    assert read_captions(tree)("video1") == ("a", "b") and read_captions(tree)("video2") == ()
    tree.write_text("[]")
    with pytest.raises(ValueError, match="not JSON in the format of MSR-VTT"):
        read_captions(tree)
    lists = real_clips.parent / "splits" / "ucf101" / "trainlist01.txt"
    real = collect(real_clips / "ucf101")
    assert len(real.videos) == 5 and real.videos[0].label == 10
    assert [v.key.partition("/")[0] for v in real.select(read_list(lists), "the list").videos] == [
        "Rowing", "SoccerJuggling", "SoccerJuggling"]  # fmt: skip
    with pytest.raises(ValueError, match="names none of the 5 videos"):
        real.select(["video7"], "the list")
