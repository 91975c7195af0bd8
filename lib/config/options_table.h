/*
 * The master copy of the daemon's options, and how their values are read and written.
 * Private to lib/config and its tests.
 */
#ifndef PGBOOST_CONFIG_OPTIONS_TABLE_H
#define PGBOOST_CONFIG_OPTIONS_TABLE_H

#include "config/options.h"

enum option_type {
    OPTION_TEXT,
    OPTION_INT,
    OPTION_BYTES,    /* int64_t bytes; "64 MiB" */
    OPTION_DURATION, /* int64_t milliseconds; "10 s" */
    OPTION_CHOICE,   /* an enum; values is its names in order */
};

struct option_row {
    const char *name; /* as in the file; flags may write - for _ */
    enum option_type type;
    size_t offset;                   /* into struct options */
    const char *fallback;            /* the default, as a user would write it */
    int64_t low, high;               /* inclusive; of numbers */
    const char *const *names;        /* of OPTION_CHOICE; ends with NULL */
    bool (*valid)(const char *text); /* of OPTION_TEXT; NULL: any text */
    const char *placeholder;         /* what --help shows for the value */
    const char *fallback_help;       /* NULL: fallback says it */
    const char *help;
    bool reloads;    /* SIGHUP takes a change over; else it needs a restart */
    bool secret;     /* of OPTION_TEXT: never printed, and may come by NAME_file */
    bool credential; /* of OPTION_TEXT: systemd's credential of this name is the default: its text
                        where the option is secret, else its path */
};

extern const struct option_row option_rows[];
extern const int n_option_rows;

/* By name, "-" and "_" being the same. NULL when there is none. */
const struct option_row *option_find(const char *name, size_t length);

/* The same for what a file, a variable or a flag may set: "dsn_file" is the option dsn too. */
const struct option_row *option_find_setting(const char *name, size_t length, bool *ret_by_file);

/* The nearest option to a name, or NULL. */
const char *option_nearest(const char *name);

/* Reads a value into the option's field. `subject` and `code` say for the message where it stood:
 * '/etc/pgboost/pgboostd.conf:3: "threads"' and ERR_CONFIG, '"--threads"' and ERR_USAGE. */
MUST_CHECK enum err_code option_set(struct options *options, const struct option_row *row,
                                    const char *text, const char *subject, enum err_code code,
                                    struct err *err);

/* Reads a secret from a file, without the line's end. Refused when others may read the file. */
MUST_CHECK enum err_code option_set_by_file(struct options *options, const struct option_row *row,
                                            const char *path, const char *subject,
                                            enum err_code code, struct err *err);

/* What $CREDENTIALS_DIRECTORY holds for options that take a credential. */
MUST_CHECK enum err_code options_read_credentials(struct options *options, struct err *err);

/* "a size between 1 KiB and 1 GiB" */
void option_put_range(const struct option_row *row, struct buf *text);

/* The value as it is now, as it would be written in the file; a secret's is not shown. */
void option_put_value(const struct option_row *row, const struct options *options,
                      struct buf *text);

#endif
