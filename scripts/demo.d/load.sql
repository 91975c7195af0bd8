-- The demo's tables, as an application would have them, and their rows.
--
--     cd scripts/demo.d && psql -f load.sql
--
-- Safe to run again: what is there stays as it is. The views to learn from are in views/.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

BEGIN;
CREATE SCHEMA IF NOT EXISTS demo;

CREATE TABLE IF NOT EXISTS demo.airports (
    iata      text PRIMARY KEY,
    name      text NOT NULL,
    city      text,
    state     text,
    country   text NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL
);

-- No foreign key to airports: a flight to an airport that nobody has heard of is still a flight.
CREATE TABLE IF NOT EXISTS demo.flights (
    flight_id   integer PRIMARY KEY,
    departed_at timestamp NOT NULL, -- local time at the origin
    delay       integer,            -- at arrival, in minutes; negative is early, NULL not yet known
    distance    integer NOT NULL,   -- miles
    origin      text NOT NULL,
    destination text NOT NULL
);

SELECT NOT EXISTS (SELECT FROM demo.airports) AS airports_empty,
       NOT EXISTS (SELECT FROM demo.flights) AS flights_empty \gset
\if :airports_empty
    \copy demo.airports FROM PROGRAM 'gzip -dc airports.csv.gz' (FORMAT csv, HEADER)
\endif
\if :flights_empty
    \copy demo.flights FROM PROGRAM 'gzip -dc flights.csv.gz' (FORMAT csv, HEADER)
\endif
COMMIT;

\if :flights_empty
    ANALYZE demo.airports, demo.flights;
\endif
