"""The Frechet distance of a model's samples, as an evaluation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from vdm_jax.evaluation.elements import encode, evenly_spaced
from vdm_jax.interfaces import Model, Results
from vdm_jax.metrics.features import Features
from vdm_jax.metrics.frechet import Moments, frechet_distance
from vdm_jax.types import Key


@dataclass(frozen=True)
class FrechetDistance:
    """The Frechet distance of generated clips to equally many real clips.

    Even equal distributions have a distance, which falls as 1 / clips. So the result holds, besides
    the `distance`, a `floor`: that of equally many training clips to the same held-out clips.

    features: the features to compare.
    clips: number of generated and of real clips.
    ddof: of the covariance.
    split: the split of real clips; "train", for data with few held-out clips, gives no floor.
    every: training steps between two evaluations; None is at the end only.
    """

    features: Features
    clips: int = 256
    ddof: int = 1
    split: str = "held_out"
    every: int | None = None

    @property
    def name(self) -> str:
        return f"frechet_{self.features.name}"

    def __call__(self, key: Key, model: Model) -> Results:
        real = evenly_spaced(model.data, self.split, self.clips)
        reference = self.moments(np.stack([e["video"] for e in real]))
        cond = encode(model, real)
        generated = self.moments(np.asarray(model.generate(key, cond, self.clips)))
        results = {"distance": frechet_distance(generated, reference, self.ddof)}
        if self.split != "train":
            train = evenly_spaced(model.data, "train", self.clips)
            floor = self.moments(np.stack([e["video"] for e in train]))
            results["floor"] = frechet_distance(floor, reference, self.ddof)
        return results | {"clips": self.clips}

    def moments(self, videos: Num[np.ndarray, "b f h w c"], batch: int = 64) -> Moments:
        """The moments of these clips' features, `batch` clips at a time."""
        batches = [self.features(videos[i : i + batch]) for i in range(0, len(videos), batch)]
        moments = Moments.empty(batches[0].shape[1])
        for features in batches:
            moments = moments.update(features)
        return moments
