"""`vdm-jax export --program`: the folder of a program that runs wherever jax does."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

import vdm_jax
from vdm_jax import data, sampling
from vdm_jax.checkpoints.store import LAYOUT
from vdm_jax.checkpoints.tensors import Tensors
from vdm_jax.commands import saved_model
from vdm_jax.sampling import stablehlo

KINDS = ("sampler", "denoiser")
FORMS = ("stablehlo", "saved_model")

# The parts of run.py. It is read by people who do not know this library: plain, and short.
BEGINNING = '''"""{what} pip install jax flatbuffers, then:

    python run.py {usage}
"""
import json, re, sys
from pathlib import Path
import jax, jax.export
import numpy as np

here = Path(__file__).parent
program = jax.export.deserialize(bytearray((here / "{kind}.stablehlo").read_bytes()))
parameters = dict(np.load(here / "parameters.npz"))
'''
WORDS = r"""words, length = json.loads((here / "words.json").read_text()).values()
tokens = np.zeros((len(sys.argv) - 2, length), np.int32)
for row, prompt in zip(tokens, sys.argv[2:]):
    ids = [words[word] for word in re.findall(r"[^\s.,;:!?]+", prompt.lower())]
    row[: len(ids)] = ids
conditions = dict(tokens=tokens, text_mask=tokens != 0, label=np.full(len(tokens), -1, np.int32))
"""
LABELS = """conditions = {"label": np.array(sys.argv[2:], np.int32)}
"""
ARRAYS = """conditions = dict(np.load(sys.argv[2]))
"""
SAMPLE = """rows = np.arange(len(conditions["label"]), dtype=np.int32)  # which samples of the seed
videos = jax.jit(program.call)(parameters, np.uint32(sys.argv[1]), rows, conditions)
np.save("videos.npy", videos)  # uint8 [clips, frames, height, width, 3]
"""
DENOISE = """z, logsnr = np.load(sys.argv[1]), np.array(sys.argv[2:], np.float32)
conditions = dict(np.load(here / "conditions.npz"))
conditions = {name: np.repeat(rows[:1], len(z), axis=0) for name, rows in conditions.items()}
np.save("x_hat.npy", jax.jit(program.call)(parameters, z, logsnr, conditions))
"""


def write(
    folder: Path, kind: str, experiment: Any, tensors: Tensors, step: int, prompts: list[str]
) -> None:
    """Writes the program, its parameters one at a time, and the script that runs it.

    Captions of a closed vocabulary are typed. Others are arrays that are made here: those of
    `prompts` are in conditions.npz, and the script takes any file of the same arrays.
    """
    like = sampling.abstract_params(experiment)
    trained = experiment.sampling.trained(experiment, like["ema"], like.get("frozen", {}))
    exported = stablehlo.export(trained, kind)
    (folder / f"{kind}.stablehlo").write_bytes(exported.serialize())
    save(folder / "parameters.npz", tensors)
    prompts = prompts or [""]
    conditions = stablehlo.conditions(trained, prompts, [-1] * len(prompts))
    save(folder / "conditions.npz", {name: np.asarray(rows) for name, rows in conditions.items()})
    text = experiment.loader.text
    if isinstance(text, data.WordTokenizer):
        table = {word.lower(): token for token, word in enumerate(text.vocabulary, start=1)}
        facts = {"words": table, "length": text.length}
        (folder / "words.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "run.py").write_text(script(kind, text))
    facts = {
        "program": kind,
        "step": step,
        "vdm_jax": vdm_jax.__version__,
        "layout": LAYOUT,
        "jax": jax.__version__,
        "calling_convention": exported.calling_convention_version,
        "platforms": exported.platforms,
        "inputs": [str(a) for a in exported.in_avals[len(tensors) :]],
        "outputs": [str(a) for a in exported.out_avals],
    }
    (folder / "program.json").write_text(json.dumps(facts, indent=2) + "\n")


def write_saved_model(folder: Path, kind: str) -> None:
    """Adds to the folder of a program the same as a SavedModel, in `saved_model/`."""
    exported = jax.export.deserialize(bytearray((folder / f"{kind}.stablehlo").read_bytes()))
    with np.load(folder / "parameters.npz") as parameters:
        saved_model.write(folder / "saved_model", exported, parameters)


def script(kind: str, text: Any) -> str:
    """The text of run.py."""
    if kind == "denoiser":
        what = "E[x | z] of noisy clips [b f h w 3] at log-SNRs, by this model."
        return BEGINNING.format(what=what, usage="z.npy 0.5 -2", kind=kind) + DENOISE
    what = "Videos of this model, by their seed."
    if isinstance(text, data.WordTokenizer):
        usage, middle = f'0 "{" ".join(text.vocabulary[:2])}"', WORDS
    elif text is None:
        usage, middle = "0 -1 -1    (the seed, and a label a clip; -1 is none)", LABELS
    else:
        usage, middle = "0 conditions.npz    (the seed, and which conditions)", ARRAYS
    return BEGINNING.format(what=what, usage=usage, kind=kind) + middle + SAMPLE


def save(path: Path, arrays: Tensors | Mapping[str, np.ndarray]) -> None:
    """A file that `numpy.load` reads, written one array at a time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(arrays[name]))
