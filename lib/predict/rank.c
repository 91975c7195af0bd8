/* Candidates in the order of their scores: of a ranking or regression what is predicted, of a
 * classification the probability of one label. Equal scores stand as they came. */
#include <inttypes.h>
#include <string.h>

#include "predict/request.h"

#define INSERTED_MAX 64 /* that are chosen by insertion rather than by sorting all */

struct scored {
    double score;
    size_t row;
};

/* What a score is ------------------------------------------------------------------------------ */

static enum err_code no_label(const struct model *model, const struct request *request,
                              struct err *err)
{
    CLEANUP(buf_release) struct buf labels = {0};

    for (int i = 0; i < model->n_labels && i < 8; i++)
        buf_printf(&labels, "%s%.40s", i > 0 ? ", " : "", model->labels[i].json_key);
    if (request_has(request, REQUEST_LABEL))
        err_set(err, ERR_INVALID, "model %" PRId64 " has no such label", model->id);
    else
        err_set(err, ERR_INVALID, "\"label\" is missing: by which probability is to be ranked?");
    err_field(err, "/label");
    return err_hint(err, "its labels are %s%s", buf_text(&labels),
                    model->n_labels > 8 ? ", …" : "");
}

/* As the target column has it, or its text. */
static bool is_label(const struct label *label, const struct json_reader *value,
                     enum json_token token, const char *text, size_t length)
{
    if (token == JSON_STRING)
        return strlen(label->text) == length && memcmp(label->text, text, length) == 0;
    if (token == JSON_TRUE || token == JSON_FALSE)
        return strcmp(label->json, token == JSON_TRUE ? "true" : "false") == 0;
    return token == JSON_NUMBER && strlen(label->json) == value->length &&
           memcmp(label->json, value->text, value->length) == 0;
}

static enum err_code find_label(const struct model *model, const struct request *request,
                                struct buf *scratch, int *ret_label, struct err *err)
{
    struct json_reader reader = request->members[REQUEST_LABEL].value;
    enum json_token token;
    const char *text = "";
    size_t length = 0;

    *ret_label = 1;
    if (!request_has(request, REQUEST_LABEL))
        return model->n_labels == 2 ? ERR_OK : no_label(model, request, err);
    token = json_next(&reader, err);
    if (token == JSON_STRING)
        TRY(json_text(&reader, scratch, &text, &length, err));
    for (int i = 0; i < model->n_labels; i++) {
        if (is_label(&model->labels[i], &reader, token, text, length)) {
            *ret_label = i;
            return ERR_OK;
        }
    }
    return no_label(model, request, err);
}

/* *ret_label: whose probability; -1: what is predicted. */
static enum err_code choose_score(const struct model *model, const struct request *request,
                                  struct buf *scratch, int *ret_label, struct err *err)
{
    if (model->task == TASK_SURVIVAL) {
        err_set(err, ERR_INVALID, "model %" PRId64 " says when, not which comes first in a list",
                model->id);
        return err_hint(err, "ask it by POST /predict, and order the times yourself");
    }
    if (model->n_labels > 0)
        return find_label(model, request, scratch, ret_label, err);
    *ret_label = -1;
    if (!request_has(request, REQUEST_LABEL))
        return ERR_OK;
    err_set(err, ERR_INVALID, "model %" PRId64 " has no labels: its task is %s", model->id,
            task_name(model->task));
    return err_field(err, "/label");
}

/* Scores --------------------------------------------------------------------------------------- */

static bool is_there(const struct rows *rows, size_t row)
{
    return rows->found == NULL || rows->found->items[row].code == ERR_OK;
}

static double score_of(const struct model *model, int label, const struct rows *rows, size_t row,
                       const struct predict_scratch *scratch)
{
    size_t n_outputs = (size_t)model_n_outputs(model);
    float *outputs = scratch->outputs + rows->n * n_outputs; /* room for one row's */
    double value = 0;
    int best = 0;

    memcpy(outputs, scratch->outputs + row * n_outputs, n_outputs * sizeof(*outputs));
    model_predict(model, outputs, &value, scratch->probabilities, &best);
    return label < 0 ? value : scratch->probabilities[label];
}

static int compare(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Puts the item where it belongs among the n sorted ones, of which at most `most` stay. */
static size_t insert(struct scored *sorted, size_t n, size_t most, const struct scored *item)
{
    size_t at = n < most ? n++ : most - 1;

    for (; at > 0 && compare(item, &sorted[at - 1]) < 0; at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = *item;
    return n;
}

/* The best ones in order: few of many by insertion, which most of these do not come to. */
static size_t score_best(const struct model *model, int label, const struct rows *rows, size_t top,
                         const struct predict_scratch *scratch, struct scored *scored)
{
    size_t most = top > 0 && top < rows->n ? top : rows->n, n = 0;
    bool inserts = most <= INSERTED_MAX;

    for (size_t row = 0; row < rows->n; row++) {
        struct scored item = {0, row};

        if (!is_there(rows, row))
            continue;
        item.score = score_of(model, label, rows, row, scratch);
        if (!inserts)
            scored[n++] = item;
        else if (n < most || compare(&item, &scored[n - 1]) < 0)
            n = insert(scored, n, most, &item);
    }
    if (!inserts)
        qsort(scored, n, sizeof(*scored), compare);
    return n < most ? n : most;
}

/* The answer ----------------------------------------------------------------------------------- */

static void put_key(const struct lookup_rows *found, size_t row, struct buf *reply)
{
    const struct lookup_plan *plan = found->plan;

    buf_puts(reply, "\"key\":{");
    for (int i = 0; i < plan->n_keys; i++) {
        if (i > 0)
            buf_putc(reply, ',');
        json_put_text(reply, plan->key_names[i]);
        buf_putc(reply, ':');
        lookup_put_key(found, &found->items[row], i, reply);
    }
    buf_putc(reply, '}');
}

static void put_candidate(const struct model *model, int label, const struct rows *rows,
                          const struct scored *scored, size_t rank, struct buf *reply)
{
    bool calibrated = label >= 0 && model->calibration.method != CALIBRATION_NONE;

    buf_putc(reply, '{');
    if (rows->found != NULL)
        put_key(rows->found, scored->row, reply);
    else
        buf_printf(reply, "\"index\":%zu", scored->row);
    buf_puts(reply, ",\"score\":");
    if (calibrated)
        json_put_double(reply, scored->score);
    else
        json_put_float(reply, (float)scored->score);
    buf_printf(reply, ",\"rank\":%zu}", rank);
}

/* The keys that name no row, or cannot be read. */
static void put_problems(const struct rows *rows, struct buf *reply)
{
    bool any = false;

    for (size_t i = 0; i < rows->n; i++) {
        if (is_there(rows, i))
            continue;
        buf_puts(reply, any ? "," : ",\"errors\":[");
        buf_printf(reply, "{\"index\":%zu,\"status\":%d,\"detail\":", i,
                   err_http_status(rows->found->items[i].code));
        json_put_text(reply, rows->found->items[i].problem);
        buf_putc(reply, '}');
        any = true;
    }
    buf_puts(reply, any ? "]" : "");
}

enum err_code rank_rows(const struct model *model, const struct request *request,
                        const struct rows *rows, struct predict_scratch *scratch, struct buf *reply,
                        struct err *err)
{
    CLEANUP(free_ptr) struct scored *scored = calloc(rows->n + 1, sizeof(*scored));
    size_t length = reply->length, n;
    int label;

    if (scored == NULL)
        return err_nomem(err);
    TRY(choose_score(model, request, &scratch->cell.string, &label, err));
    TRY(predict_evaluate(model, rows, scratch, err));
    n = score_best(model, label, rows, (size_t)request->top, scratch, scored);
    TRY(buf_check(reply, err));
    buf_puts(reply, model->json_head);
    buf_puts(reply, "\"candidates\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(reply, ',');
        put_candidate(model, label, rows, &scored[i], i + 1, reply);
    }
    buf_putc(reply, ']');
    put_problems(rows, reply);
    buf_putc(reply, '}');
    return predict_check(reply, length, err);
}

/* Nothing is known before the body has been read. */
static bool take_nothing(void *context, struct request *request, enum request_member member,
                         struct json_reader *reader)
{
    (void)context;
    (void)request;
    (void)member;
    (void)reader;
    return false;
}

enum err_code rank_start(const char *body, size_t length, const struct model_source *source,
                         const struct predict_limits *limits, struct predict_scratch *scratch,
                         struct buf *reply, struct predict_waiting **ret_waiting, struct err *err)
{
    const struct model *model = NULL;
    struct request request = {0};
    struct rows rows;
    int label;

    TRY(request_read(REQUEST_OF_RANK, body, length, &scratch->cell.string, take_nothing, NULL,
                     &request, err));
    TRY(predict_find(&request, source, scratch, &model, err));
    TRY(choose_score(model, &request, &scratch->cell.string, &label, err));
    if (request_names_rows(&request))
        return predict_wait(&request, model, ret_waiting, err);
    TRY(rows_decode(&request, model, limits, scratch, &rows, err));
    return rank_rows(model, &request, &rows, scratch, reply, err);
}
