"""Anomalies: seasonal forecast bands and robust detectors. Arithmetic only."""

from core.anomaly.robust import hampel, mad, median, robust_z
from core.anomaly.seasonal import Band, Forecast, fit

__all__ = ["Band", "Forecast", "fit", "hampel", "mad", "median", "robust_z"]
