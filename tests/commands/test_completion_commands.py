"""`vdm-jax sample` from a user's files: extension, interpolation and upscaling."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vdm_jax import commands, sampling
from vdm_jax.data.videos import probe, read

EXPERIMENT = '''
"""A tiny experiment."""
from tiny import data, denoising


def experiment():
    return denoising(
        data=data.MovingShapes(frames=4, size=16, examples=64, held_out=16), steps=1, log_every=1
    )
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run, clips of 6 frames at 12 fps, two images, and a file that is neither."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "experiment.py").write_text(EXPERIMENT)
    argv = ["train", str(folder / "experiment.py"), "--workdir", str(folder / "run")]
    assert commands.main(argv) == 0
    level = np.linspace(20, 200, 6).astype(np.uint8).reshape(6, 1, 1, 1)
    clip = np.broadcast_to(level, (6, 16, 16, 3))
    sampling.write(folder / "clip.mp4", clip, fps=12)
    sampling.write(folder / "small.mp4", clip[:, :8, :8], fps=12)
    sampling.write(folder / "wide.mp4", np.broadcast_to(level, (6, 16, 32, 3)), fps=12)
    for name, color in (("a", 30), ("b", 220)):
        Image.new("RGB", (16, 16), (color,) * 3).save(folder / f"{name}.png")
    (folder / "text.mp4").write_text("not a video")
    return folder


def sample(folder, *argv) -> tuple[dict, list[np.ndarray]]:
    """(samples.json, frames of every video)."""
    out = folder / "out"
    arguments = ["sample", str(folder / "run"), "--out", str(out), *map(str, argv)]
    assert commands.main(arguments) == 0
    assert not (out / "unfinished").exists()
    record = json.loads((out / "samples.json").read_text())
    videos = [probe(out / one["file"]) for one in record["samples"]]
    fps = {round(1 / float(np.median(np.diff(video.times)))) for video in videos}
    assert fps == {round(record["fps"])}
    return record, [read(v, range(len(v)), lambda h, w: (h, w)) for v in videos]


def test_a_clip_is_extended_at_its_frame_rate(folder):
    record, videos = sample(
        folder, "--continue", folder / "clip.mp4", "--frames", 11, "--overlap", 2, "--count", 2
    )
    assert record["fps"] == pytest.approx(12) and record["blocks"][0] == [4, 5, 6, 7]
    assert [len(video) for video in videos] == [11, 11]
    for video in videos:
        means = video[:6].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(means, np.linspace(20, 200, 6), atol=3)
    page = (folder / "out" / "index.html").read_text()
    assert page.index(">condition<") < page.index(">result<") and ">truth<" not in page


def test_frames_after_the_given_ones_are_shown_as_truth(folder):
    record, videos = sample(folder, "--continue", folder / "clip.mp4", "--given", 2)
    assert record["frames"] == len(videos[0]) == 4
    page = (folder / "out" / "index.html").read_text()
    assert page.index(">condition<") < page.index(">result<") < page.index(">truth<")


def test_images_are_interpolated(folder):
    images = [folder / "a.png", folder / "b.png", folder / "a.png"]
    how = ("--correction", "diffusion.FiniteDifferenceGuidance(2.0)")
    record, videos = sample(folder, "--between", *images, "--fps", 10, *how)
    assert record["frames"] == 7 and record["fps"] == 10
    assert record["correction"] == {
        "class": "diffusion.FiniteDifferenceGuidance", "weight": 2.0, "step": 1.0,
    }  # fmt: skip
    means = videos[0][[0, 3, 6]].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [30, 220, 30], atol=3)


def test_a_small_clip_is_upscaled_in_space_and_time(folder):
    record, videos = sample(folder, "--upscale", folder / "small.mp4", "--every", 2)
    assert videos[0].shape == (11, 16, 16, 3) and record["fps"] == pytest.approx(24)


@pytest.mark.parametrize(
    ("correction", "message"),
    [
        ("diffusion.ReconstructionGuidanc(2)", "did you mean 'ReconstructionGuidance'?"),
        ("diffusion.Secant(2)", "diffusion.Secant is now diffusion.FiniteDifferenceGuidance"),
    ],
)
def test_a_wrong_correction_has_a_suggestion(folder, capsys, correction, message):
    argv = ["--continue", str(folder / "clip.mp4"), "--correction", correction]
    with pytest.raises(SystemExit):
        commands.main(["sample", str(folder / "run"), *argv])
    assert message in capsys.readouterr().err


def test_plan_prints_blocks_and_writes_nothing(folder, capsys):
    argv = ["--continue", str(folder / "clip.mp4"), "--frames", "8", "--overlap", "2", "--plan"]
    assert commands.main(["sample", str(folder / "run"), "--out", str(folder / "no"), *argv]) == 0
    assert capsys.readouterr().out == "----==##  0\n"
    assert not (folder / "no").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--continue", "clip.mp4", "--overlap", "3", "--given", "2"], "2 frames are given, but"),
        (["--continue", "clip.mp4", "--given", "7"], "has 1 to 6 frames to give"),
        (["--continue", "clip.mp4", "--frames", "5"], "make it at least 7 frames"),
        (["--continue", "wide.mp4"], "wide.mp4 is 32x16, .* 16x16: add --crop"),
        (["--continue", "text.mp4"], "text.mp4 is not a video"),
        (["--continue", "a.png"], "a.png is an image, not a video"),
        (["--continue", "none.mp4"], "no file .*none.mp4"),
        (["--between", "a.png"], "two files or more"),
        (["--between", "a.png", "b.png", "--frames", "9"], "between 2 images .* 4 frames"),
        (["--upscale", "clip.mp4"], "not smaller than the model's videos"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_errors_are_one_line(folder, capsys, argv, message, monkeypatch):
    monkeypatch.chdir(folder)
    assert commands.main(["sample", "run", "--out", "no", *argv]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not (folder / "no").exists()
    assert re.search(message, error), error


def test_crop_takes_the_center_of_a_wide_clip(folder):
    _, videos = sample(folder, "--continue", folder / "wide.mp4", "--crop")
    assert videos[0].shape[1:3] == (16, 16)
