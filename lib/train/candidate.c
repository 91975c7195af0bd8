#include "train/candidate.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "train/baseline.h"
#include "train/calibrate.h"
#include "train/importance.h"
#include "xgb/booster.h"

#define GOLDEN_ROWS     32
#define GOLDEN_RAW_ROWS 4

void candidate_release(struct candidate *candidate)
{
    model_free(candidate->model);
    buf_release(&candidate->bytes);
    buf_release(&candidate->hyperparams);
    buf_release(&candidate->encoder);
    buf_release(&candidate->labels);
    buf_release(&candidate->golden);
    buf_release(&candidate->metrics);
    buf_release(&candidate->calibration);
    buf_release(&candidate->calibration_report);
    predictions_release(&candidate->tested);
    *candidate = (struct candidate){0};
}

enum err_code candidate_prove(struct candidate *candidate, const struct encoder *encoder,
                              const struct dataset *dataset, struct err *err)
{
    const struct rows *test = &dataset->split->test;
    size_t n_rows = test->n < GOLDEN_ROWS ? test->n : GOLDEN_ROWS, n_margins;
    size_t n_raw = n_rows < GOLDEN_RAW_ROWS ? n_rows : GOLDEN_RAW_ROWS;
    uint32_t rows[GOLDEN_ROWS];
    CLEANUP(free_ptr) float *inputs = NULL, *margins = NULL;

    for (size_t i = 0; i < n_rows; i++)
        rows[i] = test->items[i * test->n / n_rows];
    inputs = calloc(n_rows * (size_t)encoder->n_features + 1, sizeof(float));
    if (inputs == NULL)
        return err_nomem(err);
    TRY(encoder_apply(encoder, dataset->frame, rows, n_rows, inputs, err));
    TRY(saved_margins(candidate->bytes.data, candidate->bytes.length, inputs, n_rows,
                      encoder->n_features, &margins, &n_margins, err));
    return golden_write(encoder, inputs, margins, n_rows, (int)(n_margins / n_rows), dataset->frame,
                        rows, n_raw, &candidate->golden, err);
}

enum err_code candidate_open(struct candidate *candidate, const struct dataset *dataset,
                             const struct model_row *about, struct err *err)
{
    CLEANUP(forest_freep) struct forest *forest = NULL;
    const uint8_t *bytes = (const uint8_t *)candidate->bytes.data;
    struct model_row row = *about;
    float base_margin;
    int n_classes = dataset_n_classes(dataset);

    if (n_classes > 0)
        TRY(labels_to_json(dataset->labels.items, n_classes, &candidate->labels, err));
    TRY(sha256_hex(bytes, candidate->bytes.length, candidate->sha256, err));
    TRY(forest_load(bytes, candidate->bytes.length, &forest, err));
    base_margin = forest_base_margin(forest);
    memcpy(&row.base_margin_bits, &base_margin, sizeof(row.base_margin_bits));
    row.algorithm = candidate->algorithm;
    row.hyperparams = buf_text(&candidate->hyperparams);
    row.encoder = buf_text(&candidate->encoder);
    row.golden = buf_text(&candidate->golden);
    row.labels = n_classes > 0 ? buf_text(&candidate->labels) : NULL;
    row.calibration = candidate->calibration.length > 0 ? buf_text(&candidate->calibration) : NULL;
    row.bytes = bytes;
    row.n_bytes = candidate->bytes.length;
    row.sha256 = candidate->sha256;
    return model_open(&row, &candidate->model, err);
}

/* "baseline": the first, which scores are shown beside; "skill" over it; "baselines": the others.
 */
static enum err_code measure_baselines(struct candidate *candidate, const struct project *project,
                                       const struct dataset *dataset, const struct rows *training,
                                       const struct metric *key, struct err *err)
{
    struct buf *json = &candidate->metrics;
    const struct baseline *baseline;
    int n = 0;

    for (int i = 0; (baseline = baseline_at(dataset, i)) != NULL; i++, n++) {
        CLEANUP(predictions_release) struct predictions predictions = {0};
        CLEANUP(buf_release) struct buf why = {0};
        double score = NAN;

        TRY(baseline_predict(baseline, project, dataset, training, &dataset->split->test,
                             &predictions, &why, err));
        buf_printf(json, i == 0 ? ",\"baseline\":{\"kind\":\"%s\"," : "%s\"%s\":{",
                   i == 0   ? baseline->name
                   : i == 1 ? ",\"baselines\":{"
                            : ",",
                   baseline->name);
        if (why.length > 0) {
            buf_puts(json, "\"why_not\":");
            json_put_text(json, buf_text(&why));
        } else {
            TRY(measure_metrics(&predictions, dataset->task, key, json, &score, err));
        }
        buf_putc(json, '}');
        if (i > 0)
            continue;
        candidate->baseline_score = score;
        buf_puts(json, ",\"skill\":");
        TRY(measure_skill(&candidate->tested, &predictions, dataset->task, key, project->seed, json,
                          err));
    }
    buf_puts(json, n > 1 ? "}" : ",\"baselines\":{}");
    return ERR_OK;
}

/* "calibration", "threshold", "coverage": what was fitted and what came of it; "uncalibrated": the
 * same model without. */
static enum err_code measure_calibration(struct candidate *candidate, const struct dataset *dataset,
                                         const struct metric *key, struct err *err)
{
    CLEANUP(predictions_release) struct predictions predictions = {0};
    struct model plain = *candidate->model;
    struct buf *json = &candidate->metrics;
    double score;

    buf_puts(json, buf_text(&candidate->calibration_report));
    coverage_write(&candidate->model->calibration, &candidate->tested, json);
    if (plain.calibration.method == CALIBRATION_NONE && !plain.calibration.has_threshold)
        return ERR_OK;
    plain.calibration = (struct calibration){0};
    TRY(measure_model(&plain, dataset, &dataset->split->test, &predictions, err));
    buf_puts(json, ",\"uncalibrated\":{");
    TRY(measure_metrics(&predictions, dataset->task, key, json, &score, err));
    buf_putc(json, '}');
    return ERR_OK;
}

enum err_code candidate_measure(struct candidate *candidate, const struct project *project,
                                const struct dataset *dataset, const struct rows *training,
                                const struct metric *key, struct err *err)
{
    const struct rows *test = &dataset->split->test;
    const struct importance_request importance = {
        .model = candidate->model,
        .bytes = &candidate->bytes,
        .dataset = dataset,
        .key = key,
        .seed = project->seed,
    };
    struct buf *json = &candidate->metrics;

    TRY(measure_model(candidate->model, dataset, test, &candidate->tested, err));
    buf_putc(json, '{');
    TRY(measure_metrics(&candidate->tested, dataset->task, key, json, &candidate->score, err));
    buf_printf(json, ",\"rows\":%zu", test->n);
    TRY(measure_baselines(candidate, project, dataset, training, key, err));
    TRY(measure_calibration(candidate, dataset, key, err));
    buf_puts(json, ",\"reports\":{");
    TRY(measure_reports(&candidate->tested, dataset->task, json, err));
    buf_puts(json, "},\"importance\":");
    TRY(importance_write(&importance, json, err));
    log_info("measured", "metric=%s score=%.6g baseline=%.6g", key->name, candidate->score,
             candidate->baseline_score);
    return buf_check(json, err);
}

struct new_model candidate_row(const struct candidate *candidate, const struct project *project,
                               const struct metric *key, const char *split)
{
    float base_margin = forest_base_margin(candidate->model->forest);
    struct new_model row = {
        .task = task_name(candidate->model->task),
        .relation = project->relation,
        .target = project->target,
        .split = split,
        .algorithm = candidate->algorithm,
        .hyperparams = buf_text(&candidate->hyperparams),
        .metrics = buf_text(&candidate->metrics),
        .encoder = buf_text(&candidate->encoder),
        .golden = buf_text(&candidate->golden),
        .labels = candidate->labels.length > 0 ? buf_text(&candidate->labels) : NULL,
        .calibration = candidate->calibration.length > 0 ? buf_text(&candidate->calibration) : NULL,
        .bytes = candidate->bytes.data,
        .n_bytes = candidate->bytes.length,
        .sha256 = candidate->sha256,
        .xgboost_version = xgb_version(),
        .score = candidate->score,
        .metric = key->name,
    };

    memcpy(&row.base_margin_bits, &base_margin, sizeof(row.base_margin_bits));
    return row;
}
