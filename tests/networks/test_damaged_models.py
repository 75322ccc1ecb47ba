"""A saved model that is cut off or has a wrong bit is one line, whoever loads it."""

import zipfile
from pathlib import Path

import pytest
from damages import damaging, flipped

from warmstart.config.arm import Arm
from warmstart.errors import InputError
from warmstart.networks import building, saving, transfer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("project") / "models/b.keras"
    built = building.build(Arm(hidden=(8, 6)).resolve(5), 5, 4, seed=3)
    saving.save(building.compile_for_use(built), path)
    return path


def test_one_line_that_names_the_stage(model: Path) -> None:
    whole = [w.tobytes() for w in transfer.load(model).get_weights()]
    for damage in damaging(model):
        for load in (transfer.load, saving.load):
            try:
                assert [w.tobytes() for w in load(model).get_weights()] == whole, damage
            except InputError as error:
                (line,) = error.problems
                assert line.startswith(
                    f"{model}: expected what the stage transfer writes, received"
                )
                assert line.endswith("; run `dvc repro --force --single-item transfer`")
            else:
                assert "cut off" not in damage


def test_a_wrong_weight_is_refused(model: Path, tmp_path: Path) -> None:
    kernel = transfer.load(model).get_weights()[0]
    place = model.read_bytes().index(kernel.tobytes()) + 3  # the sign and exponent of its first
    path = tmp_path / "mine.keras"
    path.write_bytes(flipped(model.read_bytes(), place, 7))
    for load in (transfer.load, saving.load):
        with pytest.raises(InputError, match=r"mine\.keras: .*Bad CRC-32.*model\.weights\.h5"):
            load(path)


def test_a_users_own_file_is_the_users_to_save_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", "{}")
    with pytest.raises(InputError) as refused:
        transfer.load(path)
    (line,) = refused.value.problems
    assert line.startswith(f"{path}: expected a model that Keras saved as .keras, received ")
    assert line.endswith("save the whole model that way")
