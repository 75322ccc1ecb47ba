"""What is read of the machine, against fakes and MLflow's own monitors."""

import sys
from types import SimpleNamespace

import psutil
import pytest
from mlflow.system_metrics.metrics import gpu_monitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor

from fake_gpus import NAMES, FakeNvml
from warmstart.runtime.readings import this_machine

WITHOUT_GPUS = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
    "system/stage_memory_usage_megabytes",
}


def test_gpus_tell_utilisation_memory_and_power(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    with this_machine() as machine:
        assert machine.gpus == NAMES
        found = machine.read()
        assert nvml.running == 1
    assert nvml.running == 0
    assert {name: value for name, value in found.items() if "gpu" in name} == {
        "system/gpu_0_utilization_percentage": 97.0,
        "system/gpu_0_memory_usage_megabytes": 21474.8,
        "system/gpu_0_memory_usage_percentage": 25.0,
        "system/gpu_0_power_usage_watts": 612.3,
        "system/gpu_0_power_usage_percentage": 87.5,
        "system/gpu_1_utilization_percentage": 3.0,
        "system/gpu_1_memory_usage_megabytes": 536.9,
        "system/gpu_1_memory_usage_percentage": 25.0,
    }
    assert found.keys() >= WITHOUT_GPUS


def test_names_and_units_are_those_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own monitors on the same GPUs and the same memory."""
    nvml, memory = FakeNvml(), SimpleNamespace(used=6_400_000_000, total=8_000_000_000)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(gpu_monitor, "pynvml", nvml, raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(psutil, "cpu_percent", lambda: 43.21)
    theirs = {}
    for monitor in (gpu_monitor.GPUMonitor(), CPUMonitor()):
        monitor.collect_metrics()
        theirs |= {f"system/{name}": v for name, v in monitor.aggregate_metrics().items()}
    with this_machine() as machine:
        ours = machine.read()
    del ours["system/stage_memory_usage_megabytes"]
    assert ours == theirs
    assert ours["system/cpu_utilization_percentage"] == 43.2
    assert ours["system/system_memory_usage_percentage"] == 80.0


@pytest.mark.parametrize("found", [None, FakeNvml(driver=False)], ids=["no package", "no driver"])
def test_without_gpus_nothing_is_missing_or_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], found: FakeNvml | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", found)
    with this_machine() as machine:
        assert machine.gpus == ()
        assert machine.read().keys() == WITHOUT_GPUS
    assert capfd.readouterr() == ("", "")


def test_children_count_and_one_that_has_ended_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def process(megabytes: int | None, *children: object) -> SimpleNamespace:
        def memory_info() -> SimpleNamespace:
            if megabytes is None:
                raise psutil.NoSuchProcess(1)
            return SimpleNamespace(rss=megabytes * 1_000_000)

        return SimpleNamespace(memory_info=memory_info, children=lambda recursive: children)

    monkeypatch.setattr(psutil, "Process", lambda: process(300, process(500), process(None)))
    with this_machine() as machine:
        assert machine.read()["system/stage_memory_usage_megabytes"] == 800.0
