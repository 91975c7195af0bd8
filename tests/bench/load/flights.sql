-- The flights, their airports, and the view that joins both ends of a flight to it: 14 columns.
\set ON_ERROR_STOP on

CREATE TABLE airports (
    iata      text PRIMARY KEY,
    name      text NOT NULL,
    city      text,
    state     text,
    country   text NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL
);

CREATE TABLE flights (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    departed_at timestamp NOT NULL,
    delay       integer,
    distance    integer NOT NULL,
    origin      text NOT NULL,
    destination text NOT NULL
);

CREATE VIEW flight_features AS
SELECT f.id, f.departed_at, f.delay, f.distance,
       f.origin, o.city AS origin_city, o.state AS origin_state,
       o.latitude AS origin_latitude, o.longitude AS origin_longitude,
       f.destination, d.city AS destination_city, d.state AS destination_state,
       d.latitude AS destination_latitude, d.longitude AS destination_longitude
FROM flights f
LEFT JOIN airports o ON o.iata = f.origin
LEFT JOIN airports d ON d.iata = f.destination;
