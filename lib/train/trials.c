#include "train/trials.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/sort.h"

void trials_release(struct trials *trials)
{
    trial_rows_release(&trials->rows);
    free(trials->records);
    free(trials->notes);
    *trials = (struct trials){0};
}

void trial_notes_put(const struct trial_notes *notes, struct buf *json)
{
    buf_puts(json, "{\"steps\":[");
    for (int i = 0; i < notes->n_steps; i++) {
        buf_printf(json, "%s[%d,", i > 0 ? "," : "", notes->steps[i].step);
        json_put_double(json, notes->steps[i].loss);
        buf_putc(json, ']');
    }
    buf_puts(json, "],\"folds\":[");
    for (int i = 0; i < notes->n_folds; i++) {
        buf_puts(json, i > 0 ? "," : "");
        json_put_double(json, notes->fold_losses[i]);
    }
    buf_puts(json, "],\"rounds\":[");
    for (int i = 0; i < notes->n_rounds; i++)
        buf_printf(json, "%s%d", i > 0 ? "," : "", notes->rounds[i]);
    buf_puts(json, "]}");
}

/* null: NaN. */
static double number_of(const cJSON *item)
{
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static enum err_code read_notes(const char *text, struct trial_notes *notes, struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *json = NULL;
    const cJSON *item;

    if (text == NULL)
        return ERR_OK;
    TRY(json_parse(text, strlen(text), "a trial's steps", &json, err));
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, "steps")) {
        if (notes->n_steps < TRIAL_STEPS_MAX)
            notes->steps[notes->n_steps++] =
                (struct trial_step){(int)number_of(cJSON_GetArrayItem(item, 0)),
                                    number_of(cJSON_GetArrayItem(item, 1))};
    }
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, "folds")) {
        if (notes->n_folds < RACE_FOLDS_MAX)
            notes->fold_losses[notes->n_folds++] = number_of(item);
    }
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, "rounds")) {
        if (notes->n_rounds < RACE_FOLDS_MAX && cJSON_IsNumber(item))
            notes->rounds[notes->n_rounds++] = item->valueint;
    }
    return ERR_OK;
}

static const struct {
    const char *status;
    enum trial_state state;
} states[] = {
    {"running", TRIAL_RUNNING},
    {"completed", TRIAL_COMPLETED},
    {"pruned", TRIAL_PRUNED},
    {"failed", TRIAL_FAILED},
};

static enum trial_state state_of(const char *status)
{
    for (size_t i = 0; i < N_ELEMENTS(states); i++)
        if (strcmp(states[i].status, status) == 0)
            return states[i].state;
    return TRIAL_FAILED;
}

static enum err_code read_setting(const struct trial_row *row, struct setting *setting,
                                  struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *json = NULL;
    enum algorithm_id id;

    if (!algorithm_find(row->algorithm, &id))
        return err_set(err, ERR_CORRUPT, "trial %d is of algorithm \"%s\", which is not known",
                       row->number, row->algorithm);
    setting->algorithm = algorithm_of(id);
    TRY(json_parse(row->hyperparams, strlen(row->hyperparams), "a trial's hyperparams", &json,
                   err));
    return hyperparams_overlay(&setting->params, id, json, err);
}

static enum err_code read_record(const struct trial_row *row, struct trial_notes *notes,
                                 struct trial_record *record, struct err *err)
{
    TRY(read_notes(row->steps, notes, err));
    *record = (struct trial_record){
        .number = row->number,
        .state = state_of(row->status),
        .score = row->score != NULL ? strtod(row->score, NULL) : NAN,
        .rounds = row->rounds,
        .n_steps = notes->n_steps,
        .steps = notes->steps,
    };
    return read_setting(row, &record->setting, err);
}

enum err_code trials_read(struct pg *pg, int64_t run_id, struct trials *ret_trials, struct err *err)
{
    CLEANUP(trials_release) struct trials trials = {0};
    size_t n;

    TRY(catalog_trials(pg, run_id, &trials.rows, err));
    n = (size_t)trials.rows.n;
    trials.records = calloc(n + 1, sizeof(*trials.records));
    trials.notes = calloc(n + 1, sizeof(*trials.notes));
    if (trials.records == NULL || trials.notes == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        TRY(read_record(&trials.rows.items[i], &trials.notes[i], &trials.records[i], err));
    *ret_trials = trials;
    trials = (struct trials){0};
    return ERR_OK;
}

int trials_next(const struct trials *trials)
{
    return trials->rows.n > 0 ? trials->rows.items[trials->rows.n - 1].number + 1 : 0;
}

bool trials_ended(const struct trials *trials, int before)
{
    for (int i = 0; i < trials->rows.n && trials->records[i].number < before; i++)
        if (trials->records[i].state == TRIAL_RUNNING)
            return false;
    return true;
}

struct history trials_history(struct trials *trials, int number, int parallel,
                              bool higher_is_better)
{
    int n = 0;

    for (; n < trials->rows.n && trials->records[n].number < number; n++) {
        struct trial_record *record = &trials->records[n];

        if (record->number <= number - parallel)
            continue;
        record->state = TRIAL_RUNNING;
        record->score = NAN;
        record->n_steps = 0;
    }
    return (struct history){n, trials->records, higher_is_better};
}

struct history trials_all(const struct trials *trials, bool higher_is_better)
{
    return (struct history){trials->rows.n, trials->records, higher_is_better};
}

int trials_count(const struct trials *trials, enum trial_state state)
{
    int n = 0;

    for (int i = 0; i < trials->rows.n; i++)
        n += state_of(trials->rows.items[i].status) == state;
    return n;
}

double trials_usual_seconds(const struct trials *trials)
{
    CLEANUP(free_ptr) double *seconds = calloc((size_t)trials->rows.n + 1, sizeof(*seconds));
    size_t n = 0;

    if (seconds == NULL)
        return 0;
    for (int i = 0; i < trials->rows.n; i++)
        if (state_of(trials->rows.items[i].status) == TRIAL_COMPLETED)
            seconds[n++] = trials->rows.items[i].seconds;
    sort_doubles(seconds, n);
    return n > 0 ? seconds[n / 2] : 0;
}

/* Two texts that differ in their numbers alone: a trial that diverged in round 3 did not fail of
 * another reason than one that did so in round 17. */
static bool is_same_reason(const char *a, const char *b)
{
    static const char digits[] = "0123456789";

    for (; *a != '\0' && *b != '\0'; a++, b++) {
        size_t n_a = strspn(a, digits), n_b = strspn(b, digits);

        if ((n_a > 0) != (n_b > 0) || (n_a == 0 && *a != *b))
            return false;
        if (n_a > 0) {
            a += n_a - 1;
            b += n_b - 1;
        }
    }
    return *a == *b;
}

const char *trials_commonest_error(const struct trials *trials, int *ret_n)
{
    const char *commonest = NULL;

    *ret_n = 0;
    for (int i = 0; i < trials->rows.n; i++) {
        const char *error = trials->rows.items[i].error;
        int n = 0;

        for (int j = 0; j < trials->rows.n && error != NULL; j++)
            n += trials->rows.items[j].error != NULL &&
                 is_same_reason(trials->rows.items[j].error, error);
        if (n > *ret_n) {
            *ret_n = n;
            commonest = error;
        }
    }
    return commonest;
}
