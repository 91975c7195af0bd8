#include "http/bulk.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#define PRIORITY 5 /* nicer than the loops, on the same cores */

struct bulk {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct bulk_job *first, **last;
    bool stopping;
    int n_threads;
    pthread_t threads[];
};

/* The next job; NULL once there are none and none will come. */
static struct bulk_job *take(struct bulk *bulk)
{
    struct bulk_job *job;

    pthread_mutex_lock(&bulk->lock);
    while (bulk->first == NULL && !bulk->stopping)
        pthread_cond_wait(&bulk->changed, &bulk->lock);
    job = bulk->first;
    if (job != NULL)
        bulk->first = job->next;
    if (bulk->first == NULL)
        bulk->last = &bulk->first;
    pthread_mutex_unlock(&bulk->lock);
    return job;
}

static void *serve(void *argument)
{
    struct bulk *bulk = argument;
    struct bulk_job *job;

    setpriority(PRIO_PROCESS, (id_t)gettid(), PRIORITY); /* Linux: of the thread */
    while ((job = take(bulk)) != NULL)
        job->run(job);
    return NULL;
}

bool bulk_submit(struct bulk *bulk, struct bulk_job *job)
{
    bool taken;

    job->next = NULL;
    pthread_mutex_lock(&bulk->lock);
    taken = !bulk->stopping;
    if (taken) {
        *bulk->last = job;
        bulk->last = &job->next;
        pthread_cond_signal(&bulk->changed);
    }
    pthread_mutex_unlock(&bulk->lock);
    return taken;
}

void bulk_stop(struct bulk *bulk)
{
    if (bulk == NULL)
        return;
    pthread_mutex_lock(&bulk->lock);
    bulk->stopping = true;
    pthread_cond_broadcast(&bulk->changed);
    pthread_mutex_unlock(&bulk->lock);
    for (; bulk->n_threads > 0; bulk->n_threads--)
        pthread_join(bulk->threads[bulk->n_threads - 1], NULL);
}

void bulk_free(struct bulk *bulk)
{
    if (bulk == NULL)
        return;
    bulk_stop(bulk);
    pthread_cond_destroy(&bulk->changed);
    pthread_mutex_destroy(&bulk->lock);
    free(bulk);
}

enum err_code bulk_new(int n_threads, struct bulk **ret_bulk, struct err *err)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk) + (size_t)n_threads * sizeof(pthread_t));

    if (bulk == NULL)
        return err_nomem(err);
    pthread_mutex_init(&bulk->lock, NULL);
    pthread_cond_init(&bulk->changed, NULL);
    bulk->last = &bulk->first;
    for (; bulk->n_threads < n_threads; bulk->n_threads++) {
        int failure = pthread_create(&bulk->threads[bulk->n_threads], NULL, serve, bulk);

        if (failure != 0) {
            bulk_free(bulk);
            return err_errno(err, failure, "cannot start a thread");
        }
    }
    *ret_bulk = bulk;
    return ERR_OK;
}
