"""Which pretrained networks are alike, so that one program serves them."""

from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.networks import building, saving
from warmstart.training.shared import Source
from warmstart.training.trials import Pretrained


def read(path: Path, seed: int, **network: object) -> Source:
    made = Arm.model_validate({"network": network}, strict=False).resolve((8, 8, 1))
    model = building.compile_for_use(building.build(made, 64, 3, seed))
    saving.save(model, path)
    return Source.read(Pretrained.of(path))


def test_weights_do_not_matter_and_layers_do(tmp_path: Path) -> None:
    for kind in ("dense", "convolutional", "residual"):
        one = read(tmp_path / f"{kind}_1.keras", 1, kind=kind)
        assert one == read(tmp_path / f"{kind}_2.keras", 2, kind=kind)
    other = read(tmp_path / "wide.keras", 1, kind="residual", filters=[16, 33])
    assert other != one
