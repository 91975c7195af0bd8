#include "model/drift.h"

#include <string.h>

#define LABELS_SHOWN 10

void drift_release(struct drift *drift)
{
    buf_release(&drift->broken);
    buf_release(&drift->new_labels);
    *drift = (struct drift){0};
}

static void add_broken(struct drift *drift, const char *text, const char *column)
{
    buf_printf(&drift->broken, "%s\"%s\" %s", drift->n_broken++ > 0 ? ", " : "", column, text);
}

/* Labels of an enum that training did not see often enough to keep, or at all. */
static void add_labels(struct drift *drift, const struct encoder_column *column,
                       const struct relation_column *now)
{
    int n = 0;

    for (int i = 0; now->enum_labels[i] != NULL; i++) {
        const char *label = now->enum_labels[i];

        if (strmap_find(&column->categories, label, strlen(label)) != STRMAP_NONE)
            continue;
        if (n == 0)
            buf_printf(&drift->new_labels, "%s\"%s\" has the new labels ",
                       drift->n_new_labels > 0 ? "; " : "", column->name);
        if (n < LABELS_SHOWN)
            buf_printf(&drift->new_labels, "%s\"%s\"", n > 0 ? ", " : "", label);
        else if (n == LABELS_SHOWN)
            buf_puts(&drift->new_labels, ", ...");
        n++;
    }
    drift->n_new_labels += n;
}

static void compare_column(struct drift *drift, const struct encoder_column *column,
                           const struct relation *relation)
{
    int index = relation_find(relation, column->name);
    const struct relation_column *now = index >= 0 ? &relation->columns[index] : NULL;
    CLEANUP(buf_release) struct buf text = {0};

    if (now == NULL) {
        add_broken(drift, "is gone", column->name);
    } else if (now->type != column->type) {
        buf_printf(&text, "was %s and is %s", pg_type_name(column->type), pg_type_name(now->type));
        add_broken(drift, buf_text(&text), column->name);
    } else if (now->enum_labels != NULL && column->categories.n_keys > 0) {
        add_labels(drift, column, now);
    }
}

enum err_code drift_find(const struct model *model, const struct relation *relation,
                         struct drift *ret_drift, struct err *err)
{
    struct drift drift = {0};

    for (int i = 0; i < model->encoder->n_columns; i++)
        compare_column(&drift, &model->encoder->columns[i], relation);
    if (drift.broken.failed || drift.new_labels.failed) {
        drift_release(&drift);
        return err_nomem(err);
    }
    *ret_drift = drift;
    return ERR_OK;
}
