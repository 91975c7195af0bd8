-- 20 named columns of numbers, some of them missing, and a target that trees go on learning.
CREATE TABLE public.loans AS
WITH drawn AS (
    SELECT id, ARRAY(SELECT random() FROM generate_series(1, 20 + 0 * id)) AS r
    FROM generate_series(1, :rows) AS id
)
SELECT id,
       (18 + 60 * r[1])::int AS age,
       round((900 + 9000 * r[2] * r[2])::numeric, 2) AS income,
       round((200000 * r[3])::numeric, 2) AS amount,
       (6 + 54 * r[4])::int AS months,
       (2.5 + 9 * r[5])::real AS interest_rate,
       (r[6] * 12)::int AS open_accounts,
       (r[7] * 5)::int AS late_payments,
       r[8] AS utilisation,
       (300 + 550 * r[9])::int AS score,
       (r[10] * 30)::int AS years_employed,
       CASE WHEN r[11] < 0.9 THEN (r[11] * 50000)::int END AS savings,
       (r[12] * 6)::int AS dependants,
       r[13] * 100 AS distance_km,
       (r[14] * 10)::int AS inquiries,
       (r[15] * 40)::int AS oldest_account_years,
       (r[16] * 2000)::real AS monthly_debt,
       r[17] * 180 - 90 AS latitude,
       r[18] * 360 - 180 AS longitude,
       (r[19] * 24)::int AS hour,
       (r[20] * 7)::int AS weekday,
       sin(r[1] * 9) * 20 + r[2] * r[8] * 40 + abs(r[5] - r[9]) * 30 + r[3] * r[4] * 25
           + cos(r[17] * 12 + r[18] * 9) * 10 + (r[6] * r[7] - r[10] * r[16]) * 15
           + CASE WHEN r[11] < 0.9 THEN r[12] * 8 ELSE r[13] * 12 END
           + sin(r[14] * r[15] * 20) * 6 + r[19] * r[20] * 5 AS loss
FROM drawn;
