-- Scores: predictions of whole relations, written to tables. They are runs of a kind of their own,
-- or commands; how far one is stands in a row that is written with its rows.

ALTER TABLE pgboost.runs DROP CONSTRAINT runs_kind_check;
ALTER TABLE pgboost.runs
    ADD CONSTRAINT runs_kind_check CHECK (kind IN ('training', 'contest', 'score'));
COMMENT ON COLUMN pgboost.runs.kind IS
    'training; contest: no model is trained, the best there is goes live; score: the live model''s predictions are written to a table';

CREATE TABLE pgboost.scores (
    project_id bigint NOT NULL REFERENCES pgboost.projects (id) ON DELETE CASCADE,
    target text NOT NULL,
    relation text NOT NULL,
    model_id bigint NOT NULL, -- no foreign key: what was written outlives its model
    explains boolean NOT NULL,
    run_id bigint,            -- nor here
    epoch bigint NOT NULL DEFAULT 1,
    scored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    n_rows bigint NOT NULL DEFAULT 0,
    last_key text[],
    finished_at timestamptz,
    PRIMARY KEY (project_id, target)
);
COMMENT ON TABLE pgboost.scores IS 'the last score of a project into each table, and how far it is';
COMMENT ON COLUMN pgboost.scores.run_id IS 'NULL: a command';
COMMENT ON COLUMN pgboost.scores.epoch IS
    'grows by one whenever a score into the table begins or goes on: the one before it stops';
COMMENT ON COLUMN pgboost.scores.scored_at IS 'when it began: scored_at of its rows';
COMMENT ON COLUMN pgboost.scores.n_rows IS 'rows that are in the table, all up to last_key';

-- A project has two schedules: "schedule", when it trains, and "score.after", when it scores.
ALTER TABLE pgboost.projects
    ADD COLUMN scores_since timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN pgboost.projects.scores_since IS
    'when score.after became what it is: nothing is due before that';

CREATE OR REPLACE FUNCTION pgboost.note_schedule() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            is_other_zone CONSTANT boolean := TG_OP = 'INSERT'
                OR NEW.definition -> 'timezone' IS DISTINCT FROM OLD.definition -> 'timezone';
        BEGIN
            IF is_other_zone
               OR NEW.definition -> 'schedule' IS DISTINCT FROM OLD.definition -> 'schedule' THEN
                NEW.scheduled_since := pgboost.schedule_clock();
            END IF;
            IF is_other_zone OR NEW.definition #> '{score,after}'
                             IS DISTINCT FROM OLD.definition #> '{score,after}' THEN
                NEW.scores_since := pgboost.schedule_clock();
            END IF;
            RETURN NEW;
        END
    $$;
COMMENT ON FUNCTION pgboost.note_schedule() IS 'keeps projects.scheduled_since and scores_since';

ALTER TABLE pgboost.due_times
    ADD COLUMN kind text NOT NULL DEFAULT 'training' CHECK (kind IN ('training', 'score')),
    DROP CONSTRAINT due_times_pkey,
    ADD PRIMARY KEY (project_id, kind, due_at);
COMMENT ON COLUMN pgboost.due_times.kind IS 'of the run that is queued';
