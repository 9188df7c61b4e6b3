"""Small networks of torch libraries with random parameters, and the tensors of their files."""

import numpy as np
import torch
from safetensors.numpy import load_file


def randomize(network, seed: int = 0):
    """Random parameters, none of them 0 or 1, so that every wrong mapping changes the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.1
            gain = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(noise + gain)
    return network.eval()


def saved_tensors(network, folder) -> dict[str, np.ndarray]:
    """The tensors of the file that the library writes."""
    network.save_pretrained(folder)
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def assert_same_bytes(foreign, tensors) -> None:
    """Asserts that the exported tensors have the names, shapes and bytes of the imported ones."""
    assert set(foreign) == set(tensors)
    for name, tensor in tensors.items():
        assert foreign[name].tobytes() == tensor.tobytes(), name
        assert foreign[name].shape == tensor.shape, name
