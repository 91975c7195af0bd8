"""What the peers share: the model that pgboost exported, in python3-xgboost, one thread a process.

BENCH_MODEL names the file. predict(features) takes one row, or a list of rows, as POST /predict
does, and gives what stands in its answer.
"""

import os

import numpy
import xgboost

booster = xgboost.Booster(model_file=os.environ["BENCH_MODEL"])
booster.set_param({"nthread": 1})
names = booster.feature_names


def margins(rows):
    matrix = numpy.array([[row.get(name) for name in names] for row in rows], dtype=numpy.float32)
    return booster.inplace_predict(matrix, validate_features=False).tolist()


def predict(features):
    if isinstance(features, list):
        return {"predictions": [{"prediction": value} for value in margins(features)]}
    return {"prediction": margins([features])[0]}
