"""A program as a TensorFlow SavedModel, for those who serve models with TensorFlow.

It is the program of `vdm-jax export --program` itself, called from TensorFlow: the same StableHLO.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from vdm_jax import config


def tensorflow() -> ModuleType:
    """TensorFlow, where it is installed.

    Raises:
      ConfigError: it is not.
    """
    try:
        import tensorflow  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise config.ConfigError(
            "a SavedModel is written by TensorFlow: pip install 'vdm_jax[savedmodel]', "
            "or leave out --as saved_model"
        ) from None
    return tensorflow


def write(folder: Path, exported: jax.export.Exported, parameters: Mapping[str, Any]) -> None:
    """Writes the program and its parameters as the `serving_default` of a SavedModel.

    The inputs are those of the program after its parameters: `input_0`, `input_1` and the
    conditions by name; the output is `output`.
    """
    tf = tensorflow()
    from jax.experimental import jax2tf

    _, *inputs = jax.tree.unflatten(exported.in_tree, exported.in_avals)[0]
    arguments = [f"input_{n}" for n in range(len(inputs) - 1)]
    specs = {
        name: tf.TensorSpec([n if type(n) is int else None for n in x.shape], x.dtype, name=name)
        for name, x in {**dict(zip(arguments, inputs, strict=False)), **inputs[-1]}.items()
    }
    shapes = jax.tree.map(lambda x: f"({', '.join(map(str, x.shape))})", inputs)
    call = jax2tf.convert(
        exported.call,
        polymorphic_shapes=[None, *shapes],
        with_gradient=False,
        native_serialization_platforms=exported.platforms,
    )
    module = tf.Module()
    module.parameters = [tf.Variable(np.asarray(parameters[name])) for name in parameters]

    def serve(**given: Any) -> dict[str, Any]:
        named = dict(zip(parameters, module.parameters, strict=True))
        conditions = {name: given[name] for name in inputs[-1]}
        return {"output": call(named, *(given[name] for name in arguments), conditions)}

    module.serve = tf.function(serve, autograph=False)
    signature = module.serve.get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures=signature)
