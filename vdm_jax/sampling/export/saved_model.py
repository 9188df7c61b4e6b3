"""An exported program as a TensorFlow SavedModel, for serving with TensorFlow.

TensorFlow calls the same StableHLO that `vdm-jax export --program` writes.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from vdm_jax.config import ConfigError


def import_tensorflow() -> ModuleType:
    """TensorFlow.

    Raises:
      ConfigError: it is not installed.
    """
    try:
        import tensorflow  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ConfigError(
            "a SavedModel is written by TensorFlow: pip install 'vdm_jax[savedmodel]', "
            "or leave out --format saved_model"
        ) from None
    return tensorflow


def write_saved_model(
    folder: Path, exported: jax.export.Exported, parameters: Mapping[str, Any]
) -> None:
    """Writes a program with its parameters as the signature `serving_default` of a SavedModel.

    Its inputs are the program's inputs after the parameters: `input_0`, `input_1` and the
    conditions by name. Its output is `output`.
    """
    tf = import_tensorflow()
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

    def serve(**values: Any) -> dict[str, Any]:
        named = dict(zip(parameters, module.parameters, strict=True))
        conditions = {name: values[name] for name in inputs[-1]}
        return {"output": call(named, *(values[name] for name in arguments), conditions)}

    module.serve = tf.function(serve, autograph=False)
    signature = module.serve.get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures=signature)
