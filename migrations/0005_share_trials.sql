-- A run's rows outlive its worker, and its trials are shared out: whoever goes on with a run, or
-- helps with it, sees the rows that it has read, and takes the trials that nobody holds.

ALTER TABLE pgboost.runs
    ADD COLUMN rows_key text,
    ADD COLUMN rows_in_table boolean NOT NULL DEFAULT false,
    ADD COLUMN rows_fingerprint text,
    ADD COLUMN search jsonb;
COMMENT ON COLUMN pgboost.runs.rows_key IS
    'names the file, in the state folder of a worker, that keeps the rows the run has read';
COMMENT ON COLUMN pgboost.runs.rows_in_table IS 'these rows are in pgboost.run_rows as well';
COMMENT ON COLUMN pgboost.runs.rows_fingerprint IS 'of these rows; trials on others are void';
COMMENT ON COLUMN pgboost.runs.search IS
    'how many trials there are, how many at once, until when; closed: none is to be had any more';

-- COPY's bytes, in pieces.
CREATE TABLE pgboost.run_rows (
    run_id bigint NOT NULL REFERENCES pgboost.runs (id) ON DELETE CASCADE,
    number integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (run_id, number)
);
COMMENT ON TABLE pgboost.run_rows IS
    'the rows of unfinished runs whose definition says "snapshot": "table"';

ALTER TABLE pgboost.trials
    DROP CONSTRAINT trials_status_check,
    ADD CONSTRAINT trials_status_check
        CHECK (status IN ('running', 'completed', 'pruned', 'failed')),
    ADD COLUMN seed bigint,
    ADD COLUMN origin text,
    ADD COLUMN predict_us double precision,
    ADD COLUMN steps jsonb,
    ADD COLUMN worker text,
    ADD COLUMN lease_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN lease_until timestamptz,
    ADD COLUMN started_at timestamptz,
    ADD COLUMN ended_at timestamptz;
COMMENT ON COLUMN pgboost.trials.steps IS
    'what the search looks at: {"steps": [[step, loss], …], "folds": [loss, …], "rounds": [n, …]},'
    ' losses of the first fold on the way, then the best one of each fold and its round';
COMMENT ON COLUMN pgboost.trials.predict_us IS
    'microseconds that its model takes to predict one row, measured on validation rows';
COMMENT ON COLUMN pgboost.trials.origin IS
    'what suggested its setting: portfolio, grid, random, tpe, polish';
COMMENT ON COLUMN pgboost.trials.lease_epoch IS
    'grows by one whenever another worker takes the trial; a result is written under its epoch';
