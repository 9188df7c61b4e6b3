"""Published weights: where the files of pretrained networks are, and whether a file is one of them.

Nothing is shipped and nothing is downloaded here: a file lies in the folder of weights, or it is
asked for by name.
"""

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from vdm_jax import models
from vdm_jax.checkpoints import layouts
from vdm_jax.checkpoints.crc32c import crc32c, masked
from vdm_jax.checkpoints.layout import Layout
from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.checkpoints.weights import Weights, read_weights
from vdm_jax.types import Params

WEIGHTS = "VDM_JAX_WEIGHTS"
CHUNK = 2**20


def weights_folder() -> Path:
    """Where weights are kept: $VDM_JAX_WEIGHTS, or .cache/vdm_jax/weights of the user's home."""
    named = os.environ.get(WEIGHTS)
    return Path(named) if named else Path.home() / ".cache" / "vdm_jax" / "weights"


@dataclass(frozen=True)
class Published:
    """A file of pretrained weights as its authors published it.

    file: its place in the folder of weights. beside: other files that belong to it, in the same
      folder, such as the data of a TensorFlow checkpoint, whose `file` is the index.
    where: the page or address where it is published. urls: an address for each of `files` that
      gives the file itself, where there is one.
    layout: the table that makes it parameters. network: what they are parameters of, a linen
      module; inputs: what it is called with, however small: shapes of arrays of float32, or
      shapes with types.
    sha256, size: of `file`, where they are known. blob: its id in a git repository that holds it,
      the SHA-1 of "blob <size>", a zero and its bytes.
    crc32c: (tensor, checksum) pairs that tell this variant from others: CRC-32C, masked as
      TensorFlow stores it, of the tensor's little-endian bytes.
    """

    name: str
    file: str
    where: str
    layout: Layout
    network: Any
    inputs: tuple[tuple[int, ...] | jax.ShapeDtypeStruct, ...]
    sha256: str | None = None
    size: int | None = None
    crc32c: tuple[tuple[str, int], ...] = ()
    beside: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    blob: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file, in the folder of weights."""
        folder = Path(self.file).parent
        return (self.file, *(str(folder / name) for name in self.beside))

    def path(self) -> Path:
        """The file in the folder of weights.

        Raises:
          CheckpointError: it is not there; says where it is published and how to get it.
        """
        folder = weights_folder()
        for file in self.files:
            if not (folder / file).is_file():
                raise CheckpointError(
                    f"the weights {self.name} are not at hand: there is no file {folder / file}; "
                    f"they are published at {self.where}; get them with "
                    f"`vdm-jax fetch-weights {self.name}`, or, if you have the file, "
                    f"`vdm-jax fetch-weights {self.name} --from PATH`"
                )
        return folder / self.file

    def check(self, path: str | os.PathLike | None = None) -> Weights:
        """The tensors of a file, of which all that is known has been checked.

        path: of the file; without one, that in the folder of weights.

        Raises:
          CheckpointError: another file, one that is truncated or damaged, another variant of the
            network, or a tensor that is missing, left over or of another shape.
        """
        path = self.path() if path is None else Path(path)
        if not path.is_file():
            raise CheckpointError(f"there is no file {path}")
        self._check_size(path)
        weights = read_weights(path)
        expected = self.layout.to_foreign(self.like())
        self._check_names(weights, expected, path)
        self._check_variant(weights, path)
        if (self.sha256 is None and self.blob is None) or self.beside:
            for name in weights:  # reading is what finds damage: archives and bundles have sums
                weights[name]
        self._check_digest(path)
        return weights

    def parameters(
        self, like: Params | None = None, path: str | os.PathLike | None = None
    ) -> Params:
        """The parameters that a file is, checked first; float32.

        like: arrays or shapes, with shardings where parameters are to be put; see
          `Layout.to_params`.

        Raises:
          CheckpointError: as `check`.
        """
        weights = self.check(path)
        return self.layout.to_params(weights, self.like() if like is None else like, jnp.float32)

    def like(self) -> Params:
        """The shapes of the network's parameters, for which nothing is computed."""
        return _shapes(self.network, self.inputs)

    def _check_size(self, path: Path) -> None:
        size = path.stat().st_size
        if self.size is None or size == self.size:
            return
        why = "it is not all there; fetch it again" if size < self.size else "it is another file"
        name = f"{Path(self.file).name} of {self.name}"
        raise CheckpointError(f"{path} is {size:,} bytes; {name} is {self.size:,}: {why}")

    def _check_names(self, weights: Weights, expected: Any, path: Path) -> None:
        """Refuses what the layout would, before a tensor is read."""
        try:
            self.layout.compare(weights, expected)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not {self.name}: {error}") from None

    def _check_variant(self, weights: Weights, path: Path) -> None:
        for name, crc in self.crc32c:
            there = weights[name]
            found = masked(crc32c(there.astype(there.dtype.newbyteorder("<")).tobytes()))
            if found != crc:
                raise CheckpointError(
                    f"{path} is another variant than {self.name}: the tensor {name} has "
                    f"CRC-32C {found}, expected {crc}; the right one is published at {self.where}"
                )

    def _check_digest(self, path: Path) -> None:
        size = path.stat().st_size
        digests = (
            ("SHA-256", self.sha256, hashlib.sha256()),
            ("git id", self.blob, hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)),
        )
        for kind, expected, digest in digests:
            if expected is None:
                continue
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != expected:
                raise CheckpointError(
                    f"{path} is not the published {Path(self.file).name} of {self.name}: its "
                    f"{kind} is {digest.hexdigest()}, expected {expected}; fetch it again"
                )


@functools.cache
def _shapes(network: Any, inputs: tuple[tuple[int, ...] | jax.ShapeDtypeStruct, ...]) -> Params:
    arrays = (jax.ShapeDtypeStruct(x, jnp.float32) if isinstance(x, tuple) else x for x in inputs)
    return jax.eval_shape(network.init, jax.random.key(0), *arrays)["params"]


I3D_CLIPS = ((1, 9, 224, 224, 3),)
I3D_TENSORS = tuple(
    f"RGB/inception_i3d/{name}"
    for name in (
        *("Logits/Conv3d_0c_1x1/conv_3d/w", "Logits/Conv3d_0c_1x1/conv_3d/b"),
        "Conv3d_1a_7x7/conv_3d/w",
    )
)
"""Tensors whose checksums tell a variant; the index, whose SHA-256 is known, has those of all."""


def _kinetics_i3d(name: str, variant: str, sha256: str, crc32c: tuple[int, ...]) -> Published:
    """A checkpoint of DeepMind's repository."""
    folder = f"data/checkpoints/{variant}"
    files = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
    raw = "https://raw.githubusercontent.com/google-deepmind/kinetics-i3d/"
    commit = "0667e889a5904b4dc122e0ded4c332f49f8df42c"
    return Published(
        name=name,
        file=f"kinetics-i3d/{variant}/{files[0]}",
        beside=files[1:],
        where=f"https://github.com/google-deepmind/kinetics-i3d, {folder}",
        urls=tuple(f"{raw}{commit}/{folder}/{file}" for file in files),
        layout=layouts.I3D_TENSORFLOW,
        network=models.I3D(),
        inputs=I3D_CLIPS,
        sha256=sha256,
        size=10_953,
        crc32c=tuple(zip(I3D_TENSORS, crc32c, strict=True)),
    )


SCRATCH = (2968598036, 549507829, 1008621070)
IMAGENET = (1961429192, 2324149748, 1301742067)

CLASSIFIERS = (
    _kinetics_i3d(
        "i3d_kinetics400",
        "rgb_scratch",
        "4fcd08b3e140f0267730e462295054c6a38f6cfd9991c310ee3d37bbdfd7030c",
        SCRATCH,
    ),
    _kinetics_i3d(
        "i3d_rgb_imagenet",
        "rgb_imagenet",
        "f4bfd6f4af485f276c68333d3eca3697b691bb647f0167a03fe021147ca7f8eb",
        IMAGENET,
    ),
    Published(
        name="i3d_kinetics400_hub",
        file="i3d-kinetics-400-1/variables/variables.index",
        beside=("variables.data-00000-of-00001",),
        where="https://tfhub.dev/deepmind/i3d-kinetics-400/1",
        layout=layouts.I3D_TENSORFLOW_HUB,
        network=models.I3D(),
        inputs=I3D_CLIPS,
        sha256="8a24abf28326004e6ff0eba31534277e2fdff3c33dc593698a6d11c32385afd5",
        size=4_368,
        crc32c=tuple(zip(I3D_TENSORS, SCRATCH, strict=True)),
    ),
    Published(
        name="i3d_pretrained_400",
        file="i3d_pretrained_400.pt",
        where="https://github.com/SongweiGe/TATS, tats/fvd/i3d_pretrained_400.pt",
        urls=(
            "https://raw.githubusercontent.com/SongweiGe/TATS/"
            "03bbce1daa3da7e9bff8221e9ec433df9484817f/tats/fvd/i3d_pretrained_400.pt",
        ),
        layout=layouts.I3D_PIERGIAJ,
        network=models.I3D.ported(),
        inputs=I3D_CLIPS,
        blob="a867b87ac3a9097d200598b1d48a1b890d8ec744",
    ),
    Published(
        name="i3d_torchscript",
        file="i3d_torchscript.pt",
        where="https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt",
        urls=("https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",),
        layout=layouts.I3D_HASSONY2,
        network=models.I3D.ported(1e-3),
        inputs=I3D_CLIPS,
        blob="93daef59c7ae0e9e8f76225521407e60cbafa6aa",
    ),
    Published(
        name="c3d_ucf101",
        file="conv3d_deepnetA_ucf.npz",
        where="https://github.com/rezoo/tgan2/releases/tag/v1.0",
        urls=("https://github.com/rezoo/tgan2/releases/download/v1.0/conv3d_deepnetA_ucf.npz",),
        layout=layouts.C3D_CHAINER,
        network=models.C3D(),
        inputs=((1, 16, 112, 112, 3),),
    ),
    Published(
        name="c3d_ucf101_torchscript",
        file="c3d_ucf101.pt",
        where="https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt",
        urls=("https://www.dropbox.com/s/jxpu7avzdc9n97q/c3d_ucf101.pt?dl=1",),
        layout=layouts.C3D_TORCH,
        network=models.C3D(),
        inputs=((1, 16, 112, 112, 3),),
    ),
    Published(
        name="inception_fid",
        file="pt_inception-2015-12-05-6726825d.pth",
        where="https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights",
        urls=(
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
        ),
        layout=layouts.INCEPTION,
        network=models.Inception(),
        inputs=((1, 299, 299, 3),),
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        size=95_628_359,
    ),
)
"""Of networks that tell actions and things: I3D, C3D, Inception. See `catalogue` for all."""
