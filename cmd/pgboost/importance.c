#include "importance.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define COLUMNS_SHOWN 10

/* A column, as the table shows it. */
struct line {
    const char *name, *shap, *permutation;
    double size;
    char shap_text[32], permutation_text[32];
};

struct lines {
    int n;
    struct line items[COLUMNS_SHOWN];
};

static const char *print_number(const cJSON *item, char *text, size_t size)
{
    if (!cJSON_IsNumber(item))
        return NULL;
    snprintf(text, size, "%.4g", item->valuedouble);
    return text;
}

/* The largest so far, in order; equals as they come. */
static void keep_largest(struct lines *lines, const char *name, double size)
{
    int at = lines->n;

    while (at > 0 && lines->items[at - 1].size < size)
        at--;
    if (at == COLUMNS_SHOWN)
        return;
    if (lines->n < COLUMNS_SHOWN)
        lines->n++;
    memmove(&lines->items[at + 1], &lines->items[at],
            (size_t)(lines->n - at - 1) * sizeof(lines->items[0]));
    lines->items[at] = (struct line){.name = name, .size = size};
}

static void fill(struct lines *lines, const cJSON *shap, const cJSON *permutation)
{
    const cJSON *by = cJSON_IsObject(shap) ? shap : permutation, *item;

    cJSON_ArrayForEach (item, by) {
        if (cJSON_IsNumber(item) && item->valuedouble > 0)
            keep_largest(lines, item->string, item->valuedouble);
    }
    for (int i = 0; i < lines->n; i++) {
        struct line *line = &lines->items[i];

        line->shap = print_number(cJSON_GetObjectItemCaseSensitive(shap, line->name),
                                  line->shap_text, sizeof(line->shap_text));
        line->permutation = print_number(cJSON_GetObjectItemCaseSensitive(permutation, line->name),
                                         line->permutation_text, sizeof(line->permutation_text));
    }
}

void importance_put_table(struct buf *out, const char *metrics_json, int64_t model_id, bool colour)
{
    static const struct list_column columns[] = {
        {"column", "column", LIST_TEXT, offsetof(struct line, name)},
        {"mean |SHAP|", "shap", LIST_NUMBER, offsetof(struct line, shap)},
        {"loss without it", "permutation", LIST_NUMBER, offsetof(struct line, permutation)},
    };
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    const cJSON *importance;
    struct lines lines = {0};

    if (json_parse(metrics_json, strlen(metrics_json), "metrics", &root, NULL) != ERR_OK)
        return;
    importance = cJSON_GetObjectItemCaseSensitive(root, "importance");
    fill(&lines, cJSON_GetObjectItemCaseSensitive(importance, "shap"),
         cJSON_GetObjectItemCaseSensitive(importance, "permutation"));
    if (lines.n == 0)
        return;
    buf_printf(out,
               "\nWhat model %" PRId64 " looks at: what a column adds to its margin, and to "
               "the loss when its values are dealt to other rows\n",
               model_id);
    list_put_table(out, &(struct list)LIST(columns, lines, ""), colour);
}
