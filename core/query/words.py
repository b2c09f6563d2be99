"""Words of SQL that completion proposes."""

from __future__ import annotations

_KEYWORD_LINES = (
    "SELECT FROM WHERE GROUP BY ORDER LIMIT JOIN LEFT RIGHT FULL INNER CROSS ASOF ON",
    "USING AS AND OR NOT IN IS NULL BETWEEN LIKE ILIKE CASE WHEN THEN ELSE END WITH",
    "RECURSIVE UNION ALL INTERSECT EXCEPT DISTINCT HAVING QUALIFY OVER PARTITION WINDOW",
    "DESC ASC NULLS FIRST LAST EXCLUDE REPLACE OFFSET SAMPLE DESCRIBE SUMMARIZE EXPLAIN",
    "ANALYZE PIVOT UNPIVOT INTERVAL TRUE FALSE CAST DATE TIMESTAMP",
)
_FUNCTION_LINES = (
    "abs any_value approx_count_distinct approx_quantile arg_max arg_min avg ceil",
    "coalesce concat contains corr count covar_pop date_diff date_part date_trunc day",
    "dayofweek dense_rank entropy epoch exp first first_value floor generate_series",
    "greatest histogram hour kurtosis lag last last_value lead least left length list",
    "list_aggregate ln log lower ltrim mad max median min minute mode month ntile nullif",
    "quantile_cont quarter random range rank regexp_extract regexp_matches regexp_replace",
    "regr_slope replace right round row_number rtrim second sign skewness split_part sqrt",
    "starts_with stddev strftime string_agg strptime substring sum time_bucket trim",
    "try_cast unnest upper variance week year",
)

KEYWORDS = tuple(word for line in _KEYWORD_LINES for word in line.split())
FUNCTIONS = tuple(word for line in _FUNCTION_LINES for word in line.split())
