-- What was fitted on validation rows, between a model's margins and its answers.

ALTER TABLE pgboost.models ADD COLUMN calibration jsonb;
COMMENT ON COLUMN pgboost.models.calibration IS
    'the map to calibrated probabilities, the threshold, residuals for intervals; NULL: none';
