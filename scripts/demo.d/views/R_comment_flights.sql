-- Repeatable: applied again whenever this file changes. Comments, grants and functions belong here;
-- a file with a number is applied once and never edited afterwards.
COMMENT ON VIEW demo.flight_features IS
    'One row for each flight: what is known when it leaves, and arrival_delay, the target.';
COMMENT ON COLUMN demo.flight_features.scheduled_at IS 'Departure, local time at the origin';
COMMENT ON COLUMN demo.flight_features.arrival_delay IS 'Minutes; negative is early';
COMMENT ON COLUMN demo.flight_features.distance IS 'Miles';
COMMENT ON COLUMN demo.flight_features.origin_recent_delay IS
    'Mean arrival delay in minutes of short flights that left the origin 6 to 24 hours before';
COMMENT ON COLUMN demo.flight_features.destination_recent_delay IS
    'Mean arrival delay in minutes of short flights to the destination, begun 6 to 24 hours before';
COMMENT ON VIEW demo.flight_late IS
    'The flights of demo.flight_features, with late (''late'', ''on time'') for the minutes.';
