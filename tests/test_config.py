"""Experiments as trees: JSON both ways, overriding by path, and errors that name the fix."""

import dataclasses
import json

import pytest

from vdm_jax import config


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


def test_override_replaces_one_leaf_and_nothing_else():
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
        ("leaf=test_config.Leaf(name=a)", "leaf: 'a' is no value"),
        ("leaf=test_config.Tree()", "leaf takes Leaf, not a Tree"),
        ("channels=test_config.Leaf()", "channels takes int, not a Leaf"),
        ("leaves.2.rate=1", "leaves has 2 items; '2' is not an index"),
        ("channels", "not of the form path=value"),
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
    with pytest.raises(config.ConfigError, match="has no place in an experiment"):
        config.to_json(Tree(channels={1}))  # type: ignore[arg-type]
