"""Programs run in processes of their own, whose hashes are salted differently."""

import os
import subprocess
import sys


def digests(program: str) -> list[str]:
    """The last word that a program prints, in two processes."""
    return [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": salt},
        ).stdout.split()[-1]
        for salt in ("1", "2")
    ]
