#include "predict/predict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli.h"
#include "pick.h"

#define BODY_BYTES_MAX ((size_t)256 << 20)
#define ROWS_MAX       1000000

/* The one model of this call, read from the catalog when predict_json asks for it. */
struct loader {
    struct pg *pg;
    struct model *model;
};

static enum err_code load_model(void *context, const char *project, size_t project_length,
                                int64_t model_id, const struct model **ret_model, struct err *err)
{
    struct loader *loader = context;
    CLEANUP(model_rows_release) struct model_rows row = {0};
    CLEANUP(free_ptr) char *name = strndup(project, project_length);

    if (name == NULL)
        return err_nomem(err);
    TRY(pick_model(loader->pg, name, model_id, &row, &loader->model, err));
    *ret_model = loader->model;
    return ERR_OK;
}

static enum err_code read_stdin(struct buf *text, struct err *err)
{
    for (;;) {
        size_t n;

        if (!buf_reserve(text, 65536))
            return err_nomem(err);
        n = fread(text->data + text->length, 1, 65536, stdin);
        text->length += n;
        text->data[text->length] = '\0';
        if (text->length > BODY_BYTES_MAX)
            return err_set(err, ERR_LIMIT, "more than %zu MiB on standard input",
                           BODY_BYTES_MAX >> 20);
        if (n == 0)
            break;
    }
    return ferror(stdin) ? err_set(err, ERR_IO, "cannot read standard input") : ERR_OK;
}

/* Exactly one JSON value, an object or an array: it stands inside the body that is made of it. */
static enum err_code check_features(const char *text, size_t length, struct err *err)
{
    struct json_reader reader;
    enum json_token first;

    json_reader_init(&reader, text, length);
    first = json_next(&reader, err);
    if (first == JSON_ERROR)
        return err->code;
    TRY(json_skip(&reader, first, err));
    if (json_next(&reader, err) == JSON_ERROR)
        return err->code;
    if (first == JSON_OBJECT_BEGIN || first == JSON_ARRAY_BEGIN)
        return ERR_OK;
    err_set(err, ERR_INVALID, "the features are neither an object nor an array of objects");
    return err_hint(err, "give {\"column\": value, …}; \"pgboost help predict\" has an example");
}

/* A number stands in the body as it is written; whether it is one that can be, the body's reader
 * says. */
static enum err_code check_interval(const char *text, struct err *err)
{
    struct json_reader reader;

    json_reader_init(&reader, text, strlen(text));
    if (json_next(&reader, NULL) == JSON_NUMBER && json_next(&reader, NULL) == JSON_END)
        return ERR_OK;
    return err_set(err, ERR_USAGE, "--interval: expected a number between 0 and 1, found \"%s\"",
                   text);
}

static enum err_code write_body(const struct cli *cli, struct buf *body, struct err *err)
{
    CLEANUP(buf_release) struct buf features = {0};
    const char *interval = cli_option(cli, "interval");
    int64_t model_id;

    TRY(cli_option_number(cli, "model", 0, &model_id, err));
    if (interval != NULL)
        TRY(check_interval(interval, err));
    if (strcmp(cli->args[1], "-") == 0)
        TRY(read_stdin(&features, err));
    else
        buf_puts(&features, cli->args[1]);
    TRY(buf_check(&features, err));
    TRY(check_features(buf_text(&features), features.length, err));
    buf_puts(body, "{\"project\":");
    json_put_text(body, cli->args[0]);
    if (model_id != 0)
        buf_printf(body, ",\"model_id\":%" PRId64, model_id);
    if (cli_option(cli, "encoded") != NULL)
        buf_puts(body, ",\"encoded\":true");
    if (cli_option(cli, "explain") != NULL)
        buf_puts(body, ",\"explain\":true");
    if (interval != NULL)
        buf_printf(body, ",\"interval\":%s", interval);
    buf_puts(body, ",\"features\":");
    buf_append(body, buf_text(&features), features.length);
    buf_putc(body, '}');
    return buf_check(body, err);
}

/* What is missing as a column, and is a member of POST /predict's body. */
static void hint_at_body(struct err *err)
{
    static const char *const members[] = {"project", "features", "key", "keys"};
    const char *field = err->field + strlen("/features/");

    if (strncmp(err->field, "/features/", strlen("/features/")) != 0)
        return;
    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        if (strcmp(field, members[i]) == 0)
            err_hint(err,
                     "give the columns alone: {\"column\": value, …}; what POST /predict takes "
                     "beside them are options here, and keys are for the daemon");
}

static enum err_code run_predict(struct cli *cli, struct err *err)
{
    const struct predict_limits limits = {.max_rows = ROWS_MAX};
    CLEANUP(predict_scratch_release) struct predict_scratch scratch = {0};
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(buf_release) struct buf body = {0}, reply = {0};
    struct loader loader = {0};
    enum err_code code;

    TRY(write_body(cli, &body, err));
    TRY(cli_connect(cli, &pg, err));
    loader.pg = pg;
    code = predict_json(buf_text(&body), body.length,
                        &(struct model_source){.find = load_model, .context = &loader}, &limits,
                        &scratch, &reply, err);
    model_free(loader.model);
    if (code == ERR_OK)
        printf("%s\n", buf_text(&reply));
    else
        hint_at_body(err);
    return code;
}

const struct command command_predict = {
    .name = "predict",
    .arguments = "PROJECT JSON|-",
    .summary = "predict without a daemon, through the same code",
    .description =
        "Predicts one row, an object of column and value, or several, an array of such objects;\n"
        "\"-\" reads them from standard input. Columns that are missing or null are missing "
        "values.\n"
        "Prints what POST /predict would answer. The model is the live one, or that of --model.",
    .example = "pgboost predict flight_delay '{\"carrier\": \"UA\", \"distance\": 2475}'\n"
               "psql -Atc 'SELECT jsonb_agg(f) FROM flights f' | pgboost predict flight_delay -",
    .min_args = 2,
    .max_args = 2,
    .options = {{"model", "ID", "this model in place of the live one"},
                {"encoded", NULL, "print what the model saw and its margin as well"},
                {"explain", NULL, "print what each column added to the margin as well"},
                {"interval", "SHARE",
                 "print the interval that holds this share of truths as "
                 "well"}},
    .run = run_predict,
};
