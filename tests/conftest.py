"""What holds for all tests: shapes and dtypes checked at run time, one thread per worker, no network."""

import os
import sys

import pytest
from jaxtyping import install_import_hook

# Two workers on two cores: more threads would fight. The variables are read when torch is first imported, and child
# processes inherit them.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MKL_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# The hook rewrites modules as they are imported, so whatever came before it would go unchecked.
if "daag" in sys.modules:
    raise pytest.UsageError("daag was imported before the tests' import hook was installed; see docs/log.md")
install_import_hook("daag", "beartype.beartype")


def pytest_configure(config: pytest.Config) -> None:
    # Not in pyproject.toml: pytest would import daag to find the class, before this file is read.
    config.addinivalue_line("filterwarnings", "error::daag.errors.DaagWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gpu_tests = [item for item in items if item.get_closest_marker("gpu")]
    if not gpu_tests:
        return
    import torch

    if not torch.cuda.is_available():
        for item in gpu_tests:
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))
