/*
 * How far a run is: a bar that is drawn over on a terminal, elsewhere a line for each new stage.
 */
#ifndef PGBOOST_CMD_PROGRESS_H
#define PGBOOST_CMD_PROGRESS_H

#include <stdbool.h>

#include "catalog/catalog.h"

struct progress {
    bool silent;    /* JSON was asked for */
    bool terminal;  /* standard error is one */
    bool drawn;     /* a bar stands on the terminal's present line */
    char last[160]; /* what was said last, elsewhere */
};

void progress_init(struct progress *progress, bool silent);
void progress_show(struct progress *progress, const struct run_row *run);
/* Takes the bar away, so that other text can follow. */
void progress_clear(struct progress *progress);

/* The bar alone. */
void progress_put_bar(struct buf *out, int64_t done, int64_t total);

#endif
