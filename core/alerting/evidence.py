"""The numbers behind an alert: the series that its alarm or monitor looks at, if there is one."""

from __future__ import annotations

from core.alerting.around import opens
from core.domain.alert import Alert
from core.domain.alertview import EvidenceSeries
from core.state.reading import Reader

MOST_POINTS = 120


def series_of(reader: Reader, alert: Alert) -> EvidenceSeries | None:
    """The series of the first alarm that the evidence names, else what is worst of the first
    monitor; `None` where neither has any number yet."""
    alarms = [str(alert.evidence.get("alarm", "")), *opens(alert, "alarm")]
    for name in filter(None, alarms):
        found = _of_alarm(reader, name)
        if found is not None:
            return found
    monitors = [str(alert.evidence.get("monitor", "")), *opens(alert, "monitor")]
    for name in filter(None, monitors):
        found = _of_monitor(reader, name)
        if found is not None:
            return found
    return None


def _of_alarm(reader: Reader, name: str) -> EvidenceSeries | None:
    from core.alarms.stored import definition_from_json
    from core.series.reading import latest, read

    rows = reader.rows("SELECT definition FROM alarms WHERE name = :name", name=name)
    if not rows:
        return None
    alarm = definition_from_json(rows[0]["definition"])
    metric = alarm.metric
    if metric is None:
        return None
    if alarm.period is None:
        points = latest(
            reader, metric.source, metric.metric, metric.dims, count=MOST_POINTS, stat=alarm.stat
        )
    else:
        newest = latest(reader, metric.source, metric.metric, metric.dims)
        until = newest[-1].at + alarm.period if newest else 0.0
        points = read(
            reader, metric.source, metric.metric, metric.dims,
            since=until - 60 * alarm.period, until=until, period=alarm.period, stat=alarm.stat,
        )  # fmt: skip
    known = tuple((point.at, point.value) for point in points)
    if not any(value is not None for _, value in known):
        return None
    title = f"{metric.words()}, {alarm.stat}"
    return EvidenceSeries(title, known, alarm.threshold, "Less" not in str(alarm.comparison))


def _of_monitor(reader: Reader, name: str) -> EvidenceSeries | None:
    """The violated measurement of the newest violated window, over the windows before it."""
    worst = reader.rows(
        "SELECT m.metric, m.feature, m.segment, m.threshold, m.comparison"
        " FROM monitor_measurements m JOIN monitor_runs r ON r.id = m.run"
        " WHERE m.monitor = :name AND m.state = 'violated' AND m.value IS NOT NULL"
        " ORDER BY r.window_end DESC, m.place LIMIT 1",
        name=name,
    )
    if not worst:
        return None
    row = worst[0]
    points = reader.rows(
        "SELECT r.window_end AS at, m.value FROM monitor_measurements m"
        " JOIN monitor_runs r ON r.id = m.run WHERE m.monitor = :name AND m.metric = :metric"
        " AND m.feature = :feature AND m.segment = :segment"
        " ORDER BY r.window_end DESC LIMIT :count",
        name=name,
        metric=row["metric"],
        feature=row["feature"],
        segment=row["segment"],
        count=MOST_POINTS,
    )
    of = " of ".join(filter(None, (row["metric"], row["feature"])))
    title = f"{of} in {row['segment']}" if row["segment"] else of
    known = tuple((point["at"], point["value"]) for point in reversed(points))
    return EvidenceSeries(f"{name}: {title}", known, row["threshold"],
                          "Less" not in row["comparison"])  # fmt: skip
