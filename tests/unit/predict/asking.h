/*
 * Asking predict_json, for its tests: the three tiny models stand behind one source, as the
 * projects "regression", "binary" and "multiclass"; "resting" has no live model; model 7 is theirs,
 * no other exists.
 */
#ifndef PGBOOST_TEST_ASKING_H
#define PGBOOST_TEST_ASKING_H

#include "../model/tiny_model.h"
#include "base/json.h"
#include "predict/predict.h"

#define ASKING_ROWS_MAX 5

struct asking {
    struct tiny tiny[3];
    struct model *models[3];
    struct model_source source;
    struct predict_scratch scratch;
    struct buf reply;
    struct err err;
};

static inline enum err_code asking_find(void *context, const char *project, size_t project_length,
                                        int64_t model_id, const struct model **ret_model,
                                        struct err *err)
{
    static const char *const names[] = {"regression", "binary", "multiclass"};
    struct asking *asking = context;

    if (project_length == 7 && memcmp(project, "resting", 7) == 0)
        return err_set(err, ERR_CONFLICT, "project \"resting\" has no live model");
    for (int i = 0; i < 3; i++) {
        if (strlen(names[i]) != project_length || memcmp(names[i], project, project_length) != 0)
            continue;
        if (model_id != 0 && model_id != 7)
            return err_set(err, ERR_NOT_FOUND, "there is no model %lld", (long long)model_id);
        *ret_model = asking->models[i];
        return ERR_OK;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such project");
}

static inline void asking_init(struct asking *asking)
{
    static const float base_margins[] = {0.5F, -0.625F, 0};

    *asking = (struct asking){.source = {asking_find, asking}};
    for (int i = 0; i < 3; i++) {
        struct err err;

        tiny_make(&asking->tiny[i], (enum tiny_kind)i, base_margins[i]);
        tiny_must(model_open(&asking->tiny[i].row, &asking->models[i], &err), &err);
    }
}

static inline void asking_release(struct asking *asking)
{
    for (int i = 0; i < 3; i++) {
        model_free(asking->models[i]);
        tiny_release(&asking->tiny[i]);
    }
    predict_scratch_release(&asking->scratch);
    buf_release(&asking->reply);
}

/* The body is copied to memory of exactly its length, so that reading beyond it is found. The
 * answer stands in asking->reply, or asking->err says why not. */
static inline enum err_code ask_bytes(struct asking *asking, const char *body, size_t length)
{
    static const struct predict_limits limits = {.max_rows = ASKING_ROWS_MAX};
    CLEANUP(free_ptr) char *copy = malloc(length > 0 ? length : 1);

    memcpy(copy, body, length);
    buf_clear(&asking->reply);
    memset(&asking->err, 0, sizeof(asking->err));
    return predict_json(copy, length, &asking->source, &limits, &asking->scratch, &asking->reply,
                        &asking->err);
}

static inline enum err_code ask(struct asking *asking, const char *body)
{
    return ask_bytes(asking, body, strlen(body));
}

#endif
