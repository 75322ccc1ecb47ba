"""Where Fashion-MNIST is looked for, and what is said when it is wrong or nowhere."""

import gzip
import hashlib
import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pooch
import pytest

from warmstart.config.data import Data
from warmstart.data import fashion_mnist, reachable
from warmstart.data.readers import idx
from warmstart.data.sources import load
from warmstart.data.split import rows
from warmstart.errors import InputError


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


class Server(ThreadingHTTPServer):
    """Serves `files` by name from a port of its own; remembers who was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        self.server.asked.append(name)
        content = self.server.files.get(name)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """`data.path`, Debian's folder, Keras's cache: all empty; and nobody to download from."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "URL", "http://127.0.0.1:9/")  # discard: refused
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return [tmp_path / "raw", tmp_path / "debian", tmp_path / "keras/datasets/fashion-mnist"]


@pytest.fixture
def server(places: list[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Who the files are downloaded from."""
    with Server() as server:
        monkeypatch.setattr(fashion_mnist, "URL", f"http://127.0.0.1:{server.server_port}/")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def offer(server: Server, files: dict[str, bytes]) -> None:
    server.files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}


def cached(tmp_path: Path) -> dict[str, bytes]:
    """What is kept of downloads."""
    files = (tmp_path / "cache" / "warmstart").rglob("*")
    return {path.name: path.read_bytes() for path in files if path.is_file()}


def pixel(path: Path) -> int:
    return int(fashion_mnist.read(path).x[0, 0, 0])


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

    raw = fashion_mnist.read(places[0])
    images, labels, n_test = raw.x, raw.y, raw.n_test

    assert images.shape == (3, 1, 1)
    assert labels.tolist() == [3, 4, 5]
    assert n_test == 1


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
    assert "(download: " in problem
    assert "onnection refused" in problem
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
    monkeypatch.setattr(reachable, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # connects, and never answers
        port = deaf.getsockname()[1]
        monkeypatch.setattr(fashion_mnist, "URL", f"http://127.0.0.1:{port}/")
        with pytest.raises(InputError, match=r"download: .*(no answer for 0.3|[Rr]ead timed out)"):
            fashion_mnist.read(places[0])


def test_a_name_that_does_not_resolve_for_minutes_is_given_up(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachable, "TIMEOUT_SECONDS", 0.3)
    answered = Event()
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: lambda *_, **__: answered.wait())
    with pytest.raises(InputError, match=r"download: no answer for 0.3 seconds"):
        fashion_mnist.read(places[0])
    answered.set()


def test_a_download_is_verified_and_kept(
    places: list[Path], server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(places[2], {"t10k-images-idx3-ubyte": b"the stump of a broken download"})
    offer(server, tiny(7))
    expect(monkeypatch, tiny(7))

    assert pixel(places[0]) == 7
    assert cached(tmp_path) == tiny(7)
    server.asked.clear()
    assert pixel(places[0]) == 7
    assert not server.asked


def test_a_cached_file_that_was_damaged_is_downloaded_again(
    places: list[Path], server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer(server, tiny(7))
    expect(monkeypatch, tiny(7))
    pixel(places[0])
    (damaged,) = (tmp_path / "cache").rglob("train-images-idx3-ubyte")
    damaged.write_bytes(damaged.read_bytes()[:-1])

    assert pixel(places[0]) == 7
    assert cached(tmp_path) == tiny(7)


@pytest.mark.parametrize("how", ["another", "cut off", "missing"])
def test_what_is_not_fashion_mnist_is_not_kept(
    places: list[Path],
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    how: str,
) -> None:
    offer(server, tiny(7))
    expect(monkeypatch, tiny(8 if how == "another" else 7))
    first = "train-images-idx3-ubyte.gz"
    if how == "cut off":
        server.files[first] = server.files[first][:-9]
    if how == "missing":
        del server.files[first]

    words = {"another": "does not match", "cut off": "truncated", "missing": "404"}[how]
    with pytest.raises(InputError, match=rf"download: .*{words}") as caught:
        fashion_mnist.read(places[0])
    assert "\n" not in caught.value.problems[0]
    assert cached(tmp_path) == {}


def test_without_a_cache_that_can_be_written_the_download_still_serves(
    places: list[Path], server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    offer(server, tiny(7))
    expect(monkeypatch, tiny(7))

    assert pixel(places[0]) == 7


debian = pytest.mark.skipif(
    len(idx.find(fashion_mnist.DEBIAN)) < 4,
    reason=f"lacks {fashion_mnist.DEBIAN}: install the package dataset-fashion-mnist",
)


@debian
def test_debians_files_are_fashion_mnist(tmp_path: Path) -> None:
    options = Data(
        name="fashion_mnist",
        path=str(tmp_path),
        splits="official",
        validation_fraction=0.2,
        test_fraction=0.2,
    )
    dataset = load(options)

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
    assert dataset.n_test == 10_000
    chosen = rows(dataset, options, 42)
    assert [len(part) for part in chosen.values()] == [46_000, 14_000, 10_000]
    assert chosen["test"].tolist() == [*range(60_000, 70_000)]
