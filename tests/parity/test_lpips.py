"""LPIPS against torch with the same weights, and known outputs of published weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import parameters
from PIL import Image

from vdm_jax import models
from vdm_jax.checkpoints import CheckpointError, layouts, read_weights

torch = pytest.importorskip("torch")
from foreign import assert_same_bytes  # noqa: E402
from published_weights import published_or_skip  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

TRUNKS = {
    "alex": (models.AlexNet(), layouts.TORCHVISION_TRUNK, (1, 4, 7, 9, 11)),
    "vgg": (models.VGG16(), layouts.TORCHVISION_TRUNK, (3, 8, 15, 22, 29)),
    "squeeze": (models.SqueezeNet(), layouts.SQUEEZENET, (1, 4, 7, 9, 10, 11, 12)),
}
"""Our trunk, its layout, and the numbers of torchvision's layers whose outputs LPIPS compares."""


class Fire(nn.Module):
    def __init__(self, i, inner, outer):
        super().__init__()
        self.squeeze = nn.Conv2d(i, inner, 1)
        self.expand1x1, self.expand3x3 = (
            nn.Conv2d(inner, outer, k, padding=k // 2) for k in (1, 3)
        )

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


def alex():
    pool, relu = nn.MaxPool2d(3, 2), nn.ReLU()
    return [nn.Conv2d(3, 64, 11, 4, 2), relu, pool, nn.Conv2d(64, 192, 5, padding=2), relu, pool,
            nn.Conv2d(192, 384, 3, padding=1), relu, nn.Conv2d(384, 256, 3, padding=1), relu,
            nn.Conv2d(256, 256, 3, padding=1), relu]  # fmt: skip


def vgg():
    layers, before = [], 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2, 2))
    return layers[:-1]


def squeeze():
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    sizes = [(64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128),
             (256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]  # fmt: skip
    fires = [Fire(*size) for size in sizes]
    fires[4:4], fires[2:2] = [pool], [pool]
    return [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool, *fires]


def like(network, *shapes):
    arrays = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    return jax.eval_shape(network.init, jax.random.key(0), *arrays)["params"]


PAIR = ((1, 64, 64, 3),) * 2
FRAMES = np.random.default_rng(0).uniform(-1, 1, (2, 1, 66, 65, 3)).astype(np.float32)


def distance(network, params, a, b):
    with jax.default_matmul_precision("highest"):
        return np.asarray(jax.jit(network.apply)({"params": params}, a, b))


@pytest.mark.parametrize(
    ("trunk", "scaled"), [("alex", False), ("alex", True), ("vgg", True), ("squeeze", True)]
)
def test_distances_equal_those_of_torch(trunk, scaled, tmp_path):
    """`sum_l mean(w_l (a / |a| - b / |b|)^2)` with torch's own layers and file."""
    ours, layout, compared = TRUNKS[trunk]
    torch.manual_seed(0)
    theirs = nn.Sequential(*globals()[trunk]())
    whole = nn.ModuleDict({"features": theirs, "classifier": nn.Linear(2, 3)})
    torch.save(whole.state_dict(), tmp_path / "trunk.pth")
    tensors = read_weights(tmp_path / "trunk.pth")
    assert layouts.recognize(tensors, tensors.shape) == (layout, 1.0)
    network = models.Lpips(ours) if scaled else models.Lpips.version_0(ours)
    shapes = like(network, *PAIR)
    params = parameters(network, *jnp.zeros((2, 1, 64, 64, 3)))["params"]
    params["trunk"] = layout.to_params(tensors, shapes["trunk"])
    own = {n: tensors[n] for n in tensors if n.startswith("features")}
    assert_same_bytes(layout.to_foreign(params["trunk"]), own)

    def maps(frames):
        x, outputs = torch.tensor(frames.transpose(0, 3, 1, 2)), []
        if scaled:
            shift, scale = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]])
            x = (x - shift.reshape(1, 3, 1, 1)) / scale.reshape(1, 3, 1, 1)
        for number, layer in enumerate(theirs):
            x = layer(x)
            outputs += [x] if number in compared else []
        return outputs

    expected = 0
    with torch.no_grad():
        for i, (a, b) in enumerate(zip(maps(FRAMES[0]), maps(FRAMES[1]), strict=True)):
            a, b = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (a, b))
            weight = torch.tensor(np.asarray(params["heads"][f"head_{i}"])).reshape(1, -1, 1, 1)
            expected = expected + ((a - b).square() * weight).sum(1).mean((1, 2)).numpy()
    first, second = FRAMES[[0, 0]], FRAMES[[1, 0]]
    pairs = (frames.reshape(-1, *FRAMES.shape[2:]) for frames in (first, second))
    other, same = distance(network, params, *pairs).reshape(2, -1)
    np.testing.assert_allclose(other, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(same, 0)


WIDTHS = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": (64, 128, 256, 512, 512),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}


@pytest.mark.parametrize("trunk", TRUNKS)
def test_the_published_channel_weights(trunk, real_clips):
    """lpips/weights/v0.1: one weight per channel of the trunk, none negative."""
    file = read_weights(real_clips.parent / "nets" / "lpips" / f"{trunk}.pth")
    shapes = like(models.Lpips(TRUNKS[trunk][0]), *PAIR)["heads"]
    heads = layouts.LPIPS_HEADS.to_params(file, shapes)
    assert tuple(len(heads[f"head_{i}"]) for i in range(len(heads))) == WIDTHS[trunk]
    assert min(float(np.min(head)) for head in heads.values()) >= 0
    assert_same_bytes(layouts.LPIPS_HEADS.to_foreign(heads), {n: file[n] for n in file})
    other = like(models.Lpips(TRUNKS["vgg" if trunk == "alex" else "alex"][0]), *PAIR)["heads"]
    with pytest.raises(CheckpointError, match=r"another size|is no parameter"):
        layouts.LPIPS_HEADS.to_params(file, other)


@pytest.fixture(scope="module")
def caffe(real_clips):
    """SqueezeNet 1.1 of its authors, from ncnn's files: our parameters, and the last layer.

    The data file holds, for each convolution in the order of the parameter file, a flag, the kernel
    as float16 padded to four bytes, and the bias as float32.
    """
    folder = real_clips.parent / "nets" / "imagenet-tiny"
    data, at, layers = (folder / "squeezenet_v1.1.bin").read_bytes(), 0, {}
    for line in (folder / "squeezenet_v1.1.param").read_text().splitlines()[2:]:
        kind, name, *rest = line.split()
        if kind != "Convolution":
            continue
        settings = dict(item.split("=") for item in rest if "=" in item)
        size, out, side = (int(settings[key]) for key in ("6", "0", "1"))
        assert data[at : at + 4] == (0x01306B47).to_bytes(4, "little")  # float16 follows
        kernel = np.frombuffer(data, "<f2", size, at + 4).astype(np.float32)
        at += 4 + -(-2 * size // 4) * 4
        bias = np.frombuffer(data, "<f4", out, at)
        at += 4 * out
        layers[name] = kernel.reshape(out, -1, side, side), bias
    assert at == len(data)
    numbers = {f"fire{n}": number for n, number in enumerate((3, 4, 6, 7, 9, 10, 11, 12), start=2)}
    tensors = {}
    for name, (kernel, bias) in layers.items():
        fire, _, layer = name.partition("/")
        layer = layer.replace("squeeze1x1", "squeeze")
        foreign = "features.0" if name == "conv1" else f"features.{numbers.get(fire)}.{layer}"
        if name != "conv10":
            tensors |= {f"{foreign}.weight": kernel, f"{foreign}.bias": bias}
    params = layouts.SQUEEZENET.to_params(tensors, like(models.SqueezeNet(), PAIR[0]))
    return params, layers["conv10"]


def caffe_input(frames):
    """B, G, R in 0..255, minus ImageNet's means."""
    bgr = np.asarray(frames, np.float32)[..., ::-1]
    return bgr - np.array([104, 117, 123], np.float32).reshape(1, 1, 1, 3)


def test_squeezenet_classifies_a_cheeseburger(caffe, real_clips):
    """SqueezeNet 1.1 with its own weights gives the image the probability 0.9358."""
    params, (kernel, bias) = caffe
    folder = real_clips.parent / "nets" / "imagenet-tiny"
    image = Image.open(folder / "burger.jpg").convert("RGB")
    frame = np.asarray(image.resize((227, 227), Image.Resampling.BILINEAR))[None]
    maps = jax.jit(models.SqueezeNet().apply)({"params": params}, caffe_input(frame))
    assert [h.shape[1:] for h in maps] == [
        *((113, 113, 64), (56, 56, 128), (28, 28, 256), (14, 14, 384), (14, 14, 384)),
        *((14, 14, 512), (14, 14, 512)),
    ]
    last = np.pad(maps[-1][0], ((1, 1), (1, 1), (0, 0)))  # padding of the parameter file
    scores = np.maximum(last @ kernel[:, :, 0, 0].T + bias, 0).mean(axis=(0, 1))
    probability = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    names = (folder / "imagenet_labels_1001.txt").read_text().splitlines()[1:]
    assert names[probability.argmax()] == "cheeseburger"
    assert probability.max() == pytest.approx(0.9358, abs=1e-4)


def test_the_more_similar_image_has_the_smaller_distance(caffe, real_clips):
    """The images of LPIPS's own example, with its weights for SqueezeNet: ex_p1 is more similar to
    the reference. The weights are for torchvision's SqueezeNet, the trunk is the authors', so the
    order is known but no number."""
    folder = real_clips.parent / "nets" / "lpips"
    network = models.Lpips.version_0(models.SqueezeNet())
    shapes = like(network, *PAIR)
    heads = layouts.LPIPS_HEADS.to_params(read_weights(folder / "squeeze.pth"), shapes["heads"])
    ref, p0, p1 = (
        caffe_input(np.asarray(Image.open(folder / f"ex_{name}.png").convert("RGB"))[None])
        for name in ("ref", "p0", "p1")
    )
    params = {"trunk": caffe[0], "heads": heads}
    far, near, none = distance(
        network, params, np.concatenate([p0, p1, ref]), np.concatenate([ref] * 3)
    )
    assert 0 == none < near < 0.6 * far


def test_distance_of_black_and_white(real_clips):
    """common_metrics_on_video_quality: 0.81401 for 64 x 64 pixels with AlexNet, version 0.1.

    Skipped without torchvision's AlexNet, which is not among the development files.
    """
    trunk = published_or_skip("alexnet")
    network = models.Lpips(models.AlexNet())
    shapes, file = like(network, *PAIR), real_clips.parent / "nets" / "lpips" / "alex.pth"
    heads = layouts.LPIPS_HEADS.to_params(read_weights(file), shapes["heads"])
    params = {"trunk": trunk.parameters(shapes["trunk"]), "heads": heads}
    black, white = (np.full((1, 64, 64, 3), value, np.float32) for value in (-1, 1))
    (measured,) = distance(network, params, black, white)
    assert measured == pytest.approx(0.8140146732330322, abs=1e-5)
