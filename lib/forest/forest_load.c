/*
 * From XGBoost's UBJSON to a forest: the document around the trees (forest_tree.c reads those,
 * forest_pack.c makes the nodes that are walked).
 *
 *   {"learner": {"gradient_booster": BOOSTER,
 *                "learner_model_param": {"base_score", "num_class", "num_feature", "num_target"},
 *                "objective": {"name"}},
 *    "version": [3, 4, 1]}
 *
 * where BOOSTER is one of
 *
 *   {"name": "gbtree", "model": FOREST}
 *   {"name": "dart", "gbtree": {"model": FOREST}, "weight_drop"}
 *   {"name": "gblinear", "model": {"weights"}}
 *
 * and FOREST is {"gbtree_model_param", "tree_info", "trees"}, from 3.3 on with "weight_drop" where
 * trees were dropped: there is no "dart" any more.
 */
#include <math.h>
#include <string.h>

#include "forest/forest_internal.h"

struct loading {
    struct arena arena;
    struct planting planting;
    const struct booster *booster;
    struct ubj_text booster_name, objective, base_score;
    struct ubj_ints version;        /* major, minor, patch; none in hand-made models */
    struct ubj_ints outputs;        /* tree_info: the output of each tree */
    struct ubj_floats tree_weights; /* weight_drop */
    struct ubj_floats weights;      /* of a linear model; none: it is not trained */
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

static enum err_code read_ints_member(struct ubj_reader *reader, const struct ubj_member *member,
                                      void *context, struct err *err)
{
    struct loading *loading = context;

    return ubj_read_ints(reader, &loading->arena,
                         (struct ubj_ints *)((char *)context + member->offset), err);
}

static enum err_code read_floats_member(struct ubj_reader *reader, const struct ubj_member *member,
                                        void *context, struct err *err)
{
    struct loading *loading = context;

    return ubj_read_floats(reader, &loading->arena,
                           (struct ubj_floats *)((char *)context + member->offset), err);
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

static enum err_code read_forest_param(struct ubj_reader *reader, const struct ubj_member *member,
                                       void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"num_trees", tree_read_param, true, offsetof(struct loading, n_trees)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_forest(struct ubj_reader *reader, const struct ubj_member *member,
                                 void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"gbtree_model_param", read_forest_param, true, 0},
        {"tree_info", read_ints_member, true, offsetof(struct loading, outputs)},
        {"trees", read_trees, true, 0},
        {"weight_drop", read_floats_member, false, offsetof(struct loading, tree_weights)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_inner_forest(struct ubj_reader *reader, const struct ubj_member *member,
                                       void *context, struct err *err)
{
    static const struct ubj_member members[] = {{"model", read_forest, true, 0}};

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static enum err_code read_linear(struct ubj_reader *reader, const struct ubj_member *member,
                                 void *context, struct err *err)
{
    static const struct ubj_member members[] = {
        {"weights", read_floats_member, true, offsetof(struct loading, weights)},
    };

    (void)member;
    return ubj_read_object(reader, members, N_ELEMENTS(members), context, err);
}

static const struct booster {
    const char *name;
    struct ubj_member members[2];
    int n_members;
    bool is_linear, is_weighted;
} boosters[] = {
    {.name = "gbtree", .members = {{"model", read_forest, true, 0}}, .n_members = 1},
    {.name = "dart",
     .members = {{"gbtree", read_inner_forest, true, 0},
                 {"weight_drop", read_floats_member, true, offsetof(struct loading, tree_weights)}},
     .n_members = 2,
     .is_weighted = true},
    {.name = "gblinear",
     .members = {{"model", read_linear, true, 0}},
     .n_members = 1,
     .is_linear = true},
};

static enum err_code find_booster(struct ubj_text name, const struct booster **ret_booster,
                                  struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(boosters); i++) {
        if (ubj_text_is(name, boosters[i].name)) {
            *ret_booster = &boosters[i];
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INVALID, "booster \"%.*s\" is not supported",
                   name.length < 64 ? (int)name.length : 64, name.text);
}

/* The name decides how the rest reads, and comes after it: one pass for each. */
static enum err_code read_booster(struct ubj_reader *reader, const struct ubj_member *member,
                                  void *context, struct err *err)
{
    static const struct ubj_member name[] = {
        {"name", read_text_member, true, offsetof(struct loading, booster_name)},
    };
    struct loading *loading = context;
    struct ubj_reader ahead = *reader;

    (void)member;
    TRY(ubj_read_object(&ahead, name, N_ELEMENTS(name), context, err));
    TRY(find_booster(loading->booster_name, &loading->booster, err));
    return ubj_read_object(reader, loading->booster->members, loading->booster->n_members, context,
                           err);
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
    static const struct ubj_member members[] = {
        {"learner", read_learner, true, 0},
        {"version", read_ints_member, false, offsetof(struct loading, version)},
    };

    TRY(ubj_read_object(reader, members, N_ELEMENTS(members), loading, err));
    if (!ubj_at_end(reader))
        return ubj_error(reader, err, "it goes on after its end");
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

static enum err_code fill_base_margins(struct loading *loading, struct forest *forest,
                                       struct err *err)
{
    const char *text =
        arena_strndup(&loading->arena, loading->base_score.text, loading->base_score.length);

    forest->base_margins = calloc((size_t)forest->n_outputs, sizeof(*forest->base_margins));
    if (text == NULL || forest->base_margins == NULL)
        return err_nomem(err);
    return objective_base_margins(forest->objective, text, forest->base_margins, forest->n_outputs,
                                  err);
}

static int release_of(struct ubj_ints version)
{
    if (version.n < 2 || version.items[0] < 0 || version.items[0] > 1000 || version.items[1] < 0 ||
        version.items[1] > 999)
        return 0;
    return XGBOOST_RELEASE(version.items[0], version.items[1]);
}

static enum err_code fill_parameters(struct loading *loading, struct forest *forest,
                                     struct err *err)
{
    int64_t n_outputs =
        loading->n_classes > loading->n_targets ? loading->n_classes : loading->n_targets;

    forest->booster = loading->booster->name;
    forest->n_features = (int)loading->n_features;
    forest->n_outputs = n_outputs > 1 ? (int)n_outputs : 1;
    TRY(objective_find_of_release(loading->objective.text, loading->objective.length,
                                  release_of(loading->version), &forest->objective, err));
    return fill_base_margins(loading, forest, err);
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

/* Dropped trees count by a weight, and it is the float32 product that is added: it can stand in the
 * leaf. A booster "dart" adds the leaf to a 0 first, so that no -0 comes of it. */
static enum err_code weigh_trees(struct loading *loading, struct err *err)
{
    const struct ubj_floats weights = loading->tree_weights;
    const struct planting *planting = &loading->planting;
    bool is_dart = loading->booster->is_weighted;

    if (weights.n != planting->n_trees && (is_dart || weights.n != 0))
        return err_set(err, ERR_CORRUPT, "model has %zu trees and weights for %zu",
                       planting->n_trees, weights.n);
    for (size_t t = 0; t < weights.n; t++) {
        const struct tree *tree = &planting->trees[t];
        struct planted *nodes = planting->nodes + tree->root;

        if (!isfinite(weights.items[t]))
            return err_set(err, ERR_CORRUPT, "model's tree %zu has no finite weight", t);
        for (uint32_t i = 0; i < tree->n_nodes; i++)
            if (nodes[i].left == i)
                nodes[i].leaf = (is_dart ? 0.0f + nodes[i].leaf : nodes[i].leaf) * weights.items[t];
    }
    return ERR_OK;
}

/* One that is not trained has weights of 0; its sum starts at +0. */
static enum err_code fill_weights(const struct loading *loading, struct forest *forest,
                                  struct err *err)
{
    const struct ubj_floats weights = loading->weights;
    size_t n = ((size_t)forest->n_features + 1) * (size_t)forest->n_outputs;

    if (weights.n == 0) {
        for (int k = 0; k < forest->n_outputs; k++)
            forest->base_margins[k] = 0.0f + forest->base_margins[0];
        return ERR_OK;
    }
    if (weights.n != n)
        return err_set(err, ERR_CORRUPT, "model has %zu weights, expected %zu", weights.n, n);
    forest->weights = forest_room(n, sizeof(*forest->weights));
    if (forest->weights == NULL)
        return err_nomem(err);
    memcpy(forest->weights, weights.items, n * sizeof(*forest->weights));
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
    TRY(weigh_trees(&loading, err));
    TRY(forest_pack(&loading.planting, forest, err));
    if (loading.booster->is_linear)
        TRY(fill_weights(&loading, forest, err));
    TRY(forest_trace(forest, err));
    *ret_forest = TAKE_PTR(forest);
    return ERR_OK;
}

void forest_free(struct forest *forest)
{
    if (forest == NULL)
        return;
    free(forest->trees);
    free(forest->groups);
    free(forest->nodes);
    free(forest->links);
    free(forest->slots.feature);
    free(forest->slots.missing);
    free(forest->slots.n_categories);
    free(forest->sets);
    free(forest->edges);
    free(forest->base_margins);
    free(forest->weights);
    free(forest->expected);
    free(forest->quadrature.at);
    free(forest);
}
