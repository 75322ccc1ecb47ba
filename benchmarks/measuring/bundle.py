"""What a machine with Python 3.12 and JAX, from which nothing else can be reached, lacks to run
`gpu.py`: one folder to carry there."""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MIB = 60

# NumPy, SciPy and ml_dtypes are there, since JAX needs them. Not MLflow, which with all that it
# needs does not fit: records are published where they are carried to
PACKED = frozenset(
    """
    absl-py annotated-types charset-normalizer cloudpickle filelock h5py joblib keras markdown-it-py
    mdurl namex narwhals nvidia-ml-py optree packaging pandas platformdirs psutil pyarrow pydantic
    pydantic-core pygments python-dateutil pyyaml rich ruamel-yaml scikit-learn six
    threadpoolctl tqdm typing-extensions typing-inspection
    """.split()  # noqa: SIM905
)
UNUSED = (
    "pandas/tests",
    "pyarrow/include",
    "pyarrow/libarrow_flight.*",
    "pyarrow/libarrow_python_flight.*",
    "pyarrow/src",
    "pyarrow/tests",
    "sklearn/**/tests",
    "sklearn/datasets/images",
)
"""Parts of them without which everything that is measured runs."""

_RUN = '''"""Run the benchmark that is packed beside this file; it takes what gpu.py takes."""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(here / "packages.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    packages, benchmarks = f"{folder}/packages", f"{folder}/benchmarks"
    output = os.environ.get("OUT", str(here / "results"))
    command = [sys.executable, f"{benchmarks}/gpu.py", "--output", f"{output}/gpu", *sys.argv[1:]]
    own = {
        "PYTHONPATH": os.pathsep.join([packages, f"{folder}/src", benchmarks]),
        "KERAS_BACKEND": "jax",
        "WARMSTART_TRIALS": "off",
    }
    sys.exit(subprocess.run(command, env=os.environ | own).returncode)
'''


def write(folder: Path) -> None:
    """Write `run.py` and `packages.tar.xz`, wheels of the lock unpacked and our code, to `folder`.

    Raises:
        SystemExit: if the lock lacks a package, or all is more than MOST_MIB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.py").write_text(_RUN)
    archive = folder / "packages.tar.xz"
    with tempfile.TemporaryDirectory() as made:
        target = Path(made) / "packages"
        _install(target)
        for pattern in UNUSED:
            for path in list(target.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with tarfile.open(archive, "w:xz", preset=1) as packed:
            packed.add(target, "packages")
            for part in ("src", "benchmarks"):
                packed.add(ROOT / part, part, filter=_code)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    print(f"{folder}: {size:.1f} MiB; there: python {folder.name}/run.py")
    if size > MOST_MIB:
        sys.exit(f"{archive}: expected at most {MOST_MIB} MiB in all, received {size:.1f}")


def pinned(lock: str, names: set[str]) -> str:
    """The parts of the text of a lock that pin `names`, with their hashes."""
    parts = re.split(r"\n(?=[a-z0-9])", lock.strip())
    found = [part for part in parts if part.partition("==")[0] in names]
    if lacking := names - {part.partition("==")[0] for part in found}:
        sys.exit(f"lock: expected {', '.join(sorted(lacking))}, received none")
    return "\n".join(found) + "\n"


def _install(target: Path) -> None:
    lock = (ROOT / "requirements-jax.lock").read_text()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pinned(lock, set(PACKED)))
        file.flush()
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", target]
        command += ["--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28"]
        command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", file.name]
        subprocess.run(command, check=True)


def _code(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Neither tables nor byte code."""
    is_code = member.isdir() or member.name.endswith((".py", ".css"))
    return member if is_code and "__pycache__" not in member.name else None
