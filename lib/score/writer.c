#include "score/writer.h"

#include <inttypes.h>

/* Rows of a transaction: enough that commits cost nothing, few enough that little is done again. */
#define CHUNK_ROWS 100000

void writer_release(struct writer *writer)
{
    pg_copy_in_stop(writer->pg);
    pg_rollback(writer->pg);
    buf_release(&writer->key);
    free(writer->key_ends);
}

/* Only all rows together make the table where they come together. */
static enum err_code begin_chunk(struct writer *writer, struct err *err)
{
    TRY(pg_begin(writer->pg, err));
    writer->in_chunk = true;
    if (writer->atomic)
        TRY(target_create(writer->pg, &writer->plan->target, err));
    return target_begin(writer->pg, &writer->plan->target, err);
}

static enum err_code keep_key(struct writer *writer, const struct window *window, struct err *err)
{
    buf_clear(&writer->key);
    for (int i = 0; i < writer->plan->n_keys; i++) {
        const struct piece *piece = window_key(window, window->n_rows - 1, i);

        buf_append(&writer->key, window->bytes.data + piece->at, piece->n_bytes);
        writer->key_ends[i] = writer->key.length;
    }
    return buf_check(&writer->key, err);
}

static enum err_code note_chunk(struct writer *writer, struct err *err)
{
    int n = writer->plan->n_keys;
    CLEANUP(free_ptr) struct score_key *keys = calloc((size_t)n, sizeof(*keys));
    size_t begin = 0;

    if (keys == NULL)
        return err_nomem(err);
    for (int i = 0; i < n; i++) {
        keys[i] = (struct score_key){plan_key_type(writer->plan, i), buf_text(&writer->key) + begin,
                                     writer->key_ends[i] - begin};
        begin = writer->key_ends[i];
    }
    return catalog_note_score(writer->pg, writer->job, &writer->hold,
                              writer->n_rows + writer->n_in_chunk, keys, n, err);
}

static enum err_code end_chunk(struct writer *writer, bool is_last, struct err *err)
{
    TRY(target_end(writer->pg, &writer->plan->target, err));
    if (is_last)
        TRY(catalog_end_score(writer->pg, writer->job, &writer->hold,
                              writer->n_rows + writer->n_in_chunk, err));
    else
        TRY(note_chunk(writer, err));
    TRY(pg_commit(writer->pg, err));
    writer->in_chunk = false;
    writer->n_rows += writer->n_in_chunk;
    writer->n_in_chunk = 0;
    return ERR_OK;
}

static enum err_code explain(const struct writer *writer, enum err_code code, struct err *err)
{
    if (code == ERR_SQL || err == NULL || err->sqlstate[0] != '\0')
        err_prefix(err, "writing to %s", writer->plan->target.name);
    return code;
}

enum err_code writer_put(struct writer *writer, const struct window *window, struct err *err)
{
    enum err_code code = writer->in_chunk ? ERR_OK : begin_chunk(writer, err);

    if (code == ERR_OK)
        code = pg_copy_in_put(writer->pg, window->tuples.data, window->tuples.length, err);
    if (code == ERR_OK)
        code = keep_key(writer, window, err);
    if (code != ERR_OK)
        return explain(writer, code, err);
    writer->n_in_chunk += (int64_t)window->n_rows;
    if (writer->atomic || writer->n_in_chunk < CHUNK_ROWS)
        return ERR_OK;
    return explain(writer, end_chunk(writer, false, err), err);
}

enum err_code writer_end(struct writer *writer, struct err *err)
{
    enum err_code code = writer->in_chunk ? ERR_OK : begin_chunk(writer, err);

    if (code == ERR_OK)
        code = end_chunk(writer, true, err);
    return code == ERR_OK ? ERR_OK : explain(writer, code, err);
}
