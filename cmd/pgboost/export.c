#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "catalog/catalog.h"
#include "cli.h"

/* The bytes as they were stored, or no bytes. */
static enum err_code check_digest(const struct model_row *model, struct err *err)
{
    char hex[SHA256_HEX_SIZE];

    TRY(sha256_hex(model->bytes, model->n_bytes, hex, err));
    if (strcmp(hex, model->sha256) == 0)
        return ERR_OK;
    err_set(err, ERR_CORRUPT, "model %" PRId64 ": the bytes are not those that were stored",
            model->id);
    return err_hint(err, "restore the row from a backup");
}

static bool write_all(int fd, const uint8_t *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = write(fd, bytes, n_bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

/* A file that could not be written whole is taken away; a device or a pipe stays. */
static enum err_code write_file(const char *path, const struct model_row *model, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), error = 0;
    struct stat status;

    if (fd < 0)
        return err_errno(err, errno, "cannot write \"%s\"", path);
    if (!write_all(fd, model->bytes, model->n_bytes))
        error = errno;
    if (error != 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        unlink(path);
    if (close(fd) != 0 && error == 0)
        error = errno;
    return error == 0 ? ERR_OK : err_errno(err, error, "cannot write \"%s\"", path);
}

static enum err_code refuse_terminal(int64_t model_id, struct err *err)
{
    err_set(err, ERR_USAGE, "a model is not text: it is not written to a terminal");
    return err_hint(err,
                    "\"pgboost export %" PRId64 " -o model.ubj\" writes a file; or redirect "
                    "standard output",
                    model_id);
}

static enum err_code run_export(struct cli *cli, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(model_rows_release) struct model_rows row = {0};
    const char *path = cli_option(cli, "output");
    int64_t model_id;

    TRY(cli_number("a model's number", cli->args[0], &model_id, err));
    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    if (path == NULL && isatty(STDOUT_FILENO))
        return refuse_terminal(model_id, err);
    TRY(cli_connect(cli, &pg, err));
    TRY(catalog_model(pg, model_id, &row, err));
    TRY(check_digest(&row.items[0], err));
    if (path != NULL)
        return write_file(path, &row.items[0], err);
    if (!write_all(STDOUT_FILENO, row.items[0].bytes, row.items[0].n_bytes))
        return err_errno(err, errno, "cannot write to standard output");
    return ERR_OK;
}

const struct command command_export = {
    .name = "export",
    .arguments = "MODEL_ID [-o FILE]",
    .summary = "write a model as a file of XGBoost's own",
    .description =
        "Writes the model as it is stored, in XGBoost's UBJSON, to FILE or to standard output. "
        "Any\n"
        "XGBoost from 1.7 on loads it, with the names and types of its features: encoded ones, as\n"
        "\"pgboost predict --encoded\" shows them, and not the columns of the relation. The bytes\n"
        "are checked against the SHA-256 they were stored with. What pgboost fits behind "
        "XGBoost's\n"
        "model (calibrated probabilities, a threshold, intervals) is not in the file. \"pgboost\n"
        "models\" lists the ids.",
    .example = "pgboost export 42 -o model.ubj\n"
               "python3 -c 'import xgboost; xgboost.Booster(model_file=\"model.ubj\")'",
    .min_args = 1,
    .max_args = 1,
    .options = {{"output", "FILE", "the file to write, in place of standard output"}},
    .letter = 'o',
    .run = run_export,
};
