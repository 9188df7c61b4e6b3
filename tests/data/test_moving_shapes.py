"""MovingShapes: deterministic by index, labels that match the frames, accurate geometry."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from vdm_jax.data import MovingShapes, Object
from vdm_jax.data.shapes import DISTANCES

DEFAULT = MovingShapes()
RICH = MovingShapes(
    frames=5,
    size=24,
    objects=2,
    shapes=tuple(DISTANCES),
    motions=("left", "bounce", "grow", "up"),
    colors=("red", "orange"),
    backgrounds=("black", "grey", "navy"),
)


def centroids(video):
    """The centroid (x, y) in pixels of everything that is not black, by frame."""
    weight = video.astype(float).sum(-1)
    pixels = np.arange(video.shape[2]) + 0.5
    total = weight.sum((1, 2))
    return (
        np.stack([(weight * pixels).sum((1, 2)), (weight.sum(2) * pixels).sum(1)], -1)
        / (total[:, None])
    )


def test_an_element_has_the_documented_fields():
    element = DEFAULT.clips("train")[7]
    assert element["video"].shape == (8, 16, 16, 3)
    assert element["video"].dtype == np.uint8
    assert element["label"].dtype == np.int32
    assert element["caption"] == DEFAULT.caption(element["label"])
    assert len(DEFAULT.clips("train")) == 100_000
    assert len(DEFAULT.clips("held_out")) == 10_000


def test_the_default_has_210_labels_with_distinct_captions():
    assert DEFAULT.labels == 3 * 7 * 5 * 2
    assert DEFAULT.caption(DEFAULT.label([Object("circle", "red", "left", "small")])) == (
        "a small red circle moving left"
    )
    assert len({DEFAULT.caption(label) for label in range(DEFAULT.labels)}) == 210


@pytest.mark.parametrize("source", [DEFAULT, RICH])
def test_vocabulary_and_length_match_the_captions(source):
    captions = [source.caption(label).split() for label in range(source.labels)]
    assert set(source.vocabulary) == {word for caption in captions for word in caption}
    assert source.longest_caption == max(map(len, captions))


@pytest.mark.parametrize("source", [DEFAULT, RICH])
def test_label_is_the_inverse_of_attributes_and_background(source):
    for label in range(0, source.labels, 7):
        assert source.label(source.attributes(label), source.background(label)) == label


def test_a_clip_depends_on_seed_split_and_index_alone():
    clips = pickle.loads(pickle.dumps(DEFAULT.clips("train")))
    np.testing.assert_array_equal(clips[3]["video"], DEFAULT.clips("train")[3]["video"])
    others = [
        clips[4],
        DEFAULT.clips("held_out")[3],
        replace(DEFAULT, seed=1).clips("train")[3],
    ]
    for other in others:
        assert (other["video"] != clips[3]["video"]).any()
    keys = {clip["key"] for clip in (clips[3], *others[:2])}
    assert len(keys) == 3


def test_labels_are_uniform():
    clips = DEFAULT.clips("held_out")
    counts = np.bincount([clips[index]["label"] for index in range(4200)], minlength=210)
    # Chi-square of 209 degrees of freedom: mean 209, standard deviation 20.4.
    assert abs(np.sum((counts - 20) ** 2 / 20) - 209) < 4 * 20.4


@pytest.mark.parametrize("radius", [0.16, 0.25])
@pytest.mark.parametrize("center", [(0.5, 0.5), (0.471, 0.533)])
@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("circle", np.pi),
        ("square", np.pi),
        ("triangle", 2),
        ("diamond", 2),
        ("ring", 0.75 * np.pi),
        ("cross", 20 / 9),
    ],
)
def test_coverage_sums_to_the_area(shape, area, radius, center):
    image = DEFAULT.template(shape, radius, 48, center)
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.sum() / 48**2 == pytest.approx(area * radius**2, rel=0.01)


def test_a_disc_is_anti_aliased_even_at_16_pixels():
    # Its area and centroid are right at any sub-pixel position; with a hard edge they are not.
    for x in np.linspace(0.45, 0.55, 11):
        image = DEFAULT.template("circle", 0.25, 16, (x, 0.5))
        assert image.sum() == pytest.approx(np.pi * 4**2, rel=0.01)
        assert (image.sum(0) @ (np.arange(16) + 0.5)) / image.sum() == pytest.approx(
            16 * x, abs=0.02
        )


def test_one_threshold_on_the_area_separates_small_from_large():
    area = {
        size: [
            DEFAULT.template(s, DEFAULT.radius(size), 16, (0.5, 0.5)).sum() for s in DEFAULT.shapes
        ]
        for size in DEFAULT.sizes
    }
    assert max(area["small"]) * 1.4 < min(area["large"])


@pytest.mark.parametrize(
    ("motion", "direction"),
    [("left", (-1, 0)), ("right", (1, 0)), ("up", (0, -1)), ("down", (0, 1)), ("still", (0, 0))],
)
def test_motions_have_their_direction_and_distance(motion, direction):
    label = DEFAULT.label([Object("circle", "white", motion, "small")])
    rng = np.random.default_rng(0)
    moved = [np.diff(centroids(DEFAULT.render(label, rng)), axis=0) / 16 for _ in range(20)]
    along = np.sum(moved, axis=1) @ direction
    if motion == "still":
        assert np.abs(moved).max() == 0
    else:
        assert along.min() > 0.30 - 0.005
        assert along.max() < 0.38 + 0.005
        np.testing.assert_allclose(np.std(moved, axis=1), 0, atol=0.005)  # constant speed
        across = np.array(direction)[::-1]
        np.testing.assert_allclose(np.sum(moved, axis=1) @ across, 0, atol=0.002)


def test_bounce_returns_and_grow_ends_at_full_size():
    source = MovingShapes(frames=9, size=32, motions=("bounce", "grow"))
    rng = np.random.default_rng(0)
    bounce = source.render(source.label([Object("circle", "white", "bounce", "large")]), rng)
    y = centroids(bounce)[:, 1] / 32
    assert y[0] == pytest.approx(y[8], abs=1e-3)
    assert 0.30 - 0.005 < y[4] - y[0] < 0.38 + 0.005
    grow = source.render(source.label([Object("circle", "white", "grow", "large")]), rng)
    area = grow[..., 0].astype(float).sum((1, 2)) / 255 / 32**2
    np.testing.assert_allclose(area[[0, 8]], np.pi * np.array([0.125, 0.25]) ** 2, rtol=0.02)
    assert (np.diff(area) > 0).all()


@pytest.mark.parametrize("motion", ["left", "right", "up", "down", "bounce", "grow"])
def test_shapes_stay_inside(motion):
    source = MovingShapes(size=32, motions=(motion,), sizes=("large",), colors=("white",))
    for index in range(30):
        clip = source.clips("train")[index]
        (one,) = source.attributes(clip["label"])
        whole = source.template(one.shape, source.radius("large"), 32, (0.5, 0.5)).sum()
        area = clip["video"][..., 0].sum((1, 2)) / 255
        stable = area[-1:] if motion == "grow" else area
        np.testing.assert_allclose(stable, whole, rtol=0.01)


def test_colors_match_their_names():
    source = MovingShapes(size=32, colors=("orange",), backgrounds=("navy",), sizes=("large",))
    element = source.clips("train")[0]
    x, y = source.color("orange"), source.color("navy")
    pixels = element["video"].reshape(-1, 3)
    assert x.dtype == np.uint8
    assert (pixels == x).all(-1).any()
    assert (pixels == y).all(-1).mean() > 0.5


def test_one_frame_is_an_image():
    assert MovingShapes(frames=1).clips("train")[0]["video"].shape == (1, 16, 16, 3)


def test_the_last_index_ends_an_iteration():
    source = MovingShapes(examples=3)
    assert len(list(source.clips("train"))) == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shapes": ("circle", "sqare")}, "did you mean 'square'"),
        ({"motions": ("lft",)}, "did you mean 'left'"),
        ({"colors": ()}, "one or more names"),
        ({"backgrounds": ("red",)}, "both a color and a background"),
        ({"travel": (0.3, 0.6)}, "at most 0.50"),
        ({"frames": 0}, "frames is 0"),
    ],
)
def test_wrong_fields_are_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        MovingShapes(**fields)


def test_wrong_splits_labels_and_attributes_are_errors():
    with pytest.raises(ValueError, match="unknown split 'test'"):
        DEFAULT.clips("test")
    with pytest.raises(ValueError, match="label 210 is not one of the 210"):
        DEFAULT.attributes(210)
    with pytest.raises(ValueError, match="'pink' is not drawn here"):
        DEFAULT.label([Object("circle", "pink", "left", "small")])
