"""Reports of Model Monitor and Clarify as lines: theirs as documented, and those that we write."""

from __future__ import annotations

from core.aws.kind import Section
from core.aws.kinds.monitors.reports import sections_of, violations_in

STATISTICS = {
    "version": 0.0,
    "dataset": {"item_count": 1200},
    "features": [
        {
            "name": "temp",
            "inferred_type": "Fractional",
            "numerical_statistics": {
                "common": {"num_present": 1190, "num_missing": 10},
                "mean": 0.51, "sum": 600.0, "std_dev": 0.19, "min": 0.02, "max": 1.0,
            },
        },
        {
            "name": "weather",
            "inferred_type": "String",
            "string_statistics": {
                "common": {"num_present": 1200, "num_missing": 0}, "distinct_count": 3.0,
            },
        },
    ],
}  # fmt: skip


def told(sections: list[Section]) -> dict[str, list[str]]:
    return {
        section.title: [
            line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in section.lines
        ]
        for section in sections
    }


def test_statistics_stand_beside_the_baseline() -> None:
    before = {"features": [{**STATISTICS["features"][0], "numerical_statistics": {  # type: ignore[index]
        "common": {}, "mean": 0.4, "std_dev": 0.1, "min": 0.0, "max": 0.9}}]}  # fmt: skip
    lines = told(sections_of({"statistics.json": STATISTICS}, before))["Statistics"]
    assert lines == [
        "rows: 1,200",
        "temp: Fractional, mean 0.51 ± 0.19, 0.02 to 1, 10 missing"
        "  (baseline: Fractional, mean 0.4 ± 0.1, 0 to 0.9)",
        "weather: String, 3 values",
    ]


def test_constraints_say_what_is_expected() -> None:
    content = {
        "version": 0.0,
        "features": [
            {
                "name": "temp", "inferred_type": "Fractional", "completeness": 0.99,
                "num_constraints": {"is_non_negative": True},
            },
            {
                "name": "weather", "inferred_type": "String", "completeness": 1.0,
                "string_constraints": {"domains": ["clear", "rain"]},
            },
        ],
    }  # fmt: skip
    assert told(sections_of({"constraints.json": content}))["Constraints"] == [
        "temp: Fractional, complete to 99%, never below 0",
        "weather: String, complete to 100%, one of clear, rain",
    ]


def test_violations_of_every_monitor_are_read() -> None:
    content = {
        "violations": [
            {"feature_name": "temp", "constraint_check_type": "baseline_drift_check",
             "description": "far"},
            {"metric_name": "mae", "constraint_check_type": "GreaterThanThreshold",
             "description": "worse"},
            {"facet": "sex", "facet_value": "F", "metric_name": "DI",
             "constraint_check_type": "bias_drift_check", "description": "unlike"},
            {"label": "label0", "metric_name": "shap",
             "constraint_check_type": "feature_attribution_drift_check", "description": "ndcg"},
        ]
    }  # fmt: skip
    found = violations_in(content)
    assert [(each.feature, each.metric) for each in found] == [
        ("temp", ""), ("", "mae"), ("sex=F", "DI"), ("label0", "shap"),
    ]  # fmt: skip
    assert told(sections_of({"constraint_violations.json": content}))["Violations"] == [
        "temp: baseline_drift_check: far",
        "mae: GreaterThanThreshold: worse",
        "sex=F DI: bias_drift_check: unlike",
        "label0 shap: feature_attribution_drift_check: ndcg",
    ]


def test_no_violation_is_said() -> None:
    assert told(sections_of({"constraint_violations.json": {"violations": []}})) == {
        "Violations": [": none"]
    }


def test_model_quality_is_told_by_its_metrics_and_thresholds() -> None:
    statistics = {
        "version": 0.0,
        "regression_metrics": {
            "mae": {"value": 40.5, "standard_deviation": 1.2},
            "r2": {"value": "NaN", "standard_deviation": "NaN"},
        },
    }
    rules = {
        "regression_constraints": {
            "mae": {"threshold": 45.0, "comparison_operator": "GreaterThanThreshold"},
            "r2": {"threshold": 0.8, "comparison_operator": "LessThanThreshold"},
        }
    }
    found = told(sections_of({"statistics.json": statistics, "constraints.json": rules}))
    assert found["Statistics"] == ["mae: 40.5 ± 1.2", "r2: nan"]
    assert found["Constraints"] == ["mae: at most 45.0", "r2: at least 0.8"]


ANALYSIS = {
    "version": "1.0",
    "pre_training_bias_metrics": {
        "label": "bought",
        "facets": {
            "sex": [
                {
                    "value_or_threshold": "F",
                    "metrics": [
                        {"name": "CI", "description": "Class Imbalance (CI)", "value": 0.2},
                        {"name": "KL", "description": "Kullback-Leibler", "value": "Infinity"},
                        {"name": "DPL", "description": "d", "value": None, "error": "no labels"},
                    ],
                }
            ]
        },
    },
    "explanations": {
        "kernel_shap": {
            "label0": {
                "global_shap_values": {"age": 0.1, "income": 0.3},
                "expected_value": 0.42,
            }
        }
    },
}


def test_clarifys_analysis_is_bias_by_facet_and_attributions_by_label() -> None:
    found = told(sections_of({"analysis.json": ANALYSIS}))
    assert found["Bias before training: sex (bought)"] == [
        "F CI: 0.2  Class Imbalance (CI)",
        "F KL: inf  Kullback-Leibler",
        "F DPL: not defined: no labels",
    ]
    assert found["Attributions of label0 (kernel_shap)"] == [
        "income: 0.3  75%",
        "age: 0.1  25%",
        "expected value: 0.42",
    ]


def test_our_own_reports_are_read_alike() -> None:
    import numpy as np

    from core.attribution.analysis import analysis as attributed
    from core.attribution.explanation import Explanation
    from core.bias.analysis import analysis as biased
    from core.bias.conditions import Condition
    from core.bias.report import Question, report
    from core.domain.monitor import Violation
    from core.monitors.filing import violations_file

    mine = (Violation("temp", "baseline_drift_check", "far"),)
    assert violations_in(violations_file(mine)) == mine

    values = np.array([[[0.1], [-0.3]]])
    explanation = Explanation(
        "tree", "bikes", ("age", "income"), ("label0",), np.array([0.4]), values,
        np.array([0]), 1, 50, 0.1,
    )  # fmt: skip
    found = told(sections_of({"analysis.json": attributed(explanation)}))
    assert found["Attributions of label0 (kernel_shap)"][0] == "income: 0.3  75%"

    facet = np.repeat([True, False], 40)
    labels = np.concatenate([np.arange(40) % 2 == 0, np.arange(40) % 4 == 0])
    asked = Question(Condition("bought", (True,)), (Condition("sex", (True,)),))
    written = biased(report({"sex": facet}, asked, labels))
    (section,) = sections_of({"analysis.json": written})
    assert section.title == "Bias before training: sex (bought)"
    assert any("DPL" in line[0] for line in section.lines)


def test_files_that_hold_nothing_of_it_break_nothing() -> None:
    for content in (None, [], {}, {"features": None}, {"violations": "x"}, 3):
        sections_of(
            {
                "statistics.json": content,
                "constraints.json": content,
                "analysis.json": content,
                "constraint_violations.json": content,
            }
        )
