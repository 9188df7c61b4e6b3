"""Names of parameter scopes: the class of a module and its ordinal among that class.

`SpatialAttention_0` keeps its name when a `TemporalAttention` is inserted before it, so an image
checkpoint fits the video network made from it.
"""

from collections import Counter
from collections.abc import Iterable

import flax.linen as nn


def as_submodules(parent: nn.Module, modules: Iterable[nn.Module], counts: Counter | None = None):
    """Copies of template modules as children of `parent`, named by class and ordinal.

    counts: the ordinals in use; the same Counter continues the numbering within one parent.
    """
    counts = Counter() if counts is None else counts
    children = []
    for module in modules:
        kind = type(module).__name__
        # A deep copy: linen would share the parameters of a submodule of two templates.
        name = f"{kind}_{counts[kind]}"
        children.append(module.clone(parent=parent, name=name, _deep_clone=True))
        counts[kind] += 1
    return children
