#include "lookup/keys.h"

#include <string.h>

void key_texts_clear(struct key_texts *texts)
{
    for (int i = 0; i < LOOKUP_KEYS_MAX; i++)
        buf_clear(&texts->texts[i]);
    texts->n = 0;
}

void key_texts_release(struct key_texts *texts)
{
    for (int i = 0; i < LOOKUP_KEYS_MAX; i++)
        buf_release(&texts->texts[i]);
    free(texts->starts);
    cell_scratch_release(&texts->scratch);
    *texts = (struct key_texts){0};
}

const char *key_text(const struct lookup_plan *plan, const struct key_texts *texts, size_t i,
                     int column)
{
    return buf_text(&texts->texts[column]) +
           texts->starts[i * (size_t)plan->n_params + (size_t)column];
}

/* Starts one more; what of it is not read stays empty. */
static enum err_code begin(const struct lookup_plan *plan, struct key_texts *texts, struct err *err)
{
    size_t n = (size_t)plan->n_params, needed;

    if (__builtin_mul_overflow(texts->n + 1, n, &needed))
        return err_nomem(err);
    if (needed > texts->capacity) {
        size_t capacity = needed * 2;
        size_t *starts = reallocarray(texts->starts, capacity, sizeof(*starts));

        if (starts == NULL)
            return err_nomem(err);
        texts->starts = starts;
        texts->capacity = capacity;
    }
    texts->n++;
    return ERR_OK;
}

static size_t *starts_of(const struct lookup_plan *plan, struct key_texts *texts)
{
    return texts->starts + (texts->n - 1) * (size_t)plan->n_params;
}

/* The text that Postgres reads as the value. Doubles lose what a numeric has: as it is written. */
static enum err_code put_value(enum pg_type type, const struct json_reader *reader,
                               enum json_token token, const struct cell *cell,
                               struct key_texts *texts, struct buf *text, struct err *err)
{
    const char *written = reader->text;
    size_t length = reader->length;

    if (cell->kind == CELL_BOOL || cell->kind == CELL_INT || cell->kind == CELL_TIMESTAMP) {
        cell_to_text(type, cell, text);
        return ERR_OK;
    }
    if (token == JSON_STRING)
        TRY(json_text(reader, &texts->scratch.string, &written, &length, err));
    if (memchr(written, '\0', length) != NULL)
        return err_set(err, ERR_INVALID, "expected %s, found one with U+0000", cell_expected(type));
    buf_append(text, written, length);
    return ERR_OK;
}

/* The value whose first token was just returned, of the c-th column. */
static enum err_code read_value(const struct lookup_plan *plan, int c, struct json_reader *reader,
                                enum json_token token, struct key_texts *texts, struct err *err)
{
    enum pg_type type = plan->relation->columns[plan->params[c]].type;
    struct buf *text = &texts->texts[c];
    struct cell cell;

    if (token == JSON_NULL)
        return err_set(err, ERR_INVALID, "expected %s, found null, which is equal to nothing",
                       cell_expected(type));
    TRY(cell_from_json(type, plan->zone, reader, token, &texts->scratch, &cell, err));
    if (cell.is_null)
        return err_set(err, ERR_INVALID, "expected %s, found one that is equal to nothing",
                       cell_expected(type));
    starts_of(plan, texts)[c] = text->length;
    TRY(put_value(type, reader, token, &cell, texts, text, err));
    buf_putc(text, '\0');
    return buf_check(text, err);
}

static const char *param_name(const struct lookup_plan *plan, int c)
{
    return plan->relation->columns[plan->params[c]].name;
}

static enum err_code at_column(const char *name, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    json_pointer_append(&pointer, name);
    return err_field(err, "%.200s", buf_text(&pointer));
}

static enum err_code not_a_column(const struct lookup_plan *plan, const char *name, struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (int c = 0; c < plan->n_params; c++)
        buf_printf(&names, "%s\"%s\"", c > 0 ? ", " : "", param_name(plan, c));
    err_set(err, ERR_INVALID, "the key has no column \"%s\": it is of %s", name, buf_text(&names));
    return at_column(name, err);
}

static enum err_code missing(const struct lookup_plan *plan, int c, struct err *err)
{
    err_set(err, ERR_INVALID, "column \"%s\" of the key is missing", param_name(plan, c));
    return at_column(param_name(plan, c), err);
}

/* The column that the key just read names. */
static enum err_code find_column(const struct lookup_plan *plan, const struct json_reader *reader,
                                 struct key_texts *texts, int *ret_column, struct err *err)
{
    CLEANUP(free_ptr) char *name = NULL;
    const char *text;
    size_t length;

    TRY(json_text(reader, &texts->scratch.string, &text, &length, err));
    for (int c = 0; c < plan->n_params; c++) {
        if (strlen(param_name(plan, c)) == length &&
            memcmp(param_name(plan, c), text, length) == 0) {
            *ret_column = c;
            return ERR_OK;
        }
    }
    name = strndup(text, length < 120 ? length : 120);
    return name != NULL ? not_a_column(plan, name, err) : err_nomem(err);
}

static enum err_code read_object(const struct lookup_plan *plan, struct json_reader *reader,
                                 struct key_texts *texts, struct err *err)
{
    bool seen[LOOKUP_KEYS_MAX] = {0};
    enum json_token token;
    int c = 0;

    while ((token = json_next(reader, err)) == JSON_KEY) {
        TRY(find_column(plan, reader, texts, &c, err));
        if (seen[c]) {
            err_set(err, ERR_INVALID, "column \"%s\" is given twice", param_name(plan, c));
            return at_column(param_name(plan, c), err);
        }
        seen[c] = true;
        token = json_next(reader, err);
        if (read_value(plan, c, reader, token, texts, err) != ERR_OK)
            return at_column(param_name(plan, c), err);
    }
    for (c = 0; c < plan->n_params; c++)
        if (!seen[c])
            return missing(plan, c, err);
    return ERR_OK;
}

static enum err_code read_array(const struct lookup_plan *plan, struct json_reader *reader,
                                struct key_texts *texts, struct err *err)
{
    enum json_token token;
    int c = 0;

    for (; (token = json_next(reader, err)) != JSON_ARRAY_END; c++) {
        if (c == plan->n_params)
            return err_set(err, ERR_INVALID, "expected %d values, one for each column of the key",
                           c);
        if (read_value(plan, c, reader, token, texts, err) != ERR_OK)
            return err_field(err, "/%d", c);
    }
    return c == plan->n_params ? ERR_OK : missing(plan, c, err);
}

static enum err_code read_key(const struct lookup_plan *plan, struct json_reader *reader,
                              enum json_token token, struct key_texts *texts, struct err *err)
{
    if (token == JSON_OBJECT_BEGIN)
        return read_object(plan, reader, texts, err);
    if (token == JSON_ARRAY_BEGIN)
        return read_array(plan, reader, texts, err);
    if (plan->n_params == 1)
        return read_value(plan, 0, reader, token, texts, err);
    return err_set(err, ERR_INVALID, "expected an object of the key's columns, found %s",
                   json_found(token));
}

enum err_code key_read(const struct lookup_plan *plan, struct json_reader *reader,
                       enum json_token token, struct key_texts *texts, struct err *err)
{
    struct json_reader after = *reader;
    enum err_code code;

    TRY(json_skip(&after, token, err)); /* sound, and that is where it ends */
    TRY(begin(plan, texts, err));
    for (int c = 0; c < plan->n_params; c++)
        starts_of(plan, texts)[c] = 0;
    code = read_key(plan, reader, token, texts, err);
    if (code != ERR_OK && code != ERR_NOMEM && code != ERR_INVALID)
        code = err_set(err, ERR_INVALID, "expected a key, found what is none");
    *reader = after;
    return code;
}
