"""Layouts: import and export are inverse, and mismatches are errors that name the tensor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from vdm_jax import parallel
from vdm_jax.checkpoints import CheckpointError, Layout, Rule
from vdm_jax.checkpoints.rules import convolution, dense, fill_template, match_numbers, norm
from vdm_jax.checkpoints.transposes import as_contiguous, copy_into

LAYOUT = Layout(
    name="made",
    rules=(
        *dense(tuple(f"layers.{{i}}.attn.to_{x}" for x in "qkv"), "block_{i}/qkv"),
        *convolution("layers.{i}.conv", "block_{i}/conv"),
        *convolution("up.{i}.proj", "up_{1-i}/proj", "o i 1 1 -> i o"),
        *norm("norm", "norm"),
        Rule("both", ("left", "right"), "(s o) -> s o"),
        Rule("turned", "turned", "(k d) i -> i d k", sizes=(("k", 2),)),
        Rule("heads", "heads", "(k d) i -> i k d", sizes=(("k", 2),)),
    ),
    ignored=("other.*", "positions"),
    duplicates=(("norm.again", "norm.weight"),),
)


def tensors_of(layers=2) -> dict[str, np.ndarray]:
    shapes = {
        "norm.weight": (6,),
        "norm.bias": (6,),
        "both": (10,),
        "heads": (6, 5),
        "turned": (6, 5),
    }
    for i in range(layers):
        shapes |= {f"layers.{i}.attn.to_{x}.weight": (4, 6) for x in "qkv"}
        shapes |= {f"layers.{i}.attn.to_{x}.bias": (4,) for x in "qkv"}
        shapes |= {f"layers.{i}.conv.weight": (5, 6, 3, 2), f"layers.{i}.conv.bias": (5,)}
        shapes |= {f"up.{i}.proj.weight": (4, 6, 1, 1), f"up.{i}.proj.bias": (4,)}
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def abstract_params() -> dict:
    shapes = {
        "norm": {"scale": (6,), "bias": (6,)},
        "left": (5,),
        "right": (5,),
        "heads": (5, 2, 3),
        "turned": (5, 3, 2),
        **{
            f"block_{i}": {
                "qkv": {"kernel": (6, 12), "bias": (12,)},
                "conv": {"kernel": (3, 2, 6, 5), "bias": (5,)},
            }
            for i in range(2)
        },
        **{f"up_{i}": {"proj": {"kernel": (6, 4), "bias": (4,)}} for i in range(2)},
    }
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        shapes,
        is_leaf=lambda x: isinstance(x, tuple),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16, jnp.bfloat16, np.int8])
def test_import_then_export_gives_the_same_bytes(dtype):
    tensors = {name: (a * 50).astype(dtype) for name, a in tensors_of().items()}
    params = LAYOUT.to_params(tensors, abstract_params())
    again = LAYOUT.to_foreign(params)
    assert set(again) == set(tensors)
    for name, tensor in tensors.items():
        assert again[name].tobytes() == tensor.tobytes(), name
        assert again[name].flags.c_contiguous
        assert again.dtype(name) == tensor.dtype
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(lambda x: x.shape, abstract_params())


def test_transpositions_and_stacking():
    tensors = tensors_of()
    params = LAYOUT.to_params(tensors, abstract_params())
    h = np.ones(6, np.float32)
    for n, x in enumerate("qkv"):
        one = tensors[f"layers.1.attn.to_{x}.weight"] @ h
        ours = (h @ params["block_1"]["qkv"]["kernel"])[4 * n : 4 * n + 4]
        np.testing.assert_allclose(ours, one, rtol=1e-5)
    assert params["up_0"]["proj"]["bias"] is tensors["up.1.proj.bias"]
    np.testing.assert_array_equal(params["right"], tensors["both"][5:])
    np.testing.assert_array_equal(params["heads"][:, 1, 2], tensors["heads"][5])
    np.testing.assert_array_equal(params["turned"][:, 2, 1], tensors["turned"][5])


def test_abstract_parameters_give_the_shapes_of_tensors():
    tensors, foreign = tensors_of(), LAYOUT.to_foreign(abstract_params())
    assert {name: foreign.shape(name) for name in foreign} == {
        name: a.shape for name, a in tensors.items()
    }


def test_tensors_are_read_once_in_order_and_sharded_one_by_one(eight_devices):
    tensors, reads, mesh = tensors_of(), [], parallel.Mesh(data=1, fsdp=8).build()

    class Lazy(dict):
        def __getitem__(self, name):
            reads.append(name)
            return super().__getitem__(name)

    split = NamedSharding(mesh, PartitionSpec(None, "fsdp"))
    shapes = abstract_params()
    shapes["heads"] = jax.ShapeDtypeStruct((5, 2, 3), jnp.float32)
    tensors["layers.0.attn.to_q.weight"] = np.ones((8, 6), np.float32)
    for x in "kv":
        tensors[f"layers.0.attn.to_{x}.weight"] = np.ones((8, 6), np.float32)
    shapes["block_0"]["qkv"]["kernel"] = jax.ShapeDtypeStruct((6, 24), jnp.float32, sharding=split)
    params = LAYOUT.to_params(Lazy(tensors), shapes, dtype=jnp.bfloat16)
    assert reads == list(dict.fromkeys(reads))
    assert sorted(reads) == sorted(tensors)
    assert [n for n in reads if "conv" in n] == [n for n in tensors if "conv" in n]
    kernel = params["block_0"]["qkv"]["kernel"]
    assert kernel.sharding == split and kernel.dtype == jnp.bfloat16
    assert isinstance(params["heads"], np.ndarray)


def test_ignored_and_duplicate_tensors():
    tensors = tensors_of() | {"other.weight": np.ones(3), "positions": np.arange(5)}
    tensors["norm.again"] = tensors["norm.weight"]
    LAYOUT.to_params(tensors, abstract_params())
    tensors["norm.again"] = tensors["norm.bias"]
    with pytest.raises(CheckpointError, match=r"norm\.again should equal norm\.weight"):
        LAYOUT.to_params(tensors, abstract_params())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("layers.1.conv.bias"), r"no tensor layers\.1\.conv\.bias for block_1/con"),
        (
            lambda t: t.update({"layers.1.conv.biass": t.pop("layers.1.conv.bias")}),
            r"no tensor layers\.1\.conv\.bias .* did you mean 'layers\.1\.conv\.biass'",
        ),
        (
            lambda t: t.update({"layers.2.conv.bias": t["both"]}),
            r"layers\.2\.conv\.bias is no parameter .*did you mean 'layers\.[01]\.conv\.bias'",
        ),
        (
            lambda t: t.update({"both": np.ones(12)}),
            r"both is \(12,\), expected \(10,\) for left \(5,\), right \(5,\)",
        ),
        (
            lambda t: t.update({"up.0.proj.weight": np.ones((4, 6))}),
            r"proj\.weight is \(4, 6\), expected \(4, 6, 1, 1\) for up_1/proj/kernel \(6, 4\)",
        ),
        (
            lambda t: t.update({"layers.0.attn.to_k.weight": np.ones((4, 5))}),
            r"attn\.to_k\.weight is \(4, 5\), expected \(4, 6\) for block_0/qkv/kernel \(6, 12\)",
        ),
    ],
)
def test_mismatches_are_errors(change, message):
    tensors = tensors_of()
    change(tensors)
    with pytest.raises(CheckpointError, match=message):
        LAYOUT.to_params(tensors, abstract_params())


def test_shapes_are_compared_before_reading():
    class Lazy(dict):
        def shape(self, name):
            return super().__getitem__(name).shape

        def dtype(self, name):
            return super().__getitem__(name).dtype

        def __getitem__(self, name):
            raise AssertionError(f"read {name}")

        __contains__ = __getitem__

    tensors = Lazy(tensors_of() | {"heads": np.ones((6, 6))})
    with pytest.raises(CheckpointError, match=r"heads is \(6, 6\), expected \(6, 5\)"):
        LAYOUT.to_params(tensors, abstract_params())


def test_parameters_without_a_rule_are_errors():
    with pytest.raises(CheckpointError, match=r"block_0/con/bias; did you mean .*conv/bias"):
        LAYOUT.to_foreign({"block_0": {"con": {"bias": np.ones(3)}}})
    with pytest.raises(CheckpointError, match=r"left and right together, but there is no right"):
        LAYOUT.to_foreign({"left": np.ones(3)})


def test_match_score():
    names = list(tensors_of())
    assert LAYOUT.match_score(names) == 1
    assert LAYOUT.match_score([*names, "other.weight", "norm.again"]) == 1
    assert 0.8 < LAYOUT.match_score([*names, "stranger"]) < 1
    assert 0 < LAYOUT.match_score(names[:4]) < 0.5
    assert LAYOUT.match_score(names, lambda name: tensors_of()[name].shape) == 1
    assert 0.5 < LAYOUT.match_score(names, lambda name: tensors_of()[name].shape[:2]) < 1
    assert LAYOUT.match_score(["stranger"]) == LAYOUT.match_score([]) == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32, jnp.bfloat16, np.bool_, np.complex128])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0), (0, 2, 1, 3)])
def test_copies_between_memory_orders(dtype, order):
    array = np.random.default_rng(0).integers(0, 99, (37, 5, 1, 40)).astype(dtype)
    transposed = array.transpose(order)
    assert as_contiguous(transposed).flags.c_contiguous
    np.testing.assert_array_equal(as_contiguous(transposed), transposed)
    back = np.empty(transposed.shape, dtype)
    copy_into(back.transpose(np.argsort(order)), array)
    np.testing.assert_array_equal(back, transposed)
    copy_into(back[..., :0], transposed[..., :0])
    copy_into(back[0, 0, 0, 0, ...], np.ones((), dtype))
    assert back[0, 0, 0, 0] == 1


def test_templates():
    assert match_numbers("up.{i}.b.{j}", "up.3.b.10") == {"i": 3, "j": 10}
    assert match_numbers("up_{3-i}/{i}", "up_1/2") == {"i": 2}
    assert match_numbers("up_{3-i}/{i}", "up_1/1") is None
    assert match_numbers("up_{3-i}", "up_4") is None
    assert match_numbers("up.{i}", "upX0") is None
    assert fill_template("up_{3-i}/{j}", {"i": 1, "j": 7}) == "up_2/7"
