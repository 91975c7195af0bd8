#include "registry/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <urcu-bp.h>

#include "registry/view.h"

/* ThreadSanitizer does not see what liburcu's own code orders: that whatever a reader did comes
 * before the end of a grace period which waited for it. With this said, it reports what is used
 * without the lock, or after it. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
static char grace_period;
#define NOTE_READ_END()  __tsan_release(&grace_period)
#define NOTE_GRACE_END() __tsan_acquire(&grace_period)
#else
#define NOTE_READ_END()  ((void)0)
#define NOTE_GRACE_END() ((void)0)
#endif

struct registry {
    struct registry_view *view; /* never NULL; swapped under RCU */
    atomic_bool loaded;
    pthread_mutex_t degraded_lock; /* guards degraded: read by /readyz, written on a change */
    char degraded[512];            /* "": all is well */
};

enum err_code registry_new(struct registry **ret_registry, struct err *err)
{
    CLEANUP(view_freep) struct registry_view *view = NULL;
    struct registry *registry;

    TRY(view_new_empty(&view, err));
    registry = calloc(1, sizeof(*registry));
    if (registry == NULL)
        return err_nomem(err);
    pthread_mutex_init(&registry->degraded_lock, NULL);
    registry->view = TAKE_PTR(view);
    *ret_registry = registry;
    return ERR_OK;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    view_free(registry->view);
    pthread_mutex_destroy(&registry->degraded_lock);
    free(registry);
}

/* Returns once no reader can see the old view any more. */
static void publish(struct registry *registry, struct registry_view *next)
{
    struct registry_view *old = __atomic_exchange_n(&registry->view, next, __ATOMIC_ACQ_REL);

    synchronize_rcu();
    NOTE_GRACE_END();
    view_free(old);
}

enum err_code registry_refresh(struct registry *registry, struct pg *pg, int *ret_n_changed,
                               struct err *err)
{
    CLEANUP(live_rows_release) struct live_rows rows = {0};
    CLEANUP(view_freep) struct registry_view *next = NULL;
    int n_changed;

    TRY(catalog_live(pg, &rows, err));
    TRY(view_build(registry->view, pg, &rows, &next, &n_changed, err));
    if (n_changed > 0)
        publish(registry, TAKE_PTR(next));
    atomic_store(&registry->loaded, true);
    if (ret_n_changed != NULL)
        *ret_n_changed = n_changed;
    return ERR_OK;
}

const struct registry_view *registry_read_lock(const struct registry *registry)
{
    rcu_read_lock();
    return __atomic_load_n(&registry->view, __ATOMIC_ACQUIRE);
}

void registry_read_unlock(void)
{
    NOTE_READ_END();
    rcu_read_unlock();
}

int registry_n_projects(const struct registry_view *view)
{
    return view->n_entries;
}

const struct registry_project *registry_at(const struct registry_view *view, int i)
{
    return &view->entries[i].project;
}

const struct registry_project *registry_find(const struct registry_view *view, const char *name,
                                             size_t length)
{
    const struct registry_entry *entry = view_find(view, name, length);

    return entry != NULL ? &entry->project : NULL;
}

bool registry_loaded(const struct registry *registry)
{
    return atomic_load(&registry->loaded);
}

void registry_set_degraded(struct registry *registry, const char *why)
{
    pthread_mutex_lock(&registry->degraded_lock);
    snprintf(registry->degraded, sizeof(registry->degraded), "%s", why != NULL ? why : "");
    pthread_mutex_unlock(&registry->degraded_lock);
}

bool registry_degraded(struct registry *registry, char *ret_why, size_t size)
{
    bool degraded;

    pthread_mutex_lock(&registry->degraded_lock);
    degraded = registry->degraded[0] != '\0';
    if (degraded)
        snprintf(ret_why, size, "%s", registry->degraded);
    pthread_mutex_unlock(&registry->degraded_lock);
    return degraded;
}
