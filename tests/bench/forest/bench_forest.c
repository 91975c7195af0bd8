/*
 * The evaluator beside XGBoost, on one thread; tests/bench/bench-forest runs it.
 *
 *   bench_forest MODEL ROWS ROUNDS        MODEL: UBJSON. ROWS: row-major float32 of its features
 *   bench_forest MODEL ROWS count WAY N   only predicts N rows, to be counted by callgrind
 *
 * A round predicts some rows one by one and then all at once (N_BLOCK of them), by us and by
 * XGBoosterPredictFromDense with nthread 1, in turn. The clock is the thread's processor time: what
 * else runs on the machine counts only by the caches it takes. Prints JSON: for each way the median
 * and the minimum over the rounds in microseconds a row, and the median of the rounds' own ratios.
 * Ends with status 1 where margins differ by a bit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xgboost/c_api.h>

#include "base/buf.h"
#include "forest/forest.h"

#define N_ONE      500
#define N_BLOCK    10000
#define ROUNDS_MAX 1000
#define FILE_MAX   (256 << 20)

struct bench {
    struct forest *forest;
    BoosterHandle booster;
    const float *rows; /* [N_BLOCK][width] */
    size_t width, n_outputs;
    float *margins; /* [N_BLOCK][n_outputs] */
};

static void check(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "bench_forest: %s\n", XGBGetLastError());
    exit(1);
}

/* ---- the ways ---- */

static void ours_one(struct bench *bench, size_t n)
{
    for (size_t i = 0; i < n; i++)
        forest_margin(bench->forest, bench->rows + i * bench->width,
                      bench->margins + i * bench->n_outputs);
}

static void ours_block(struct bench *bench, size_t n)
{
    forest_margins(bench->forest, bench->rows, n, bench->margins);
}

static void xgboost_rows(struct bench *bench, size_t first, size_t n)
{
    static const char config[] =
        "{\"type\":1,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,"
        "\"missing\":NaN,\"cache_id\":0}";
    const bst_ulong *shape = NULL;
    const float *margins = NULL;
    bst_ulong n_dimensions = 0;
    char array[256];

    snprintf(array, sizeof(array),
             "{\"data\":[%zu,true],\"shape\":[%zu,%zu],\"typestr\":\"<f4\",\"version\":3}",
             (size_t)(bench->rows + first * bench->width), n, bench->width);
    check(XGBoosterPredictFromDense(bench->booster, array, config, NULL, &shape, &n_dimensions,
                                    &margins));
    memcpy(bench->margins + first * bench->n_outputs, margins,
           n * bench->n_outputs * sizeof(*margins));
}

static void xgboost_one(struct bench *bench, size_t n)
{
    for (size_t i = 0; i < n; i++)
        xgboost_rows(bench, i, 1);
}

static void xgboost_block(struct bench *bench, size_t n)
{
    xgboost_rows(bench, 0, n);
}

/* Each way of ours stands before XGBoost's. */
static const struct way {
    const char *name;
    void (*predict)(struct bench *bench, size_t n);
    size_t n_rows;
} ways[] = {
    {"one", ours_one, N_ONE},
    {"xgboost_one", xgboost_one, N_ONE / 5},
    {"block", ours_block, N_BLOCK},
    {"xgboost_block", xgboost_block, N_BLOCK},
};

#define N_WAYS N_ELEMENTS(ways)

/* ---- measuring ---- */

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double us_per_row(struct bench *bench, const struct way *way)
{
    double started = now_us();

    way->predict(bench, way->n_rows);
    return (now_us() - started) / (double)way->n_rows;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare_doubles);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static void measure(struct bench *bench, size_t n_rounds)
{
    static double times[N_WAYS][ROUNDS_MAX], ratios[N_WAYS][ROUNDS_MAX];

    for (size_t w = 0; w < N_WAYS; w++) /* a round that does not count */
        us_per_row(bench, &ways[w]);
    for (size_t r = 0; r < n_rounds; r++)
        for (size_t w = 0; w < N_WAYS; w++)
            times[w][r] = us_per_row(bench, &ways[w]);
    for (size_t w = 0; w < N_WAYS; w += 2)
        for (size_t r = 0; r < n_rounds; r++)
            ratios[w][r] = times[w + 1][r] / times[w][r];
    printf("{\"trees\": %d, \"bytes\": %zu", forest_n_trees(bench->forest),
           forest_bytes(bench->forest));
    for (size_t w = 0; w < N_WAYS; w++) {
        printf(", \"%s\": {\"median_us\": %.4f", ways[w].name, median(times[w], n_rounds));
        printf(", \"min_us\": %.4f", times[w][0]);
        if (w % 2 == 0)
            printf(", \"ratio\": %.3f", median(ratios[w], n_rounds));
        printf("}");
    }
    printf("}\n");
}

/* All ways must give the same bits. */
static void compare(struct bench *bench)
{
    size_t n = N_BLOCK * bench->n_outputs;
    float *expected = malloc(n * sizeof(*expected));

    if (expected == NULL)
        abort();
    xgboost_block(bench, N_BLOCK);
    memcpy(expected, bench->margins, n * sizeof(*expected));
    for (size_t w = 0; w < N_WAYS; w++) {
        memset(bench->margins, 0x55, n * sizeof(*expected));
        ways[w].predict(bench, N_BLOCK);
        if (memcmp(bench->margins, expected, n * sizeof(*expected)) == 0)
            continue;
        fprintf(stderr, "bench_forest: %s does not answer as XGBoost\n", ways[w].name);
        exit(1);
    }
    free(expected);
}

static int count(struct bench *bench, const char *name, size_t n)
{
    for (size_t w = 0; w < N_WAYS; w++) {
        if (strcmp(ways[w].name, name) != 0)
            continue;
        ways[w].predict(bench, n < N_BLOCK ? n : N_BLOCK);
        return 0;
    }
    fprintf(stderr, "bench_forest: no way is called \"%s\"\n", name);
    return 2;
}

/* ---- */

static void open_bench(struct bench *bench, const struct buf *model, const struct buf *rows)
{
    struct err err = {0};

    if (forest_load((const uint8_t *)model->data, model->length, &bench->forest, &err) != ERR_OK) {
        fprintf(stderr, "bench_forest: %s\n", err.message);
        exit(1);
    }
    check(XGBoosterCreate(NULL, 0, &bench->booster));
    check(XGBoosterSetParam(bench->booster, "nthread", "1"));
    check(XGBoosterLoadModelFromBuffer(bench->booster, model->data, model->length));
    bench->rows = (const float *)rows->data;
    bench->width = (size_t)forest_n_features(bench->forest);
    bench->n_outputs = (size_t)forest_n_outputs(bench->forest);
    bench->margins = calloc(N_BLOCK * bench->n_outputs, sizeof(*bench->margins));
    if (bench->margins == NULL || rows->length < N_BLOCK * bench->width * sizeof(float)) {
        fprintf(stderr, "bench_forest: expected %d rows of %zu features\n", N_BLOCK, bench->width);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    CLEANUP(buf_release) struct buf model = {0};
    CLEANUP(buf_release) struct buf rows = {0};
    struct bench bench = {0};
    struct err err = {0};
    int status = 0;

    if (argc != 4 && !(argc == 6 && strcmp(argv[3], "count") == 0)) {
        fprintf(stderr, "usage: bench_forest MODEL ROWS ROUNDS | MODEL ROWS count WAY N\n");
        return 2;
    }
    if (buf_read_file(&model, argv[1], FILE_MAX, &err) != ERR_OK ||
        buf_read_file(&rows, argv[2], FILE_MAX, &err) != ERR_OK) {
        fprintf(stderr, "bench_forest: %s\n", err.message);
        return 1;
    }
    open_bench(&bench, &model, &rows);
    if (argc == 6) {
        status = count(&bench, argv[4], strtoul(argv[5], NULL, 10));
    } else {
        size_t n_rounds = strtoul(argv[3], NULL, 10);

        compare(&bench);
        measure(&bench, n_rounds < 1 ? 1 : n_rounds > ROUNDS_MAX ? ROUNDS_MAX : n_rounds);
    }
    XGBoosterFree(bench.booster);
    forest_free(bench.forest);
    free(bench.margins);
    return status;
}
