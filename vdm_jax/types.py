"""Type aliases of arrays and of the functions that all packages share.

Axes: `b` batch, `f` frames, `h w` space, `c` channels, `l` text tokens, `d` features, `n` clips
packed in one batch element (see `models.Conditioning.segments`). An image is a clip with `f = 1`.
"""

from collections.abc import Callable
from typing import Any

import jaxtyping
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Video = Float[Array, "b f h w c"]
LogSNR = Float[Array, "*batch"]
"""log(alpha^2 / sigma^2), the only time of a denoiser. One value, [b], or [b n]."""
Time = Float[Array, "*batch"]
"""t = 0 is data, t = 1 is noise."""
Scalar = Float[Array, ""]
Key = PRNGKeyArray
Keys = Key | jaxtyping.Key[Array, "b"]
"""One key for all rows, or one for each."""
Params = PyTree
Metrics = dict[str, Any]

Denoiser = Callable[[Video, LogSNR], Video]
"""(z_t, logsnr_t) -> x_hat = E[x | z_t]. Closes over conditions and parameters."""
