-- A project's live model once more for each of :copies projects named NAME_1, NAME_2, …
INSERT INTO pgboost.projects OVERRIDING SYSTEM VALUE
SELECT (jsonb_populate_record(p, jsonb_build_object(
           'id', p.id + 1000 + i, 'name', p.name || '_' || i, 'live_model_id', NULL,
           'definition', p.definition || jsonb_build_object('project', p.name || '_' || i)))).*
FROM pgboost.projects AS p, generate_series(1, :copies) AS i
WHERE p.name = :'project';

INSERT INTO pgboost.models OVERRIDING SYSTEM VALUE
SELECT (jsonb_populate_record(m, jsonb_build_object(
           'id', m.id + 1000 + i, 'project_id', m.project_id + 1000 + i))).*
FROM pgboost.models AS m JOIN pgboost.projects AS p ON p.live_model_id = m.id,
     generate_series(1, :copies) AS i
WHERE p.name = :'project';

UPDATE pgboost.projects AS c SET live_model_id = p.live_model_id + c.id - p.id
FROM pgboost.projects AS p
WHERE p.name = :'project' AND c.id > p.id + 1000 AND c.name LIKE p.name || '\_%';
