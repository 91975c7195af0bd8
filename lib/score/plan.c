#include "score/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "model/answer.h"

#define COLUMNS_SHOWN_MAX 400 /* bytes of an error's message */

void plan_release(struct score_plan *plan)
{
    relation_free(plan->relation);
    target_release(&plan->target);
    arena_release(&plan->arena);
    *plan = (struct score_plan){0};
}

const char *plan_key_type(const struct score_plan *plan, int i)
{
    return plan->relation->columns[plan->read[i]].type_name;
}

/* What is read --------------------------------------------------------------------------------- */

static enum err_code find_keys(struct score_plan *plan, const struct project *project,
                               struct err *err)
{
    if (project->key.n == 0) {
        err_set(err, ERR_CONFIG, "project \"%s\" has no key that could name a row of the table",
                project->name);
        return err_hint(err, "add \"key\" to its definition: the columns that tell rows apart");
    }
    for (int i = 0; i < project->key.n; i++) {
        int index = relation_find(plan->relation, project->key.items[i]);

        if (index < 0) {
            err_set(err, ERR_CONFLICT, "relation %s has no column \"%s\", the project's key",
                    plan->relation->name, project->key.items[i]);
            return err_hint(err, "a view can name a column as the project has it");
        }
        plan->read[plan->n_keys++] = index;
    }
    return ERR_OK;
}

/* '"carrier" is not there, "hour" is text in place of int4' */
static void put_lack(struct buf *text, const struct relation *relation, int index,
                     const struct encoder_column *column)
{
    if (text->length > COLUMNS_SHOWN_MAX)
        return;
    buf_printf(text, "%s\"%s\" ", text->length > 0 ? ", " : "", column->name);
    if (text->length > COLUMNS_SHOWN_MAX)
        buf_puts(text, "and more");
    else if (index < 0)
        buf_puts(text, "is not there");
    else
        buf_printf(text, "is %s in place of %s", pg_type_name(relation->columns[index].type),
                   pg_type_name(column->type));
}

static enum err_code find_columns(struct score_plan *plan, struct err *err)
{
    const struct encoder *encoder = plan->model->encoder;
    CLEANUP(buf_release) struct buf lacks = {0};

    for (int i = 0; i < encoder->n_columns; i++) {
        const struct encoder_column *column = &encoder->columns[i];
        int index = relation_find(plan->relation, column->name);

        if (index < 0 || plan->relation->columns[index].type != column->type)
            put_lack(&lacks, plan->relation, index, column);
        plan->read[plan->n_keys + plan->n_columns++] = index;
    }
    TRY(buf_check(&lacks, err));
    if (lacks.length == 0)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "model %" PRId64 " cannot score relation %s: %s", plan->model->id,
            plan->relation->name, buf_text(&lacks));
    return err_hint(err, "a view can name and cast columns as the model has them");
}

/* What is written ------------------------------------------------------------------------------ */

static void put_big_endian(struct buf *text, uint64_t value, int n_bytes)
{
    while (n_bytes-- > 0)
        buf_putc(text, (char)(value >> 8 * n_bytes));
}

static void put_text(const struct label *label, struct buf *field)
{
    buf_puts(field, label->text);
}

static void put_bool(const struct label *label, struct buf *field)
{
    put_big_endian(field, strcmp(label->json, "true") == 0, 1);
}

static void put_whole(const struct label *label, struct buf *field)
{
    put_big_endian(field, (uint64_t)strtoll(label->json, NULL, 10), 8);
}

static void put_number(const struct label *label, struct buf *field)
{
    double value = strtod(label->json, NULL);
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    put_big_endian(field, bits, 8);
}

static bool is_text(const char *json)
{
    return json[0] == '"';
}

static bool is_bool(const char *json)
{
    return json[0] == 't' || json[0] == 'f';
}

static bool is_whole(const char *json)
{
    char *end;

    errno = 0;
    (void)strtoll(json, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool is_number(const char *json)
{
    return !is_text(json) && !is_bool(json);
}

/* The type that all labels have, by how the target's values stand in JSON. */
static const struct label_type {
    bool (*is_one)(const char *json);
    const char *sql;
    void (*put)(const struct label *label, struct buf *field);
} label_types[] = {
    {is_text, "text", put_text},
    {is_bool, "boolean", put_bool},
    {is_whole, "bigint", put_whole},
    {is_number, "double precision", put_number},
};

static const struct label_type *type_of_labels(const struct model *model)
{
    for (size_t t = 0; t < N_ELEMENTS(label_types); t++) {
        int n = 0;

        while (n < model->n_labels && label_types[t].is_one(model->labels[n].json))
            n++;
        if (n == model->n_labels)
            return &label_types[t];
    }
    return &label_types[0];
}

static enum err_code write_labels(struct score_plan *plan, const struct label_type *type,
                                  struct err *err)
{
    size_t n = (size_t)plan->model->n_labels;

    plan->labels = arena_alloc_array(&plan->arena, n, sizeof(*plan->labels));
    if (plan->labels == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_release) struct buf field = {0}, bytes = {0};

        type->put(&plan->model->labels[i], &bytes);
        put_big_endian(&field, bytes.length, 4);
        buf_append(&field, buf_text(&bytes), bytes.length);
        TRY(buf_check(&bytes, err));
        TRY(buf_check(&field, err));
        plan->labels[i] = (struct label_field){
            arena_strndup(&plan->arena, field.data, field.length), field.length};
        if (plan->labels[i].bytes == NULL)
            return err_nomem(err);
    }
    return ERR_OK;
}

static const struct target_column extras[N_EXTRAS] = {
    [EXTRA_PROBABILITIES] = {.name = "probabilities", .type = "jsonb", .may_lack = true},
    [EXTRA_MODEL_ID] = {.name = "model_id", .type = "bigint", .may_lack = true},
    [EXTRA_SCORED_AT] = {.name = "scored_at", .type = "timestamp with time zone", .may_lack = true},
    [EXTRA_EXPLANATION] = {.name = "explanation", .type = "jsonb"},
};

/* What the target, which was there or not, has of it. */
static bool target_takes(const struct target *target, const char *name)
{
    for (int i = 0; i < target->n_columns; i++)
        if (!target->columns[i].is_key && strcmp(target->columns[i].name, name) == 0)
            return true;
    return false;
}

static enum err_code open_target(struct score_plan *plan, struct pg *writer,
                                 const struct score_request *request, struct err *err)
{
    size_t n_most = (size_t)plan->n_keys + 1 + N_EXTRAS;
    CLEANUP(free_ptr) struct target_column *columns = calloc(n_most, sizeof(*columns));
    const struct label_type *type = type_of_labels(plan->model);
    bool is_class = plan->model->n_labels > 0;
    int n = 0;

    if (columns == NULL)
        return err_nomem(err);
    for (; n < plan->n_keys; n++)
        columns[n] = (struct target_column){
            .name = request->project->key.items[n], .type = plan_key_type(plan, n), .is_key = true};
    columns[n++] =
        (struct target_column){.name = "prediction", .type = is_class ? type->sql : "real"};
    for (int i = 0; i < N_EXTRAS; i++)
        if ((i != EXTRA_PROBABILITIES || is_class) && (i != EXTRA_EXPLANATION || request->explain))
            columns[n++] = extras[i];
    TRY(target_open(writer, request->into, columns, n, &plan->target, err));
    for (int i = 0; i < N_EXTRAS; i++)
        plan->has[i] = target_takes(&plan->target, extras[i].name);
    return write_labels(plan, type, err);
}

enum err_code plan_init(struct score_plan *plan, struct pg *reader, struct pg *writer,
                        const struct score_request *request, struct err *err)
{
    size_t n_read =
        (size_t)request->project->key.n + (size_t)request->model->encoder->n_columns + 1;

    *plan = (struct score_plan){.model = request->model};
    plan->read = arena_alloc_array(&plan->arena, n_read, sizeof(*plan->read));
    if (plan->read == NULL)
        return err_nomem(err);
    TRY(relation_open(reader, request->from, &plan->relation, err));
    TRY(find_keys(plan, request->project, err));
    TRY(find_columns(plan, err));
    if (request->explain)
        TRY(answer_explainable(plan->model, &plan->n_shap, err));
    return open_target(plan, writer, request, err);
}
