"""The model card of an export: what the model generates, its results, and how to use it."""

from collections.abc import Mapping, Sequence
from typing import Any

import vdm_jax
from vdm_jax import config
from vdm_jax.checkpoints.tensors import Tensors, element_count
from vdm_jax.data import sides
from vdm_jax.interfaces import Experiment

IMAGE = "samples.png"

CARD = """---
library_name: vdm_jax
pipeline_tag: {pipeline}
tags: [video-diffusion, jax, safetensors]
---

# {name}

A video diffusion model that generates {kind}: {frames} frames of {width} x {height} pixels.
{parameters:,} parameters ({dtypes}), averaged over training, at step {step:,}.
{samples}
## Use

```bash
pip install vdm_jax
vdm-jax sample . {options}
vdm-jax import . --workdir runs/mine   # then `vdm-jax train` starts from these parameters
```

```python
import jax
from vdm_jax import sampling

step, model = sampling.load(".")  # this folder
captions, labels = [{caption!r}] * 4, [-1] * 4  # label -1: none
videos = model.generate(jax.random.key(0), model.encode(captions, labels), count=4)
for number, video in enumerate(videos):  # uint8, frames x height x width x 3
    sampling.write(f"{{number}}.mp4", video, fps=8)
```

To read the arrays without vdm_jax, by their names in the parameter tree:

```python
import json
from safetensors import safe_open

files = json.load(open("model.safetensors.index.json"))["weight_map"]
for name, file in files.items():
    with safe_open(file, framework="numpy") as arrays:
        print(name, arrays.get_slice(name).get_shape())
```

## Results

{results}
## Data and experiment

{data}

`experiment.json` has every field; the commands above read it.

{table}
Made by vdm_jax {version}.
"""


def card_text(
    name: str,
    experiment: Experiment,
    tensors: Tensors,
    step: int,
    captions: Sequence[str],
    results: Mapping[str, tuple[float, int]],
) -> str:
    """The card as Markdown.

    captions: those of the rows of `IMAGE`; empty without an image.
    results: (value, step) of each measurement by its dotted name.
    """
    tree = config.to_json(experiment)
    height, width = sides(experiment.data.size)
    from_text = experiment.loader.text is not None
    caption = next((c for c in captions if c), "") if from_text else ""
    return CARD.format(
        name=name,
        pipeline="text-to-video" if from_text else "unconditional-image-generation",
        kind="clips from captions" if from_text else "clips",
        frames=experiment.data.frames,
        width=width,
        height=height,
        parameters=sum(element_count(tensors.shape(n)) for n in tensors),
        dtypes=", ".join(sorted({str(tensors.dtype(n)) for n in tensors})),
        step=step,
        samples=samples_section(captions),
        options=f'--prompt "{caption}"' if from_text else "--count 4",
        caption=caption,
        results=results_table(results),
        data=f"Trained on `{tree['data']['class']}`: {plain_fields(tree['data'])}.",
        table=experiment_table(tree),
        version=vdm_jax.__version__,
    )


def samples_section(captions: Sequence[str]) -> str:
    """The image of samples and the captions of its rows."""
    if not captions:
        return ""
    rows = "\n".join(f"{n}. {c or 'no caption'}" for n, c in enumerate(captions, start=1))
    return f"\n![samples, one per row]({IMAGE})\n\nNot cherry-picked; seed 0. Rows:\n\n{rows}\n"


def results_table(results: Mapping[str, tuple[float, int]]) -> str:
    """The results, a row each."""
    if not results:
        return "No evaluation was run.\n"
    rows = [f"| {name} | {value:.4g} | {step:,} |" for name, (value, step) in results.items()]
    return "\n".join(["| measurement | value | at step |", "|---|---|---|", *rows, ""])


def experiment_table(tree: dict[str, Any]) -> str:
    """The fields of the experiment and of its task, a row each."""
    fields = {**{f"task.{k}": v for k, v in tree["task"].items()}, **tree}
    skipped = ("class", "task.class", "task", "data", "evaluations", "checkpoints", "mesh")
    rows = [f"| {name} | {summary(v)} |" for name, v in fields.items() if name not in skipped]
    return "\n".join(["| field | value |", "|---|---|", *rows, ""])


def summary(node: Any) -> str:
    """A value, or an object's class and plain fields, in one line."""
    if not isinstance(node, dict):
        return f"`{node}`"
    fields = plain_fields(node)
    return f"`{node['class']}`" + (f": {fields}" if fields else "")


def plain_fields(node: dict[str, Any]) -> str:
    """The numbers, strings and bools among an object's fields."""
    plain = (bool, int, float, str)
    return ", ".join(f"{k} {v}" for k, v in node.items() if isinstance(v, plain) and k != "class")
