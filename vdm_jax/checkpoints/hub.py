"""Upload of a folder to the Hugging Face Hub, with the optional package huggingface_hub."""

from pathlib import Path
from typing import Any

from vdm_jax.checkpoints.tensors import one_line
from vdm_jax.config import ConfigError


def import_hub() -> Any:
    """The package huggingface_hub.

    Raises:
      ConfigError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise ConfigError(
            "--push needs the package huggingface_hub: pip install huggingface_hub, then log in "
            "with `hf auth login`"
        ) from None
    return huggingface_hub


def upload(package: Any, folder: Path, name: str) -> str:
    """Uploads a folder to the repository `user/name`, created if needed; returns its address.

    Raises:
      ConfigError: the upload failed; the folder stays.
    """
    try:
        api = package.HfApi()
        address = api.create_repo(name, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder)
    except Exception as error:  # the Hub's package raises many types: names, logins, networks
        raise ConfigError(
            f"{folder} is complete, but the upload to the Hub as {name} failed: {one_line(error)}"
        ) from error
    return address
