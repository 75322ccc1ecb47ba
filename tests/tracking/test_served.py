"""Registered versions take rows as their user has them: from Python, by HTTP, and where nothing of
this package is."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from scipy.special import softmax
from sklearn.preprocessing import FunctionTransformer

from saved_models import CLASSES, SHAPE, network, prepare, save
from served_tables import LABELS, leave, people
from warmstart.data.columns import encode
from warmstart.data.kinds import understand
from warmstart.data.rows import decode
from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.networks import saving
from warmstart.predictor import Predictor
from warmstart.tracking.models import publish_models

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of MLflow, when it saves
    pytest.mark.filterwarnings("ignore:Using `httpx`"),  # of Starlette, when it tests
]
NAME = "models:/warmstart-best/1"
ROWS = people().drop(columns=["kind", "cost"])


@pytest.fixture(autouse=True)
def store(database: Path) -> Iterator[str]:
    uri = f"sqlite:///{database}"
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(None)


def table(here: Path, target: str = "kind", **how: Any) -> tuple[Predictor, Any]:
    """What a notebook has, and what the registry has."""
    other = {"kind": "cost", "cost": "kind"}[target]
    own = leave(here, people().drop(columns=other), target, **how)
    assert publish_models(here / "models", here / "data/prepared", here / "results") == 1
    return own, mlflow.pyfunc.load_model(NAME)


def arrays(here: Path) -> Any:
    prepare(here / "data/prepared")
    save(network(), here / "models/compare/activation.keras", here / "data/prepared")
    publish_models(here / "models", here / "data/prepared", here / "results")
    return mlflow.pyfunc.load_model(NAME)


def post(model: Any, body: Any) -> tuple[int, Any]:
    """What `mlflow models serve` answers."""
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import scoring_server  # it warns, as pytest would have it at the top

    answer = TestClient(scoring_server.init(model)).post("/invocations", json=body)
    return answer.status_code, answer.json()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(frame.to_json(orient="records", date_format="iso"))


@pytest.mark.parametrize("standardize", [True, False])
def test_a_table_goes_in_and_names_come_out(here: Path, standardize: bool) -> None:
    own, served = table(here, standardize=standardize)
    found = served.predict(ROWS)
    pd.testing.assert_frame_equal(found, own.predict(ROWS), rtol=0, atol=1e-6)
    assert list(found) == ["prediction", *sorted(LABELS)]
    np.testing.assert_allclose(found[sorted(LABELS)].sum(axis=1), 1, atol=1e-6)
    assert found["prediction"].tolist() == found[sorted(LABELS)].idxmax(axis=1).tolist()
    # as the network sees the samples in training
    view = View.read(here / "data/prepared", "full")
    view = view if standardize else view.raw()
    plain = saving.load(here / "models/compare/activation.keras")
    chances = softmax(plain.predict(view.task.x_test, verbose=0), axis=1)
    rows = served.predict(ROWS.iloc[view.parts["test"]])
    np.testing.assert_allclose(rows[sorted(LABELS)].to_numpy(), chances, atol=1e-6)


def test_a_number_comes_out_in_its_own_unit(here: Path) -> None:
    own, served = table(here, "cost")
    found = served.predict(ROWS)
    pd.testing.assert_frame_equal(found, own.predict(ROWS), rtol=0, atol=1e-6)
    view = View.read(here / "data/prepared", "full")
    outputs = saving.load(here / "models/compare/activation.keras").predict(
        view.task.x_test, verbose=0
    )
    trained = people()["cost"].iloc[view.parts["train"]]
    expected = outputs[:, 0] * trained.std(ddof=0) + trained.mean()
    assert list(found) == ["cost"]
    np.testing.assert_allclose(found["cost"].iloc[view.parts["test"]], expected, rtol=1e-6)


def test_rows_of_other_types_are_the_same_rows(here: Path) -> None:
    _, served = table(here)
    expected = served.predict(ROWS)
    for rows in (
        ROWS.iloc[:, ::-1].assign(more=1),
        ROWS.convert_dtypes(),
        ROWS.astype(object),
        ROWS.astype({"age": "float32", "smokes": object, "owns": "uint8", "ward": "int8"}),
        ROWS.assign(city=ROWS["city"].astype("category"), ward=ROWS["ward"].astype(float)),
        ROWS.assign(seen=ROWS["seen"].dt.tz_localize("UTC")),
        ROWS.assign(owns=ROWS["owns"].map({True: "yes", False: "no"})),
        ROWS.to_dict("records"),
        ROWS.to_dict("list"),
    ):
        found = served.predict(rows)
        assert found["prediction"].tolist() == expected["prediction"].tolist()
        np.testing.assert_allclose(found.iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)
    # as arrays do, which have no names of their own
    inner = served.unwrap_python_model().predict(None, ROWS.to_numpy())
    np.testing.assert_allclose(inner.iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)


def test_the_server_answers_rows_with_names(here: Path) -> None:
    """Every form of JSON that MLflow has; dates as text, gaps as null."""
    own, served = table(here)
    expected, rows = own.predict(ROWS), records(ROWS)
    for body in (
        {"dataframe_records": rows},
        {"dataframe_split": json.loads(ROWS.to_json(orient="split", date_format="iso"))},
        {"inputs": rows},
        {"inputs": {name: [row[name] for row in rows] for name in rows[0]}},
        {"instances": rows},
    ):
        status, answer = post(served, body)
        assert status == 200, body.keys()
        found = pd.DataFrame(answer["predictions"])
        assert found["prediction"].tolist() == expected["prediction"].tolist()
        np.testing.assert_allclose(found.iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)
    status, answer = post(served, {"dataframe_records": rows[:1]})  # all but one with a gap
    assert answer["predictions"][0]["prediction"] == expected["prediction"][0]


def test_rows_that_do_not_fit_get_a_line_each(here: Path) -> None:
    _, served = table(here)
    wrong = ROWS.astype({"age": object, "smokes": object, "size": object})
    wrong.loc[30, ["age", "smokes", "size"]] = ["old", "perhaps", "XL"]
    lines = [
        "column 'age': expected numbers, received Unable to parse string \"old\" at position 30",
        "column 'smokes': expected truth values, received 'perhaps'",
        "column 'size': expected one of its ordered values, received 'XL'",
    ]
    with pytest.raises(MlflowException) as caught:
        served.predict(wrong)
    said = caught.value.message.replace("'old'", '"old"').splitlines()
    assert [line.partition(";")[0] for line in said] == lines  # and what to do
    status, answer = post(served, {"dataframe_records": records(wrong.iloc[30:31])})
    assert status == 400
    assert "column 'smokes': expected truth values, received 'perhaps'" in answer["message"]
    with pytest.raises(MlflowException, match=r"missing inputs \['city'\]"):
        served.predict(ROWS.drop(columns="city"))


def test_no_rows_are_a_table_of_none(here: Path) -> None:
    own, served = table(here)
    for model in (own, served):
        found = model.predict(ROWS.head(0))
        assert (len(found), list(found)) == (0, ["prediction", *sorted(LABELS)])


def test_many_rows_are_taken_in_pieces(here: Path) -> None:
    own, _ = table(here)
    many = own.predict(pd.concat([ROWS] * 100, ignore_index=True))
    expected = pd.concat([own.predict(ROWS)] * 100, ignore_index=True)
    pd.testing.assert_frame_equal(many, expected, rtol=0, atol=1e-6)


def test_the_registry_says_what_a_version_takes(here: Path) -> None:
    _, served = table(here)
    signature = served.metadata.signature
    assert signature.inputs.input_names() == list(ROWS)
    assert signature.outputs.input_names() == ["prediction", *sorted(LABELS)]
    kinds = {each["name"]: each["kind"] for each in served.metadata.metadata["columns"]}
    assert kinds == {
        "age": "number",
        "income": "number",
        "smokes": "boolean",
        "owns": "boolean",
        "city": "category",
        "size": "ordered",
        "ward": "category",
        "seen": "date",
        "born": "date",
    }
    first = View.read(here / "data/prepared", "full").parts["validation"][:2]
    np.testing.assert_array_equal(
        served.predict(served.input_example).to_numpy(), served.predict(ROWS.iloc[first]).to_numpy()
    )


def test_rows_are_decoded_to_what_they_were() -> None:
    columns = understand(ROWS, {"born": {"date": "%d.%m.%Y"}, "ward": "category"})
    raw = encode(ROWS, columns)
    shown = decode(raw, columns)
    assert list(shown) == list(ROWS)
    np.testing.assert_array_equal(encode(shown, columns), raw)
    assert shown["born"].dropna().tolist() == ROWS["born"].dropna().tolist()
    assert shown["city"].isna().tolist() == ROWS["city"].isna().tolist()


def test_arrays_of_any_type_and_shape(here: Path) -> None:
    served = arrays(here)
    assert served.metadata.signature.inputs is None
    x = np.random.default_rng(0).integers(0, 9, (7, *SHAPE)).astype(np.uint8)
    expected = served.predict(x)
    assert list(expected) == ["prediction", *CLASSES]
    for rows in (
        x.astype(np.float32),
        x.astype(float),
        x.reshape(7, -1),
        x.tolist(),
        x.astype(int),
    ):
        pd.testing.assert_frame_equal(served.predict(rows), expected)
    frame = pd.DataFrame(x.reshape(7, -1))
    pd.testing.assert_frame_equal(served.predict(frame), expected)
    for body in (
        {"inputs": x.tolist()},
        {"instances": x.reshape(7, -1).tolist()},
        {"dataframe_split": json.loads(frame.to_json(orient="split"))},
    ):
        status, answer = post(served, body)
        assert status == 200
        assert [row["prediction"] for row in answer["predictions"]] == [*expected["prediction"]]
    status, answer = post(served, {"inputs": x[:, :1].tolist()})
    assert status == 400
    assert "expected samples of shape (2, 3), received (1, 3); reshape them" in answer["message"]
    with pytest.raises(MlflowException, match="received 1 rows with NaN"):
        served.predict(np.where(np.arange(7) == 2, np.nan, 1.0)[:, None] * x.reshape(7, -1))


def test_arrays_with_gaps(here: Path) -> None:
    """They have columns, but no names that a user knows."""
    draw = np.random.default_rng(1)
    x = np.where(draw.random((60, 4)) < 0.1, np.nan, draw.normal(size=(60, 4)))
    x[:, 0] = 1
    np.savez(here / "gaps.npz", x=x, y=np.arange(60) % 2)
    own = leave(here, pd.DataFrame(), "", path=str(here / "gaps.npz"))
    publish_models(here / "models", here / "data/prepared", here / "results")
    served = mlflow.pyfunc.load_model(NAME)
    expected = own.predict(x)
    np.testing.assert_allclose(served.predict(x).iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)
    rows = np.where(np.isnan(x), None, x).tolist()
    _, answer = post(served, {"inputs": rows})
    found = pd.DataFrame(answer["predictions"])
    np.testing.assert_allclose(found.iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)


OUTSIDE = """
import json, sys
sys.modules["warmstart"] = None  # an import of it fails
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pd.read_parquet(sys.argv[2])
print(json.dumps(model.predict(rows).to_dict("list")))
"""


def files(here: Path, served: Any) -> Path:
    """The folder of the version."""
    (folder,) = here.glob(f"mlartifacts/models/{served.metadata.model_id}/artifacts")
    return folder


@pytest.mark.slow
def test_outside_nothing_of_this_package_is_needed(here: Path, tmp_path_factory: Any) -> None:
    """A copy of the version's files in another folder, in a process without the package."""
    own, served = table(here)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    files(here, served).rename(elsewhere / "model")
    ROWS.to_parquet(elsewhere / "rows.parquet")
    answer = subprocess.run(
        [sys.executable, "-c", OUTSIDE, "model", "rows.parquet"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = pd.DataFrame(json.loads(answer.stdout.splitlines()[-1]))
    expected = own.predict(ROWS)
    assert found["prediction"].tolist() == expected["prediction"].tolist()
    np.testing.assert_allclose(found.iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)


def test_no_file_of_a_version_is_a_pickle(here: Path) -> None:
    folder = files(here, table(here)[1])
    found = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in found}
    assert kinds <= {"", ".py", ".json", ".yaml", ".txt", ".keras", ".skops"}
    for path in found:
        names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
        assert not [name for name in names if "pkl" in name or "pickle" in name]
        assert not path.read_bytes().startswith(b"\x80")  # how a pickle begins
    packages = (folder / "requirements.txt").read_text().splitlines()
    names = [package.partition("==")[0].removesuffix("-cpu") for package in packages]
    assert names == ["mlflow", "keras", "tensorflow", "numpy", "pandas", "scikit-learn", "skops"]
    code = "".join(path.read_text() for path in found if path.suffix == ".py")
    assert not re.search(r"^\s*(import|from) warmstart", code, re.MULTILINE)


def test_an_encoder_of_other_types_is_not_loaded(here: Path) -> None:
    """As one that somebody has put in its place."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    place = files(here, table(here)[1]) / "artifacts/encoder.skops"
    skops.io.dump(FunctionTransformer(people), place)
    with pytest.raises(UntrustedTypesFoundException, match="people"):
        mlflow.pyfunc.load_model(NAME)


def test_the_page_shows_what_runs(here: Path, capsys: pytest.CaptureFixture) -> None:
    """docs/tracking.md, the example in Python and the one by HTTP."""
    page = (Path(__file__).parents[2] / "docs/tracking.md").read_text(encoding="utf-8")
    frame = people()[["age", "city", "smokes"]].assign(kind=np.resize(["sick", "well"], 90))
    own = leave(here, frame, "kind")
    publish_models(here / "models", here / "data/prepared", here / "results")
    (code,) = re.findall(r"(?s)```python\n(.*?)```", page)
    capsys.readouterr()
    exec(compile(code, "tracking.md", "exec"), {"__name__": "__main__"})
    shown = capsys.readouterr().out
    rows = pd.DataFrame({"age": [41, None], "city": ["Oslo", "Bergen"], "smokes": [True, None]})
    assert shown.strip() == str(own.predict(rows)).strip()
    (body,) = re.findall(r"-d '(\{.*\})'", page)
    status, answer = post(mlflow.pyfunc.load_model(NAME), json.loads(body))
    (said,) = re.findall(r"The answer is `(.*?)`", page)
    assert status == 200
    assert [[*row] for row in answer["predictions"]] == [[*json.loads(said)["predictions"][0]]]


def test_a_table_that_is_gone_is_one_line(here: Path) -> None:
    """Its medians and categories are known from it alone."""
    leave(here, people().drop(columns="cost"), "kind")
    card = read_sealed(here / "models/cards/activation.json")
    assert [each["name"] for each in card["input"]["columns"]] == list(ROWS)
    assert "mean" not in card["input"]
    (here / "data/prepared/full.npz").unlink()
    with pytest.raises(
        InputError, match=r"expected the data that models/compare/activation\.keras"
    ):
        publish_models(Path("models"), Path("data/prepared"), Path("results"))
