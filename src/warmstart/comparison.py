"""What `warmstart.compare` returns."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from warmstart.analysis.answers import answer, warnings
from warmstart.analysis.figures.figure import Figure
from warmstart.analysis.figures.looks import palette
from warmstart.analysis.figures.shown import Shown
from warmstart.analysis.results import Results
from warmstart.analysis.yardsticks import held_against
from warmstart.data.columns import encode
from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.predictor import Predictor
from warmstart.training import setup


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What `compare` returns. In a notebook it shows itself: advice, table, ranking."""

    results: Results
    """Summary, records of all trials and timings, as the pipeline writes them."""
    yardsticks: Results
    """The same of what does without a network: a constant answer, a linear model and gradient
    boosting, on the same splits."""
    recommended: str
    """The network to use and its certainty, in sentences."""
    classes_: NDArray[Any]
    """`(classes,)`: the labels as they came, in the order of the model's outputs."""
    view: View
    """The samples that the best network was trained on, and what they went through."""
    model: bytes
    """A `.keras` file: the best network, on preprocessed input."""

    def table(self) -> pd.DataFrame:
        """One row per arm, the best first.

        Columns: `rank`; `arm`; `test_accuracy`, or the test of whatever metric decides, a mean over
        seeds with its 95 % interval from `low` to `high`; `difference`, the same minus that of the
        arm that validation chooses, with `difference_low` and `difference_high`, which hold for all
        pairs of arms at once; `p_value` of no difference, corrected over all pairs (Tukey);
        `verdict` (chosen, better, worse, practically equal, open); the `learning_rate` that most
        seeds chose on validation;
        `best_epoch`; `diverged_share` of the seeds; `seconds_per_epoch`. Accuracies are shares
        from 0 to 1, errors of numbers are in their own unit, and what does not exist is NaN.
        """
        rows = []
        for arm, found in self.results.summary.arms.items():
            contrast = self.results.contrast(arm)
            test, difference = found.test, contrast and contrast.difference
            rows.append(
                {
                    "rank": found.rank,
                    "arm": arm,
                    f"test_{self.results.summary.metric}": test.known,
                    "low": test.low,
                    "high": test.high,
                    "difference": difference.mean if difference else None,
                    "difference_low": difference.low if difference else None,
                    "difference_high": difference.high if difference else None,
                    "p_value": contrast.p_value if contrast else None,
                    "verdict": contrast.verdict if contrast else "chosen",
                    "learning_rate": found.learning_rate,
                    "best_epoch": found.best_epoch,
                    "diverged_share": found.diverged_share,
                    "seconds_per_epoch": self.results.seconds_per_epoch(arm),
                }
            )
        numbers = [key for key in rows[0] if key not in ("arm", "verdict", "rank")]
        return pd.DataFrame(rows).astype(dict.fromkeys(numbers, np.float64))

    def against(self) -> pd.DataFrame:
        """One row for each of a constant answer, a linear model and gradient boosting, on the same
        splits: the test of the metric that decides, a mean over seeds with its 95 % interval, and
        `difference`, the arm that validation chooses minus it, with the interval from
        `difference_low` to `difference_high`, which holds for all rows at once, and the `verdict`
        about that arm."""
        held = held_against(self.yardsticks, self.results, self.results.summary.reference)
        rows = [
            {
                "yardstick": one.name,
                f"test_{self.results.summary.metric}": one.reached.mean,
                "low": one.reached.low,
                "high": one.reached.high,
                "difference": one.difference.mean,
                "difference_low": one.difference.low,
                "difference_high": one.difference.high,
                "verdict": one.verdict,
            }
            for one in held
        ]
        numbers = [key for key in rows[0] if key not in ("yardstick", "verdict")]
        return pd.DataFrame(rows).astype(dict.fromkeys(numbers, np.float64))

    def plot(
        self, what: Literal["ranking", "seeds", "curves", "times", "rates"] = "ranking"
    ) -> Figure:
        """A picture that a notebook shows, interactive, and `save` keeps as `.svg`, `.png`, `.html`
        or `.json` (Vega-Lite).

        Args:
            what: `ranking` of the arms with 95 % intervals, the test of each of the `seeds`,
                learning `curves` on validation, the same by `times` of training, or validation
                accuracy by learning rate (`rates`).

        Raises:
            InputError: if there is no such picture.
        """
        looks = palette({"study": self.results.arms})["study"]
        drawn = Shown(self.results, looks).figures
        if what not in drawn:
            raise InputError(
                f"what: expected {' or '.join(sorted(drawn))}, received {what!r}; choose one"
            )
        return drawn[what]

    def advice(self) -> str:
        """What to use, whether that beats `base`, how sure it is, and what else is as good."""
        sentences = [self.recommended, answer(self.results), *warnings(self.results)]
        return " ".join(sentences)

    def best_model(self) -> Predictor:
        """The seed that did best on validation, of the arm that did best there. The test set has no
        say in the choice.

        `predict` takes rows as `compare` took them, and gives a frame with the label and the
        probability of each, or the number. `network` is the plain, compiled Keras model, which
        takes `features(rows)` and returns logits `(n, classes)`: its `fit` and `evaluate` want
        labels as numbers, which are positions in `classes_`.
        """
        setup.say_ignored(backend := setup.backend())
        setup.load(backend)
        from warmstart.networks import saving

        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(self.model)
            network = saving.load(path)
        dataset, columns = self.view.dataset, self.view.dataset.columns
        return Predictor(
            network,
            raw=(lambda frame: encode(frame, columns)) if columns else None,
            names=list(dict.fromkeys(column.name for column in columns)),
            preprocess=self.view.preprocessing.apply,
            shape=dataset.feature_shape,
            classes=self.classes_,
            target=(dataset.target, *self.view.task.target),
        )

    def __repr__(self) -> str:
        summary = self.results.summary
        return (
            f"<Comparison of {len(summary.arms)} arms over {summary.seeds} seeds: {self.advice()}>"
        )

    def _repr_html_(self) -> str:
        test = f"test_{self.results.summary.metric}"
        columns = ["arm", test, "low", "high", "difference", "p_value", "verdict"]
        table = self.table()[[*columns, "learning_rate"]].to_html(
            index=False, float_format="{:.4g}".format, na_rep=""
        )
        return f"<p>{escape(self.advice())}</p>{table}{self.plot().svg()}"
