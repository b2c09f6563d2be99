"""The columns of the data, and which of them a model may see."""

from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data" / "bike_hourly.csv.gz"

TARGET = "cnt"

# Known before the hour begins (the weather by forecast). Not here: `casual` and `registered`,
# whose sum is the target; `instant`, `dteday` and `ts`, which only number the rows; `season`,
# `yr` and `mnth`, whose present value a model has hardly seen (in January it knows one January,
# of another year's demand): training weighs recent hours more instead.
WHOLE = ("hr", "holiday", "weekday", "workingday", "weathersit")
REAL = ("temp", "atemp", "hum", "windspeed")
FEATURES = (*WHOLE, *REAL)

LIMITS = {
    "hr": (0, 23),
    "holiday": (0, 1),
    "weekday": (0, 6),
    "workingday": (0, 1),
    "weathersit": (1, 4),
    "temp": (0, 1),
    "atemp": (0, 1),
    "hum": (0, 1),
    "windspeed": (0, 1),
    "cnt": (0, 5_000),
}
