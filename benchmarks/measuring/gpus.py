"""What the GPUs of this machine do while a block runs, as `nvidia-smi` tells it."""

import shutil
import subprocess
import threading
from typing import Any, Self

_ASKED = ("name", "utilization.gpu", "memory.used", "power.draw")
_EVERY_MS = 1000


class Sampler:
    """Samples all GPUs once a second while the block runs; without `nvidia-smi` nothing."""

    def __init__(self) -> None:
        self._samples: dict[str, list[list[float]]] = {}
        self._names: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._process = None
        if found := shutil.which("nvidia-smi"):
            self._process = subprocess.Popen(
                [
                    found,
                    f"--query-gpu=index,{','.join(_ASKED)}",
                    "--format=csv,noheader,nounits",
                    f"--loop-ms={_EVERY_MS}",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._thread = threading.Thread(target=self._read)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._thread.join()

    def _read(self) -> None:
        assert self._process
        assert self._process.stdout
        for line in self._process.stdout:
            self.take(line)

    def take(self, line: str) -> None:
        """One line of `nvidia-smi`; a value that a card does not tell is 0."""
        index, name, *values = (part.strip() for part in line.split(","))
        self._names[index] = name
        numbers = [float(v) if v.replace(".", "", 1).isdigit() else 0.0 for v in values]
        self._samples.setdefault(index, []).append(numbers)

    def summary(self) -> list[dict[str, Any]]:
        """Per GPU: its name, mean and highest utilisation (percent), most memory in use (MiB), mean
        power (W), and how many samples that rests on."""
        found = []
        for index, rows in sorted(self._samples.items()):
            utilisation, memory, power = zip(*rows, strict=True)
            found.append(
                {
                    "name": self._names[index],
                    "samples": len(rows),
                    "utilisation_mean": round(sum(utilisation) / len(rows), 1),
                    "utilisation_max": max(utilisation),
                    "memory_max_mib": max(memory),
                    "power_mean_w": round(sum(power) / len(rows), 1),
                }
            )
        return found
