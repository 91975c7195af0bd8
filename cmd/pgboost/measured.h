/*
 * models.metrics, read for people: each metric of the model beside the baseline's.
 */
#ifndef PGBOOST_CMD_MEASURED_H
#define PGBOOST_CMD_MEASURED_H

#include <stdint.h>

#include "base/buf.h"
#include "list.h"

#define MEASURED_MAX 64

struct measured_metric {
    const char *name;       /* lib/metric's */
    double model, baseline; /* NaN: not there or not defined */
};

struct measured {
    int n;
    struct measured_metric items[MEASURED_MAX]; /* the key metric first */
    char baseline_kind[32];                     /* "mean", "prior"; "" when there is none */
    int64_t test_rows;
};

/* From the JSON of models.metrics; what cannot be read is left out. */
void measured_read(const char *metrics_json, const char *key_metric, struct measured *ret_measured);

/* A table of all metrics. */
void measured_put_table(struct buf *out, const struct measured *measured, bool colour);

#endif
