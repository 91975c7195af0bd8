#include <stdio.h>
#include <string.h>

#include "config/options_table.h"

static const char *default_of(const struct option_row *row)
{
    return row->fallback_help != NULL ? row->fallback_help : row->fallback;
}

void options_help(struct buf *text)
{
    for (int i = 0; i < n_option_rows; i++) {
        const struct option_row *row = &option_rows[i];
        char flag[64];

        snprintf(flag, sizeof(flag), "--%s %s", row->name, row->placeholder);
        for (char *c = flag; *c != ' '; c++)
            if (*c == '_')
                *c = '-';
        buf_printf(text, "  %-24s %s (default: %s)\n", flag, row->help, default_of(row));
    }
    buf_puts(
        text,
        "  --dsn-file FILE          dsn from a file that others cannot read; so --read-dsn-file\n"
        "  --config FILE            configuration file (default: " OPTIONS_DEFAULT_FILE
        " where it exists)\n"
        "  --check-config           say what is wrong with the configuration, and exit\n"
        "  --example-config         print a configuration file with every option\n"
        "  --version, -V            print the version\n"
        "  --help, -h               print this\n");
}

/* What it is, what it may be, its default, and when a change of it counts. */
static void put_example(const struct option_row *row, struct buf *text)
{
    buf_printf(text, "\n# %s", row->help);
    if (row->fallback_help != NULL)
        buf_printf(text, " (default: %s)", row->fallback_help);
    buf_puts(text, "\n# ");
    option_put_range(row, text);
    buf_puts(text, row->reloads ? "; a reload takes it over" : "; a change needs a restart");
    if (row->secret)
        buf_printf(text, "; %s_file = FILE reads it from a file", row->name);
    if (row->credential)
        buf_printf(text, "; or systemd's credential %s", row->name);
    buf_printf(text, "\n#%s =%s%s\n", row->name, row->fallback[0] != '\0' ? " " : "",
               row->fallback);
}

void options_example(struct buf *text)
{
    buf_puts(text,
             "# pgboostd's configuration: \"option = value\" on a line each; a comment has a "
             "line of its own.\n"
             "# A flag --option wins over a variable PGBOOST_OPTION, and that over this file.\n"
             "# Times need a unit (ms, s, min, h, d), sizes too (B, kB, MB, GB, or KiB, MiB, "
             "GiB: all in 1024s).\n"
             "# Every option stands here with its default.\n"
             "\n"
             "[pgboostd]\n");
    for (int i = 0; i < n_option_rows; i++)
        put_example(&option_rows[i], text);
}
