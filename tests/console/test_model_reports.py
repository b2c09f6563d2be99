"""`opsdeck models explain` and `opsdeck models bias` on a registered model, as people use them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from core.state import schema
from core.state.store import Store
from tests.console.conftest import NOW, Cli

GERMAN = Path(__file__).parents[1] / "assets" / "german_credit.csv.gz"
INPUTS = ["duration_months", "credit_amount", "age", "housing"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of German credit in MLflow's format: two classes, a column of text."""
    import mlflow
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rows = pd.read_csv(GERMAN)
    words = make_column_transformer(
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["housing"]),
        remainder="passthrough",
    )
    model = make_pipeline(words, HistGradientBoostingClassifier(max_iter=20, random_state=0))
    model.fit(rows[INPUTS], rows.credit_risk)
    path = tmp_path_factory.mktemp("models") / "credit"
    signature = mlflow.models.infer_signature(rows[INPUTS], rows.credit_risk)
    mlflow.sklearn.save_model(
        model, path, signature=signature, input_example=rows[INPUTS].head(2),
        pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
    )  # fmt: skip
    return path


@pytest.fixture
def credit(seeded: Path, saved: Path) -> Path:
    """The workspace with that model, served, and one captured request of two rows."""
    state = seeded / ".opsdeck"
    shutil.copytree(saved, state / "models" / "credit")
    store = Store(f"sqlite:///{state / 'state.db'}")
    with store.transaction("author") as tx:
        tx.execute(
            schema.model_versions.insert().values(
                name="credit", version=1, run_id="00000001-run", step="register",
                path="models/credit",
                digest="0" * 64, created_at=NOW, metrics="{}", lineage="{}", approval="",
            )
        )  # fmt: skip
        tx.execute(
            schema.revisions.insert().values(
                endpoint="demand", revision=1, model="credit", version=1, state="stable",
                weight=100.0, deployment_id="d", created_at=NOW,
            )
        )  # fmt: skip
        tx.journal("test", "model/credit")
    store.close()
    split = {"columns": [*INPUTS, "customer"], "data": [[12, 2_000, 35, "A152", "c1"],
                                                        [48, 9_000, 22, "A151", "c2"]]}  # fmt: skip
    asked = Captured(
        inference_id="abc", at=NOW, revision=1, status=200, milliseconds=1.0,
        inputs=lambda: {"dataframe_split": split}, outputs=[1, 2], model="credit", version=1,
        content_type="application/json",
    )  # fmt: skip
    folder = state / "endpoints" / "demand" / "capture" / "date=2026-05-28" / "variant=r1"
    write_part(folder, [asked])
    shutil.copy(GERMAN, seeded / "credit.csv.gz")
    return seeded


def test_what_a_model_goes_by(credit: Path, cli: Cli) -> None:
    shown = cli("models", "explain", "credit", "--data", "credit.csv.gz", "-n", "200", "--top", "2")
    assert shown.status == 0, shown.err
    assert "TreeExplainer of shap" in shown.out and "200 rows of 1,000" in shown.out
    assert "units      log-odds of 2" in shown.out and "█" in shown.out
    assert "2 features more: --top" in shown.out
    told = cli("models", "explain", "credit", "1", "--data", "credit.csv.gz", "--json").json()
    (label,) = told["labels"]
    sizes = [each["shap"] for each in label["features"]]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 4 and sizes[-1] > 0
    shap = told["analysis"]["explanations"]["kernel_shap"]["label0"]["global_shap_values"]
    assert shap == {each["feature"]: each["shap"] for each in label["features"]}


def test_why_a_request_was_answered_so(credit: Path, cli: Cli) -> None:
    told = cli("models", "explain", "credit", "--row", "abc#2", "--json").json()
    (label,) = told["labels"]
    total = label["expected"] + sum(each["shap"] for each in label["features"])
    assert label["total"] == pytest.approx(total)
    assert {each["feature"]: each["given"] for each in label["features"]} == {
        "duration_months": "48", "credit_amount": "9000", "age": "22", "housing": "A151",
    }  # fmt: skip
    shown = cli("models", "explain", "credit", "--row", "abc").out
    assert "captured request abc" in shown and "VALUE" in shown and "A152" in shown


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("--row", "nix"), 3, "no captured request nix"),
        (("--row", "abc#3"), 2, "no row 3 (it has 2"),
        (("--row", "abc#x"), 2, "no row x"),
        (("--row", "abc", "--data", "x.csv"), 2, "give one of them"),
        (("--data", "gone.csv"), 2, "no such file"),
        (("--data", "dataset:gone"), 3, "gone"),
        (("--data", "opsdeck.yaml"), 2, "neither Parquet, CSV nor JSON Lines"),
        (("--data", "short.csv"), 1, "no column housing"),
        (("--data", "empty.csv"), 1, "no rows"),
        (("9",), 3, "no version or alias 9"),
    ],
)
def test_what_cannot_be_explained(
    credit: Path, cli: Cli, args: tuple[str, ...], status: int, words: str
) -> None:
    (credit / "short.csv").write_text("duration_months,credit_amount,age\n1,2,3\n")
    (credit / "empty.csv").write_text(",".join(INPUTS) + "\n")
    ended = cli("models", "explain", "credit", *args)
    assert (ended.status, words in ended.err) == (status, True), ended.err
    assert "Traceback" not in ended.err


BIAS = ("models", "bias", "credit", "--data", "credit.csv.gz", "--positive", "1")


def test_who_is_treated_otherwise(credit: Path, cli: Cli) -> None:
    shown = cli(*BIAS, "--facet", "age>40", "--facet", "foreign_worker=A201", "--label",
                "credit_risk", "--by", "housing", "--analysis", "out/analysis.json")  # fmt: skip
    assert shown.status == 0, shown.err
    assert "age>40: 274 rows against 726" in shown.out
    assert "CI       0.4520" in shown.out and "DPL     -0.0513" in shown.out
    assert "may be chance" in shown.out and "FT goes by 3 numeric columns of 4" in shown.out
    written = json.loads((credit / "out" / "analysis.json").read_text())
    assert set(written) == {"version", "pre_training_bias_metrics", "post_training_bias_metrics"}
    told = cli(*BIAS, "--facet", "age>40", "--facet", "housing", "--intersections", "--json").json()
    assert [group["name"] for group in told["groups"]] == [
        "age>40", "housing=A151", "housing=A152", "housing=A153", "age>40 & housing=A151",
        "age>40 & housing=A152", "age>40 & housing=A153",
    ]  # fmt: skip
    assert {value["stage"] for value in told["groups"][0]["metrics"]} == {"post_training"}


def test_predictions_of_a_column_need_no_model(credit: Path, cli: Cli) -> None:
    rows = pd.read_csv(GERMAN)[["age", "credit_risk"]].assign(said="yes")
    rows.loc[rows.age > 40, "said"] = "no"
    rows.to_csv(credit / "said.csv", index=False)
    told = cli("models", "bias", "credit", "--data", "said.csv", "--facet", "age>40", "--positive",
               "yes", "--prediction", "said", "--metric", "DPPL", "--metric", "DI",
               "--json").json()  # fmt: skip
    dppl, di = told["groups"][0]["metrics"]
    assert (dppl["value"], dppl["clear"]) == (1.0, True)
    assert di["value"] == 0.0 and told["predictions"] == "column said"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--facet", "aeg>40"), "facet aeg is no column of these rows (there is age)"),
        (("--facet", "housing>3"), "holds text"),
        (("--facet", "housing=X"), "no row has that value (housing has A151, A152, A153)"),
        (("--facet", "=x"), "is not a facet"),
        (("--facet", "age"), "write age>X"),
        (("--facet", "age>40", "--label", "risk"), "no column risk"),
        (("--facet", "age>40", "--by", "room"), "no column room"),
        (("--facet", "age>40", "--metric", "DPX"), "no bias metric DPX"),
        ((), "--facet"),
    ],
)
def test_what_cannot_be_asked(credit: Path, cli: Cli, args: tuple[str, ...], words: str) -> None:
    ended = cli(*BIAS, *args)
    assert (ended.status, words in ended.err) == (2, True), ended.err


def test_a_positive_value_that_no_label_has(credit: Path, cli: Cli) -> None:
    ended = cli("models", "bias", "credit", "--data", "credit.csv.gz", "--positive", "good",
                "--label", "credit_risk", "--facet", "age>40")  # fmt: skip
    assert ended.status == 2
    assert "every label is negative (credit_risk=good) (the labels are 1, 2" in ended.err
