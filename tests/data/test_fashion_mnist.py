"""Where Fashion-MNIST is looked for, and what is said when it is wrong or nowhere."""

import gzip
import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from warmstart.config.params import Data
from warmstart.data import fashion_mnist, idx
from warmstart.data.sources import load
from warmstart.errors import InputError

WRITE = "[(folder / (n + '.gz')).write_bytes(gzip.compress(c)) for n, c in %r.items()]"
"""A download that succeeds, of the files filled in."""


def tiny(mark: int) -> dict[str, bytes]:
    """Files with 2 training and 1 test image of one pixel, `mark`."""
    return {
        "train-images-idx3-ubyte": bytes([0, 0, 8, 3, *b"\0\0\0\2\0\0\0\1\0\0\0\1", mark, mark]),
        "train-labels-idx1-ubyte": bytes([0, 0, 8, 1, *b"\0\0\0\2", 3, 4]),
        "t10k-images-idx3-ubyte": bytes([0, 0, 8, 3, *b"\0\0\0\1\0\0\0\1\0\0\0\1", mark]),
        "t10k-labels-idx1-ubyte": bytes([0, 0, 8, 1, *b"\0\0\0\1", 5]),
    }


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))


def expect(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(fashion_mnist, "SHA256", hashes)


def download(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let `code` stand for Keras; `folder` is where Keras would put the files."""
    head = (
        "import gzip, os, pathlib, sys;"
        "folder = pathlib.Path(os.environ['KERAS_HOME'], 'datasets', 'fashion-mnist');"
        "folder.mkdir(parents=True);"
    )
    monkeypatch.setattr(fashion_mnist, "_DOWNLOAD", (sys.executable, "-S", "-c", head + code))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """`data.path`, Debian's folder, Keras's cache: all empty; and a download that fails."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    download(monkeypatch, "sys.exit('no network here')")
    cache = tmp_path / "keras" / "datasets" / "fashion-mnist"
    return [tmp_path / "raw", tmp_path / "debian", cache]


def pixel(path: Path) -> int:
    return int(fashion_mnist.read(path)[0][0, 0, 0])


def test_the_first_place_that_has_all_four_files_wins(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for mark, place in reversed(list(enumerate(places))):
        put(place, tiny(mark))
        expect(monkeypatch, tiny(mark))
        assert pixel(places[0]) == mark


def test_a_place_with_some_of_the_files_is_passed_over(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places[0], dict(list(tiny(0).items())[:3]))
    put(places[1], tiny(1))
    expect(monkeypatch, tiny(1))

    assert pixel(places[0]) == 1


def test_training_files_come_before_test_files(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places[0], tiny(9))
    expect(monkeypatch, tiny(9))

    images, labels = fashion_mnist.read(places[0])

    assert images.shape == (3, 1, 1)
    assert labels.tolist() == [3, 4, 5]


def test_wrong_content_is_said_with_both_hashes(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = tiny(1), tiny(2)
    put(places[0], wrong)
    put(places[1], right)  # is not turned to: the user meant the files in data.path
    expect(monkeypatch, right)

    with pytest.raises(InputError) as caught:
        fashion_mnist.read(places[0])

    assert len(caught.value.problems) == 2  # the labels are right
    for name, problem in zip(("train-images", "t10k-images"), caught.value.problems, strict=True):
        file = f"{name}-idx3-ubyte"
        assert problem.startswith(f"{places[0] / file}.gz: expected Fashion-MNIST")
        assert f"SHA-256 {hashlib.sha256(right[file]).hexdigest()}" in problem
        assert f"received {hashlib.sha256(wrong[file]).hexdigest()}; remove it" in problem


def test_a_truncated_file_is_said(places: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    put(places[0], tiny(1))
    expect(monkeypatch, tiny(1))
    broken = places[0] / "t10k-labels-idx1-ubyte.gz"
    broken.write_bytes(broken.read_bytes()[:-5])

    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte.gz: .*truncated"):
        fashion_mnist.read(places[0])


def test_nowhere_is_one_line_with_every_way_out(places: list[Path]) -> None:
    put(places[2], dict(list(tiny(0).items())[:3]))

    with pytest.raises(InputError) as caught:
        fashion_mnist.read(places[0])

    (problem,) = caught.value.problems
    assert "\n" not in problem
    assert problem.startswith(f"data.name: expected Fashion-MNIST in {places[0]}, {places[1]}, ")
    assert f"{places[2]} (lacks t10k-labels-idx1-ubyte)" in problem
    assert "(download: no network here)" in problem
    for way in (
        "package dataset-fashion-mnist",
        f"copy train-images-idx3-ubyte.gz, .* to {places[0]}",
        "a machine with internet",
        "data.name: digits",
    ):
        assert re.search(way, problem)


def test_a_network_that_swallows_everything_is_given_up(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "STALL_SECONDS", 0.5)
    download(monkeypatch, "import threading; threading.Event().wait(60)")

    with pytest.raises(InputError, match=r"download: nothing came for 0.5 seconds"):
        fashion_mnist.read(places[0])


def test_a_slow_download_that_goes_on_is_waited_for(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "STALL_SECONDS", 1.0)
    grow = (
        "import threading\n"
        "for i in range(4): (folder / str(i)).write_bytes(b'!'); threading.Event().wait(0.5)\n"
        "sys.exit('at the end')"
    )
    download(monkeypatch, grow)

    with pytest.raises(InputError, match="download: at the end"):
        fashion_mnist.read(places[0])


def test_a_download_is_verified_and_kept_in_the_cache(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places[2], {"t10k-images-idx3-ubyte": b"the stump of a broken download"})
    files = tiny(7)
    download(monkeypatch, WRITE % files)
    expect(monkeypatch, files)

    assert pixel(places[0]) == 7
    kept = {name: idx.content(path) for name, path in idx.find(places[2]).items()}
    assert kept == files


def test_a_download_of_something_else_is_not_kept(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    download(monkeypatch, WRITE % tiny(7))
    expect(monkeypatch, tiny(8))

    with pytest.raises(InputError, match="download: what came is not Fashion-MNIST"):
        fashion_mnist.read(places[0])
    assert not places[2].exists()


def test_without_a_cache_that_can_be_written_the_download_still_serves(
    places: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keras").write_text("a file where the folder should be")
    download(monkeypatch, WRITE % tiny(7))
    expect(monkeypatch, tiny(7))

    assert pixel(places[0]) == 7


debian = pytest.mark.skipif(
    len(idx.find(fashion_mnist.DEBIAN)) < 4,
    reason=f"lacks {fashion_mnist.DEBIAN}: install the package dataset-fashion-mnist",
)


@debian
def test_debians_files_are_fashion_mnist(tmp_path: Path) -> None:
    dataset = load(
        Data(name="fashion_mnist", path=str(tmp_path), validation_fraction=0.2, test_fraction=0.2)
    )

    assert dataset.x.shape == (70_000, 784)
    assert dataset.feature_shape == (28, 28)
    assert (dataset.x.min(), dataset.x.max()) == (0, 255)
    assert np.bincount(dataset.y).tolist() == [7000] * 10
    # of the 60,000 for training alone, too: the order is training files, then test files
    assert np.bincount(dataset.y[:60_000]).tolist() == [6000] * 10
    assert [dataset.class_names[label] for label in dataset.y[:3]] == [
        "Ankle boot",
        "T-shirt/top",
        "T-shirt/top",
    ]
    assert dataset.digest.startswith("a04e70d03297")
