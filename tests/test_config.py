"""Experiments as trees: JSON, overrides by path, errors that name the fix, and old names."""

import dataclasses
import importlib
import json
from pathlib import Path

import pytest

from vdm_jax import config, nn
from vdm_jax.renames import RENAMED

CLASSES = {key: new for key, new in RENAMED.items() if key.count(".") == 1}
VALUES = {key: new for key, new in RENAMED.items() if "=" in key}
FIELDS = {key: new for key, new in RENAMED.items() if key not in CLASSES | VALUES}
RELEASE = Path(__file__).parent / "checkpoints" / "release"


@dataclasses.dataclass(frozen=True)
class Leaf:
    rate: float = 0.1
    name: str = "a"
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None
    on: bool = True


@dataclasses.dataclass(frozen=True)
class Tree:
    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = (Leaf(), Leaf(rate=0.2))
    channels: int = 8


def test_json_round_trip():
    tree = Tree(leaf=Leaf(limit=3, sizes=()), channels=5)
    assert config.from_json(json.loads(json.dumps(config.to_json(tree)))) == tree


def test_override_replaces_one_value_and_nothing_else():
    tree = config.override(Tree(), "leaves.1.rate=3")
    assert tree == Tree(leaves=(Leaf(), Leaf(rate=3.0)))
    assert config.override(Tree(), "leaf.sizes=(4,5)").leaf.sizes == (4, 5)
    assert config.override(Tree(), "leaf.name=2024").leaf.name == "2024"
    assert config.override(Tree(), "leaf.name=../a b").leaf.name == "../a b"
    assert config.override(Tree(), "leaf.limit=7").leaf.limit == 7
    assert config.override(Tree(leaf=Leaf(limit=7)), "leaf.limit=None").leaf.limit is None
    assert config.override(Tree(), "leaf.on=False").leaf.on is False
    leaf = config.override(Tree(), "leaf=test_config.Leaf(0.3, on=False)").leaf
    assert leaf == Leaf(0.3, on=False)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("leaf.rat=1", "leaf .Leaf. has no field 'rat'; did you mean 'rate'"),
        ("chanels=1", "did you mean 'channels'"),
        ("channels=1.5", "channels takes int, not '1.5'"),
        ("channels=many", "channels takes int, not 'many'"),
        ("leaf.on=1", "takes bool"),
        ("leaf=3", "leaf is a Leaf object; set one of leaf.rate"),
        ("leaf=test_config.Leaf(rat=1)", "leaf: test_config.Leaf has no field 'rat'; did you mean"),
        ("leaf=test_config.Leaf(print(1))", "no module '' for class 'print'"),
        (
            "leaf=test_config.Leaf(name=a)",
            "leaf: 'a' is neither a literal nor a call of a dataclass",
        ),
        ("leaf=test_config.Tree()", "leaf takes Leaf, not a Tree"),
        ("channels=test_config.Leaf()", "channels takes int, not a Leaf"),
        ("leaves.2.rate=1", "leaves has 2 items; '2' is not an index"),
        ("channels", "does not have the form path=value"),
        ("channels.x=1", "channels is 8 and has no field 'x'"),
    ],
)
def test_override_errors_name_the_fix(assignment, message):
    with pytest.raises(config.ConfigError, match=message):
        config.override(Tree(), assignment)


def test_json_errors_name_the_fix():
    data = config.to_json(Tree())
    with pytest.raises(config.ConfigError, match="no field 'chanels'; did you mean 'channels'"):
        config.from_json({**data, "chanels": 3})
    with pytest.raises(config.ConfigError, match=r"no class .*did you mean 'Tree'"):
        config.from_json({**data, "class": data["class"].replace("Tree", "Treee")})
    with pytest.raises(config.ConfigError, match="no module"):
        config.from_json({"class": "nowhere.to.be.Found"})
    with pytest.raises(config.ConfigError, match="cannot be part of an experiment"):
        config.to_json(Tree(channels={1}))  # type: ignore[arg-type]


COSINE = {"class": "diffusion.Process", "schedule": {"class": "diffusion.Cosine"}}
REQUIRED = {
    "data.RandomSubclips": {"source": {"class": "data.MovingShapes"}, "frames": 2, "size": 8},
    "data.WordTokenizer": {"vocabulary": ["a", "b"], "length": 2},
    "training.Denoising": {"model": 1, "process": COSINE},
    "training.GuidedDistillation": {"denoising": 1, "teacher": "a", "weights": [1.0, 5.0]},
}


def required(cls):
    """JSON for the required fields of a class: as in `REQUIRED`, else 1."""
    missing = dataclasses.MISSING
    fields = config.fields(cls).items()
    ones = {n: 1 for n, f in fields if f.default is missing and f.default_factory is missing}
    return REQUIRED.get(config.class_name(cls), ones)


@pytest.mark.parametrize("old", CLASSES)
def test_an_old_class_loads_as_the_new_one(old):
    package, _, name = old.partition(".")
    assert not hasattr(importlib.import_module(f"vdm_jax.{package}"), name)
    new = CLASSES[old]
    if new is None:
        assert config.from_json({"class": old, "any_field": 1}) is None
        return
    cls = config.find_class(new)
    assert config.class_name(cls) == new
    assert type(config.from_json({"class": old, **required(cls)})) is cls


@pytest.mark.parametrize("key", FIELDS)
def test_an_old_field_loads_as_the_new_one(key):
    name, _, old = key.rpartition(".")
    cls, new = config.find_class(name), FIELDS[key]
    assert new in config.fields(cls) and old not in config.fields(cls)
    values = {"class": name, **required(cls)}
    value = values.pop(new, None) or config.to_json(getattr(config.from_json(values), new))
    tree = config.from_json({**values, old: value})
    assert config.to_json(getattr(tree, new)) == value


@pytest.mark.parametrize("key", FIELDS)
def test_subclasses_have_the_old_fields_too(key):
    name, _, old = key.rpartition(".")
    for subclass in config.find_class(name).__subclasses__():
        if FIELDS[key] in config.fields(subclass):
            assert FIELDS.get(f"{config.class_name(subclass)}.{old}") == FIELDS[key]


@pytest.mark.parametrize("key", VALUES)
def test_an_old_value_loads_as_the_tree_of_today(key):
    path, _, value = key.partition("=")
    name, _, field = path.rpartition(".")
    cls = config.find_class(name)
    tree = config.from_json({"class": name, **required(cls), field: json.loads(value)})
    assert config.to_json(getattr(tree, field)) == config.to_json(config.from_json(VALUES[key]))


@pytest.mark.parametrize("old", CLASSES)
def test_set_with_an_old_class_names_the_new_one(old):
    with pytest.raises(config.ConfigError, match=f"{old} is now .*{CLASSES[old]}$"):
        config.override(Tree(), f"leaf={old}()")


@pytest.mark.parametrize("key", FIELDS)
def test_set_with_an_old_field_names_the_new_one(key):
    name, _, old = key.rpartition(".")
    with pytest.raises(
        config.ConfigError, match=f"no field '{old}'; .* now called '{FIELDS[key]}'"
    ):
        config.override(Tree(), f"leaf={name}({old}=1)")


def test_set_of_an_old_field_by_path_names_the_new_one():
    with pytest.raises(config.ConfigError, match=r"no field 'head'; it is now called 'head_dim'"):
        config.override(nn.SpatialAttention(8), "head=4")


def only_keys_of(like, tree):
    """JSON of a tree without the fields that `like` lacks."""
    if isinstance(like, dict):
        return {name: only_keys_of(value, tree[name]) for name, value in like.items()}
    if isinstance(like, list):
        return [only_keys_of(a, b) for a, b in zip(like, tree, strict=True)]
    return tree


@pytest.mark.parametrize("folder", ["workdir", "export"])
def test_the_experiment_of_release_0_1_0_is_upgraded_to_its_json_of_today(folder):
    """Except for fields that 0.1.0 did not have, which have their defaults."""
    old = json.loads((RELEASE / folder / "experiment.json").read_text())["experiment"]
    upgraded, today = config.upgrade(old), config.to_json(config.from_json(old))
    assert only_keys_of(upgraded, today) == upgraded != old


@pytest.mark.parametrize("name", ["quickstart", "quickstart.py", "experiments/quickstart.py"])
def test_installed_experiments_are_found_by_name_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quickstart = Path(__file__).parents[1] / "experiments" / "quickstart.py"
    assert config.experiment_file(name) == quickstart
    with pytest.raises(config.ConfigError, match=r"did you mean '.*quickstart.py'"):
        config.experiment_file("quickstrat.py")
