-- The catalog for people: what there is, what is live, what was best.

CREATE FUNCTION pgboost.metric_value(metrics jsonb, metric text) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
        SELECT CASE pg_catalog.jsonb_typeof(metrics -> metric)
               WHEN 'number' THEN (metrics ->> metric)::double precision
               END
    $$;
COMMENT ON FUNCTION pgboost.metric_value(jsonb, text) IS
    'one metric of models.metrics; NULL where it is not there or not defined';

CREATE VIEW pgboost.deployed_models AS
    SELECT p.name AS project, m.id AS model_id, m.algorithm, p.metric,
           pgboost.metric_value(m.metrics, p.metric) AS score,
           d.version, d.strategy, d.reason, d.created_at AS deployed_at, d.created_by AS deployed_by
    FROM pgboost.projects p
    JOIN pgboost.models m ON m.id = p.live_model_id
    LEFT JOIN pgboost.deployments d
           ON d.project_id = p.id AND d.version = p.deploy_version AND NOT d.refused;
COMMENT ON VIEW pgboost.deployed_models IS 'the live model of each project, and how it became live';

CREATE VIEW pgboost.overview AS
    SELECT p.name AS project, p.relation, p.target, p.task, p.metric,
           live.model_id AS live_model_id, live.score, live.deployed_at,
           (SELECT count(*) FROM pgboost.models m WHERE m.project_id = p.id) AS models,
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
COMMENT ON VIEW pgboost.overview IS 'one row a project: its live model and its last run';

CREATE VIEW pgboost.trained_models AS
    SELECT m.id AS model_id, p.name AS project, p.task, m.algorithm, m.hyperparams, p.metric,
           pgboost.metric_value(m.metrics, p.metric) AS score,
           m.id IS NOT DISTINCT FROM p.live_model_id AS live,
           m.run_id, m.trial_id, octet_length(m.model) AS model_bytes, m.created_at
    FROM pgboost.models m
    JOIN pgboost.projects p ON p.id = m.project_id;
COMMENT ON VIEW pgboost.trained_models IS 'every model with its key metric on the test rows of its run';

CREATE VIEW pgboost.leaderboard AS
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
    ) scored;
COMMENT ON VIEW pgboost.leaderboard IS
    'the models of each project by its key metric, best first, beside the baseline of their run';
