"""A cascade of tiny models: seeds, stages one by one or all loaded, and resuming."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny

from vdm_jax import checkpoints, config, data, diffusion, models, nn, sampling, training
from vdm_jax.sampling import Cascade, Generator, Stage

WORDS = data.WordTokenizer(("red", "blue"), length=2)
KEY = jax.random.key(7)
CAPTIONS, LABELS = ["red", "blue"], [-1, -1]


def experiment(frames, size, lowres=None, **changes) -> training.Experiment:
    """A base model or, with `lowres`, a super-resolution model."""
    inputs = (nn.LogSNR(), nn.PooledText())
    network = tiny.network(
        channels=8,
        embedding=nn.Embedding(width=16, layers=1, inputs=inputs),
        text=models.WordEncoder(3, features=8),
    )
    if lowres is not None:
        embedding = nn.Embedding(width=16, layers=1, inputs=(*inputs, nn.LowresLogSNR()))
        levels = (models.EfficientLevel(1, (nn.TemporalConvolution(),), 1, stride=(1, 1, 1)),)
        network = models.SuperResolution(
            tiny.network(
                channels=8, embedding=embedding, text=network.text, levels=levels, outputs=3
            )
        )
    task = training.Denoising(network, diffusion.Process(diffusion.Cosine()), lowres=lowres)
    source = data.MovingShapes(frames=frames, size=size, examples=16, held_out=4)
    generator = Generator(diffusion.Ancestral(steps=2), guidance=2.0, batch=2)
    return tiny.experiment(
        task=task, data=source, sampling=generator, loader=data.Loader(batch=8, text=WORDS),
        **changes,
    )  # fmt: skip


def run(folder: Path, experiment: training.Experiment) -> Stage:
    """A run of one checkpoint, with random parameters."""
    batch = experiment.loader.zeros(experiment.data)
    params, _ = jax.eval_shape(experiment.task.init, jax.random.key(0), batch)
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda x: 0.3 * random.standard_normal(x.shape, np.float32), params)
    checkpoints.write_experiment(folder, experiment)
    store = experiment.checkpoints.open(folder)
    store.save(1, {"ema": params}, {"next_batch": 0})
    store.close()
    return Stage(str(folder))


@pytest.fixture(scope="module")
def cascade(tmp_path_factory) -> Cascade:
    folder = tmp_path_factory.mktemp("cascade")
    return Cascade(
        (
            run(folder / "base", experiment(2, 4)),
            run(folder / "tsr", experiment(4, 4, training.LowRes(frames=2))),
            run(folder / "ssr", experiment(4, 8, training.LowRes(size=2))),
        )
    )


@pytest.fixture(scope="module")
def all_loaded(cascade):
    return cascade.load_all()


@pytest.fixture(scope="module")
def video(cascade, all_loaded):
    return cascade.generate(KEY, CAPTIONS, LABELS, load=all_loaded)


def test_one_seed_is_one_video(cascade, all_loaded, video):
    assert video.shape == (2, 4, 8, 8, 3) and video.dtype == np.uint8
    assert cascade.check() == [(2, 4, 4), (4, 4, 4), (4, 8, 8)]
    np.testing.assert_array_equal(cascade.generate(KEY, CAPTIONS, LABELS, load=all_loaded), video)
    other = cascade.generate(jax.random.key(8), CAPTIONS, LABELS, load=all_loaded)
    assert np.abs(other.astype(int) - video).mean() > 1


def test_models_loaded_one_by_one_give_the_same_videos(cascade, all_loaded, video):
    assert all_loaded(cascade.stages[1]) is all_loaded(cascade.stages[1])
    np.testing.assert_array_equal(cascade.generate(KEY, CAPTIONS, LABELS), video)


def test_a_sample_depends_on_its_number_not_on_the_batch(cascade):
    trained = cascade.stages[2].load()
    low = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 4, 3)).astype(np.uint8)
    cond = trained.encode(["red", "blue", "red"], [-1] * 3)
    key = jax.random.key(1)
    three = trained.with_sampling(lowres_snr=3.0, batch=3).upsample(key, cond, low)
    one = trained.with_sampling(lowres_snr=3.0, batch=1).upsample(key, cond, low)
    assert np.abs(three.astype(int) - one).max() <= 1
    quiet = trained.upsample(key, cond, low)
    assert np.abs(three.astype(int) - quiet).mean() > 1  # the network sees the augmentation


def test_a_video_sharded_over_devices_equals_one_on_one_device(cascade, request):
    """The eight devices shard its frames or its rows."""
    low = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 4, 3)).astype(np.uint8)
    videos = []
    for devices in (1, 8):
        trained = cascade.stages[2].load()
        videos.append(trained.upsample(KEY, trained.encode(["red"], [-1]), low).astype(int))
        assert {len(x.sharding.device_set) for x in jax.tree.leaves(trained.params)} == {devices}
        request.getfixturevalue("eight_devices")
    assert np.abs(videos[1] - videos[0]).max() <= 1


def test_the_last_stage_alone_upsamples_a_given_video(cascade, video):
    alone = cascade.select_stages(3, 3)
    low = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 4, 3)).astype(np.uint8)
    assert alone.generate(KEY, CAPTIONS, LABELS, low).shape == video.shape
    prefix = cascade.select_stages(1, 2)
    assert prefix.generate(KEY, CAPTIONS, LABELS).shape == (2, 4, 4, 4, 3)


def test_an_interrupted_cascade_resumes_after_the_last_complete_stage(cascade, video, tmp_path):
    loaded = []

    def stopping(stage):
        loaded.append(stage.name)
        if len(loaded) == 3:
            raise KeyboardInterrupt
        return stage.load()

    how = {"folder": tmp_path, "keep_stages": True, "load": stopping}
    with pytest.raises(KeyboardInterrupt):
        cascade.generate(KEY, CAPTIONS, LABELS, **how)
    assert sorted(p.name for p in tmp_path.glob("*.npy")) == ["stage_1.npy", "stage_2.npy"]
    result = cascade.generate(KEY, CAPTIONS, LABELS, **how)
    assert loaded == ["base", "tsr", "ssr", "ssr"]
    np.testing.assert_array_equal(result, video)
    assert np.load(tmp_path / "stage_1.npy").shape == (2, 2, 4, 4, 3)
    np.testing.assert_array_equal(cascade.generate(KEY, CAPTIONS, LABELS, **how), video)
    assert len(loaded) == 4  # all stages were complete
    with pytest.raises(ValueError, match="of another cascade, seed or prompt"):
        cascade.generate(jax.random.key(1), CAPTIONS, LABELS, folder=tmp_path)


def test_only_the_newest_stage_is_kept_by_default(cascade, tmp_path):
    cascade.select_stages(1, 2).generate(KEY, CAPTIONS, LABELS, folder=tmp_path)
    assert [p.name for p in tmp_path.glob("*.npy")] == ["stage_2.npy"]


def test_the_error_lists_all_missing_stages(cascade, tmp_path):
    _, tsr, ssr = cascade.stages
    with pytest.raises(checkpoints.CheckpointError) as error:
        Cascade((Stage(str(tmp_path / "nowhere")), tsr, dataclasses.replace(ssr, step=9))).check()
    message = str(error.value)
    assert "2 of 3" in message and "stage 1 (nowhere)" in message and "is not a run" in message
    assert "stage 3 (ssr)" in message and "no checkpoint of step 9" in message


def test_stages_that_do_not_fit_are_named(cascade):
    base, tsr, ssr = cascade.stages
    for stages, low, match in (
        ((base, ssr), None, r"stage 2 \(ssr\): it upsamples videos \(4, 4, 4\).* not \(2, 4, 4\)"),
        ((tsr,), None, r"stage 1 \(tsr\): it upsamples videos, to 2 times the frames .* has none"),
        ((base,), (2, 4, 4), r"base model of videos \(2, 4, 4\) and cannot upsample"),
    ):
        with pytest.raises(checkpoints.CheckpointError, match=match):
            Cascade(stages).check(low)
    with pytest.raises(
        config.ConfigError, match=r"no stages 2 .. 4: the cascade has stages 1 .. 3"
    ):
        cascade.select_stages(2, 4)
    with pytest.raises(ValueError, match="needs low-resolution videos: use `upsample`"):
        trained = ssr.load()
        trained.generate(KEY, trained.encode(["red"], [-1]), 1)
    with pytest.raises(ValueError, match="no super-resolution model"):
        base.load().downsample(np.zeros((1, 2, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match=r"lowres_snr=-1"):
        Generator(lowres_snr=-1.0)


def test_a_cascade_is_written_as_json_and_overridden(cascade):
    tree = config.to_json(cascade)
    assert config.from_json(tree) == cascade
    changed = config.override(cascade, "stages.1.step=3")
    assert changed.stages[1].step == 3
    half = dataclasses.replace(cascade, data=data.MovingShapes(frames=4, size=4))
    assert sampling.CascadeModel(half).generate(KEY, (("red",), (-1,)), 1).shape == (1, 4, 4, 4, 3)
