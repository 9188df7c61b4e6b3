"""Which clips of which videos are the reference of a distance, and what becomes of their frames."""

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from vdm_jax import data
from vdm_jax.data.videos import Unreadable, at_rate
from vdm_jax.evaluation.protocols.frames import CENTER, through
from vdm_jax.evaluation.protocols.reference_sampling import All, ReferenceSampling
from vdm_jax.evaluation.protocols.video_files import Collection, VideoFile
from vdm_jax.evaluation.resizing import Step

Place = tuple[float, float]


@dataclass(frozen=True)
class Real:
    """Clips of real videos: `frames` frames, `stride` apart, of the `split` of a `dataset`.

    windows: which clips there are of each video; those that may begin anywhere begin at a place
      drawn with `seed` and the video's name. take: which of all those clips are used. places: where
      in a frame its `Part` is, one clip for each; None draws it. short: what becomes of videos that
      are too short.
    fps: frames by their time at this rate; None takes the frames as they are.
    pixels: the steps from a decoded frame to one of the reference, 8 bits at the end.
    videos: how many the split has, and rates: their frame rates, by which a folder is recognised
      (None and (): anything will do).
    """

    dataset: str
    split: str
    frames: int = 16
    stride: int = 1
    fps: float | None = None
    windows: data.Windows = data.RandomWindow()
    take: ReferenceSampling = All()
    short: data.Short = data.Drop()
    pixels: tuple[Step, ...] = ()
    places: tuple[Place, ...] | None = (CENTER,)
    videos: int | None = None
    rates: tuple[float, ...] = ()
    seed: int = 0

    @property
    def span(self) -> int:
        """From the first frame of a clip to its last, both counted."""
        return (self.frames - 1) * self.stride + 1

    def clips(self, collection: Collection) -> "RealClips":
        """The reference among the videos at hand.

        Raises:
          ValueError: videos of another frame rate, or all too short; says which.
        """
        self._check_rates(collection)
        timelines = [self._timeline(video) for video in collection.videos]
        lengths = np.array([len(timeline) for timeline in timelines])
        usable = self.short.usable(lengths, self.span)
        if not usable.any():
            longest = collection.videos[int(lengths.argmax())]
            raise ValueError(
                f"no video of {collection.path} has the {self.span} frames that a clip spans; "
                f"the longest is {longest.key} with {lengths.max()}"
            )
        starts = np.where(usable, np.maximum(1, lengths - self.span + 1), 1)
        spots = 1 if self.places is None else len(self.places)
        ends = np.cumsum(self.windows.count(starts, self.span) * spots * usable)
        taken = self.take(int(ends[-1]), np.random.default_rng(self.seed))
        too_short = tuple(collection.videos[i].key for i in np.flatnonzero(~usable))
        return RealClips(self, collection, timelines, starts, ends, taken, too_short)

    def _timeline(self, video: VideoFile) -> Int[np.ndarray, " n"]:
        if self.fps is None:
            return np.arange(video.frames)
        if video.times is None:
            raise ValueError(
                f"{video.key} tells no frame rate, and the reference is at {self.fps:g} frames a "
                "second: give video files, or --set protocol.real.fps=None if the rate is right"
            )
        return at_rate(video.times, self.fps)

    def _check_rates(self, collection: Collection) -> None:
        if not self.rates:
            return
        for video in collection.videos:
            if video.fps and min(abs(video.fps - rate) for rate in self.rates) > 0.05:
                known = " or ".join(f"{rate:g}" for rate in self.rates)
                raise ValueError(
                    f"{video.key} has {video.fps:.4g} frames a second, and videos of "
                    f"{self.dataset} have {known}: give the original files, or, if you mean these, "
                    "--set protocol.real.rates=()"
                )


@dataclass(frozen=True, eq=False)
class RealClips:
    """The clips of a reference, read one at a time."""

    real: Real
    collection: Collection
    timelines: list[np.ndarray]
    starts: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " n"]
    taken: Int[np.ndarray, " m"]
    too_short: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.taken)

    def videos(self) -> list[VideoFile]:
        """The video of each clip."""
        return [self.collection.videos[self._number(i)] for i in self.taken]

    def warnings(self) -> list[str]:
        """What is not as the reference wants it: to be said beside the numbers."""
        real, videos, skipped = self.real, self.collection.videos, self.collection.skipped
        said = []
        if real.videos is not None and len(videos) != real.videos:
            said.append(
                f"{real.dataset} {real.split} has {real.videos} videos, and {len(videos)} are here"
            )
        if skipped:
            key, why = next(iter(skipped.items()))
            said.append(f"{len(skipped)} real videos are unreadable; {key}: {why}")
        if self.too_short:
            said.append(
                f"{len(self.too_short)} real videos have fewer than {real.span} frames, the first "
                f"is {self.too_short[0]}: {type(real.short).__name__}"
            )
        wanted = getattr(real.take, "count", None)
        if wanted is not None and len(self) < wanted:
            said.append(f"the reference is {wanted} clips, and {len(self)} are here")
        return said

    def __getitem__(self, index: int) -> data.Element:
        """A clip.

        Raises:
          ValueError: its video cannot be decoded; says which.
        """
        real, item = self.real, int(self.taken[index])
        number = self._number(item)
        item -= int(self.ends[number - 1]) if number else 0
        footage, timeline = self.collection.videos[number], self.timelines[number]
        window, spot = divmod(item, 1 if real.places is None else len(real.places))
        # Of the clip alone, so that no other video changes what is drawn of this one.
        again = index - int(np.searchsorted(self.taken, self.taken[index]))
        rng = np.random.default_rng((real.seed, zlib.crc32(footage.key.encode()), window, again))
        low, high = real.windows.range(int(self.starts[number]), real.span, window)
        start = int(rng.integers(low, high + 1))
        place = tuple(rng.random(2)) if real.places is None else real.places[spot]
        positions = start + real.stride * np.arange(real.frames)
        positions = timeline[np.minimum(real.short.frames(positions, len(timeline)),
                                        len(timeline) - 1)]  # fmt: skip
        try:
            order, inverse = np.unique(positions, return_inverse=True)
            frames = footage.read(order)[inverse]
        except Unreadable as error:
            raise ValueError(
                f"{self.collection.path}: {footage.key} cannot be decoded, {error}: replace the "
                "file, or take it out of the folder"
            ) from error
        video = through(frames, real.pixels, place)
        return {"video": video, "key": f"{footage.key}@{start}"}

    def _number(self, item: int | np.integer) -> int:
        return int(np.searchsorted(self.ends, item, side="right"))
