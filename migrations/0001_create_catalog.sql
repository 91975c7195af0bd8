-- The catalog: everything pgboost knows. Projects, their runs and trials, the models that came of
-- them, and which model is live. Every name is qualified: this runs under search_path = pg_catalog.

-- A role without CREATE on the database may own a schema that was made for it.
DO $$
BEGIN
    IF pg_catalog.to_regnamespace('pgboost') IS NULL THEN
        CREATE SCHEMA pgboost;
    END IF;
END
$$;

COMMENT ON SCHEMA pgboost IS 'pgboost: projects, runs, trials, models and deployments';

CREATE TABLE pgboost.schema_migrations (
    source text NOT NULL CHECK (source IN ('pgboost', 'user')),
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, name)
);
COMMENT ON TABLE pgboost.schema_migrations IS
    'files that pgboost migrate has applied: its own (pgboost) and those of the user''s folders (user)';

-- Projects ---------------------------------------------------------------------------------------

CREATE TABLE pgboost.projects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    definition jsonb NOT NULL,
    relation text NOT NULL,
    target text NOT NULL,
    task text NOT NULL CHECK (task IN ('regression', 'classification', 'ranking', 'survival')),
    metric text NOT NULL,
    higher_is_better boolean NOT NULL,
    live_model_id bigint,
    deploy_version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE pgboost.projects IS 'prediction tasks, as their definitions declare them';
COMMENT ON COLUMN pgboost.projects.definition IS 'the definition, with only the keys that were given';
COMMENT ON COLUMN pgboost.projects.higher_is_better IS 'the direction of the key metric';
COMMENT ON COLUMN pgboost.projects.deploy_version IS
    'grows by one with every deployment; a deployment says which version it has seen';

-- Runs and trials --------------------------------------------------------------------------------

CREATE TABLE pgboost.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES pgboost.projects (id),
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    trigger text NOT NULL,
    definition jsonb NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    worker text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    progress jsonb,
    stats jsonb,
    profile jsonb,
    error text,
    hint text,
    model_id bigint, -- no foreign key: the history outlives its models
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    CHECK (status <> 'running' OR (worker IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK ((status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX runs_project_id ON pgboost.runs (project_id, id);
CREATE INDEX runs_unfinished ON pgboost.runs (id) WHERE status IN ('queued', 'running');
COMMENT ON TABLE pgboost.runs IS 'trainings, one row each from queue to end';
COMMENT ON COLUMN pgboost.runs.definition IS 'the project''s definition when the run was queued';
COMMENT ON COLUMN pgboost.runs.lease_epoch IS
    'grows by one with every claim; a worker writes only under the epoch it was given';
COMMENT ON COLUMN pgboost.runs.progress IS 'what the worker does now: stage, done, total, best';
COMMENT ON COLUMN pgboost.runs.stats IS 'the rows the run saw, and warnings about them';
COMMENT ON COLUMN pgboost.runs.profile IS 'what each column held when the run read it';

CREATE TABLE pgboost.trials (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES pgboost.runs (id),
    number integer NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
    algorithm text NOT NULL,
    hyperparams jsonb NOT NULL,
    score double precision,
    rounds integer NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    error text,
    UNIQUE (run_id, number)
);
COMMENT ON TABLE pgboost.trials IS 'settings of hyperparameters tried by a run';
COMMENT ON COLUMN pgboost.trials.score IS 'the key metric on validation rows';

-- Models and deployments -------------------------------------------------------------------------

CREATE TABLE pgboost.models (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES pgboost.projects (id),
    run_id bigint REFERENCES pgboost.runs (id),
    trial_id bigint REFERENCES pgboost.trials (id),
    task text NOT NULL CHECK (task IN ('regression', 'classification', 'ranking', 'survival')),
    relation text NOT NULL,
    target text NOT NULL,
    split jsonb NOT NULL,
    algorithm text NOT NULL,
    hyperparams jsonb NOT NULL,
    metric text NOT NULL,
    score double precision,
    metrics jsonb NOT NULL,
    encoder jsonb NOT NULL,
    labels jsonb,
    model bytea NOT NULL CHECK (octet_length(model) <= 268435456),
    sha256 text NOT NULL,
    base_margin_bits bigint NOT NULL CHECK (base_margin_bits BETWEEN 0 AND 4294967295),
    golden jsonb NOT NULL,
    xgboost_version text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT models_sha256_matches
        CHECK (sha256 = pg_catalog.encode(pg_catalog.sha256(model), 'hex')),
    UNIQUE (id, project_id)
);
-- Model bytes do not compress well and are always read whole.
ALTER TABLE pgboost.models ALTER COLUMN model SET STORAGE EXTERNAL;
CREATE INDEX models_project_id ON pgboost.models (project_id, id);
COMMENT ON TABLE pgboost.models IS 'trained models: the bytes and everything needed to use them';
COMMENT ON COLUMN pgboost.models.target IS
    'what it predicts: the project''s definition may have changed since';
COMMENT ON COLUMN pgboost.models.split IS
    'how its test rows were chosen; models of another split may have trained on them';
COMMENT ON COLUMN pgboost.models.model IS 'XGBoost''s UBJSON';
COMMENT ON COLUMN pgboost.models.metrics IS
    'metrics on the test rows, and those of the baseline under "baseline"';
COMMENT ON COLUMN pgboost.models.base_margin_bits IS 'the base margin as the bits of a float32';
COMMENT ON COLUMN pgboost.models.golden IS
    'encoded rows with XGBoost''s own margins, which whoever serves the model must reproduce';

-- A live model belongs to its project and cannot be deleted.
ALTER TABLE pgboost.projects ADD CONSTRAINT projects_live_model
    FOREIGN KEY (live_model_id, id) REFERENCES pgboost.models (id, project_id);

CREATE TABLE pgboost.deployments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES pgboost.projects (id),
    model_id bigint NOT NULL, -- no foreign key: the history outlives its models
    version bigint NOT NULL,
    strategy text NOT NULL,
    reason text,
    refused boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL DEFAULT current_user
);
CREATE UNIQUE INDEX deployments_version ON pgboost.deployments (project_id, version)
    WHERE NOT refused;
COMMENT ON TABLE pgboost.deployments IS 'which model went live when, and which was refused, and why';
COMMENT ON COLUMN pgboost.deployments.refused IS 'a decision not to deploy: version is the one kept';
