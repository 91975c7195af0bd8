-- What Python can score without an encoder: nothing but numbers, whole where SQL makes them so.
CREATE VIEW flight_numbers AS
SELECT id, delay, distance, origin_latitude, origin_longitude, destination_latitude,
       destination_longitude, extract(month FROM departed_at)::integer AS month,
       extract(isodow FROM departed_at)::integer AS weekday,
       extract(hour FROM departed_at)::integer AS hour
FROM flight_features;
