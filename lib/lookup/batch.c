#include "lookup/batch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define SHOWN_MAX 127 /* bytes of a key in a message */

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->n_results; i++)
        PQclear(batch->results[i]);
    key_texts_clear(&batch->texts);
    arena_release(&batch->arena);
    batch->n = batch->n_good = batch->n_results = 0;
    batch->looks_stale = false;
}

void batch_release(struct batch *batch)
{
    batch_clear(batch);
    key_texts_release(&batch->texts);
    for (int i = 0; i < LOOKUP_KEYS_MAX; i++)
        buf_release(&batch->literal[i]);
    free(batch->rows);
    free(batch->good);
    free(batch->results);
    *batch = (struct batch){0};
}

/* Rows ---------------------------------------------------------------------------------------- */

static enum err_code add_row(struct batch *batch, struct lookup_row **ret_row, struct err *err)
{
    if (batch->n == batch->capacity) {
        size_t capacity = batch->capacity > 0 ? batch->capacity * 2 : 64;
        struct lookup_row *rows = reallocarray(batch->rows, capacity, sizeof(*rows));
        size_t *good;

        if (rows == NULL)
            return err_nomem(err);
        batch->rows = rows;
        good = reallocarray(batch->good, capacity, sizeof(*good));
        if (good == NULL)
            return err_nomem(err);
        batch->good = good;
        batch->capacity = capacity;
    }
    *ret_row = &batch->rows[batch->n++];
    **ret_row = (struct lookup_row){.field = ""};
    return ERR_OK;
}

/* What is wrong with a row, which stands in its place. */
static enum err_code set_problem(struct batch *batch, struct lookup_row *row,
                                 const struct err *problem, struct err *err)
{
    *row = (struct lookup_row){
        .code = problem->code,
        .problem = arena_strdup(&batch->arena, problem->message),
        .field = arena_strdup(&batch->arena, problem->field),
    };
    return row->problem != NULL && row->field != NULL ? ERR_OK : err_nomem(err);
}

static enum err_code add_key(struct batch *batch, const struct lookup_plan *plan,
                             struct json_reader *reader, enum json_token token, struct err *err)
{
    struct lookup_row *row;
    struct err problem;

    TRY(add_row(batch, &row, err));
    if (key_read(plan, reader, token, &batch->texts, &problem) == ERR_OK) {
        batch->good[batch->n_good++] = batch->n - 1;
        return ERR_OK;
    }
    if (problem.code != ERR_INVALID)
        return err_set(err, problem.code, "%s", problem.message);
    return set_problem(batch, row, &problem, err);
}

static enum err_code add_keys(struct batch *batch, const struct lookup_plan *plan,
                              struct json_reader *reader, size_t max_rows, struct err *err)
{
    enum json_token token;

    while ((token = json_next(reader, err)) != JSON_ARRAY_END) {
        if (batch->n == max_rows) {
            err_set(err, ERR_LIMIT, "more than %zu keys in one request", max_rows);
            err_field(err, "/keys/%zu", max_rows);
            return err_hint(err, "send them in several requests");
        }
        TRY(add_key(batch, plan, reader, token, err));
    }
    return ERR_OK;
}

enum err_code batch_add(struct batch *batch, const struct lookup_plan *plan,
                        const struct lookup_ask *ask, struct err *err)
{
    struct json_reader reader = ask->values;
    enum json_token token = json_next(&reader, err);

    if (ask->form == LOOKUP_KEY)
        return add_key(batch, plan, &reader, token, err);
    if (token == JSON_ARRAY_BEGIN)
        return add_keys(batch, plan, &reader, ask->max_rows, err);
    err_set(err, ERR_INVALID, "expected an array of keys, found %s", json_found(token));
    return err_field(err, "/keys");
}

/* Statements ---------------------------------------------------------------------------------- */

/* {"a","b"} */
static void put_element(struct buf *literal, const char *text)
{
    buf_puts(literal, literal->length > 1 ? ",\"" : "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(literal, '\\');
        buf_putc(literal, *text);
    }
    buf_putc(literal, '"');
}

static enum err_code put_literals(struct batch *batch, const struct lookup_plan *plan, size_t first,
                                  size_t n, struct pg_param *params, struct err *err)
{
    for (int c = 0; c < plan->n_params; c++) {
        struct buf *literal = &batch->literal[c];

        buf_clear(literal);
        buf_putc(literal, '{');
        for (size_t i = first; i < first + n; i++)
            put_element(literal, key_text(plan, &batch->texts, batch->good[i], c));
        buf_putc(literal, '}');
        TRY(buf_check(literal, err));
        params[c] = PG_TEXT(literal->data);
    }
    return ERR_OK;
}

static enum err_code keep_result(struct batch *batch, PGresult *result, struct err *err)
{
    if (batch->n_results == batch->results_capacity) {
        size_t capacity = batch->results_capacity > 0 ? batch->results_capacity * 2 : 4;
        PGresult **results = reallocarray(batch->results, capacity, sizeof(*results));

        if (results == NULL) {
            PQclear(result);
            return err_nomem(err);
        }
        batch->results = results;
        batch->results_capacity = capacity;
    }
    batch->results[batch->n_results++] = result;
    return ERR_OK;
}

/* The server itself sees to it where a statement is prepared, but for what changed before that. */
static enum err_code check_types(const struct lookup_plan *plan, const PGresult *result,
                                 struct err *err)
{
    for (int i = 0; i < plan->n_types; i++) {
        if (PQftype(result, 1 + i) == plan->types[i])
            continue;
        err_set(err, ERR_SQL, "column \"%s\" of %s has changed its type", PQfname(result, 1 + i),
                plan->relation->name);
        snprintf(err->sqlstate, sizeof(err->sqlstate), "42804");
        return err->code;
    }
    return ERR_OK;
}

static enum err_code fetch(struct batch *batch, const struct lookup_plan *plan, struct pg *pg,
                           int n_params, const struct pg_param *params, PGresult **ret_result,
                           struct err *err)
{
    struct pg_table table = {0};

    if (pg_pooled(pg))
        TRY(pg_rows_binary(pg, plan->sql, n_params, params, &table, err));
    else
        TRY(pg_rows_prepared(pg, plan->name, n_params, params, &table, err));
    TRY(keep_result(batch, table.result, err));
    TRY(check_types(plan, table.result, err));
    *ret_result = table.result;
    return ERR_OK;
}

/* Keys ---------------------------------------------------------------------------------------- */

static int64_t ordinal_of(const PGresult *result, int row)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | (uint8_t)PQgetvalue(result, row, 0)[i];
    return (int64_t)value;
}

/* Hands the result's rows to the keys first … first + n - 1 of the good ones. */
static enum err_code deal(struct batch *batch, const PGresult *result, size_t first, size_t n,
                          struct err *err)
{
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t ordinal = ordinal_of(result, i);
        struct lookup_row *row;

        if (ordinal < 1 || (uint64_t)ordinal > n)
            return err_set(err, ERR_CORRUPT, "a row of no key came back");
        row = &batch->rows[batch->good[first + (size_t)ordinal - 1]];
        row->code = row->result == NULL ? ERR_OK : ERR_DATA;
        row->result = result;
        row->row = i;
    }
    return ERR_OK;
}

/* A value that the server cannot read, or that is beyond its type or its encoding. */
static bool is_of_value(const char *sqlstate)
{
    static const char *const states[] = {"22P02", "22003", "22007", "22008", "22P05"};

    for (size_t i = 0; i < N_ELEMENTS(states); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}

/* An internal error may be the plan's, of things that are gone, or a row's. */
bool batch_is_stale(const struct err *err, bool is_fresh)
{
    static const char *const states[] = {"0A000", "26000", "42P01", "42703", "42804", "42883"};

    for (size_t i = 0; i < N_ELEMENTS(states); i++)
        if (strcmp(err->sqlstate, states[i]) == 0)
            return true;
    return !is_fresh && strcmp(err->sqlstate, "XX000") == 0;
}

/* Is it one row's fault rather than the connection's, the plan's, or time's? What a view calls may
 * fail as a plan does. */
static bool is_of_row(const struct batch *batch, const struct pg *pg, const struct err *err)
{
    if (pg_broken(pg))
        return false;
    return batch_is_stale(err, batch->is_fresh) ? batch->is_anew : err->code == ERR_SQL;
}

static enum err_code blame(struct batch *batch, const struct lookup_plan *plan, size_t key,
                           struct err *problem, struct err *err)
{
    batch->looks_stale = batch->looks_stale || batch_is_stale(problem, false);
    problem->code = is_of_value(problem->sqlstate) ? ERR_INVALID : ERR_SQL;
    err_prefix(problem, "%s", plan->relation->name);
    return set_problem(batch, &batch->rows[batch->good[key]], problem, err);
}

static enum err_code run_range(struct batch *batch, const struct lookup_plan *plan, struct pg *pg,
                               size_t first, size_t n, int64_t deadline_ms, struct err *err)
{
    struct pg_param params[LOOKUP_KEYS_MAX];
    PGresult *result = NULL;
    struct err problem;

    if (n == 0)
        return ERR_OK;
    if (deadline_left_ms(deadline_ms) == 0)
        return err_set(err, ERR_TIMEOUT, "the rows of so many keys could not be read in time");
    TRY(put_literals(batch, plan, first, n, params, err));
    if (fetch(batch, plan, pg, plan->n_params, params, &result, &problem) == ERR_OK)
        return deal(batch, result, first, n, err);
    if (!is_of_row(batch, pg, &problem)) {
        *err = problem;
        return err->code;
    }
    if (n == 1)
        return blame(batch, plan, first, &problem, err);
    TRY(run_range(batch, plan, pg, first, n / 2, deadline_ms, err));
    return run_range(batch, plan, pg, first + n / 2, n - n / 2, deadline_ms, err);
}

/* The key as it is told back, of the row that is not there or is there twice. */
static void put_shown(const struct lookup_plan *plan, const struct batch *batch, size_t i,
                      struct buf *text)
{
    for (int c = 0; c < plan->n_params; c++) {
        buf_puts(text, c > 0 ? ", " : "");
        buf_printf(text, "%s %s", plan->relation->columns[plan->params[c]].name,
                   key_text(plan, &batch->texts, i, c));
    }
    if (text->length <= SHOWN_MAX)
        return;
    text->length = SHOWN_MAX;
    while (text->length > 0 && ((unsigned char)text->data[text->length] & 0xc0) == 0x80)
        text->length--;
    text->data[text->length] = '\0';
    buf_puts(text, "…");
}

static enum err_code judge(struct batch *batch, const struct lookup_plan *plan, size_t i,
                           struct err *err)
{
    CLEANUP(buf_release) struct buf shown = {0};
    struct lookup_row *row = &batch->rows[i];
    struct err problem;

    if (row->problem != NULL || (row->result != NULL && row->code == ERR_OK))
        return ERR_OK;
    put_shown(plan, batch, i, &shown);
    if (row->result == NULL)
        err_set(&problem, ERR_NOT_FOUND, "%s has no row with %s", plan->relation->name,
                buf_text(&shown));
    else
        err_set(&problem, ERR_DATA, "%s has several rows with %s, where a key has one",
                plan->relation->name, buf_text(&shown));
    return set_problem(batch, row, &problem, err);
}

enum err_code batch_run(struct batch *batch, const struct lookup_plan *plan, struct pg *pg,
                        int64_t deadline_ms, struct err *err)
{
    TRY(run_range(batch, plan, pg, 0, batch->n_good, deadline_ms, err));
    for (size_t i = 0; i < batch->n; i++)
        TRY(judge(batch, plan, i, err));
    return ERR_OK;
}

/* Where --------------------------------------------------------------------------------------- */

enum err_code batch_run_where(struct batch *batch, const struct lookup_plan *plan, struct pg *pg,
                              const struct lookup_ask *ask, struct err *err)
{
    struct pg_param params[LOOKUP_KEYS_MAX];
    struct json_reader reader = ask->values;
    enum json_token token = json_next(&reader, err);
    PGresult *result = NULL;
    struct lookup_row *row;

    if (key_read(plan, &reader, token, &batch->texts, err) != ERR_OK) {
        struct err problem = *err;

        return err_field(err, "/where%s", problem.field);
    }
    for (int c = 0; c < plan->n_params; c++)
        params[c] = PG_TEXT(key_text(plan, &batch->texts, 0, c));
    if (fetch(batch, plan, pg, plan->n_params, params, &result, err) != ERR_OK) {
        if (is_of_value(err->sqlstate))
            err->code = ERR_INVALID;
        return err->code;
    }
    if ((size_t)PQntuples(result) > ask->max_rows) {
        err_set(err, ERR_LIMIT, "more than %zu rows are so", ask->max_rows);
        err_field(err, "/where");
        return err_hint(err, "name more columns, or raise the option \"rows_limit\"");
    }
    for (int i = 0; i < PQntuples(result); i++) {
        TRY(add_row(batch, &row, err));
        row->result = result;
        row->row = i;
    }
    if (plan->sorts_here)
        batch_sort(batch, plan);
    return ERR_OK;
}
