/*
 * The registry over a scripted catalog: the catalog's functions and model_open are stood in for
 * below (the linker takes these before the archives'), so that every order of events can be played.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "registry/registry.h"

/* The scripted catalog ------------------------------------------------------------------------ */

#define MODELS_MAX 100
#define ROWS_MAX   80

static struct {
    struct live_row rows[ROWS_MAX];
    int n_rows;
    enum err_code live_code;             /* of catalog_live */
    enum err_code row_code[MODELS_MAX];  /* of what fetches it, by model id */
    enum err_code open_code[MODELS_MAX]; /* of model_open */
    bool deleted[MODELS_MAX];
    int n_calls; /* of catalog_models_whole */
    int n_fetched[MODELS_MAX], n_opened[MODELS_MAX], n_freed[MODELS_MAX];
} catalog;

enum err_code catalog_live(struct pg *pg, struct live_rows *ret_rows, struct err *err)
{
    (void)pg;
    if (catalog.live_code != ERR_OK)
        return err_set(err, catalog.live_code, "scripted");
    *ret_rows = (struct live_rows){.n = catalog.n_rows, .items = catalog.rows};
    return ERR_OK;
}

void live_rows_release(struct live_rows *rows)
{
    (void)rows;
}

enum err_code catalog_models_whole(struct pg *pg, const int64_t *model_ids, int n,
                                   struct model_rows *ret_rows, struct err *err)
{
    struct model_rows rows = {0};

    (void)pg;
    catalog.n_calls++;
    for (int i = 0; i < n; i++) {
        catalog.n_fetched[model_ids[i]]++;
        if (catalog.row_code[model_ids[i]] != ERR_OK)
            return err_set(err, catalog.row_code[model_ids[i]], "scripted fetch of %d",
                           (int)model_ids[i]);
    }
    rows.items = arena_alloc_array(&rows.arena, (size_t)n, sizeof(*rows.items));
    assert_non_null(rows.items);
    for (int i = n - 1; i >= 0; i--) /* in any order */
        if (!catalog.deleted[model_ids[i]])
            rows.items[rows.n++] = (struct model_row){.id = model_ids[i]};
    *ret_rows = rows;
    return ERR_OK;
}

void model_rows_release(struct model_rows *rows)
{
    arena_release(&rows->arena);
    *rows = (struct model_rows){0};
}

enum err_code model_open(const struct model_row *row, struct model **ret_model, struct err *err)
{
    if (catalog.open_code[row->id] != ERR_OK)
        return err_set(err, catalog.open_code[row->id], "scripted damage of %d", (int)row->id);
    catalog.n_opened[row->id]++;
    *ret_model = calloc(1, sizeof(**ret_model));
    assert_non_null(*ret_model);
    (*ret_model)->id = row->id;
    return ERR_OK;
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    catalog.n_freed[model->id]++;
    memset(model, 0xa5, sizeof(*model)); /* a reader that comes too late sees rubbish */
    free(model);
}

static void set_row(int i, const char *name, int64_t model_id, int64_t version)
{
    catalog.rows[i] = (struct live_row){
        .project_id = 10 + i,
        .model_id = model_id,
        .deploy_version = version,
        .project = name,
        .task = "regression",
        .relation = "public.r",
        .target = "y",
        .metric = "rmse",
        .score = model_id != 0 ? "1.5" : NULL,
        .deployed_at = model_id != 0 ? "2026-01-01 00:00:00+00" : NULL,
    };
    catalog.n_rows = i + 1 > catalog.n_rows ? i + 1 : catalog.n_rows;
}

/* Helpers ------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    struct registry *registry;

    memset(&catalog, 0, sizeof(catalog));
    log_set_level(LOG_ERROR + 1);
    if (registry_new(&registry, NULL) != ERR_OK)
        return -1;
    *state = registry;
    return 0;
}

static int tear_down(void **state)
{
    registry_free(*state);
    for (int i = 0; i < MODELS_MAX; i++) {
        if (catalog.n_freed[i] == catalog.n_opened[i])
            continue;
        print_error("model %d: opened %d times, freed %d times\n", i, catalog.n_opened[i],
                    catalog.n_freed[i]);
        return -1;
    }
    return 0;
}

static int refresh(struct registry *registry)
{
    struct err err;
    int n_changed = -1;

    if (registry_refresh(registry, NULL, &n_changed, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return n_changed;
}

/* The live model of a project (0: none), and part of its problem ("": none at all). */
static void assert_live(struct registry *registry, const char *name, int64_t model_id,
                        const char *problem)
{
    const struct registry_view *view = registry_read_lock(registry);
    const struct registry_project *project = registry_find(view, name, strlen(name));

    assert_non_null(project);
    assert_string_equal(project->name, name);
    assert_int_equal(project->model != NULL ? project->model->id : 0, model_id);
    if (problem[0] == '\0')
        assert_null(project->problem);
    else if (project->problem == NULL || strstr(project->problem, problem) == NULL)
        fail_msg("the problem is \"%s\"", project->problem != NULL ? project->problem : "(none)");
    registry_read_unlock();
}

static int n_projects(struct registry *registry)
{
    int n = registry_n_projects(registry_read_lock(registry));

    registry_read_unlock();
    return n;
}

/* Tests --------------------------------------------------------------------------------------- */

static void test_empty(void **state)
{
    struct registry *registry = *state;

    assert_false(registry_loaded(registry));
    assert_int_equal(n_projects(registry), 0);
    assert_null(registry_find(registry_read_lock(registry), "a", 1));
    registry_read_unlock();
    assert_int_equal(refresh(registry), 0);
    assert_true(registry_loaded(registry));
}

static void test_loads_and_finds(void **state)
{
    struct registry *registry = *state;
    const struct registry_view *view;

    set_row(0, "a", 1, 1);
    set_row(1, "ab", 0, 0);
    assert_int_equal(refresh(registry), 2);
    assert_live(registry, "a", 1, "");
    assert_live(registry, "ab", 0, "");
    view = registry_read_lock(registry);
    assert_null(registry_find(view, "abc", 3));
    assert_null(registry_find(view, "", 0));
    assert_ptr_equal(registry_find(view, "abc", 2), registry_at(view, 1)); /* by length */
    assert_string_equal(registry_at(view, 0)->score, "1.5");
    assert_null(registry_at(view, 1)->score);
    registry_read_unlock();
}

static void test_nothing_new_loads_nothing(void **state)
{
    struct registry *registry = *state;
    const struct registry_view *before;

    set_row(0, "a", 1, 1);
    refresh(registry);
    before = registry_read_lock(registry);
    registry_read_unlock();
    assert_int_equal(refresh(registry), 0);
    assert_ptr_equal(registry_read_lock(registry), before);
    registry_read_unlock();
    assert_int_equal(catalog.n_fetched[1], 1);
}

static void test_deployment_swaps_and_frees(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 1);
    set_row(1, "b", 2, 1);
    refresh(registry);
    set_row(0, "a", 3, 2);
    assert_int_equal(refresh(registry), 1);
    assert_live(registry, "a", 3, "");
    assert_live(registry, "b", 2, "");
    assert_int_equal(catalog.n_freed[1], 1);
    assert_int_equal(catalog.n_freed[2], 0);
    assert_int_equal(catalog.n_fetched[2], 1); /* b was not loaded again */
}

/* The same model deployed once more is a new version of what is in memory. */
static void test_redeployment_keeps_the_model(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 1);
    refresh(registry);
    set_row(0, "a", 1, 2);
    assert_int_equal(refresh(registry), 1);
    assert_live(registry, "a", 1, "");
    assert_int_equal(catalog.n_fetched[1], 1);
}

static void test_removed_project(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 1);
    set_row(1, "b", 2, 1);
    refresh(registry);
    catalog.n_rows = 1;
    assert_int_equal(refresh(registry), 1);
    assert_int_equal(n_projects(registry), 1);
    assert_int_equal(catalog.n_freed[2], 1);
}

/* A project made anew under an old name starts over: its versions have nothing to do with the
 * old one's, and neither has its model. */
static void test_recreated_project(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 7);
    refresh(registry);
    set_row(0, "a", 2, 1);
    catalog.rows[0].project_id = 99;
    assert_true(refresh(registry) > 0);
    assert_live(registry, "a", 2, "");
    set_row(0, "a", 0, 0);
    catalog.rows[0].project_id = 100;
    assert_true(refresh(registry) > 0);
    assert_live(registry, "a", 0, "");
}

static void test_metadata_alone_is_a_change(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 1);
    refresh(registry);
    catalog.rows[0].relation = "public.other";
    assert_int_equal(refresh(registry), 1);
    catalog.rows[0].score = NULL;
    assert_int_equal(refresh(registry), 1);
    assert_int_equal(refresh(registry), 0);
    assert_int_equal(catalog.n_fetched[1], 1);
}

static void test_damaged_model_keeps_the_previous(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 1);
    refresh(registry);
    set_row(0, "a", 2, 2);
    catalog.open_code[2] = ERR_CORRUPT;
    assert_int_equal(refresh(registry), 1);
    assert_live(registry, "a", 1, "scripted damage of 2");
    assert_int_equal(refresh(registry), 0); /* damage does not pass: not fetched again */
    assert_int_equal(catalog.n_fetched[2], 1);
    set_row(0, "a", 3, 3);
    refresh(registry);
    assert_live(registry, "a", 3, "");
}

static void test_damaged_first_model(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 2, 1);
    set_row(1, "b", 3, 1);
    catalog.deleted[2] = true;
    assert_int_equal(refresh(registry), 2);
    assert_live(registry, "a", 0, "model 2 does not exist");
    assert_live(registry, "b", 3, "");
}

static void test_passing_problem_is_tried_again(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 1, 1);
    catalog.open_code[1] = ERR_NOMEM;
    refresh(registry);
    assert_live(registry, "a", 0, "scripted");
    refresh(registry);
    assert_int_equal(catalog.n_fetched[1], 2);
    catalog.open_code[1] = ERR_OK;
    assert_int_equal(refresh(registry), 1);
    assert_live(registry, "a", 1, "");
}

static void test_lost_catalog_changes_nothing(void **state)
{
    const enum err_code codes[] = {ERR_UNREACHABLE, ERR_TIMEOUT, ERR_SQL, ERR_DENIED};
    struct registry *registry = *state;
    struct err err;

    catalog.live_code = ERR_UNREACHABLE;
    assert_int_equal(registry_refresh(registry, NULL, NULL, &err), ERR_UNREACHABLE);
    assert_false(registry_loaded(registry));
    catalog.live_code = ERR_OK;
    set_row(0, "a", 1, 1);
    refresh(registry);
    set_row(0, "a", 2, 2); /* loads, and must be thrown away again */
    set_row(1, "b", 3, 1);
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        catalog.row_code[3] = codes[i];
        assert_int_equal(registry_refresh(registry, NULL, NULL, &err), codes[i]);
        assert_int_equal(err.code, codes[i]);
        assert_string_equal(err.message, "scripted fetch of 3");
        assert_live(registry, "a", 1, "");
        assert_int_equal(n_projects(registry), 1);
    }
    assert_true(registry_loaded(registry));
    catalog.row_code[3] = ERR_OK;
    refresh(registry);
    assert_live(registry, "a", 2, "");
    assert_live(registry, "b", 3, "");
}

static void test_never_goes_back(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 5, 5);
    refresh(registry);
    set_row(0, "a", 3, 3);
    assert_int_equal(refresh(registry), 1); /* the problem is new */
    assert_live(registry, "a", 5, "went back to deployment 3");
    assert_int_equal(catalog.n_fetched[3], 0);
    assert_int_equal(refresh(registry), 0);
    set_row(0, "a", 6, 6);
    refresh(registry);
    assert_live(registry, "a", 6, "");
}

/* Back again to what is live: the problem is over. */
static void test_catalog_returns_to_the_live_version(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 5, 5);
    refresh(registry);
    set_row(0, "a", 3, 3);
    refresh(registry);
    set_row(0, "a", 5, 5);
    refresh(registry);
    assert_live(registry, "a", 5, "");
}

/* A backup's return may give a model's id, and its deployment's number, to another model. */
static void test_same_numbers_for_another_model(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 5, 5);
    catalog.rows[0].row_version = "700 abc";
    refresh(registry);
    catalog.rows[0].row_version = "800 def";
    assert_int_equal(refresh(registry), 1);
    assert_live(registry, "a", 5, "");
    assert_int_equal(catalog.n_opened[5], 2);
    assert_int_equal(catalog.n_freed[5], 1);
    assert_int_equal(refresh(registry), 0);
    assert_int_equal(catalog.n_opened[5], 2);
}

/* A damaged row is not read again before it has changed, nor taken for the one in memory. */
static void test_a_row_is_damaged_and_mended(void **state)
{
    struct registry *registry = *state;

    set_row(0, "a", 5, 5);
    catalog.rows[0].row_version = "700 abc";
    refresh(registry);
    catalog.rows[0].row_version = "800 abc";
    catalog.open_code[5] = ERR_CORRUPT;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(refresh(registry), i == 0);
        assert_live(registry, "a", 5, "scripted damage of 5");
    }
    assert_int_equal(catalog.n_fetched[5], 2);
    catalog.rows[0].row_version = "900 abc";
    catalog.open_code[5] = ERR_OK;
    assert_int_equal(refresh(registry), 1);
    assert_live(registry, "a", 5, "");
    assert_int_equal(catalog.n_opened[5], 2);
}

static void test_listed_twice(void **state)
{
    struct registry *registry = *state;
    struct err err;

    set_row(0, "a", 1, 1);
    set_row(1, "a", 2, 1);
    assert_int_equal(registry_refresh(registry, NULL, NULL, &err), ERR_CORRUPT);
    assert_int_equal(n_projects(registry), 0);
}

static void test_degraded(void **state)
{
    struct registry *registry = *state;
    char why[16] = "untouched";

    assert_false(registry_degraded(registry, why, sizeof(why)));
    assert_string_equal(why, "untouched");
    registry_set_degraded(registry, "the server is down for maintenance");
    assert_true(registry_degraded(registry, why, sizeof(why)));
    assert_string_equal(why, "the server is d");
    registry_set_degraded(registry, NULL);
    assert_false(registry_degraded(registry, why, sizeof(why)));
}

/* By several threads, in batches: each model once, and each project its own. */
static void test_many_are_shared_out(void **state)
{
    const int n = ROWS_MAX;
    struct registry *registry = *state;
    char names[ROWS_MAX][16];

    registry_set_threads(registry, 3);
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "p%d", i);
        set_row(i, names[i], 1 + i, 1);
    }
    catalog.open_code[7] = ERR_CORRUPT;
    catalog.deleted[9] = true;
    assert_int_equal(refresh(registry), n);
    assert_true(catalog.n_calls <= n / 8);
    for (int i = 0; i < n; i++) {
        int id = 1 + i;
        bool fails = id == 7 || id == 9;

        assert_int_equal(catalog.n_fetched[id], 1);
        assert_live(registry, names[i], fails ? 0 : id,
                    id == 7   ? "scripted damage of 7"
                    : id == 9 ? "model 9 does not exist"
                              : "");
    }
    assert_int_equal(refresh(registry), 0);
}

/* What is larger than a batch goes alone. */
static void test_large_models_go_alone(void **state)
{
    const char *const names[] = {"a", "b", "c", "d"};
    struct registry *registry = *state;

    for (int i = 0; i < 4; i++) {
        set_row(i, names[i], 1 + i, 1);
        catalog.rows[i].model_bytes = i < 2 ? INT64_C(1) << 30 : 1 << 10;
    }
    assert_int_equal(refresh(registry), 4);
    assert_int_equal(catalog.n_calls, 3);
}

/* Swaps under readers: within one lock a project and its model stay what they are. */
struct reader {
    pthread_t thread;
    struct registry *registry;
    atomic_bool *stop;
    pthread_barrier_t *reading; /* all have read once before the first swap */
    long n_reads, n_wrong;
};

static void *read_on(void *cls)
{
    struct reader *reader = cls;

    while (!atomic_load(reader->stop)) {
        const struct registry_view *view = registry_read_lock(reader->registry);
        const struct registry_project *project = registry_find(view, "a", 1);

        for (int i = 0; i < 50; i++)
            reader->n_wrong +=
                project->model->id != project->wanted_model_id || strcmp(project->name, "a") != 0;
        registry_read_unlock();
        if (reader->n_reads++ == 0)
            pthread_barrier_wait(reader->reading);
    }
    return NULL;
}

static void test_swaps_under_readers(void **state)
{
    struct registry *registry = *state;
    atomic_bool stop = false;
    struct reader readers[3];
    pthread_barrier_t reading;

    set_row(0, "a", 1, 1);
    refresh(registry);
    pthread_barrier_init(&reading, NULL, N_ELEMENTS(readers) + 1);
    for (size_t i = 0; i < N_ELEMENTS(readers); i++) {
        readers[i] = (struct reader){.registry = registry, .stop = &stop, .reading = &reading};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    pthread_barrier_wait(&reading);
    for (int version = 2; version < 300; version++) {
        set_row(0, "a", 1 + version % (MODELS_MAX - 1), version);
        assert_int_equal(refresh(registry), 1);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < N_ELEMENTS(readers); i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].n_wrong, 0);
    }
    pthread_barrier_destroy(&reading);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_loads_and_finds),
        TEST(test_nothing_new_loads_nothing),
        TEST(test_deployment_swaps_and_frees),
        TEST(test_redeployment_keeps_the_model),
        TEST(test_removed_project),
        TEST(test_recreated_project),
        TEST(test_metadata_alone_is_a_change),
        TEST(test_damaged_model_keeps_the_previous),
        TEST(test_damaged_first_model),
        TEST(test_passing_problem_is_tried_again),
        TEST(test_lost_catalog_changes_nothing),
        TEST(test_never_goes_back),
        TEST(test_catalog_returns_to_the_live_version),
        TEST(test_same_numbers_for_another_model),
        TEST(test_a_row_is_damaged_and_mended),
        TEST(test_listed_twice),
        TEST(test_degraded),
        TEST(test_many_are_shared_out),
        TEST(test_large_models_go_alone),
        TEST(test_swaps_under_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
