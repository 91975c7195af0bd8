#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli.h"
#include "config/tokens.h"

/* Does a file of so many bytes break off within a line, as editors may leave it? */
static bool lacks_newline(int fd, off_t length)
{
    char last;

    return length > 0 && pread(fd, &last, 1, length - 1) == 1 && last != '\n';
}

/* At the end of the file, which is made for its owner and group alone; then it is checked whole. */
static enum err_code append(const char *path, const struct buf *line, struct err *err)
{
    CLEANUP(tokens_release) struct tokens tokens = {0};
    CLEANUP(buf_release) struct buf text = {0};
    CLEANUP(close_fd) int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    off_t length = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

    if (length < 0)
        return err_errno(err, errno, "cannot write to \"%s\"", path);
    buf_puts(&text, lacks_newline(fd, length) ? "\n" : "");
    buf_append(&text, line->data, line->length);
    TRY(buf_check(&text, err));
    if (write(fd, text.data, text.length) != (ssize_t)text.length || fsync(fd) != 0)
        err_errno(err, errno, "cannot write to \"%s\"", path);
    else if (tokens_read(path, &tokens, err) == ERR_OK)
        return ERR_OK;
    if (ftruncate(fd, length) != 0)
        err_hint(err, "its last line is to be removed by hand");
    return err->code;
}

static void print(const struct cli *cli, const char *text, const struct buf *line)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct buf plain = *line;

    if (!cli->json) {
        printf("%s\n", text);
        if (cli_option(cli, "file") == NULL)
            fprintf(stderr, "its line for the file of tokens:\n%s", buf_text(line));
        return;
    }
    plain.length--; /* its end */
    buf_puts(&json, "{\"token\":");
    json_put_text(&json, text);
    buf_puts(&json, ",\"line\":");
    json_put_string(&json, plain.data, plain.length);
    buf_puts(&json, "}\n");
    fputs(buf_text(&json), stdout);
}

static enum err_code run_token(struct cli *cli, struct err *err)
{
    const char *file = cli_option(cli, "file"), *scopes = cli_option(cli, "scopes");
    CLEANUP(buf_release) struct buf line = {0};
    char text[TOKEN_TEXT_MAX];
    enum err_code code;

    if (strcmp(cli->args[0], "new") != 0) {
        err_set(err, ERR_USAGE, "there is no \"pgboost token %.40s\"", cli->args[0]);
        return err_hint(err, "\"pgboost token new NAME\" makes one");
    }
    TRY(token_make(text, err));
    code = token_line(cli->args[1], text, scopes != NULL ? scopes : "predict",
                      cli_option(cli, "projects"), cli_option(cli, "rate"), &line, err);
    if (code == ERR_CONFIG)
        err->code = code = ERR_USAGE;
    TRY(code);
    if (file != NULL)
        TRY(append(file, &line, err));
    print(cli, text, &line);
    return ERR_OK;
}

const struct command command_token = {
    .name = "token",
    .arguments = "new NAME",
    .summary = "make a token for the HTTP face",
    .description = "Prints a new token, this once, and its line for the file that pgboostd's "
                   "option \"tokens\"\n"
                   "names, or adds the line to it. The file keeps only the token's SHA-256. A name "
                   "may have two\n"
                   "tokens: add the new one, let clients change over, remove the old line. "
                   "pgboostd reads the\n"
                   "file at its start and on SIGHUP.",
    .example = "pgboost token new shop --file /etc/pgboost/tokens --projects churn --rate 50\n"
               "systemctl reload pgboostd\n"
               "curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/projects",
    .min_args = 2,
    .max_args = 2,
    .options = {{"file", "FILE", "adds the line to this file"},
                {"scopes", "LIST", "predict, admin, or both divided by a comma (default: predict)"},
                {"projects", "LIST", "only these projects, divided by commas"},
                {"rate", "N", "at most so many requests a second"}},
    .run = run_token,
};
