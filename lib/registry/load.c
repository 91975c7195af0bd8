#include "registry/load.h"

#include <pthread.h>
#include <stdatomic.h>

#define BATCH_BYTES ((int64_t)8 << 20) /* of models, but for a single one that is larger */
#define THREADS_MAX 64

struct loading {
    const struct model_origin *origin;
    struct load *loads;
    int n, batch_most;
    pthread_mutex_t lock; /* guards next */
    int next;             /* the first that nobody has taken */
    atomic_bool broken;   /* the origin is */
};

bool load_is_about_model(enum err_code code)
{
    return code == ERR_NOT_FOUND || code == ERR_CORRUPT || code == ERR_LIMIT || code == ERR_NOMEM;
}

static void rows_release(struct load_rows *rows)
{
    model_rows_release(&rows->together);
    for (int i = 0; i < LOAD_BATCH_MAX; i++)
        model_rows_release(&rows->each[i]);
}

/* The next batch; 0: there is none. */
static int take_batch(struct loading *loading, struct load **ret_loads)
{
    int64_t n_bytes = 0;
    int n = 0;

    pthread_mutex_lock(&loading->lock);
    *ret_loads = loading->loads + loading->next;
    while (n < loading->batch_most && loading->next < loading->n) {
        n_bytes += loading->loads[loading->next].row->model_bytes;
        if (n > 0 && n_bytes > BATCH_BYTES)
            break;
        loading->next++;
        n++;
    }
    pthread_mutex_unlock(&loading->lock);
    return n;
}

static void open_found(struct loading *loading, struct load *load)
{
    if (load->found == NULL && !load_is_about_model(load->problem.code))
        atomic_store(&loading->broken, true);
    /* On failure the problem is filled in. */
    if (load->found != NULL && model_open(load->found, &load->model, &load->problem) != ERR_OK)
        load->model = NULL;
    load->found = NULL;
}

static void load_batch(struct loading *loading, struct load *loads, int n)
{
    CLEANUP(rows_release) struct load_rows rows = {0};

    loading->origin->fetch(loading->origin->context, loads, n, &rows);
    for (int i = 0; i < n; i++)
        open_found(loading, &loads[i]);
}

static void *work(void *context)
{
    struct loading *loading = context;
    struct load *loads;
    int n;

    while (!atomic_load(&loading->broken) && (n = take_batch(loading, &loads)) > 0)
        load_batch(loading, loads, n);
    return NULL;
}

/* As many batches as threads at least, where there is that much to do. */
static int batch_size(int n_loads, int n_threads)
{
    int n = (n_loads + n_threads - 1) / n_threads;

    return n < LOAD_BATCH_MAX ? n : LOAD_BATCH_MAX;
}

void load_models(const struct model_origin *origin, struct load *loads, int n)
{
    pthread_t helpers[THREADS_MAX];
    int n_helpers = 0,
        n_threads = origin->n_threads < THREADS_MAX ? origin->n_threads : THREADS_MAX;
    struct loading loading = {.origin = origin, .loads = loads, .n = n};

    if (n == 0)
        return;
    if (n_threads > n)
        n_threads = n;
    loading.batch_most = batch_size(n, n_threads);
    pthread_mutex_init(&loading.lock, NULL);
    /* One that cannot be started is not missed. */
    while (n_helpers < n_threads - 1 &&
           pthread_create(&helpers[n_helpers], NULL, work, &loading) == 0)
        n_helpers++;
    work(&loading);
    while (n_helpers > 0)
        pthread_join(helpers[--n_helpers], NULL);
    pthread_mutex_destroy(&loading.lock);
}
