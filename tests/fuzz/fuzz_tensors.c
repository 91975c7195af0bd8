/*
 * Fuzzing the bodies of other protocols with libFuzzer: the first byte chooses the protocol and the
 * model, the rest is the body. What is translated must be strict JSON that predict_json reads or
 * refuses, and its answer must be rewritten without fail.
 */
#include <stdint.h>

#include "../unit/predict/asking.h"
#include "predict/tensors.h"

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

static void check_json(const struct buf *json)
{
    CLEANUP(buf_release) struct buf out = {0};
    struct err err;

    if (json_compact(buf_text(json), json->length, &out, &err) != ERR_OK)
        abort();
}

static void predict(struct asking *asking, struct model *model, const struct buf *body, bool is_oip,
                    const struct tensors_request *request)
{
    static const struct predict_limits limits = {.max_rows = 64};
    const struct model_source source = {.find = find_chosen, .context = model};
    CLEANUP(buf_release) struct buf answer = {0};
    enum err_code code;
    struct err err = {0};

    buf_clear(&asking->reply);
    if (predict_json(body->data, body->length, &source, &limits, &asking->scratch, &asking->reply,
                     &err) != ERR_OK)
        return;
    if (is_oip)
        code =
            tensors_to_oip(asking->reply.data, asking->reply.length, model, request, &answer, &err);
    else
        code = tensors_to_mlflow(asking->reply.data, asking->reply.length, &answer, &err);
    if (code != ERR_OK)
        abort();
    check_json(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct asking asking;
    CLEANUP(tensors_request_release) struct tensors_request request = {0};
    CLEANUP(buf_release) struct buf body = {0};
    struct tensors_places places;
    struct model *model;
    struct err err = {0};
    enum err_code code;

    if (size == 0)
        return 0;
    if (asking.models[0] == NULL)
        asking_init(&asking);
    model = asking.models[data[0] / 2 % 3];
    buf_puts(&body, "{\"project\":\"x\",");
    if (data[0] % 2 == 0)
        code = tensors_from_oip((const char *)data + 1, size - 1, model, 64, &request, &body, &err);
    else
        code =
            tensors_from_mlflow((const char *)data + 1, size - 1, model, 64, &places, &body, &err);
    if (code != ERR_OK) {
        if (err.code == ERR_OK || err.message[0] == '\0')
            abort();
        return 0;
    }
    buf_putc(&body, '}');
    check_json(&body);
    predict(&asking, model, &body, data[0] % 2 == 0, &request);
    return 0;
}
