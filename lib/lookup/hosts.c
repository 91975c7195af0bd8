#include "lookup/hosts.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

static void conninfo_free(PQconninfoOption **options)
{
    PQconninfoFree(*options);
    *options = NULL;
}

static int n_parts(const char *list)
{
    int n = 1;

    for (const char *at = list; (at = strchr(at, ',')) != NULL; at++)
        n++;
    return n;
}

/* The i-th part of a list. A list of one counts for all. */
static const char *part_of(const char *list, int i, size_t *ret_length)
{
    if (n_parts(list) == 1)
        i = 0;
    for (; i > 0 && strchr(list, ',') != NULL; i--)
        list = strchr(list, ',') + 1;
    *ret_length = strcspn(list, ",");
    return list;
}

static bool is_list(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0;
}

static void put_setting(struct buf *dsn, const char *keyword, const char *value, size_t length)
{
    buf_printf(dsn, "%s='", keyword);
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '\'' || value[i] == '\\')
            buf_putc(dsn, '\\');
        buf_putc(dsn, value[i]);
    }
    buf_puts(dsn, "' ");
}

/* The string with the i-th server alone. */
static enum err_code add_host(struct hosts *hosts, const PQconninfoOption *options, int i,
                              struct err *err)
{
    CLEANUP(buf_release) struct buf dsn = {0};

    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        const char *value = option->val;
        size_t length;

        if (value == NULL)
            continue;
        length = strlen(value);
        if (is_list(option->keyword))
            value = part_of(value, i, &length);
        put_setting(&dsn, option->keyword, value, length);
    }
    TRY(buf_check(&dsn, err));
    hosts->dsns[i] = arena_strdup(&hosts->arena, buf_text(&dsn));
    return hosts->dsns[i] != NULL ? ERR_OK : err_nomem(err);
}

static int count_hosts(const PQconninfoOption *options)
{
    int n = 1;

    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (option->val != NULL && strncmp(option->keyword, "host", 4) == 0 &&
            n_parts(option->val) > n)
            n = n_parts(option->val);
    return n;
}

static enum err_code parse(const char *dsn, PQconninfoOption **ret_options, struct err *err)
{
    *ret_options = PQconninfoParse(dsn, NULL);
    if (*ret_options != NULL)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "cannot parse the connection string"); /* may hold a password */
}

enum err_code hosts_split(const char *dsn, struct hosts *ret_hosts, struct err *err)
{
    CLEANUP(hosts_release) struct hosts hosts = {.n = 1};
    CLEANUP(conninfo_free) PQconninfoOption *options = NULL;

    dsn = dsn != NULL ? dsn : "";
    TRY(parse(dsn, &options, err));
    hosts.n = count_hosts(options);
    hosts.dsns = arena_alloc_array(&hosts.arena, (size_t)hosts.n, sizeof(*hosts.dsns));
    if (hosts.dsns == NULL)
        return err_nomem(err);
    hosts.dsns[0] = arena_strdup(&hosts.arena, dsn);
    if (hosts.dsns[0] == NULL)
        return err_nomem(err);
    for (int i = 0; hosts.n > 1 && i < hosts.n; i++)
        TRY(add_host(&hosts, options, i, err));
    *ret_hosts = hosts;
    hosts.arena = (struct arena){0};
    return ERR_OK;
}

void hosts_release(struct hosts *hosts)
{
    arena_release(&hosts->arena);
    *hosts = (struct hosts){0};
}
