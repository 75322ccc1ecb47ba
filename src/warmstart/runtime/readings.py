"""What this machine is doing now: cores, memory, NVIDIA's GPUs.

Names, units and rounding are those of MLflow's own system metrics (`mlflow/system_metrics`), whose
charts then know what to do with them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

_GPU: dict[str, Callable[[Any, Any], float]] = {
    "utilization_percentage": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "memory_usage_megabytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used / 1e6,
    "memory_usage_percentage": lambda nvml, gpu: _share(nvml.nvmlDeviceGetMemoryInfo(gpu)),
    "power_usage_watts": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    "power_usage_percentage": lambda nvml, gpu: (
        nvml.nvmlDeviceGetPowerUsage(gpu) / nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) * 100
    ),
}


class Machine:
    """Cores and memory of the whole machine, memory of this process and its children, every GPU.

    Where several stages run side by side, each sees what all of them make of cores and GPUs.
    """

    def __init__(self) -> None:
        self.gpus: tuple[str, ...] = ()
        """Their names in NVML's order, which numbers them."""
        self._nvml: Any = None
        self._handles: list[Any] = []
        self._process = psutil.Process()
        psutil.cpu_percent()  # which tells what was since the call before
        # without NVIDIA's driver, or without leave to ask it, there are no GPUs to tell of
        with suppress(Exception):
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
            count = pynvml.nvmlDeviceGetCount()
            handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(count)]
            self.gpus = tuple(pynvml.nvmlDeviceGetName(handle) for handle in handles)
            self._handles = handles

    def read(self) -> dict[str, float]:
        """Metric -> value. What a GPU does not tell, as some have no power meter, is left out."""
        memory = psutil.virtual_memory()
        found = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / 1e6,
            "system_memory_usage_percentage": _share(memory),
            "stage_memory_usage_megabytes": self._resident() / 1e6,
        }
        for number, gpu in enumerate(self._handles):
            for name, value in _GPU.items():
                with suppress(self._nvml.NVMLError):
                    found[f"gpu_{number}_{name}"] = value(self._nvml, gpu)
        return {f"system/{name}": round(float(value), 1) for name, value in found.items()}

    def close(self) -> None:
        if self._nvml:
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _resident(self) -> int:
        """Bytes. Pages that processes share, such as code, are counted in each of them."""
        total = 0
        for process in (self._process, *self._process.children(recursive=True)):
            with suppress(psutil.Error):  # it has just ended
                total += process.memory_info().rss
        return total


def _share(memory: Any) -> float:
    """Percent in use."""
    return float(memory.used / memory.total * 100)


@contextmanager
def this_machine() -> Iterator[Machine]:
    machine = Machine()
    try:
        yield machine
    finally:
        machine.close()
