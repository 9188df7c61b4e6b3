"""`vdm-jax describe` of runs, exports, torch and safetensors files."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from vdm_jax import commands
from vdm_jax.checkpoints import safetensors
from vdm_jax.checkpoints.tensors import InMemoryTensors

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import torch_format

GOLDEN = Path(__file__).parents[1] / "checkpoints" / "release"
CLIP = {
    "text_model.embeddings.token_embedding.weight": np.zeros((5, 4), np.float16),
    "text_model.final_layer_norm.weight": np.zeros(4, np.float16),
    "something.else": np.zeros(3, np.float32),
}


def describe(capsys, *argv) -> dict:
    assert commands.main(["describe", *map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["workdir", "export"])
def test_a_run_and_its_export_fit_their_experiment(name, capsys):
    facts = describe(capsys, GOLDEN / name)
    assert facts["stored"]["parameters"] == facts["parameters"]
    assert facts["step"] == 3 and facts["differs"] == [] and facts["fits"] == "its experiment"
    assert set(facts["stored"]["dtypes"]) == {"float32"}


def test_weights_are_compared_with_an_experiment(capsys):
    (file,) = (GOLDEN / "export").glob("*.safetensors")
    assert describe(capsys, file, "--like", GOLDEN / "workdir")["differs"] == []
    argv = ["--like", GOLDEN / "workdir", "--set", "task.model.text.features=6"]
    differs = describe(capsys, file, *argv)["differs"]
    assert any("words" in line and "expected" in line for line in differs)
    assert commands.main(["describe", str(file)]) == 0
    assert "fits no known layout" in capsys.readouterr().out


def test_foreign_files_have_a_nearest_layout(tmp_path, capsys):
    (tmp_path / "a.pt").write_bytes(torch_format.new({"state_dict": CLIP}))
    facts = describe(capsys, tmp_path / "a.pt")
    assert facts["stored"]["dtypes"] == {"float16": 2, "float32": 1}
    assert "clip" in facts["fits"].lower() and 0 < facts["match"] < 1
    assert "something.else (3,) is not in this layout" in facts["differs"]

    folder = tmp_path / "pipeline" / "text_encoder"
    folder.mkdir(parents=True)
    safetensors.write_file(folder / "model.safetensors", InMemoryTensors(CLIP))
    safetensors.write_file(folder / "model.fp16.safetensors", InMemoryTensors(CLIP))
    assert describe(capsys, tmp_path / "pipeline")["kind"] == "weights text_encoder"
    assert commands.main(["describe", str(tmp_path / "pipeline")]) == 0
    assert "something.else" in capsys.readouterr().out


def test_damaged_and_missing_weights_are_one_line(tmp_path, capsys):
    for name, text in (("a.safetensors", "no"), ("a.pt", "no")):
        (tmp_path / name).write_text(text)
        assert commands.main(["describe", str(tmp_path / name)]) == 2
        assert "is not a valid" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert commands.main(["describe", str(tmp_path / "empty")]) == 2
    assert "no .safetensors" in capsys.readouterr().err
