-- The project's life in SQL: train, deploy, cancel, refreshed. First what these and the programs
-- share, which runs with the rights of whoever calls it; then what may be granted to others, which
-- runs with the owner's and says so.

-- PostgresML's enums, for calls that cast to them: 'regression'::pgboost.task.
CREATE DOMAIN pgboost.task AS text;
CREATE DOMAIN pgboost.algorithm AS text;
CREATE DOMAIN pgboost.search AS text;
CREATE DOMAIN pgboost.sampling AS text;
CREATE DOMAIN pgboost.runtime AS text;
CREATE DOMAIN pgboost.strategy AS text;

-- Shared --------------------------------------------------------------------------------------

-- Inside of a function that runs with its owner's rights, current_user is the owner.
CREATE FUNCTION pgboost.caller() RETURNS name
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT CASE current_setting('role') WHEN 'none' THEN session_user
               ELSE current_setting('role')::name END
    $$;
COMMENT ON FUNCTION pgboost.caller() IS 'the role that asks, in functions of the owner''s rights too';

ALTER TABLE pgboost.deployments ALTER COLUMN created_by SET DEFAULT pgboost.caller();
ALTER TABLE pgboost.runs
    ADD COLUMN created_by text DEFAULT pgboost.caller(),
    ADD COLUMN kind text NOT NULL DEFAULT 'training' CHECK (kind IN ('training', 'contest')),
    ADD COLUMN overrides jsonb;
COMMENT ON COLUMN pgboost.runs.kind IS
    'training; or contest: no model is trained, the best there is goes live';
COMMENT ON COLUMN pgboost.runs.overrides IS
    'keys that this run has otherwise than its project; NULL: none';

-- One run of a kind waits for a project, and it has the definition of when it is claimed or asked
-- for again; where that is another one, the rows and trials of an earlier attempt are void. The lock stands in a statement of its own, so that the next one sees what it waited for.
CREATE FUNCTION pgboost.queue_run(
    project bigint, why text, what text, differences jsonb, reserved interval,
    OUT run_id bigint, OUT existing boolean)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            wanted jsonb;
        BEGIN
            SELECT p.definition || coalesce(differences, '{}') INTO wanted
            FROM pgboost.projects p WHERE p.id = project FOR NO KEY UPDATE;
            SELECT min(w.id) INTO run_id FROM pgboost.runs w
            WHERE w.project_id = project AND w.status = 'queued' AND NOT w.cancel_requested
              AND w.kind = what AND w.overrides IS NOT DISTINCT FROM differences;
            UPDATE pgboost.runs r
            SET definition = wanted, rows_key = NULL, rows_in_table = false,
                rows_fingerprint = NULL, search = NULL
            WHERE r.id = run_id AND r.status = 'queued' AND r.definition <> wanted;
            IF FOUND THEN
                DELETE FROM pgboost.run_rows w WHERE w.run_id = queue_run.run_id;
            END IF;
            PERFORM FROM pgboost.runs r WHERE r.id = run_id AND r.status = 'queued' FOR UPDATE;
            existing := FOUND;
            IF NOT existing THEN
                INSERT INTO pgboost.runs
                    (project_id, trigger, kind, overrides, definition, lease_until)
                SELECT p.id, why, what, differences,
                       p.definition || coalesce(differences, '{}'), clock_timestamp() + reserved
                FROM pgboost.projects p WHERE p.id = project
                RETURNING id INTO run_id;
                PERFORM pg_notify('pgboost', 'run');
            END IF;
        END
    $$;
COMMENT ON FUNCTION pgboost.queue_run(bigint, text, text, jsonb, interval) IS
    'queues a run, or gives the one that is queued already; reserved: for whom it asks by its id';

-- A running run is asked and ends itself; one that nobody holds ends here.
CREATE FUNCTION pgboost.cancel_run(run bigint) RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            held boolean;
        BEGIN
            SELECT r.status = 'running' AND r.lease_until >= clock_timestamp() INTO held
            FROM pgboost.runs r
            WHERE r.id = run AND r.status IN ('queued', 'running')
            FOR NO KEY UPDATE;
            IF held IS NULL THEN
                RETURN NULL;
            END IF;
            UPDATE pgboost.runs r SET cancel_requested = true WHERE r.id = run;
            IF NOT held THEN
                UPDATE pgboost.runs r
                SET status = 'cancelled', finished_at = clock_timestamp(),
                    error = 'cancelled on request'
                WHERE r.id = run;
                UPDATE pgboost.trials t
                SET status = 'failed', error = 'the run ended before the trial',
                    ended_at = clock_timestamp(), lease_until = NULL
                WHERE t.run_id = run AND t.status = 'running';
                DELETE FROM pgboost.run_rows w WHERE w.run_id = run;
            END IF;
            PERFORM pg_notify('pgboost', 'run');
            RETURN CASE WHEN held THEN 'running' ELSE 'cancelled' END;
        END
    $$;
COMMENT ON FUNCTION pgboost.cancel_run(bigint) IS
    'the run''s status after it was asked to stop; NULL: it is not there or has ended';

-- Only models of what the project predicts now count, and no twins, which measure others. rollback: the model that was live before the
-- present one went live other than by a rollback, so that going back twice goes back two models, not
-- forth again to the one that was left.
CREATE FUNCTION pgboost.choose_model(project bigint, strategy text, of_algorithm text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT CASE strategy
        WHEN 'most_recent' THEN (
            SELECT m.id
            FROM pgboost.models m JOIN pgboost.projects p ON p.id = m.project_id
            WHERE p.id = project AND m.twin_of IS NULL
              AND m.target = p.target AND m.task = p.task
              AND m.algorithm = coalesce(of_algorithm, m.algorithm)
            ORDER BY m.id DESC LIMIT 1)
        WHEN 'rollback' THEN (
            SELECT d.model_id
            FROM pgboost.deployments d
            JOIN pgboost.projects p ON p.id = d.project_id
            JOIN pgboost.models m ON m.id = d.model_id
            WHERE p.id = project AND NOT d.refused AND m.twin_of IS NULL
              AND m.target = p.target AND m.task = p.task
              AND m.algorithm = coalesce(of_algorithm, m.algorithm)
              AND d.model_id <> p.live_model_id
              AND d.version < (
                  SELECT max(l.version) FROM pgboost.deployments l
                  WHERE l.project_id = p.id AND l.model_id = p.live_model_id AND NOT l.refused
                    AND l.strategy <> 'rollback')
            ORDER BY d.version DESC LIMIT 1)
        END
    $$;
COMMENT ON FUNCTION pgboost.choose_model(bigint, text, text) IS
    'the model that most_recent or rollback means; NULL: there is none';

CREATE FUNCTION pgboost.make_live(project bigint, model bigint, strategy text, reason text)
    RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            new_version bigint;
        BEGIN
            UPDATE pgboost.projects p
            SET live_model_id = model, deploy_version = p.deploy_version + 1
            WHERE p.id = project AND p.live_model_id IS DISTINCT FROM model
            RETURNING p.deploy_version INTO new_version;
            IF new_version IS NULL THEN
                RETURN false;
            END IF;
            INSERT INTO pgboost.deployments (project_id, model_id, version, strategy, reason)
            VALUES (project, model, new_version, strategy, reason);
            PERFORM pg_notify('pgboost', 'deploy');
            RETURN true;
        END
    $$;
COMMENT ON FUNCTION pgboost.make_live(bigint, bigint, text, text) IS
    'a deployment by hand; false: the model is live already';

-- train ---------------------------------------------------------------------------------------

CREATE FUNCTION pgboost.refuse(message text, hint text, code text DEFAULT '22023') RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RAISE EXCEPTION USING MESSAGE = message, HINT = hint, ERRCODE = code;
        END
    $$;
COMMENT ON FUNCTION pgboost.refuse(text, text, text) IS 'raises an error';

CREATE FUNCTION pgboost.algorithm_of(name text) RETURNS text
    LANGUAGE plpgsql STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            found text := CASE
                WHEN name IN ('xgboost', 'dart', 'random_forest', 'linear') THEN name
                WHEN name = 'xgboost_random_forest' THEN 'random_forest'
                WHEN name IN ('lightgbm', 'catboost', 'gradient_boosting_trees',
                              'hist_gradient_boosting') THEN 'xgboost'
                WHEN name IN ('ridge', 'lasso', 'elastic_net') THEN 'linear'
                END;
        BEGIN
            IF found IS NULL THEN
                PERFORM pgboost.refuse(format('algorithm "%s" does not exist', name),
                                       'one of xgboost, dart, random_forest, linear');
            ELSIF found <> name THEN
                RAISE NOTICE 'algorithm "%" is trained as %', name, found;
            END IF;
            RETURN found;
        END
    $$;
COMMENT ON FUNCTION pgboost.algorithm_of(text) IS 'PostgresML''s name of an algorithm in pgboost''s';

-- {"column": {"impute": "mean", "encode": "one_hot"}} in the words of a definition's "columns".
CREATE FUNCTION pgboost.columns_of(preprocess jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT jsonb_object_agg(c.key, (
            SELECT coalesce(jsonb_object_agg(o.key, CASE
                       WHEN o.value = '"one_hot"' THEN '"onehot"'
                       WHEN o.key = 'impute' AND o.value = '"error"' THEN '"none"'
                       WHEN o.key = 'scale' AND o.value = '"preserve"' THEN '"none"'
                       ELSE o.value END), '{}')
            FROM jsonb_each(c.value) o))
        FROM jsonb_each(preprocess) c
    $$;
COMMENT ON FUNCTION pgboost.columns_of(jsonb) IS 'PostgresML''s preprocess as a definition''s columns';

-- PostgresML's searches have its defaults: ten settings at random, five folds.
CREATE FUNCTION pgboost.search_of(search text, search_params jsonb, search_args jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            arg record;
            is_theirs CONSTANT boolean := coalesce(search IN ('grid', 'random'), false);
        BEGIN
            IF search NOT IN ('none', 'grid', 'random', 'tpe', 'auto') THEN
                PERFORM pgboost.refuse(format('search "%s" does not exist', search),
                                       'one of none, grid, random, tpe, auto');
            END IF;
            FOR arg IN SELECT a.key, a.value FROM jsonb_each(search_args) a LOOP
                IF arg.key NOT IN ('n_iter', 'cv') THEN
                    PERFORM pgboost.refuse(
                        format('"%s" is none of the search_args', arg.key),
                        'n_iter: how many settings are tried; cv: how many folds measure them');
                END IF;
                IF (CASE jsonb_typeof(arg.value)
                    WHEN 'number' THEN arg.value::numeric < 1
                        OR arg.value::numeric <> trunc(arg.value::numeric)
                    ELSE true END) THEN
                    PERFORM pgboost.refuse(format('"%s": %s of search_args', arg.key, arg.value),
                                           'a whole number, at least 1');
                END IF;
            END LOOP;
            RETURN jsonb_strip_nulls(jsonb_build_object(
                'strategy', search,
                'params', nullif(search_params, '{}'),
                'trials', coalesce(search_args -> 'n_iter',
                                   CASE WHEN search = 'random' THEN '10'::jsonb END),
                'folds', coalesce(search_args -> 'cv', CASE WHEN is_theirs THEN '5'::jsonb END)));
        END
    $$;
COMMENT ON FUNCTION pgboost.search_of(text, jsonb, jsonb) IS 'PostgresML''s search as a definition''s';

-- The keys of a definition that a call names; relation, target and task are seen to elsewhere.
CREATE FUNCTION pgboost.keys_of(
    algorithm text, hyperparams jsonb, search text, search_params jsonb, search_args jsonb,
    test_size real, test_sampling text, automatic_deploy boolean, materialize_snapshot boolean,
    preprocess jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            IF test_size <= 0 OR test_size >= 1 THEN
                PERFORM pgboost.refuse(format('test_size %s is no share', test_size),
                                       'a number between 0 and 1, such as 0.25');
            END IF;
            IF test_sampling IN ('first', 'last') THEN
                PERFORM pgboost.refuse(
                    format('rows have no order of their own that test_sampling "%s" could mean',
                           test_sampling),
                    'write a definition with "time" and "test": {"by": "time"}, and apply it');
            END IF;
            RETURN jsonb_strip_nulls(jsonb_build_object(
                'algorithms', CASE WHEN algorithm IS NOT NULL THEN
                    jsonb_build_array(pgboost.algorithm_of(algorithm)) END,
                'hyperparams', nullif(hyperparams, '{}'),
                'search', nullif(pgboost.search_of(search, search_params, search_args), '{}'),
                'test', nullif(jsonb_strip_nulls(jsonb_build_object(
                    'size', test_size::text::numeric, 'by', test_sampling)), '{}'),
                'columns', pgboost.columns_of(preprocess),
                'snapshot', CASE WHEN materialize_snapshot THEN 'table' END,
                'deploy', CASE automatic_deploy WHEN true THEN 'if_better'
                                                WHEN false THEN 'never' END));
        END
    $$;
COMMENT ON FUNCTION pgboost.keys_of(text, jsonb, text, jsonb, jsonb, real, text, boolean, boolean,
                                    jsonb) IS
    'a call of train as keys of a definition';

-- As definitions name them: without a schema it is public's.
CREATE FUNCTION pgboost.relation_of(name text) RETURNS regclass
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT coalesce(CASE WHEN strpos(name, '.') = 0 THEN to_regclass('public.' || name) END,
                        to_regclass(name))
    $$;
COMMENT ON FUNCTION pgboost.relation_of(text) IS 'a relation by its name; NULL: it does not exist';

-- Training reads with the rights of read_dsn, so whoever asks must be allowed to read as well.
CREATE FUNCTION pgboost.readable(relation_name text) RETURNS regclass
    LANGUAGE plpgsql STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            found regclass := pgboost.relation_of(relation_name);
        BEGIN
            IF found IS NULL THEN
                PERFORM pgboost.refuse(format('relation "%s" does not exist', relation_name),
                                       'name it with its schema', '42P01');
            END IF;
            IF NOT has_table_privilege(pgboost.caller(), found, 'SELECT') THEN
                PERFORM pgboost.refuse(format('permission denied for relation %s', found),
                                       format('GRANT SELECT ON %s TO %I', found, pgboost.caller()),
                                       '42501');
            END IF;
            RETURN found;
        END
    $$;
COMMENT ON FUNCTION pgboost.readable(text) IS 'a relation that the caller may read';

CREATE FUNCTION pgboost.task_of(relation regclass, y_column_name text) RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            category "char";
        BEGIN
            SELECT t.typcategory INTO category
            FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = relation AND a.attname = y_column_name AND a.attnum > 0
              AND NOT a.attisdropped;
            IF category IS NULL THEN
                PERFORM pgboost.refuse(format('%s has no column "%s"', relation, y_column_name),
                                       'y_column_name is the column to predict', '42703');
            END IF;
            RETURN CASE category WHEN 'N' THEN 'regression' ELSE 'classification' END;
        END
    $$;
COMMENT ON FUNCTION pgboost.task_of(regclass, text) IS 'the task that a column''s type suggests';

CREATE FUNCTION pgboost.define_project(
    project_name text, task text, relation_name text, y_column_name text, keys jsonb)
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            relation regclass;
            qualified text;
            by_type text;
            metrics CONSTANT jsonb := '{"regression": "rmse", "classification": "log_loss",
                                        "ranking": "ndcg", "survival": "concordance"}';
        BEGIN
            IF octet_length(project_name) NOT BETWEEN 1 AND 63
               OR project_name ~ '[[:cntrl:]/]' OR project_name IN ('.', '..') THEN
                PERFORM pgboost.refuse(format('"%s" is no name for a project', project_name),
                                       '1 to 63 bytes, no control characters, no "/"');
            END IF;
            IF relation_name IS NULL OR y_column_name IS NULL THEN
                PERFORM pgboost.refuse(format('project "%s" does not exist', project_name),
                                       'relation_name and y_column_name define it');
            END IF;
            IF task IS NOT NULL AND NOT metrics ? task THEN
                PERFORM pgboost.refuse(format('task "%s" does not exist', task),
                                       'one of regression, classification, ranking, survival');
            END IF;
            relation := pgboost.readable(relation_name);
            by_type := pgboost.task_of(relation, y_column_name);
            SELECT format('%I.%I', n.nspname, c.relname) INTO qualified
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
            INSERT INTO pgboost.projects
                (name, definition, relation, target, task, metric, higher_is_better)
            VALUES (project_name,
                    jsonb_strip_nulls(jsonb_build_object(
                        'project', project_name, 'relation', qualified, 'target', y_column_name,
                        'task', task)) || keys,
                    qualified, y_column_name, coalesce(task, by_type),
                    metrics ->> coalesce(task, by_type),
                    coalesce(task, by_type) IN ('ranking', 'survival'))
            ON CONFLICT (name) DO NOTHING;
            PERFORM pg_notify('pgboost', 'project');
        END
    $$;
COMMENT ON FUNCTION pgboost.define_project(text, text, text, text, jsonb) IS
    'creates a project with the definition that a call of train is';

CREATE FUNCTION pgboost.train(
    project_name text,
    task text DEFAULT NULL,
    relation_name text DEFAULT NULL,
    y_column_name text DEFAULT NULL,
    algorithm text DEFAULT NULL,
    hyperparams jsonb DEFAULT '{}',
    search text DEFAULT NULL,
    search_params jsonb DEFAULT '{}',
    search_args jsonb DEFAULT '{}',
    test_size real DEFAULT NULL,
    test_sampling text DEFAULT NULL,
    runtime text DEFAULT NULL,
    automatic_deploy boolean DEFAULT NULL,
    materialize_snapshot boolean DEFAULT NULL,
    preprocess jsonb DEFAULT '{}')
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            keys CONSTANT jsonb := pgboost.keys_of(
                algorithm, hyperparams, search, search_params, search_args, test_size,
                test_sampling, automatic_deploy, materialize_snapshot, preprocess);
            known pgboost.projects%ROWTYPE;
            differences jsonb;
        BEGIN
            IF project_name IS NULL THEN
                PERFORM pgboost.refuse('project_name is missing', 'it says what to train');
            END IF;
            IF NOT EXISTS (SELECT FROM pgboost.projects p WHERE p.name = project_name) THEN
                PERFORM pgboost.define_project(project_name, task, relation_name, y_column_name,
                                               keys);
            END IF;
            SELECT p.* INTO known FROM pgboost.projects p WHERE p.name = project_name;
            PERFORM pgboost.readable(known.relation);
            IF task <> known.task OR y_column_name <> known.target
               OR pgboost.readable(relation_name) <> pgboost.readable(known.relation) THEN
                PERFORM pgboost.refuse(
                    format('project "%s" is a %s of "%s" in %s', known.name, known.task,
                           known.target, known.relation),
                    'what a project predicts is changed by "pgboost apply"; or take another name');
            END IF;
            SELECT jsonb_object_agg(k.key, k.value) INTO differences
            FROM jsonb_each(keys) k WHERE known.definition -> k.key IS DISTINCT FROM k.value;
            RETURN (SELECT q.run_id
                    FROM pgboost.queue_run(known.id, 'sql', 'training', differences, NULL) q);
        END
    $$;
COMMENT ON FUNCTION pgboost.train(text, text, text, text, text, jsonb, text, jsonb, jsonb, real,
                                  text, text, boolean, boolean, jsonb) IS
    'queues a run and returns its id; defines the project when it is new, else what is given holds for this run alone';

-- deploy, cancel, refreshed -------------------------------------------------------------------

CREATE FUNCTION pgboost.deploy(
    project_name text, strategy text, algorithm text DEFAULT NULL,
    OUT project text, OUT deployed_strategy text, OUT model_id bigint, OUT run_id bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            id_of bigint;
        BEGIN
            SELECT p.id INTO id_of FROM pgboost.projects p WHERE p.name = project_name
            FOR NO KEY UPDATE;
            IF id_of IS NULL THEN
                PERFORM pgboost.refuse(format('project "%s" does not exist', project_name),
                                       'pgboost.overview lists those that do', 'P0002');
            END IF;
            project := project_name;
            deployed_strategy := strategy;
            IF strategy = 'best_score' AND algorithm IS NULL THEN
                run_id := (SELECT q.run_id
                           FROM pgboost.queue_run(id_of, 'sql', 'contest', NULL, NULL) q);
                RETURN;
            END IF;
            IF strategy IS NULL OR strategy NOT IN ('most_recent', 'rollback') THEN
                PERFORM pgboost.refuse(
                    format('strategy "%s" %s', strategy, CASE strategy WHEN 'best_score'
                           THEN 'is of all algorithms' ELSE 'does not exist' END),
                    'one of best_score, most_recent, rollback; or pgboost.deploy(model_id)');
            END IF;
            model_id := pgboost.choose_model(id_of, strategy, pgboost.algorithm_of(algorithm));
            IF model_id IS NULL THEN
                PERFORM pgboost.refuse(
                    format('project "%s" has no model that %s could mean', project_name, strategy),
                    'pgboost.trained_models and pgboost.deployments list what there is', 'P0002');
            END IF;
            PERFORM pgboost.make_live(id_of, model_id, strategy, NULL);
        END
    $$;
COMMENT ON FUNCTION pgboost.deploy(text, text, text) IS
    'makes the model live that a strategy chooses; best_score is measured by a run of a worker, whose id is returned';

CREATE FUNCTION pgboost.deploy(
    model_id bigint,
    OUT project text, OUT deployed_strategy text, OUT deployed_model_id bigint, OUT run_id bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            id_of bigint;
            measures bigint;
            suits boolean;
        BEGIN
            SELECT p.id, p.name, m.twin_of, m.target = p.target AND m.task = p.task
            INTO id_of, project, measures, suits
            FROM pgboost.projects p JOIN pgboost.models m ON m.project_id = p.id
            WHERE m.id = deploy.model_id
            FOR NO KEY UPDATE OF p;
            IF id_of IS NULL THEN
                PERFORM pgboost.refuse(format('model %s does not exist', deploy.model_id),
                                       'pgboost.trained_models lists those that do', 'P0002');
            END IF;
            IF measures IS NOT NULL THEN
                PERFORM pgboost.refuse(
                    format('model %s is the twin that measures model %s, and not served',
                           deploy.model_id, measures),
                    format('deploy model %s', measures));
            END IF;
            IF NOT suits THEN
                PERFORM pgboost.refuse(
                    format('model %s does not predict what project "%s" asks for now',
                           deploy.model_id, project),
                    'apply the definition it was trained for first');
            END IF;
            deployed_strategy := 'specific';
            deployed_model_id := deploy.model_id;
            PERFORM pgboost.make_live(id_of, deploy.model_id, 'specific', NULL);
        END
    $$;
COMMENT ON FUNCTION pgboost.deploy(bigint) IS 'makes a model live';

CREATE FUNCTION pgboost.cancel(run_id bigint) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            became text := pgboost.cancel_run(run_id);
            is_now text := (SELECT r.status FROM pgboost.runs r WHERE r.id = run_id);
        BEGIN
            IF is_now IS NULL THEN
                PERFORM pgboost.refuse(format('run %s does not exist', run_id),
                                       'pgboost.runs lists those that do', 'P0002');
            ELSIF became IS NULL THEN
                PERFORM pgboost.refuse(format('run %s has ended already: it is %s', run_id, is_now),
                                       'there is nothing left to stop');
            END IF;
            RETURN became;
        END
    $$;
COMMENT ON FUNCTION pgboost.cancel(bigint) IS
    'asks a run to stop: queued ones are cancelled at once, running ones within moments';

CREATE FUNCTION pgboost.refreshed(relation regclass) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            one bigint;
            n integer := 0;
        BEGIN
            FOR one IN
                SELECT p.id FROM pgboost.projects p
                WHERE EXISTS (
                    SELECT FROM jsonb_array_elements_text(
                        CASE jsonb_typeof(p.definition #> '{retrain,on_refresh}')
                        WHEN 'array' THEN p.definition #> '{retrain,on_refresh}'
                        WHEN 'string' THEN jsonb_build_array(p.definition #> '{retrain,on_refresh}')
                        ELSE '[]' END) named
                    WHERE pgboost.relation_of(named) = refreshed.relation)
                ORDER BY p.id
            LOOP
                PERFORM pgboost.queue_run(one, 'refresh', 'training', NULL, NULL);
                n := n + 1;
            END LOOP;
            RETURN n;
        END
    $$;
COMMENT ON FUNCTION pgboost.refreshed(regclass) IS
    'says that a relation has new rows: queues a run of each project whose retrain.on_refresh names it';

-- Nobody but the owner, until it is granted.
REVOKE EXECUTE ON FUNCTION
    pgboost.train(text, text, text, text, text, jsonb, text, jsonb, jsonb, real, text, text,
                  boolean, boolean, jsonb),
    pgboost.deploy(text, text, text), pgboost.deploy(bigint), pgboost.cancel(bigint),
    pgboost.refreshed(regclass)
    FROM PUBLIC;
