"""`vdm-jax export --program`: a folder with a program that runs wherever jax is installed."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

import vdm_jax
from vdm_jax.checkpoints.store import LAYOUT
from vdm_jax.checkpoints.tensors import Tensors
from vdm_jax.data import Text, WordTokenizer
from vdm_jax.interfaces import Experiment
from vdm_jax.sampling.abstract import abstract_model
from vdm_jax.sampling.export import saved_model, stablehlo

PROGRAMS = ("sampler", "denoiser")
FORMATS = ("stablehlo", "saved_model")

# The sections of run.py. Its readers do not know this library: keep it plain and short.
HEADER = '''"""{what} pip install jax flatbuffers, then:

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
FROM_WORDS = r"""words, length = json.loads((here / "words.json").read_text()).values()
tokens = np.zeros((len(sys.argv) - 2, length), np.int32)
for row, prompt in zip(tokens, sys.argv[2:]):
    ids = [words[word] for word in re.findall(r"[^\s.,;:!?]+", prompt.lower())]
    row[: len(ids)] = ids
conditions = dict(tokens=tokens, text_mask=tokens != 0, label=np.full(len(tokens), -1, np.int32))
"""
FROM_LABELS = """conditions = {"label": np.array(sys.argv[2:], np.int32)}
"""
FROM_ARRAYS = """conditions = dict(np.load(sys.argv[2]))
"""
SAMPLE = """rows = np.arange(len(conditions["label"]), dtype=np.int32)  # sample numbers
videos = jax.jit(program.call)(parameters, np.uint32(sys.argv[1]), rows, conditions)
np.save("videos.npy", videos)  # uint8 [clips, frames, height, width, 3]
"""
DENOISE = """z, logsnr = np.load(sys.argv[1]), np.array(sys.argv[2:], np.float32)
conditions = dict(np.load(here / "conditions.npz"))
conditions = {name: np.repeat(rows[:1], len(z), axis=0) for name, rows in conditions.items()}
np.save("x_hat.npy", jax.jit(program.call)(parameters, z, logsnr, conditions))
"""


def write_program(
    folder: Path,
    program: str,
    experiment: Experiment,
    tensors: Tensors,
    step: int,
    prompts: Sequence[str] = (),
) -> None:
    """Writes a program of `PROGRAMS`, its parameters one at a time, and run.py.

    With a `WordTokenizer`, run.py takes captions. With other text encoders it takes a file of
    encoded captions: conditions.npz has those of `prompts`.
    """
    model = abstract_model(experiment)
    exported = stablehlo.export(model, program)
    (folder / f"{program}.stablehlo").write_bytes(exported.serialize())
    write_npz(folder / "parameters.npz", tensors)
    prompts = prompts or [""]
    conditions = stablehlo.conditions(model, prompts, [-1] * len(prompts))
    write_npz(folder / "conditions.npz", {name: np.asarray(a) for name, a in conditions.items()})
    text = experiment.loader.text
    if isinstance(text, WordTokenizer):
        tokens = {word.lower(): token for token, word in enumerate(text.vocabulary, start=1)}
        words = {"words": tokens, "length": text.length}
        (folder / "words.json").write_text(json.dumps(words, indent=1) + "\n")
    (folder / "run.py").write_text(script(program, text))
    facts = {
        "program": program,
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


def add_saved_model(folder: Path, program: str) -> None:
    """Adds `saved_model/`, the folder's program as a SavedModel."""
    exported = jax.export.deserialize(bytearray((folder / f"{program}.stablehlo").read_bytes()))
    with np.load(folder / "parameters.npz") as parameters:
        saved_model.write_saved_model(folder / "saved_model", exported, parameters)


def script(program: str, text: Text | None) -> str:
    """The text of run.py."""
    if program == "denoiser":
        what = "E[x | z] of noisy clips [b f h w 3] at log-SNRs, by this model."
        return HEADER.format(what=what, usage="z.npy 0.5 -2", kind=program) + DENOISE
    what = "Sample videos from this model, by seed."
    if isinstance(text, WordTokenizer):
        usage, conditions = f'0 "{" ".join(text.vocabulary[:2])}"', FROM_WORDS
    elif text is None:
        usage, conditions = "0 -1 -1    (the seed, and a label per clip; -1: none)", FROM_LABELS
    else:
        usage, conditions = "0 conditions.npz    (the seed and the conditions)", FROM_ARRAYS
    return HEADER.format(what=what, usage=usage, kind=program) + conditions + SAMPLE


def write_npz(path: Path, arrays: Tensors | Mapping[str, np.ndarray]) -> None:
    """Writes an .npz file one array at a time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(arrays[name]))
