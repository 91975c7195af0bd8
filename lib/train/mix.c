#include "train/mix.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define ROWS_MAX    200000 /* beyond, threads of one booster are worth having */
#define ROUNDS      5
#define GAIN_LEAST  1.15 /* side by side they share caches and memory */
#define MEMORY_PART 4    /* copies may take a quarter of the machine's */

/* The shortest of several rounds, in µs: the others were disturbed. */
static enum err_code time_rounds(const struct search_request *request, const struct design *design,
                                 int threads, int64_t *ret_us, struct err *err)
{
    CLEANUP(booster_freep) struct booster *booster = NULL;
    struct trial_setup setup = *request->setup;
    struct setting setting;

    setup.threads = threads;
    portfolio_get(design->is_linear ? ALGORITHM_LINEAR : ALGORITHM_XGBOOST, false, 0, &setting);
    TRY(trial_booster(&setup, design, &setting, &booster, err));
    *ret_us = INT64_MAX;
    for (int i = 0; i <= ROUNDS; i++) {
        int64_t started_us = clock_us(), us;

        TRY(control_check(request->control, err));
        TRY(booster_update(booster, design->train, err));
        us = clock_us() - started_us;
        if (i > 0 && us < *ret_us) /* the first one prepares */
            *ret_us = us;
    }
    return ERR_OK;
}

static bool has_memory_for(int n_copies)
{
    struct rusage usage;
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024 * n_copies < bytes / MEMORY_PART;
}

enum err_code mix_measure(const struct search_request *request, bool *ret_side_by_side,
                          struct err *err)
{
    const struct designs *designs = request->designs;
    const struct design *design = designs->folds[designs->folds[false] == NULL];
    int threads = request->setup->threads;
    int64_t one_us, all_us;

    *ret_side_by_side = false;
    if (matrix_n_rows(design->train) > ROWS_MAX || !has_memory_for(threads - 1))
        return ERR_OK;
    TRY(time_rounds(request, design, 1, &one_us, err));
    TRY(time_rounds(request, design, threads, &all_us, err));
    *ret_side_by_side = (double)all_us * threads > (double)one_us * GAIN_LEAST;
    log_info("a round takes", "one_thread_us=%lld threads=%d threads_us=%lld choice=\"%s\"",
             (long long)one_us, threads, (long long)all_us,
             *ret_side_by_side ? "trials side by side" : "threads");
    return ERR_OK;
}
