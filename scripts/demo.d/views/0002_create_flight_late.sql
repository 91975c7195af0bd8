-- The same flights, another question: will it be late? The Department of Transportation counts a
-- flight as late from 15 minutes on.
--
-- The minutes themselves must not be among the columns: they are the answer, and a model that may
-- look at them has learnt nothing. Naming the columns (no SELECT *) also keeps out what a later
-- version of demo.flight_features adds.
CREATE VIEW demo.flight_late AS
SELECT
    flight_id,
    scheduled_at,
    distance,
    origin,
    origin_state,
    origin_latitude,
    origin_longitude,
    destination,
    destination_state,
    destination_latitude,
    destination_longitude,
    hour,
    weekday,
    origin_recent_delay,
    destination_recent_delay,
    -- Two conditions and no ELSE: a delay that is not known yet stays NULL, and such a row is not
    -- trained on.
    CASE WHEN arrival_delay >= 15 THEN 'late'
         WHEN arrival_delay < 15 THEN 'on time'
    END AS late
FROM demo.flight_features;
