#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "measured.h"
#include "own_worker.h"
#include "text.h"

#define POLL_MS 20

static void wait_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = POLL_MS * 1000000L};

    nanosleep(&moment, NULL);
}

/* The worker's error as ours. */
static enum err_code take_error(const cJSON *error, struct err *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));
    const char *hint = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "hint"));
    enum err_code code = ERR_FAILED;

    for (enum err_code c = ERR_FAILED; c < ERR_CODES; c++)
        if (name != NULL && strcmp(err_name(c), name) == 0)
            code = c;
    err_set(err, code, "%s", message != NULL ? message : "the import failed");
    if (hint != NULL && hint[0] != '\0')
        err_hint(err, "%s", hint);
    return code;
}

/* A worker that died said nothing of it: XGBoost crashed on the file, or memory ran out. */
static enum err_code take_outcome(const char *reason, const char *last_words, int64_t *ret_model_id,
                                  struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    const cJSON *id, *error;

    if (json_parse(last_words, strlen(last_words), "outcome", &root, NULL) == ERR_OK) {
        id = cJSON_GetObjectItemCaseSensitive(root, "model_id");
        error = cJSON_GetObjectItemCaseSensitive(root, "error");
        if (cJSON_IsNumber(id)) {
            *ret_model_id = (int64_t)id->valuedouble;
            return ERR_OK;
        }
        if (cJSON_IsObject(error))
            return take_error(error, err);
    }
    err_set(err, ERR_FAILED, "nothing was imported: %s%s%s", reason,
            last_words[0] != '\0' ? ": " : "", last_words);
    return err_hint(err, "is the file whole, and a model that XGBoost saved?");
}

static enum err_code import(const struct cli *cli, int64_t *ret_model_id, struct err *err)
{
    CLEANUP(own_worker_release) struct own_worker worker = {0};
    CLEANUP(buf_release) struct buf reason = {0}, last_words = {0};

    TRY(own_worker_import(cli, cli->args[0], cli->args[1], cli_option(cli, "deploy") != NULL,
                          &worker, err));
    while (!own_worker_ended(&worker, &reason, &last_words))
        wait_a_moment();
    return take_outcome(buf_text(&reason), buf_text(&last_words), ret_model_id, err);
}

static void put_result(struct buf *out, const struct cli *cli, const struct model_row *model)
{
    struct measured measured;

    measured_read(model->metrics, model->metric, &measured);
    buf_printf(out,
               "imported model %" PRId64 ", measured on %" PRId64 " test rows of the relation\n\n",
               model->id, measured.test_rows);
    measured_put_table(out, &measured, cli->colour);
    if (model->live)
        buf_puts(out, "\ndeployed\n");
    else
        buf_printf(out,
                   "\nnot deployed: \"pgboost deploy PROJECT --model %" PRId64 "\" makes it live\n",
                   model->id);
}

static void put_result_json(struct buf *out, const struct model_row *model)
{
    buf_printf(out, "{\"model_id\":%" PRId64 ",\"deployed\":%s,\"metric\":", model->id,
               model->live ? "true" : "false");
    json_put_text(out, model->metric);
    buf_printf(out, ",\"metrics\":%s}\n", model->metrics);
}

static enum err_code run_import(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(model_rows_release) struct model_rows row = {0};
    CLEANUP(buf_release) struct buf out = {0};
    int64_t model_id = 0;

    TRY(import(cli, &model_id, err));
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_model(pg, model_id, &row, err));
    if (cli->json)
        put_result_json(&out, &row.items[0]);
    else
        put_result(&out, cli, &row.items[0]);
    TRY(buf_check(&out, err));
    fputs(buf_text(&out), stdout);
    return ERR_OK;
}

const struct command command_import = {
    .name = "import",
    .arguments = "PROJECT FILE [--deploy]",
    .summary = "take in a model that was trained elsewhere",
    .description =
        "Reads a model that XGBoost saved as UBJSON or JSON (version 1.7 or later, at most 256\n"
        "MiB), of booster gbtree, dart or gblinear, and stores it as one of the project's,\n"
        "measured on its test rows. The model's features must be named after columns of numbers\n"
        "and booleans of the relation; what the definition includes or excludes does not\n"
        "matter. It predicts with all of its trees, as Booster.predict does on a DMatrix. A\n"
        "classifier's objective must be binary:logistic or multi:softprob, its class 0 being\n"
        "the first of the labels in order: false before true, numbers by value, texts by their\n"
        "bytes (as LabelEncoder has them). A worker of its own reads the file: what is damaged\n"
        "ends as an error, and nothing is written. It may have seen the test rows when it was\n"
        "trained, which flatters its metrics: no decision compares it with other models, and\n"
        "neither calibration nor threshold nor intervals are fitted to it.",
    .example = "python3 train.py    # … booster.save_model(\"mine.ubj\")\n"
               "pgboost import flight_delay mine.ubj\n"
               "pgboost deploy flight_delay --model 43",
    .min_args = 2,
    .max_args = 2,
    .options = {{"deploy", NULL, "make it live at once"}},
    .run = run_import,
};
