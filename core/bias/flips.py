"""The flip test: would somebody of the group fare otherwise, were they of the others?

Black, Yeom and Fredrikson, "FlipTest: Fairness Testing via Optimal Transport" (2020), as
Clarify approximates it: a nearest-neighbour classifier learns the model's predictions for the
favoured group and is asked about the disadvantaged one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.bias.tables import Counts, Mask

NEIGHBOURS = 5
FEW = 9
"""With no more rows than this in the favoured group there is one neighbour, as in Clarify."""
MOST = 5_000
"""Rows of each group at most; more are thinned evenly, for the cost grows with their product."""


def flips(features: npt.NDArray[np.float64], members: Mask, predicted: Mask) -> Counts:
    """How many rows of d the model treats better than their neighbours in a, worse, alike.

    `features` are numbers only and finite, one row for each of `members` (true in d) and
    `predicted` (true where positive); distances are Euclidean and not scaled, as in Clarify.
    """
    from sklearn.neighbors import KNeighborsClassifier  # seconds to import

    others, own = _thinned(np.flatnonzero(~members)), _thinned(np.flatnonzero(members))
    neighbours = KNeighborsClassifier(n_neighbors=NEIGHBOURS if len(others) > FEW else 1)
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers near 1e308
        neighbours.fit(features[others], predicted[others])
        if_other = np.asarray(neighbours.predict(features[own]), bool)
    is_own = predicted[own]
    better = int((is_own & ~if_other).sum())
    worse = int((~is_own & if_other).sum())
    return np.array([better, worse, len(own) - better - worse], np.float64)


def _thinned(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if len(rows) <= MOST:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST).astype(np.int64)]
