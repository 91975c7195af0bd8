-- One row for each flight: what is known when it leaves, and how late it arrived (the target).
--
-- The view that trains the model is the view that is read at prediction time, so a feature is
-- written once, here, and means the same in both places. Three rules keep it honest:
--   * a column holds only what is known when the flight leaves; nothing of its own arrival but the
--     target itself;
--   * what is unknown stays NULL: LEFT JOIN, no COALESCE. XGBoost learns what a missing value
--     means; an invented zero would be a fact;
--   * text stays text. The encoder turns categories into numbers, and a state that it never saw is
--     not an error.

-- For the recent delays below: an index range for each flight instead of the whole table.
CREATE INDEX flights_origin ON demo.flights (origin, departed_at);
CREATE INDEX flights_destination ON demo.flights (destination, departed_at);

CREATE VIEW demo.flight_features AS
SELECT
    f.flight_id,
    -- The records have one departure time, the actual one; it stands in for the timetable's.
    f.departed_at AS scheduled_at,
    f.delay AS arrival_delay,

    f.distance,
    f.origin,
    o.state AS origin_state,
    o.latitude AS origin_latitude,
    o.longitude AS origin_longitude,
    f.destination,
    d.state AS destination_state,
    d.latitude AS destination_latitude,
    d.longitude AS destination_longitude,

    -- Delays pile up through the day: the hour is the strongest single feature.
    extract(hour FROM f.departed_at)::integer AS hour,
    to_char(f.departed_at, 'Dy') AS weekday,

    -- How late the airport's flights have been lately, in minutes: weather and queues, as a number.
    -- NULL where none has flown.
    origin_recent.delay AS origin_recent_delay,
    destination_recent.delay AS destination_recent_delay
FROM demo.flights f
LEFT JOIN demo.airports o ON o.iata = f.origin
LEFT JOIN demo.airports d ON d.iata = f.destination
-- A flight's delay is known when it has landed, not when it has left. Taking every earlier
-- departure would leak the future into the past: a model that shines in the test and fails in use.
-- Six hours and at most 1,000 miles mean landed, whatever the two clocks' time zones.
CROSS JOIN LATERAL (
    SELECT avg(p.delay)::double precision AS delay
    FROM demo.flights p
    WHERE p.origin = f.origin
      AND p.departed_at BETWEEN f.departed_at - interval '24 hours'
                            AND f.departed_at - interval '6 hours'
      AND p.distance <= 1000
) origin_recent
CROSS JOIN LATERAL (
    SELECT avg(p.delay)::double precision AS delay
    FROM demo.flights p
    WHERE p.destination = f.destination
      AND p.departed_at BETWEEN f.departed_at - interval '24 hours'
                            AND f.departed_at - interval '6 hours'
      AND p.distance <= 1000
) destination_recent;
