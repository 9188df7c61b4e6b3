"""The model card of an export: what it is, what it makes, what was measured, how to use it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vdm_jax
from vdm_jax import config, training
from vdm_jax.checkpoints.tensors import Tensors, size
from vdm_jax.data import sides

PICTURE = "samples.png"

TEXT = """---
library_name: vdm_jax
pipeline_tag: {pipeline}
tags: [video-diffusion, jax, safetensors]
---

# {name}

A video diffusion model that makes {kind}: {frames} frames of {width} x {height} pixels.
{parameters:,} parameters ({dtypes}), averaged over training, as of step {step:,}.
{picture}
## Use

```bash
pip install vdm_jax
vdm-jax sample . {asked}
vdm-jax import . --workdir runs/mine   # then `vdm-jax train` goes on from these parameters
```

```python
import jax
from vdm_jax import sampling

step, model = sampling.load(".")  # this folder
captions, labels = [{caption!r}] * 4, [-1] * 4  # a label of -1 is none
videos = model.generate(jax.random.key(0), model.encode(captions, labels), count=4)
for number, video in enumerate(videos):  # uint8, frames x height x width x 3
    sampling.write(f"{{number}}.mp4", video, fps=8)
```

Without vdm_jax, the arrays alone, under the names of the parameter tree:

```python
import json
from safetensors import safe_open

places = json.load(open("model.safetensors.index.json"))["weight_map"]
for name, file in places.items():
    with safe_open(file, framework="numpy") as arrays:
        print(name, arrays.get_slice(name).get_shape())
```

## Results

{results}
## Data and experiment

{data}

All of it is in `experiment.json`, which is what the commands above read.

{table}
Made by vdm_jax {version}.
"""


def text(
    name: str, folder: Path, experiment: Any, tensors: Tensors, step: int, captions: Sequence[str]
) -> str:
    """The card of what is in `folder`; `captions` are those of the rows of its picture."""
    tree = config.to_json(experiment)
    height, width = sides(experiment.data.size)
    worded = experiment.loader.text is not None
    caption = next((c for c in captions if c), "") if worded else ""
    return TEXT.format(
        name=name,
        pipeline="text-to-video" if worded else "unconditional-image-generation",
        kind="clips from captions" if worded else "clips",
        frames=experiment.data.frames,
        width=width,
        height=height,
        parameters=sum(size(tensors.shape(n)) for n in tensors),
        dtypes=", ".join(sorted({str(tensors.dtype(n)) for n in tensors})),
        step=step,
        picture=picture(captions),
        asked=f'--prompt "{caption}"' if worded else "--count 4",
        caption=caption,
        results=results(folder / "evaluations.jsonl"),
        data=f"Trained on `{tree['data']['class']}`: {leaves(tree['data'])}.",
        table=table(tree),
        version=vdm_jax.__version__,
    )


def picture(captions: Sequence[str]) -> str:
    """The picture, and what its rows were asked to show."""
    if not captions:
        return ""
    rows = "\n".join(f"{n}. {c or 'no caption'}" for n, c in enumerate(captions, start=1))
    return f"\n![samples, a row each]({PICTURE})\n\nNot chosen; seed 0. From the top:\n\n{rows}\n"


def results(file: Path) -> str:
    """The newest record of each measurement, as a table."""
    newest: dict[str, tuple[float, int]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        record = json.loads(line)
        groups = {name: value for name, value in record.items() if isinstance(value, dict)}
        newest |= {path: (value, record["step"]) for path, value in training.flatten(groups)}
    if not newest:
        return "Nothing was measured.\n"
    rows = [f"| {path} | {value:.4g} | {step:,} |" for path, (value, step) in newest.items()]
    return "\n".join(["| measurement | value | at step |", "|---|---|---|", *rows, ""])


def table(tree: dict[str, Any]) -> str:
    """The first level of the experiment and of its task."""
    parts = {**{f"task.{k}": v for k, v in tree["task"].items()}, **tree}
    skipped = ("class", "task.class", "task", "data", "evaluations", "checkpoints", "mesh")
    rows = [f"| {name} | {short(part)} |" for name, part in parts.items() if name not in skipped]
    return "\n".join(["| field | value |", "|---|---|", *rows, ""])


def short(part: Any) -> str:
    """An object as its class and its plain fields, in one line."""
    if not isinstance(part, dict):
        return f"`{part}`"
    inside = leaves(part)
    return f"`{part['class']}`" + (f": {inside}" if inside else "")


def leaves(part: dict[str, Any]) -> str:
    """The plain fields of an object."""
    plain = (bool, int, float, str)
    found = [f"{k} {v}" for k, v in part.items() if isinstance(v, plain) and k != "class"]
    return ", ".join(found)
