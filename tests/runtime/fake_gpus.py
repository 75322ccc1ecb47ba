"""NVIDIA's `pynvml` with two GPUs, the second of which has no power meter."""

from types import SimpleNamespace

NAMES = ("NVIDIA H100 80GB HBM3", "NVIDIA GeForce GT 1030")


class NVMLError(Exception):
    pass


class FakeNvml:
    NVMLError = NVMLError

    def __init__(self, *, driver: bool = True) -> None:
        self.driver, self.running = driver, 0

    def nvmlInit(self) -> None:  # noqa: N802  (NVML's names, as all below)
        if not self.driver:
            raise NVMLError("Driver Not Loaded")
        self.running += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.running -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(NAMES)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, gpu: int) -> str:  # noqa: N802
        return NAMES[gpu]

    def nvmlDeviceGetUtilizationRates(self, gpu: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=(97, 3)[gpu], memory=50)

    def nvmlDeviceGetMemoryInfo(self, gpu: int) -> SimpleNamespace:  # noqa: N802
        used, total = ((21_474_836_480, 85_899_345_920), (536_870_912, 2_147_483_648))[gpu]
        return SimpleNamespace(used=used, total=total, free=total - used)

    def nvmlDeviceGetPowerUsage(self, gpu: int) -> int:  # noqa: N802
        """In mW."""
        if gpu:
            raise NVMLError("Not Supported")
        return 612_340

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu: int) -> int:  # noqa: N802
        return 700_000
