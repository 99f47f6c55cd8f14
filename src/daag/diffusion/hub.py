"""Model directories by name: a directory, or the id of a repository on the Hugging Face hub, downloaded once."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

import httpx2
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from daag.errors import ModelError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+$")
_WEIGHTS = re.compile(
    r"(?:^|/)(?:diffusion_pytorch_model|pytorch_model|model)(?:\.fp16)?\.(?:safetensors|bin)$"
)


def locate(name: str | Path, folders: Iterable[str], half: bool = False) -> Path:
    """The directory of a model.

    Args:
        name: a directory, or a hub id such as "stable-diffusion-v1-5/stable-diffusion-v1-5".
        folders: which of its folders are needed; "" stands for the files beside them.
        half: whether weights that were stored in float16 are preferred, where there are such: they are half the size.

    Raises:
        ModelError: there is no such directory and no such repository, or the hub cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    if not _HUB_ID.match(str(name)):
        raise ModelError(
            f"expected a directory or a hub id (OWNER/NAME), got {str(name)!r}; there is no such directory"
        )
    try:
        if constants.is_offline_mode():
            return Path(snapshot_download(str(name), local_files_only=True))
        files = HfApi().list_repo_files(str(name))
        return Path(snapshot_download(str(name), allow_patterns=wanted_files(files, folders, half)))
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        try:  # without network what was downloaded before will do
            return Path(snapshot_download(str(name), local_files_only=True))
        except LocalEntryNotFoundError:
            raise ModelError(
                f"there is no directory {str(name)!r}, and it could not be downloaded from the hub: {error}. Check the "
                f"name and the network, or download it elsewhere (`hf download {name}`) and give its directory"
            ) from error


def wanted_files(files: Collection[str], folders: Iterable[str], half: bool) -> list[str]:
    """Which files of a repository are read: one set of weights of each folder, safetensors before pickles.

    Args:
        files: all of them.
        folders: which folders are needed.
        half: whether float16 weights are preferred.
    """
    wanted = []
    for folder in folders:
        mine = [file for file in files if str(PurePosixPath(file).parent) == (folder or ".")]
        best = min(
            (file for file in mine if _WEIGHTS.search(file)), key=lambda file: _rank(file, half), default=None
        )
        wanted += [file for file in mine if file.endswith((".json", ".txt")) or file == best]
    return wanted


def variant_of(folder: Path, half: bool) -> str | None:
    """The `variant` of the weights in a folder, in diffusers' words: "fp16", or None for plain ones."""
    weights = [file.name for file in folder.iterdir() if _WEIGHTS.search(file.name)]
    best = min(weights, key=lambda file: _rank(file, half), default="")
    return "fp16" if ".fp16." in best else None


def _rank(file: str, half: bool) -> tuple[bool, bool]:
    return not file.endswith(".safetensors"), (".fp16." in file) != half
