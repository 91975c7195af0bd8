-- Cross-validation, and models that are measured by a twin.

ALTER TABLE pgboost.trials ADD COLUMN fold_scores jsonb;
COMMENT ON COLUMN pgboost.trials.score IS 'the key metric on the validation rows of all folds';
COMMENT ON COLUMN pgboost.trials.fold_scores IS
    'the key metric on the validation rows of each fold; null where it is not defined on them';

-- A twin lives and dies with the model that it measures.
ALTER TABLE pgboost.models ADD COLUMN twin_of bigint
    REFERENCES pgboost.models (id) ON DELETE CASCADE;
CREATE UNIQUE INDEX models_twin_of ON pgboost.models (twin_of);
COMMENT ON COLUMN pgboost.models.twin_of IS
    'the model that was refitted with the test rows: this one, trained without them, is what its'
    ' metrics are of and what it is compared by. Never served; NULL: a model of its own';

CREATE OR REPLACE VIEW pgboost.overview AS
    SELECT p.name AS project, p.relation, p.target, p.task, p.metric,
           live.model_id AS live_model_id, live.score, live.deployed_at,
           (SELECT count(*) FROM pgboost.models m
             WHERE m.project_id = p.id AND m.twin_of IS NULL) AS models,
           r.id AS last_run_id, r.status AS last_run_status, r.error AS last_run_error,
           coalesce(r.finished_at, r.started_at, r.created_at) AS last_run_at
    FROM pgboost.projects p
    LEFT JOIN pgboost.deployed_models live ON live.project = p.name
    LEFT JOIN LATERAL (
        SELECT id, status, error, created_at, started_at, finished_at
        FROM pgboost.runs
        WHERE runs.project_id = p.id
        ORDER BY runs.id DESC
        LIMIT 1
    ) r ON true;

CREATE OR REPLACE VIEW pgboost.trained_models AS
    SELECT m.id AS model_id, p.name AS project, p.task, m.algorithm, m.hyperparams, p.metric,
           pgboost.metric_value(m.metrics, p.metric) AS score,
           m.id IS NOT DISTINCT FROM p.live_model_id AS live,
           m.run_id, m.trial_id, octet_length(m.model) AS model_bytes, m.created_at
    FROM pgboost.models m
    JOIN pgboost.projects p ON p.id = m.project_id
    WHERE m.twin_of IS NULL;

CREATE OR REPLACE VIEW pgboost.leaderboard AS
    SELECT project, rank() OVER (PARTITION BY project ORDER BY badness NULLS LAST) AS rank,
           model_id, algorithm, metric, score, baseline, live, created_at
    FROM (
        SELECT p.name AS project, m.id AS model_id, m.algorithm, p.metric,
               pgboost.metric_value(m.metrics, p.metric) AS score,
               pgboost.metric_value(m.metrics -> 'baseline', p.metric) AS baseline,
               m.id IS NOT DISTINCT FROM p.live_model_id AS live, m.created_at,
               pgboost.metric_value(m.metrics, p.metric)
                   * CASE WHEN p.higher_is_better THEN -1 ELSE 1 END AS badness
        FROM pgboost.models m
        JOIN pgboost.projects p ON p.id = m.project_id
        WHERE m.twin_of IS NULL
    ) scored;
