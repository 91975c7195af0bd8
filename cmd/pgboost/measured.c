#include "measured.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "metric/metric.h"

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static void add_metric(const cJSON *root, const char *name, struct measured *measured)
{
    const cJSON *baseline = cJSON_GetObjectItemCaseSensitive(root, "baseline");

    if (measured->n < MEASURED_MAX && cJSON_HasObjectItem(root, name))
        measured->items[measured->n++] =
            (struct measured_metric){name, number_of(root, name), number_of(baseline, name)};
}

void measured_read(const char *metrics_json, const char *key_metric, struct measured *ret_measured)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    const cJSON *kind;
    double rows;

    *ret_measured = (struct measured){0};
    if (json_parse(metrics_json, strlen(metrics_json), "metrics", &root, NULL) != ERR_OK)
        return;
    add_metric(root, key_metric, ret_measured);
    for (int i = 0; i < n_metrics; i++)
        if (strcmp(metrics[i].name, key_metric) != 0)
            add_metric(root, metrics[i].name, ret_measured);
    kind = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "baseline"),
                                            "kind");
    if (cJSON_IsString(kind))
        snprintf(ret_measured->baseline_kind, sizeof(ret_measured->baseline_kind), "%s",
                 kind->valuestring);
    rows = number_of(root, "rows");
    ret_measured->test_rows = rows >= 0 && rows < 1e15 ? (int64_t)rows : 0;
}

/* A line of the table. */
struct line {
    const char *name, *model, *baseline;
    char model_text[32], baseline_text[32];
};

static const char *print_number(double value, char *text, size_t size)
{
    snprintf(text, size, "%.17g", value);
    return isnan(value) ? NULL : text;
}

void measured_put_table(struct buf *out, const struct measured *measured, bool colour)
{
    static const struct list_column columns[] = {
        {"metric", "metric", LIST_TEXT, offsetof(struct line, name)},
        {"model", "model", LIST_NUMBER, offsetof(struct line, model)},
        {"baseline", "baseline", LIST_NUMBER, offsetof(struct line, baseline)},
    };
    struct {
        int n;
        struct line items[MEASURED_MAX];
    } lines = {.n = measured->n};

    for (int i = 0; i < measured->n; i++) {
        const struct measured_metric *metric = &measured->items[i];
        struct line *line = &lines.items[i];

        line->name = metric->name;
        line->model = print_number(metric->model, line->model_text, sizeof(line->model_text));
        line->baseline =
            print_number(metric->baseline, line->baseline_text, sizeof(line->baseline_text));
    }
    list_put_table(out, &(struct list)LIST(columns, lines, ""), colour);
}
