"""Names of parameters: the kind of a module and its ordinal among that kind.

`SpatialAttention_0` stays `SpatialAttention_0` when a `TemporalAttention` is put before it, so that
inserting a layer renames nothing and an image checkpoint fits the video network grown from it.
"""

from collections import Counter
from collections.abc import Iterable

import flax.linen as nn


def as_submodules(parent: nn.Module, modules: Iterable[nn.Module], counts: Counter | None = None):
    """Copies of template modules as children of `parent`, named by kind and ordinal.

    Pass the same `counts` to continue the numbering within one parent.
    """
    counts = Counter() if counts is None else counts
    children = []
    for module in modules:
        kind = type(module).__name__
        # A deep copy: linen shares the parameters of a submodule that two templates share.
        name = f"{kind}_{counts[kind]}"
        children.append(module.clone(parent=parent, name=name, _deep_clone=True))
        counts[kind] += 1
    return children
