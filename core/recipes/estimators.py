"""The estimators of scikit-learn and feature-engine that are transformations, with a use of each.

A line an estimator: its module, the columns of the example frame, the parameters of the
example, and what else their signatures do not say. Left out are those that transform
nothing new (TSNE, KernelCenterer, SparseCoder …), that take other estimators as their
parts (ColumnTransformer, FeatureUnion, stacking, voting, wrappers) or a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Use:
    """An estimator and an example of it. `target`: the kind it needs for fitting, if any."""

    path: str
    category: str
    columns: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    takes: tuple[str, ...] = ("number",)
    rows: bool = False
    arity: str = "together"
    scope: str = "row"


_N = ("positive", "whole", "share")
_P = ("positive", "share", "count")
_C = ("city",)


def _sk(module: str, category: str, columns: tuple[str, ...], **uses: Any) -> list[Use]:
    """`Name={params}` or `Name=(columns, params, target)`."""
    made = []
    for name, use in uses.items():
        cols, params, *rest = use if isinstance(use, tuple) else (columns, use)
        path = f"sklearn.{module}:{name}"
        made.append(Use(path, category, tuple(cols), params, rest[0] if rest else ""))
    return made


SKLEARN: tuple[Use, ...] = (
    *_sk(
        "preprocessing", "scaling and outliers", _N,
        StandardScaler={}, MinMaxScaler={}, MaxAbsScaler={}, RobustScaler={}, Normalizer={},
        PowerTransformer={}, QuantileTransformer={"n_quantiles": 20},
        Binarizer={"threshold": 1.0},
    ),
    *_sk(
        "preprocessing", "features from features", _N,
        PolynomialFeatures={"degree": 2}, SplineTransformer={"n_knots": 4},
        KBinsDiscretizer={"n_bins": 3, "encode": "ordinal"},
    ),
    *_sk("isotonic", "features from features", ("positive",),
        IsotonicRegression=(("positive",), {"out_of_bounds": "clip"}, "number")),
    *_sk("impute", "missing values", ("number", "positive"),
        SimpleImputer={}, KNNImputer={"n_neighbors": 3}, MissingIndicator={"features": "all"},
        IterativeImputer={"max_iter": 5}),
    *_sk("decomposition", "projections", _N,
        PCA={"n_components": 2}, IncrementalPCA={"n_components": 2},
            FactorAnalysis={"n_components": 2},
        FastICA={"n_components": 2, "max_iter": 1000}, KernelPCA={"n_components": 2,
            "kernel": "rbf"},
        TruncatedSVD={"n_components": 2}, SparsePCA={"n_components": 2},
        MiniBatchSparsePCA={"n_components": 2}, DictionaryLearning={"n_components": 2,
            "max_iter": 50},
        MiniBatchDictionaryLearning={"n_components": 2, "max_iter": 20},
        NMF=(_P, {"n_components": 2, "max_iter": 1000}),
        LatentDirichletAllocation=(_P, {"n_components": 2}),
    ),
    # Its solver goes through the rows at hand in batches: what a row gets depends on the others.
    Use("sklearn.decomposition:MiniBatchNMF", "projections", _P, {"n_components": 2},
        scope="frame"),
    *_sk("manifold", "projections", _N, Isomap={"n_components": 2},
        LocallyLinearEmbedding={"n_components": 2, "n_neighbors": 8}),
    *_sk("random_projection", "projections", _N,
        GaussianRandomProjection={"n_components": 2}, SparseRandomProjection={"n_components": 2}),
    *_sk("kernel_approximation", "projections", _N,
        RBFSampler={"n_components": 4}, Nystroem={"n_components": 4},
        PolynomialCountSketch={"n_components": 4}, AdditiveChi2Sampler=(_P, {}),
        SkewedChi2Sampler=(_P, {"n_components": 4})),
    *_sk("neural_network", "projections", ("share",), BernoulliRBM={"n_components": 2,
        "n_iter": 2}),
    *_sk("cluster", "clusters and neighbours", _N,
        KMeans={"n_clusters": 3}, MiniBatchKMeans={"n_clusters": 3},
            BisectingKMeans={"n_clusters": 3},
        Birch={"n_clusters": 3}, FeatureAgglomeration={"n_clusters": 2}),
    *_sk("ensemble", "clusters and neighbours", _N,
        RandomTreesEmbedding={"n_estimators": 3, "max_depth": 2}),
    *_sk("discriminant_analysis", "projections", _N,
        LinearDiscriminantAnalysis=(_N, {"n_components": 1}, "class")),
    *_sk("neighbors", "projections", _N,
        NeighborhoodComponentsAnalysis=(_N, {"n_components": 2, "max_iter": 20}, "class")),
    *_sk("cross_decomposition", "projections", _N,
        PLSRegression=(_N, {"n_components": 2}, "number"), PLSCanonical=(_N, {"n_components": 1},
            "number"),
        PLSSVD=(_N, {"n_components": 1}, "number"), CCA=(_N, {"n_components": 1}, "number")),
    *_sk("feature_selection", "choice of columns", _N,
        VarianceThreshold={"threshold": 0.5},
        SelectKBest=(_N, {"k": 2, "score_func": "f_regression"}, "any"),
        SelectPercentile=(_N, {"percentile": 50, "score_func": "f_regression"}, "any"),
        SelectFpr=(_N, {"score_func": "f_regression", "alpha": 0.5}, "any"),
        SelectFdr=(_N, {"score_func": "f_regression", "alpha": 0.9}, "any"),
        SelectFwe=(_N, {"score_func": "f_regression", "alpha": 0.9}, "any"),
        GenericUnivariateSelect=(_N, {"score_func": "f_regression", "mode": "k_best", "param": 2},
            "any"),
        SelectFromModel=(_N, {"estimator": "tree"}, "any"),
        RFE=(_N, {"estimator": "linear", "n_features_to_select": 2}, "any"),
        RFECV=(_N, {"estimator": "linear", "cv": 3}, "any"),
        SequentialFeatureSelector=(_N, {"estimator": "linear", "n_features_to_select": 2, "cv": 3},
            "any"),
    ),
    *[
        Use(f"sklearn.preprocessing:{name}", "categories", _C, params, target, ("text", "category",
            "number"))
        for name, params, target in (
            ("OneHotEncoder", {"handle_unknown": "ignore"}, ""), ("OrdinalEncoder", {}, ""),
            ("TargetEncoder", {"smooth": 5.0}, "any"),
        )
    ],
    *[
        Use(f"sklearn.preprocessing:{name}", "categories", columns, {}, "", takes, arity="each")
        for name, columns, takes in (
            ("LabelEncoder", _C, ("text",)), ("LabelBinarizer", _C, ("text",)),
            ("MultiLabelBinarizer", ("words",), ("list",)),
        )
    ],
    *[
        Use(f"sklearn.feature_extraction.text:{name}", "text", ("note",), params, "", ("text",),
            arity="each")
        for name, params in (
            ("CountVectorizer", {"max_features": 5}), ("TfidfVectorizer", {"max_features": 5}),
            ("HashingVectorizer", {"n_features": 8}),
        )
    ],
    *_sk("feature_extraction.text", "text", ("count", "positive"), TfidfTransformer={}),
)  # fmt: skip


def _fe(module: str, category: str, columns: tuple[str, ...], **uses: Any) -> list[Use]:
    made = []
    for name, use in uses.items():
        cols, params, *rest = use if isinstance(use, tuple) else (columns, use)
        more = rest[1] if len(rest) > 1 else {}
        path = f"feature_engine.{module}:{name}"
        made.append(Use(path, category, tuple(cols), params, rest[0] if rest else "", **more))
    return made


_TEXT = {"takes": ("text", "category")}
_DROPS = {"rows": True}
_TIME = {"takes": ("time",)}
_WINDOW = {"scope": "window"}

FEATURE_ENGINE: tuple[Use, ...] = (
    *_fe("creation", "features from features", ("positive", "whole"),
        CyclicalFeatures={}, MathFeatures={"func": ["sum", "mean"]},
        RelativeFeatures={"reference": ["share"], "func": ["div", "sub"]},
        DecisionTreeFeatures=(("positive", "whole"), {}, "number"),
        GeoDistanceFeatures=((), {"lat1": "latitude", "lon1": "longitude", "lat2": "whole",
            "lon2": "share"})),
    *_fe("datetime", "time", ("at",),
        DatetimeFeatures=(("at",), {"features_to_extract": ["month", "hour"]}, "", _TIME),
        DatetimeSubtraction=(("at",), {"reference": ["born"], "output_unit": "D"}, "", _TIME),
        DatetimeOrdinal=(("at",), {}, "", _TIME)),
    *_fe("discretisation", "grouping of values", ("positive", "whole"),
        EqualFrequencyDiscretiser={"q": 4}, EqualWidthDiscretiser={"bins": 4},
        GeometricWidthDiscretiser={"bins": 4},
        ArbitraryDiscretiser=(("positive",), {"binning_dict": {"positive": [0, 5, 10, 20]}}),
        DecisionTreeDiscretiser=(("positive", "whole"), {}, "number")),
    *_fe("encoding", "categories", _C,
        CountFrequencyEncoder=(_C, {}, "", _TEXT), OneHotEncoder=(_C, {"drop_last": True}, "",
            _TEXT),
        OrdinalEncoder=(_C, {"encoding_method": "arbitrary"}, "", _TEXT),
        RareLabelEncoder=(_C, {"tol": 0.3, "n_categories": 2}, "", _TEXT),
        StringSimilarityEncoder=(_C, {"top_categories": 2}, "", _TEXT),
        MeanEncoder=(_C, {}, "any", _TEXT), WoEEncoder=(_C, {"fill_value": 0.001}, "class", _TEXT),
        DecisionTreeEncoder=(_C, {}, "number", _TEXT)),
    *_fe("imputation", "missing values", ("number",),
        MeanMedianImputer={}, ArbitraryNumberImputer={"arbitrary_number": -1}, EndTailImputer={},
        CategoricalImputer=(("maybe_city",), {}, "", _TEXT), AddMissingIndicator=(("number",
            "maybe_city"), {}, "", {"takes": ("any",)}),
        RandomSampleImputer=(("number",), {"random_state": 3}), DropMissingData=(("number",), {},
            "", _DROPS)),
    *_fe("outliers", "scaling and outliers", ("positive",),
        Winsorizer={"capping_method": "iqr", "tail": "both", "fold": 0.2},
        ArbitraryOutlierCapper={"max_capping_dict": {"positive": 10}},
        OutlierTrimmer=(("positive",), {"capping_method": "iqr", "tail": "both", "fold": 0.2}, "",
            _DROPS)),
    *_fe("preprocessing", "categories", _C,
        MatchCategories=(_C, {}, "", _TEXT), MatchVariables=(_N, {})),
    *_fe("scaling", "scaling and outliers", _N, MeanNormalizationScaler={}),
    *_fe("selection", "choice of columns", (*_N, "count"),
        DropFeatures={"features_to_drop": ["share"]}, DropConstantFeatures=((*_N, "constant"), {}),
        DropDuplicateFeatures={}, DropCorrelatedFeatures={}, SmartCorrelatedSelection={},
        DropHighPSIFeatures={"threshold": 0.5},
        SelectByShuffling=((*_N, "count"), {"estimator": "tree", "scoring": "r2"}, "any"),
        SelectBySingleFeaturePerformance=((*_N, "count"), {"estimator": "tree", "scoring": "r2",
            "threshold": 0.01}, "any"),
        RecursiveFeatureAddition=((*_N, "count"), {"estimator": "tree", "scoring": "r2"}, "any"),
        RecursiveFeatureElimination=((*_N, "count"), {"estimator": "tree", "scoring": "r2"}, "any"),
        SelectByTargetMeanPerformance=((*_N, "count"), {"scoring": "r2", "threshold": -9.0,
            "regression": True}, "any"),
        SelectByInformationValue=(("positive", "count"), {"threshold": 0.0, "bins": 2}, "class"),
        ProbeFeatureSelection=((*_N, "count"), {"estimator": "tree", "scoring": "r2"}, "any"),
        MRMR=((*_N, "count"), {"regression": True}, "any")),
    *_fe("text", "text", ("note",), TextFeatures=(("note",), {"features": ["word_count",
        "digit_count"]}, "", {"takes": ("text",)})),
    *_fe("transformation", "arithmetic", ("positive",),
        LogTransformer={}, LogCpTransformer={}, ReciprocalTransformer={}, PowerTransformer={},
        BoxCoxTransformer={}, YeoJohnsonTransformer={}, ArcSinhTransformer={},
        ArcsinTransformer=(("share",), {})),
    *_fe("timeseries.forecasting", "windows", ("count",),
        LagFeatures=(("count",), {"periods": [1, 2]}, "", _WINDOW),
        WindowFeatures=(("count",), {"window": 3, "functions": ["mean"]}, "", _WINDOW),
        ExpandingWindowFeatures=(("count",), {}, "", _WINDOW)),
)  # fmt: skip
