"""Publishing a folder on the Hugging Face Hub, where its package is installed."""

from pathlib import Path
from typing import Any

from vdm_jax import config
from vdm_jax.checkpoints.tensors import one_line


def hub() -> Any:
    """The package of the Hub; asked for before any work is done."""
    try:
        import huggingface_hub
    except ImportError:
        raise config.ConfigError(
            "--push needs the package huggingface_hub: pip install huggingface_hub, then log in "
            "with `hf auth login`"
        ) from None
    return huggingface_hub


def push(package: Any, folder: Path, name: str) -> str:
    """Makes the repository `user/name` if need be, and puts the folder there; says where it is."""
    try:
        api = package.HfApi()
        place = api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder)
    except Exception as error:  # of many kinds: names, logins, networks
        raise config.ConfigError(
            f"{folder} is complete, but could not be put on the Hub as {name}: {one_line(error)}"
        ) from error
    return f"published as {place}"
