-- Schedules: when a project's runs are due, and which due times have been seen to.

-- Read by everything that asks what is due; the tests replace it by one that runs fast.
CREATE FUNCTION pgboost.schedule_clock() RETURNS timestamptz
    LANGUAGE sql VOLATILE
    AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION pgboost.schedule_clock() IS 'the clock that schedules go by';

ALTER TABLE pgboost.projects
    ADD COLUMN scheduled_since timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN pgboost.projects.scheduled_since IS
    'when the schedule became what it is: nothing is due before that';

CREATE FUNCTION pgboost.note_schedule() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            IF TG_OP = 'INSERT'
               OR NEW.definition -> 'schedule' IS DISTINCT FROM OLD.definition -> 'schedule'
               OR NEW.definition -> 'timezone' IS DISTINCT FROM OLD.definition -> 'timezone' THEN
                NEW.scheduled_since := pgboost.schedule_clock();
            END IF;
            RETURN NEW;
        END
    $$;
COMMENT ON FUNCTION pgboost.note_schedule() IS 'keeps projects.scheduled_since';
CREATE TRIGGER note_schedule BEFORE INSERT OR UPDATE OF definition ON pgboost.projects
    FOR EACH ROW EXECUTE FUNCTION pgboost.note_schedule();

CREATE TABLE pgboost.due_times (
    project_id bigint NOT NULL REFERENCES pgboost.projects (id),
    due_at timestamptz NOT NULL,
    run_id bigint, -- no foreign key: the history outlives its runs
    n_missed integer NOT NULL DEFAULT 0,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, due_at)
);
COMMENT ON TABLE pgboost.due_times IS
    'times of schedules that came, one row each: whoever writes it queues the run';
COMMENT ON COLUMN pgboost.due_times.run_id IS
    'the run that was queued, or was queued already; NULL: left out, as catch_up says';
COMMENT ON COLUMN pgboost.due_times.n_missed IS
    'due times before this one that came while no daemon was there';

-- retrain.after_rows: the rows that count from, and whose turn it is to count.
ALTER TABLE pgboost.projects
    ADD COLUMN rows_seen bigint,
    ADD COLUMN rows_seen_at timestamptz,
    ADD COLUMN count_rows_at timestamptz;
COMMENT ON COLUMN pgboost.projects.rows_seen IS
    'rows when they last made a run, or were fewer than before; a later run''s count instead';
COMMENT ON COLUMN pgboost.projects.count_rows_at IS 'not before: the next count, by one of the daemons';

-- Housekeeping -----------------------------------------------------------------------------------

ALTER TABLE pgboost.models ADD COLUMN pinned boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN pgboost.models.pinned IS 'stays, however many newer ones there are';
CREATE INDEX models_run_id ON pgboost.models (run_id);
CREATE INDEX models_trial_id ON pgboost.models (trial_id);
CREATE INDEX runs_finished_at ON pgboost.runs (finished_at) WHERE finished_at IS NOT NULL;
