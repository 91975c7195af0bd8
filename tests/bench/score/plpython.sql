-- A function of the database that predicts a row a call. The model stays loaded, in GD.
CREATE EXTENSION plpython3u;

CREATE TABLE exported AS
SELECT m.model FROM pgboost.models m JOIN pgboost.projects p ON p.live_model_id = m.id
WHERE p.name = 'numbers';

CREATE FUNCTION predict_delay(features real[]) RETURNS real LANGUAGE plpython3u STABLE AS $$
    import numpy
    import xgboost
    if "booster" not in GD:
        row = plpy.execute("SELECT model FROM public.exported")[0]
        GD["booster"] = xgboost.Booster(model_file=bytearray(row["model"]))
        GD["booster"].set_param({"nthread": 1})
    row = numpy.array([features], dtype=numpy.float32)
    return float(GD["booster"].inplace_predict(row)[0])
$$;
