#include <string.h>

#include "config/options_table.h"

static bool is_same(const struct option_row *row, const struct options *a, const struct options *b)
{
    const char *x = (const char *)a + row->offset, *y = (const char *)b + row->offset;

    if (row->type == OPTION_TEXT)
        return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
    return memcmp(x, y, row->type == OPTION_CHOICE ? sizeof(int) : sizeof(int64_t)) == 0;
}

/* A text's old value stays in the arena: whoever took it goes on with it. */
static enum err_code take_over(const struct option_row *row, struct options *current,
                               const struct options *fresh, struct err *err)
{
    char *to = (char *)current + row->offset;
    const char *from = (const char *)fresh + row->offset;
    char *copy;

    if (row->type != OPTION_TEXT) {
        memcpy(to, from, row->type == OPTION_CHOICE ? sizeof(int) : sizeof(int64_t));
        return ERR_OK;
    }
    copy = arena_strdup(&current->arena, *(const char *const *)from);
    if (copy == NULL)
        return err_nomem(err);
    *(const char **)to = copy;
    return ERR_OK;
}

enum err_code options_reload(struct options *current, const struct options *fresh,
                             option_change_fn note, void *context, struct err *err)
{
    for (int i = 0; i < n_option_rows; i++) {
        const struct option_row *row = &option_rows[i];
        CLEANUP(buf_release) struct buf before = {0}, after = {0};
        struct option_change change = {.name = row->name, .taken = row->reloads};

        if (is_same(row, current, fresh))
            continue;
        option_put_value(row, current, &before);
        option_put_value(row, fresh, &after);
        if (row->reloads)
            TRY(take_over(row, current, fresh, err));
        change.before = buf_text(&before);
        change.after = buf_text(&after);
        note(context, &change);
    }
    return ERR_OK;
}
