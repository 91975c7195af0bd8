/*
 * Fuzzing predict_json with libFuzzer: the first byte chooses the model, the rest is the body. Any
 * bytes may be refused; an answer must be strict JSON, and a refusal must leave the reply alone.
 */
#include <stdint.h>

#include "../unit/predict/asking.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code find_chosen(void *context, const char *project, size_t project_length,
                                 int64_t model_id, const struct model **ret_model, struct err *err)
{
    (void)project;
    (void)project_length;
    (void)model_id;
    (void)err;
    *ret_model = context;
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct asking asking;
    static const struct predict_limits limits = {.max_rows = 64};
    struct model_source source = {.find = find_chosen};
    cJSON *root = NULL;
    struct err err = {0};

    if (size == 0)
        return 0;
    if (asking.models[0] == NULL)
        asking_init(&asking);
    source.context = asking.models[data[0] % 3];
    buf_clear(&asking.reply);
    if (predict_json((const char *)data + 1, size - 1, &source, &limits, &asking.scratch,
                     &asking.reply, &err) != ERR_OK) {
        if (asking.reply.length != 0 || err.code == ERR_OK || err.message[0] == '\0')
            abort();
        return 0;
    }
    if (json_parse(asking.reply.data, asking.reply.length, "reply", &root, &err) != ERR_OK)
        abort();
    cJSON_Delete(root);
    return 0;
}
