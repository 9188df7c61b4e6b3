"""Tiny networks of the ecosystem with every parameter drawn at random, and their files' tensors."""

import numpy as np
import torch
from safetensors.numpy import load_file


def randomise(network, seed: int = 0):
    """No zeros, no ones: whatever is mapped wrongly shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.1
            gain = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(noise + gain)
    return network.eval()


def saved(network, folder) -> dict[str, np.ndarray]:
    """The tensors of the file that the library itself writes."""
    network.save_pretrained(folder)
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def same_bytes(foreign, tensors) -> None:
    """Every tensor is accounted for, and exported as it was imported."""
    assert set(foreign) == set(tensors)
    for name, tensor in tensors.items():
        assert foreign[name].tobytes() == tensor.tobytes(), name
        assert foreign[name].shape == tensor.shape, name
