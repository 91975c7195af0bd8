/* Secrets that stand in files of their own: NAME_file, and systemd's credentials. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/options_table.h"

#define SECRET_BYTES_MAX 65536

const struct option_row *option_find_setting(const char *name, size_t length, bool *ret_by_file)
{
    const struct option_row *row = option_find(name, length);
    const size_t n_suffix = strlen("_file");

    *ret_by_file = false;
    if (row != NULL || length <= n_suffix ||
        strncmp(name + length - n_suffix + 1, "file", n_suffix - 1) != 0 ||
        strchr("_-", name[length - n_suffix]) == NULL)
        return row;
    row = option_find(name, length - n_suffix);
    if (row == NULL || !row->secret)
        return NULL;
    *ret_by_file = true;
    return row;
}

static enum err_code set_by_file(struct options *options, const struct option_row *row,
                                 const char *path, const char *subject, enum err_code code,
                                 struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    struct err failure;

    if (buf_read_file(&text, path, SECRET_BYTES_MAX, &failure) != ERR_OK) {
        err_set(err, code, "%s: %s", subject, failure.message);
        return err_field(err, "%s_file", row->name);
    }
    while (text.length > 0 && strchr("\r\n", text.data[text.length - 1]) != NULL)
        text.data[--text.length] = '\0';
    if (strlen(buf_text(&text)) != text.length)
        return err_set(err, code, "%s: \"%s\" is not a text file: it holds a NUL byte", subject,
                       path);
    return option_set(options, row, buf_text(&text), subject, code, err);
}

enum err_code option_set_by_file(struct options *options, const struct option_row *row,
                                 const char *path, const char *subject, enum err_code code,
                                 struct err *err)
{
    struct stat status;

    if (stat(path, &status) == 0 && (status.st_mode & 07) != 0) {
        err_set(err, code, "%s: every user of this machine may use \"%s\"", subject, path);
        return err_hint(err, "take it from them: chmod o= '%s'", path);
    }
    return set_by_file(options, row, path, subject, code, err);
}

static enum err_code read_credential(struct options *options, const struct option_row *row,
                                     const char *directory, struct err *err)
{
    CLEANUP(buf_release) struct buf path = {0}, subject = {0};

    buf_printf(&path, "%s/%s", directory, row->name);
    buf_printf(&subject, "credential \"%s\"", row->name);
    TRY(buf_check(&path, err));
    TRY(buf_check(&subject, err));
    if (access(buf_text(&path), F_OK) != 0 && errno == ENOENT)
        return ERR_OK;
    if (row->secret)
        return set_by_file(options, row, buf_text(&path), buf_text(&subject), ERR_CONFIG, err);
    return option_set(options, row, buf_text(&path), buf_text(&subject), ERR_CONFIG, err);
}

enum err_code options_read_credentials(struct options *options, struct err *err)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    if (directory == NULL || directory[0] == '\0')
        return ERR_OK;
    for (int i = 0; i < n_option_rows; i++)
        if (option_rows[i].credential)
            TRY(read_credential(options, &option_rows[i], directory, err));
    return ERR_OK;
}
