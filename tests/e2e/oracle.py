"""Independent answers: python3-xgboost on the stored model bytes, scikit-learn's metrics, and the
split worked out in SQL as models/README.md documents it."""

import fractions
import hashlib
import json
import math

import numpy as np
import xgboost
from scipy import special
from sklearn import metrics as skm


class StoredModel:
    """A row of pgboost.models, loaded by python3-xgboost."""

    def __init__(self, db, model_id):
        self.id = model_id
        row = db.sql(
            "SELECT model, sha256, encoder, golden, labels, metrics, calibration"
            " FROM pgboost.models WHERE id = %s", model_id)[0]
        self.bytes = bytes(row[0])
        self.sha256, self.encoder, self.golden, self.labels, self.metrics = row[1:6]
        self.calibration = row[6] or {}
        assert hashlib.sha256(self.bytes).hexdigest() == self.sha256
        self.booster = xgboost.Booster(model_file=bytearray(self.bytes))
        self.types = [f["type"] for f in self.encoder["features"]]
        self.names = [f["name"] for f in self.encoder["features"]]

    def matrix(self, encoded):
        """encoded: list of {"<feature>": number|null} in the model's order."""
        for item in encoded:
            assert list(item) == self.names
        values = np.array(
            [[np.nan if v is None else np.float32(v) for v in item.values()] for item in encoded],
            dtype=np.float32).reshape(len(encoded), len(self.names))
        return xgboost.DMatrix(values, feature_names=self.names, feature_types=self.types,
                               missing=np.nan, enable_categorical=True)

    def margins(self, encoded):
        return self.booster.predict(self.matrix(encoded), output_margin=True)

    def predictions(self, encoded):
        return self.booster.predict(self.matrix(encoded))

    def probabilities(self, encoded):
        """[n × labels]: what the stored calibration makes of XGBoost's answers."""
        values = self.predictions(encoded).astype(float)
        margins = self.margins(encoded).astype(float)
        method = self.calibration.get("method")
        if method == "temperature":
            return special.softmax(margins / self.calibration["temperature"], axis=1)
        if method == "platt":
            values = special.expit(self.calibration["slope"] * margins
                                   + self.calibration["intercept"])
        elif method == "isotonic":
            values = np.interp(values, self.calibration["from"], self.calibration["to"])
        return values if values.ndim == 2 else np.column_stack([1 - values, values])

    def check_probabilities(self, items):
        """Are those of encoded answers right? Uncalibrated ones are XGBoost's, to the bit (of two
        labels the second: the first is its rest)."""
        expected = self.probabilities([i["encoded"] for i in items])
        shown = np.array([list(i["probabilities"].values()) for i in items])
        first = 1 if len(self.labels) == 2 else 0
        if self.calibration.get("method"):
            assert np.abs(shown - expected).max() <= 1e-12
        else:
            assert (bits(shown[:, first:]) == bits(expected[:, first:])).all()
        return expected

    def half_width(self, level):
        residuals = self.calibration["residuals"]
        rank = math.ceil(fractions.Fraction(str(level)) * (residuals["rows"] + 1))
        return next(v for r, v in zip(residuals["ranks"], residuals["values"]) if r >= rank)

    def check_golden(self):
        names = self.names
        encoded = [dict(zip(names, row)) for row in self.golden["inputs"]]
        margins = np.array(self.golden["margins"], dtype=np.float32)
        mine = self.margins(encoded).reshape(margins.shape)
        assert len(encoded) > 0 and (mine == margins).all()


def bits(values):
    """float32 by their bits, -0 as +0 (JSON's numbers in jsonb have no negative zero)."""
    return (np.asarray(values, dtype=np.float32) + np.float32(0)).view(np.uint32)


def regression_metrics(y, predictions):
    return {
        "rmse": float(np.sqrt(skm.mean_squared_error(y, predictions))),
        "mae": float(skm.mean_absolute_error(y, predictions)),
        "r2": float(skm.r2_score(y, predictions)),
    }


def classification_metrics(y, probabilities, n_classes):
    """y: class numbers; probabilities [n × n_classes] as doubles."""
    chosen = probabilities.argmax(axis=1)
    binary = n_classes == 2
    return {
        "log_loss": float(skm.log_loss(y, probabilities, labels=range(n_classes))),
        "accuracy": float(skm.accuracy_score(y, chosen)),
        "f1_macro": float(skm.f1_score(y, chosen, average="macro", zero_division=0)),
        "roc_auc": float(skm.roc_auc_score(y, probabilities[:, 1]) if binary else
                         skm.roc_auc_score(y, probabilities, multi_class="ovr",
                                           labels=range(n_classes))),
    }


def assert_metrics(stored, expected):
    for name, value in expected.items():
        assert abs(stored[name] - value) <= 1e-9 * max(1, abs(value)), (name, stored[name], value)


# In [0, 1): a row's place, as models/README.md gives it.
ROW_HASH = """('x' || left(encode(sha256(convert_to({seed} || '|' || {key}::text, 'UTF8')), 'hex'),
                           13))::bit(52)::bigint / 2.0^52"""


def row_hash(key, seed=42):
    return ROW_HASH.format(key=key, seed=seed)


def stratified_test(found, share):
    """The ids of a stratified split's test rows. found: (id, hash with twins by their features,
    hash of the key, class, which rows are alike) of every row that has a target."""
    test, first = set(), {}
    for label in {row[3] for row in found}:
        of_class = sorted((row[1], row[2], row[0]) for row in found if row[3] == label)
        n = int(np.floor(share * len(of_class) + 0.5))
        while of_class[n][0] == of_class[n - 1][0]:
            n += 1
        test |= {row[2] for row in of_class[:n]}
    for row in sorted(found, key=lambda row: row[2]):
        first.setdefault(row[4], row[0])
    return {row[0] for row in found if first[row[4]] in test}


def rows_as_json(db, query):
    """Each row of the query as to_jsonb writes it."""
    return [row[0] for row in db.sql(f"SELECT to_jsonb(_row_) FROM ({query}) _row_")]


def loads(text):
    return json.loads(text)


def dumps(value):
    return json.dumps(value, ensure_ascii=False)
