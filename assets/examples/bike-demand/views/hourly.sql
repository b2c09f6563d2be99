-- description: rentals with the weather of the hour and the day in the calendar
-- keys: ts
SELECT
    r.ts,
    hour(r.ts) AS hr,
    c.holiday, c.weekday, c.workingday,
    w.weathersit, w.temp, w.atemp, w.hum, w.windspeed,
    r.casual, r.registered, r.casual + r.registered AS cnt
FROM rentals r
JOIN weather w ON w.ts = r.ts
JOIN calendar c ON c.day = CAST(r.ts AS DATE)
