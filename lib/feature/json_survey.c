#include "feature/json_survey.h"

#include <string.h>

#define ROWS_PER_PATH     100   /* a path is in at least one of so many training rows */
#define PATHS_TALLIED_MAX 65536 /* distinct paths that are counted: the first ones */

void survey_release(struct survey *survey)
{
    strmap_release(&survey->paths);
    free(survey->counts);
    free(survey->events);
}

static uint32_t survey_path(struct survey *survey, const char *path, size_t length)
{
    uint32_t at = strmap_find(&survey->paths, path, length);
    struct path_counts *counts;

    if (at != STRMAP_NONE || survey->paths.n_keys >= PATHS_TALLIED_MAX)
        return at;
    at = strmap_add(&survey->paths, path, length);
    if (at != STRMAP_NONE && at >= survey->capacity) {
        counts = reallocarray(survey->counts, survey->paths.keys_capacity, sizeof(*counts));
        if (counts == NULL) {
            survey->failed = true;
            return STRMAP_NONE;
        }
        memset(counts + survey->capacity, 0,
               (survey->paths.keys_capacity - survey->capacity) * sizeof(*counts));
        survey->counts = counts;
        survey->capacity = survey->paths.keys_capacity;
    }
    survey->failed |= at == STRMAP_NONE;
    return at;
}

static uint32_t survey_enter(void *context, const char *path, size_t length)
{
    struct survey *survey = context;
    uint32_t at = survey->failed ? STRMAP_NONE : survey_path(survey, path, length);
    size_t n = 0;

    if (at == STRMAP_NONE)
        return at;
    if (survey->counts[at].seen == survey->row) { /* only the last of a name counts */
        for (size_t i = 0; i < survey->n_events; i++) {
            const struct strmap_key *key = &survey->paths.keys[survey->events[i].at];

            if (!json_path_is_below(key->text, key->length, path, length))
                survey->events[n++] = survey->events[i];
        }
        survey->n_events = n;
    }
    survey->counts[at].seen = survey->row;
    return at;
}

static void survey_event(struct survey *survey, uint32_t at, int kind)
{
    if (survey->n_events == survey->events_capacity) {
        size_t capacity = survey->events_capacity == 0 ? 64 : 2 * survey->events_capacity;
        struct event *events = reallocarray(survey->events, capacity, sizeof(*events));

        if (events == NULL) {
            survey->failed = true;
            return;
        }
        survey->events = events;
        survey->events_capacity = capacity;
    }
    survey->events[survey->n_events++] = (struct event){at, kind};
}

static void survey_scalar(void *context, uint32_t at, const struct json_reader *reader,
                          enum json_token token)
{
    (void)reader;
    survey_event(context, at,
                 token == JSON_NUMBER   ? NUMBERS
                 : token == JSON_STRING ? STRINGS
                                        : BOOLS);
}

static void survey_array(void *context, uint32_t at, size_t n_items)
{
    (void)n_items;
    survey_event(context, at, LENGTHS);
}

enum err_code survey_rows(struct survey *survey, const struct fit *fit, const struct column *from,
                          struct err *err)
{
    const struct json_visitor visitor = {survey, survey_enter, survey_scalar, survey_array};

    for (size_t i = 0; i < fit->n_rows; i++) {
        struct cell cell;

        fit_cell(fit, from, i, &cell);
        survey->row = i + 1;
        survey->n_events = 0;
        if (cell.is_null || !json_paths_visit(cell.text, cell.n_bytes, &visitor))
            continue;
        for (size_t k = 0; k < survey->n_events; k++)
            survey->counts[survey->events[k].at].rows[survey->events[k].kind]++;
        if (survey->failed)
            return err_nomem(err);
    }
    return survey->failed ? err_nomem(err) : ERR_OK;
}

static int compare_found(const void *left, const void *right)
{
    const struct found_path *a = left, *b = right;
    int order;

    if (a->n_rows != b->n_rows)
        return a->n_rows > b->n_rows ? -1 : 1;
    order = compare_keys(a->key, b->key);
    return order != 0 ? order : a->is_length - b->is_length;
}

enum encoding encoding_of_path(const struct found_path *found)
{
    const size_t *rows = found->counts->rows;

    if (found->is_length || rows[NUMBERS] == found->n_rows)
        return ENCODE_NUMBER;
    return rows[BOOLS] == found->n_rows ? ENCODE_BOOL : ENCODE_CATEGORY;
}

enum err_code survey_choose(const struct survey *survey, size_t n_rows,
                            struct found_path **ret_found, size_t *ret_n, struct err *err)
{
    size_t n = 0, n_paths = survey->paths.n_keys;
    struct found_path *found = calloc(2 * n_paths + 1, sizeof(*found));

    if (found == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < 2 * n_paths; i++) {
        const struct path_counts *counts = &survey->counts[i / 2];
        size_t n_scalars = counts->rows[NUMBERS] + counts->rows[BOOLS] + counts->rows[STRINGS];

        found[n] = (struct found_path){&survey->paths.keys[i / 2], counts, i % 2 == 1,
                                       i % 2 == 1 ? counts->rows[LENGTHS] : n_scalars};
        if (found[n].n_rows > 0 && found[n].n_rows * ROWS_PER_PATH >= n_rows)
            n++;
    }
    qsort(found, n, sizeof(*found), compare_found);
    *ret_found = found;
    *ret_n = n < PARTS_MAX ? n : PARTS_MAX;
    return ERR_OK;
}
