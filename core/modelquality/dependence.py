"""How alike errors are that follow each other, and how many rows they are worth.

A model that is off at eight o'clock is off at nine as well: hours of traffic are not independent
rows, and a standard error that takes them for such is too small. `n` rows are worth n / τ, with
τ = 1 + 2 Σ ρ(k), the sum of the autocorrelations up to the first that cannot be told from 0
(Kish's effective sample size; Geyer, Statistical Science 7, 1992, for where to stop).
"""

from __future__ import annotations

import numpy as np

from core.modelquality.pairs import Floats

MOST = 50.0
_FEWEST = 30


def dependence(errors: Floats) -> float:
    """τ of errors in order of time (or of arrival: rows that were shuffled have 1); from 1 to
    50, and 1 of fewer than 30 rows."""
    many = len(errors)
    if many < _FEWEST:
        return 1.0
    centred = errors - errors.mean()
    size = 1 << (2 * many - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    products = np.fft.irfft(spectrum * np.conj(spectrum), size)[: many // 2]
    if not products[0] > 0:
        return 1.0
    rho = products / products[0]
    small = np.flatnonzero(rho < 2 / np.sqrt(many))
    stop = int(small[0]) if len(small) else len(rho)
    return float(np.clip(1 + 2 * rho[1:stop].sum(), 1.0, MOST))
