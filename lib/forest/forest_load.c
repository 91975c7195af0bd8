/*
 * From XGBoost's UBJSON to a forest: the document around the trees (forest_tree.c reads those).
 *
 *   {"learner": {"gradient_booster": {"model": {"gbtree_model_param", "tree_info", "trees"},
 * "name"}, "learner_model_param": {"base_score", "num_class", "num_feature", "num_target"},
 *                "objective": {"name"}}}
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "forest/forest_internal.h"

#define CACHE_LINE 64

struct loading {
    struct arena arena;
    struct planting planting;
    struct ubj_text booster, objective, base_score;
    struct ubj_ints outputs; /* tree_info: the output of each tree */
    int64_t n_trees, n_features, n_classes, n_targets;
};

static void loading_release(struct loading *loading)
{
    planting_release(&loading->planting);
    arena_release(&loading->arena);
}

/* ---- members ---- */

static enum err_code read_text_member(struct ubj_reader *reader, const struct ubj_member *member,
                                      void *context, struct err *err)
{
    return ubj_read_text(reader, (struct ubj_text *)((char *)context + member->offset), err);
}

static enum err_code read_outputs(struct ubj_reader *reader, const struct ubj_member *member,
                                  void *context, struct err *err)
{
    struct loading *loading = context;

    (void)member;
    return ubj_read_ints(reader, &loading->arena, &loading->outputs, err);
}

static enum err_code read_tree(struct ubj_reader *reader, void *context, struct err *err)
{
    struct loading *loading = context;

    return tree_read(reader, &loading->planting, err);
}

static enum err_code read_trees(struct ubj_reader *reader, const struct ubj_member *member,
                                void *context, struct err *err)
{
    (void)member;
    return ubj_read_array(reader, read_tree, context, err);
}

/* Weights of trees, as dart has them, where they would change the sum. */
static enum err_code refuse_weights(struct ubj_reader *reader, const struct ubj_member *member,
                                    void *context, struct err *err)
{
    (void)reader;
    (void)member;
    (void)context;
    return err_set(err, ERR_INVALID, "trees with weights (booster \"dart\") are not supported");
}

static enum err_code read_forest_param(struct ubj_reader *reader, const struct ubj_member *member,
                                       void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"num_trees", tree_read_param, true, offsetof(struct loading, n_trees)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_model(struct ubj_reader *reader, const struct ubj_member *member,
                                void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"gbtree_model_param", read_forest_param, true, 0},
        {"tree_info", read_outputs, true, 0},
        {"trees", read_trees, true, 0},
        {"weight_drop", refuse_weights, false, 0},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

/* The name decides how the rest reads, and comes after it: one pass for each. */
static enum err_code read_booster(struct ubj_reader *reader, const struct ubj_member *member,
                                  void *context, struct err *err)
{
    static const struct ubj_member name[] = {
        {"name", read_text_member, true, offsetof(struct loading, booster)},
    };
    static const struct ubj_member model[] = {{"model", read_model, true, 0}};
    struct loading *loading = context;
    struct ubj_reader ahead = *reader;

    (void)member;
    TRY(ubj_read_object(&ahead, name, N_ELEMENTS(name), context, err));
    if (!ubj_text_is(loading->booster, "gbtree"))
        return err_set(err, ERR_INVALID, "booster \"%.*s\" is not supported",
                       loading->booster.length < 64 ? (int)loading->booster.length : 64,
                       loading->booster.text);
    return ubj_read_object(reader, model, N_ELEMENTS(model), context, err);
}

static enum err_code read_learner_param(struct ubj_reader *reader, const struct ubj_member *member,
                                        void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"base_score", read_text_member, true, offsetof(struct loading, base_score)},
        {"num_class", tree_read_param, true, offsetof(struct loading, n_classes)},
        {"num_feature", tree_read_param, true, offsetof(struct loading, n_features)},
        {"num_target", tree_read_param, false, offsetof(struct loading, n_targets)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_objective(struct ubj_reader *reader, const struct ubj_member *member,
                                    void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"name", read_text_member, true, offsetof(struct loading, objective)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_learner(struct ubj_reader *reader, const struct ubj_member *member,
                                  void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"gradient_booster", read_booster, true, 0},
        {"learner_model_param", read_learner_param, true, 0},
        {"objective", read_objective, true, 0},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_document(struct ubj_reader *reader, struct loading *loading,
                                   struct err *err)
{
    static const struct ubj_member members[] = {{"learner", read_learner, true, 0}};

    TRY(ubj_read_object(reader, members, N_ELEMENTS(members), loading, err));
    if (!ubj_at_end(reader))
        return ubj_error(reader, err, "it goes on after its end");
    return ERR_OK;
}

/* ---- base score ---- */

/* One number at text; moves *text behind it. */
static bool parse_score(const char **text, float *ret_score)
{
    char *end;

    *ret_score = strtof(*text, &end);
    if (end == *text || !isfinite(*ret_score))
        return false;
    *text = end;
    return true;
}

/* "5E-1", or from XGBoost 3.1 "[5E-1]" or "[5E-1,5E-1]". Scores that differ between outputs are
 * refused: a forest has one base margin. */
static enum err_code parse_base_score(struct ubj_text written, float *ret_score, struct err *err)
{
    char copy[4096];
    const char *at = copy;
    float score = 0, other = 0;
    bool is_list;

    snprintf(copy, sizeof(copy), "%.*s", written.length < sizeof(copy) ? (int)written.length : 0,
             written.text);
    is_list = *at == '[';
    if (is_list)
        at++;
    if (!parse_score(&at, &score))
        return err_set(err, ERR_CORRUPT, "model cannot be read: base_score is not a number");
    while (is_list && *at == ',') {
        at++;
        if (!parse_score(&at, &other))
            return err_set(err, ERR_CORRUPT, "model cannot be read: base_score is not a number");
        if (other != score)
            return err_set(err, ERR_INVALID,
                           "base_score that differs between outputs is not supported");
    }
    if (strcmp(at, is_list ? "]" : "") != 0)
        return err_set(err, ERR_CORRUPT, "model cannot be read: base_score is not a number");
    *ret_score = score;
    return ERR_OK;
}

/* ---- the forest ---- */

static enum err_code check_counts(const struct loading *loading, struct err *err)
{
    size_t n_trees = loading->planting.n_trees;

    if (loading->n_features < 1 || loading->n_features > FOREST_FEATURES_MAX)
        return err_set(err, ERR_CORRUPT, "model has %lld features, expected 1 to %d",
                       (long long)loading->n_features, FOREST_FEATURES_MAX);
    if (loading->n_classes > FOREST_OUTPUTS_MAX || loading->n_targets > FOREST_OUTPUTS_MAX)
        return err_set(err, ERR_LIMIT, "model has more than %d outputs", FOREST_OUTPUTS_MAX);
    if (loading->n_classes > 1 && loading->n_targets > 1)
        return err_set(err, ERR_INVALID, "a model of several classes and targets is not supported");
    if (loading->planting.largest_feature >= loading->n_features)
        return err_set(err, ERR_CORRUPT, "model splits on feature %lld of %lld",
                       (long long)loading->planting.largest_feature,
                       (long long)loading->n_features);
    if (n_trees > INT32_MAX || (int64_t)n_trees != loading->n_trees ||
        loading->outputs.n != n_trees)
        return err_set(err, ERR_CORRUPT, "model has %zu trees, %lld by its parameters, %zu by info",
                       n_trees, (long long)loading->n_trees, loading->outputs.n);
    return ERR_OK;
}

static enum err_code fill_parameters(const struct loading *loading, struct forest *forest,
                                     struct err *err)
{
    int64_t n_outputs =
        loading->n_classes > loading->n_targets ? loading->n_classes : loading->n_targets;
    float base_score = 0;

    forest->n_features = (int)loading->n_features;
    forest->n_outputs = n_outputs > 1 ? (int)n_outputs : 1;
    TRY(objective_find(loading->objective.text, loading->objective.length, &forest->objective,
                       err));
    TRY(parse_base_score(loading->base_score, &base_score, err));
    return forest->objective->link(base_score, &forest->base_margin, err);
}

static enum err_code fill_outputs(struct loading *loading, const struct forest *forest,
                                  struct err *err)
{
    for (size_t i = 0; i < loading->planting.n_trees; i++) {
        int32_t output = loading->outputs.items[i];

        if (output < 0 || output >= forest->n_outputs)
            return err_set(err, ERR_CORRUPT, "model's tree %zu adds to output %d of %d", i,
                           (int)output, forest->n_outputs);
        loading->planting.trees[i].output = (uint32_t)output;
    }
    return ERR_OK;
}

/* A copy of its final size, on a cache line: pairs of nodes then never cross one. */
static void *settle(const void *items, size_t n_bytes)
{
    size_t rounded = (n_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *copy = aligned_alloc(CACHE_LINE, rounded > 0 ? rounded : CACHE_LINE);

    if (copy != NULL && n_bytes > 0)
        memcpy(copy, items, n_bytes);
    return copy;
}

static enum err_code fill_trees(const struct planting *planting, struct forest *forest,
                                struct err *err)
{
    forest->n_trees = (uint32_t)planting->n_trees;
    forest->n_nodes = (uint32_t)planting->n_nodes;
    forest->n_sets = (uint32_t)planting->n_sets;
    forest->trees = settle(planting->trees, planting->n_trees * sizeof(*planting->trees));
    forest->nodes = settle(planting->nodes, planting->n_nodes * sizeof(*planting->nodes));
    forest->sets = settle(planting->sets, planting->n_sets * sizeof(*planting->sets));
    forest->edges = settle(planting->edges, planting->n_nodes * sizeof(*planting->edges));
    forest->has_covers = !planting->lacks_covers;
    if (forest->trees == NULL || forest->nodes == NULL || forest->sets == NULL ||
        forest->edges == NULL)
        return err_nomem(err);
    return ERR_OK;
}

enum err_code forest_load(const uint8_t *bytes, size_t n_bytes, struct forest **ret_forest,
                          struct err *err)
{
    CLEANUP(loading_release) struct loading loading = {.planting.largest_feature = -1};
    CLEANUP(forest_freep) struct forest *forest = calloc(1, sizeof(*forest));
    struct ubj_reader reader;

    if (forest == NULL)
        return err_nomem(err);
    ubj_reader_init(&reader, bytes, n_bytes);
    TRY(read_document(&reader, &loading, err));
    TRY(check_counts(&loading, err));
    TRY(fill_parameters(&loading, forest, err));
    TRY(fill_outputs(&loading, forest, err));
    TRY(fill_trees(&loading.planting, forest, err));
    TRY(forest_trace(forest, err));
    *ret_forest = TAKE_PTR(forest);
    return ERR_OK;
}

void forest_free(struct forest *forest)
{
    if (forest == NULL)
        return;
    free(forest->trees);
    free(forest->nodes);
    free(forest->sets);
    free(forest->edges);
    free(forest->expected);
    free(forest->quadrature.at);
    free(forest);
}
