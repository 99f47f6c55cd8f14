"""The store beside LeRobotDataset, Minari and TorchRL's memory-mapped storage, on the same episodes, in one run.

    python benchmarks/store_speed.py --venvs ~/daag-stores --out benchmarks/results

lerobot and torchrl get environments of their own under `--venvs`, made at the first run: lerobot's pins (torch, NumPy,
torchvision) exclude ours, and on Linux they bring a CUDA build of torch, eight gigabytes in all. Minari is in daag's test
environment. The work itself is in stores/: each store is asked the same by workload.py, which checks every answer.

What is compared is processor time, all threads and children together, so that other work on the machine does not count;
waiting for the disk does not either. Everything is read from the system's cache.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from daag.experiments.results import Results

HERE = Path(__file__).parent / "stores"
LEROBOT = ("lerobot==0.4.4", "numpy<2.3")
TORCHRL = ("torchrl==0.14.1", "tensordict==0.14.3", "cloudpickle", "importlib_metadata", "orjson", "pyvers")
LOWER_IS_BETTER = (
    "ms_per_append",
    "bytes_per_episode",
    "ms_to_open",
    "ms_for_256_steps",
    "ms_for_16_episodes",
    "ms_for_episodes_of_a_task",
    "ms_for_16_nearest",
)
TARGET_OF_CACHE = 1.5
"""How many times as long as TorchRL's memory map single steps may take through the decoded cache."""


@dataclass(frozen=True)
class StoreConfig:
    """Where the other stores are, how much to measure, and where to write."""

    venvs: Path
    """Where the environments of lerobot and torchrl are, or will be made."""
    out: Path = Path("benchmarks/results")
    episodes: int = 128
    rounds: int = 5


def lerobot_python(place: Path) -> Path:
    """The interpreter of lerobot's environment, which is made where there is none."""
    python = place / "venv-lerobot" / "bin" / "python"
    if not python.exists():
        venv.create(place / "venv-lerobot", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *LEROBOT], check=True)
    return python


def torchrl_python(place: Path) -> Path:
    """The interpreter of an environment with torchrl beside the torch and NumPy of ours."""
    python = place / "venv-torchrl" / "bin" / "python"
    if not python.exists():
        venv.create(place / "venv-torchrl", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *TORCHRL], check=True)
        ours = Path(np.__file__).parent.parent
        theirs = next((place / "venv-torchrl" / "lib").glob("python*/site-packages"))
        (theirs / "ours.pth").write_text(f"{ours}\n")
    return python


def ask(python: Path | str, side: str, directory: Path, config: StoreConfig) -> dict[str, list[float]]:
    """What one store measured, in a process of its own, with one thread."""
    print(f"{side} ...", flush=True)
    command = [python, HERE / f"{side}_side.py", directory, str(config.episodes), str(config.rounds)]
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | quiet)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(config: StoreConfig) -> None:
    """Measure, compare, and write `speed-store.json`."""
    command = f"python benchmarks/store_speed.py --venvs VENVS --episodes {config.episodes} --rounds {config.rounds}"
    results = Results("speed", "store", command, "full", {}, list(range(config.rounds)))
    sides = {
        "daag": sys.executable,
        "minari": sys.executable,
        "torchrl": torchrl_python(config.venvs),
        "lerobot": lerobot_python(config.venvs),
    }
    medians: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for side, python in sides.items():
            found = ask(python, side, Path(place), config)
            medians[side] = {name: float(np.median(values)) for name, values in found.items()}
            for name, values in found.items():
                results.add(side, name, values)
                print(f"  {name:30} {np.median(values):14,.2f}")
    others: dict[str, float] = {}  # ratios for which there is no target
    for name in LOWER_IS_BETTER:
        for side in ("lerobot", "minari", "torchrl"):
            if name in medians[side]:
                label, ratio = f"{name}, {side} over daag", medians[side][name] / medians["daag"][name]
                if side != "torchrl" or name == "bytes_per_episode":
                    results.check(label, ratio, 1.0)
                else:
                    others[label] = ratio
    ours, theirs = medians["daag"], medians["torchrl"]
    ratio = ours["ms_for_256_steps_from_cache"] / theirs["ms_for_256_steps"]
    results.check("single steps through the cache, daag over torchrl", ratio, TARGET_OF_CACHE, at_least=False)
    ratio = theirs["ms_for_episodes_of_a_task"] / ours["ms_for_episodes_of_a_task_from_cache"]
    results.check("episodes of a task through the cache, torchrl over daag", ratio, 1.0)
    for name, check in results.checks.items():
        print(f"{'met   ' if check['met'] else 'MISSED'} {name}: {check['value']:.2f}")
    for name, ratio in others.items():
        print(f"       {name}: {ratio:.2f}")
    results.notes = {
        "episodes": config.episodes,
        "unit": "milliseconds of processor time; bytes are those on the disk",
        "durable": "daag and Minari each append; LeRobot only after finalize(), so that its append is not durable; "
        "TorchRL's append includes the dump without which nothing opens after a kill",
        "kept": "lerobot depth as float32, and no vectors; torchrl numbers for tasks, and no words",
        "without a target": others,
    }
    print(results.write(config.out))


if __name__ == "__main__":
    main(tyro.cli(StoreConfig))
