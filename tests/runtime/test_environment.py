"""What a process that trains is: of one backend, on one thread, on one GPU at most."""

import json
import os
import subprocess
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import keras
import pytest

from small_task import make_cohort
from warmstart.config.arm import Arm
from warmstart.errors import InputError
from warmstart.runtime import environment
from warmstart.runtime import processes as local
from warmstart.training import setup
from warmstart.training.trials import Cohort

MULTIPLY = """
import os, sys
from pathlib import Path
from warmstart.training import setup

setup.enter(sys.argv[1])
setup.enter(sys.argv[1])
import keras, numpy as np

def ticks():  # of processor time, per thread
    stats = {task.name: (task / "stat").read_text() for task in Path("/proc/self/task").iterdir()}
    fields = {name: stat.rsplit(")", 1)[1].split() for name, stat in stats.items()}
    return {name: int(field[11]) + int(field[12]) for name, field in fields.items()}

x = keras.ops.ones((1500, 1500))
np.array(keras.ops.matmul(x, x))
before = ticks()
for _ in range(20):
    np.array(keras.ops.matmul(x, x))
spent = sorted(after - before.get(name, 0) for name, after in ticks().items())
print(keras.backend.backend(), "tensorflow" in sys.modules, spent[-1] / sum(spent))
"""


def test_hidden_packages_are_found_again_afterwards() -> None:
    code = """
import sys
from warmstart.runtime.processes import without
with without(["wave", "os"]):
    import os  # loaded long before
    try:
        import wave
    except ImportError:
        print("hidden")
import wave
print(wave.open.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hidden", "open"]


HEAVY = ("mlflow", "pyarrow")


def loaded_in_worker(cohort: Cohort, folder: Path, progress: Any) -> list[str]:
    import_module("warmstart.training.worker")
    return [name for name in (*local.UNUSED, *HEAVY) if sys.modules.get(name)]


@pytest.mark.parametrize("backend", setup.BACKENDS)
def test_a_worker_loads_its_backend_and_no_package_it_does_not_use(
    backend: str, tmp_path: Path
) -> None:
    with local.start(1, tmp_path, backend) as processes:
        loaded = processes.submit(
            loaded_in_worker, make_cohort(tmp_path, Arm(hidden=(4,)))
        ).result()
    assert loaded == [backend]


@pytest.mark.parametrize("backend", setup.BACKENDS)
def test_a_worker_computes_on_one_thread_of_one_backend(backend: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MULTIPLY, backend], capture_output=True, text=True, check=True
    )
    loaded, has_tensorflow, share = done.stdout.split()
    assert loaded == backend
    assert has_tensorflow == str(backend == "tensorflow")
    # Two threads would have about half each; JAX spends a little on handing over
    assert float(share) > 0.9


def test_the_backend_is_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert setup.backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert setup.backend() == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(InputError, match="KERAS_BACKEND: expected tensorflow or jax, received 'to"):
        setup.backend()


SETTINGS = """
import json, sys
from warmstart.training import setup

getattr(setup, sys.argv[1])("tensorflow")
import keras

layer = keras.layers.BatchNormalization()
config = keras.config
print(json.dumps([config.floatx(), config.epsilon(), config.image_data_format(),
                  config.backend(), layer.compute_dtype]))
"""


@pytest.mark.parametrize("how", ["enter", "load"])
def test_the_users_settings_of_keras_decide_nothing(how: str, tmp_path: Path) -> None:
    """In a worker process, and in the user's own."""
    (tmp_path / "keras.json").write_text(json.dumps(USERS))
    env = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS, how],
        env=env | {"KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = ["float32", 1e-7, "channels_last", "tensorflow", "float32"]
    assert json.loads(done.stdout) == expected


USERS = {
    "floatx": "float64",
    "epsilon": 1e-3,
    "image_data_format": "channels_first",
    "backend": "torch",
}


def test_what_is_ignored_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(setup, "_said", False)
    path = tmp_path / "keras.json"
    assert setup.ignored("tensorflow") == ""
    for nothing in ("{", "[1]", '{"floatx": "float32", "epsilon": 1e-07, "other": 3}'):
        path.write_text(nothing)
        assert setup.ignored("tensorflow") == ""
    path.write_text(json.dumps(USERS))
    setup.say_ignored("jax")
    setup.say_ignored("jax")
    assert capsys.readouterr().err == (
        f"{path}: floatx float64, epsilon 0.001, image_data_format channels_first, backend torch "
        "is ignored, warmstart has settings of its own: floatx float32, epsilon 1e-07, "
        "image_data_format channels_last, backend jax; KERAS_BACKEND chooses another backend\n"
    )


def test_settings_with_which_keras_cannot_be_loaded_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"floatx": "float31"}')
    code = (
        "from warmstart.training import setup\n"
        "from warmstart.errors import InputError\n"
        "try: setup.load('tensorflow')\n"
        "except InputError as error: print(error)\n"
    )
    env = os.environ | {"KERAS_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/keras.json: expected settings with which Keras can be ")
    assert "float31" in line


def test_keras_that_was_loaded_on_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(
        InputError, match=r"^keras: expected to be loaded on tensorflow or jax, rec"
    ):
        setup.load("tensorflow")


def test_a_process_stays_with_its_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "_entered", "jax")
    with pytest.raises(InputError, match=r"KERAS_BACKEND: expected jax, .* received tensorflow"):
        setup.enter("tensorflow")


@pytest.fixture
def three_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux shows them, and JAX with its plugin for them."""
    for name in ("nvidia0", "nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(environment, "DEVICES", tmp_path)
    plugin = metadata.EntryPoint("xla_cuda13", "jax_cuda13_plugin", "jax_plugins")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [plugin])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("three_gpus")
def test_gpus_are_those_that_are_there_visible_and_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.gpus("jax") == ["0", "2", "10"]
    monkeypatch.setattr(environment, "_version", {"tensorflow-cpu": "2.21.0"}.get)
    assert environment.gpus("tensorflow") == []
    for value, names in {"": [], "-1": [], "2": ["2"], "GPU-a, 0": ["GPU-a", "0"]}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert environment.gpus("jax") == names


def visible(cohort: Cohort, folder: Path, progress: Any) -> str:
    """The worker's GPU, told once all three workers are at work."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.usefixtures("three_gpus")
def test_every_gpu_gets_a_worker(tmp_path: Path) -> None:
    cohort, folder = make_cohort(tmp_path, Arm(hidden=(4,))), tmp_path / "here"
    folder.mkdir()
    with local.start("auto", folder, "jax") as processes:
        assert processes.count == 3
        futures = [processes.submit(visible, cohort) for _ in range(3)]
        assert {future.result() for future in futures} == {"0", "2", "10"}


def test_without_gpus_every_core_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with local.start("auto", tmp_path, "jax") as processes:
        assert processes.count == len(os.sched_getaffinity(0))
    with local.start(3, tmp_path, "jax") as processes:
        assert processes.count == 3
