#include "config/options_file.h"

#include <stdio.h>
#include <string.h>

#include "config/options_table.h"

#define FILE_BYTES_MAX (1 << 20)
#define SECTION        "[pgboostd]"

/* Messages never show a line itself: it may hold a password. */
struct config_file {
    const char *path;
    int line;
    uint64_t seen; /* bit i: option row i was set */
};

static enum err_code refuse(const struct config_file *file, struct err *err, const char *reason)
{
    return err_set(err, ERR_CONFIG, "%s:%d: %s", file->path, file->line, reason);
}

static char *trim(char *text)
{
    char *end;

    text += strspn(text, " \t\r");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1]) != NULL)
        end--;
    *end = '\0';
    return text;
}

static enum err_code refuse_name(const struct config_file *file, const char *name, struct err *err)
{
    const char *nearest = option_nearest(name);

    err_set(err, ERR_CONFIG, "%s:%d: unknown option \"%s\"", file->path, file->line, name);
    err_field(err, "%s", name);
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    else
        err_hint(err, "pgboostd --example-config lists the options");
    return ERR_CONFIG;
}

static enum err_code read_setting(struct config_file *file, struct options *options, char *text,
                                  struct err *err)
{
    CLEANUP(buf_release) struct buf subject = {0};
    char *equals = strchr(text, '=');
    const struct option_row *row;
    bool by_file;
    uint64_t bit;

    if (equals == NULL)
        return refuse(file, err, "expected \"option = value\"");
    *equals = '\0';
    text = trim(text);
    row = option_find_setting(text, strlen(text), &by_file);
    if (row == NULL)
        return refuse_name(file, text, err);
    buf_printf(&subject, "%s:%d: \"%s%s\"", file->path, file->line, row->name,
               by_file ? "_file" : "");
    TRY(buf_check(&subject, err));
    bit = UINT64_C(1) << (row - option_rows);
    if (file->seen & bit)
        return err_set(err, ERR_CONFIG, "%s is set a second time", buf_text(&subject));
    file->seen |= bit;
    text = trim(equals + 1);
    return by_file ? option_set_by_file(options, row, text, buf_text(&subject), ERR_CONFIG, err)
                   : option_set(options, row, text, buf_text(&subject), ERR_CONFIG, err);
}

static enum err_code read_line(struct config_file *file, struct options *options, char *text,
                               struct err *err)
{
    text = trim(text);
    if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
        return ERR_OK;
    if (text[0] != '[')
        return read_setting(file, options, text, err);
    if (strcmp(text, SECTION) != 0)
        return refuse(file, err, "the only section is " SECTION);
    return ERR_OK;
}

enum err_code options_read_file(struct options *options, const char *path, struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    struct config_file file = {.path = path};
    enum err_code code = buf_read_file(&text, path, FILE_BYTES_MAX, err);
    char *line, *rest;

    if (code != ERR_OK) {
        if (code != ERR_NOMEM && err != NULL)
            err->code = ERR_CONFIG;
        return code == ERR_NOMEM ? code : ERR_CONFIG;
    }
    if (strlen(buf_text(&text)) != text.length)
        return err_set(err, ERR_CONFIG, "\"%s\" is not a text file: it holds a NUL byte", path);
    for (rest = text.data; (line = strsep(&rest, "\n")) != NULL;) {
        file.line++;
        TRY(read_line(&file, options, line, err));
    }
    return ERR_OK;
}
