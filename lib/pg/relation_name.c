/* Names of relations as SQL writes them: demo.flights, "My Schema"."Table". */
#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "pg/internal.h"

static enum err_code malformed(const char *text, const char *what, struct err *err)
{
    err_set(err, ERR_INVALID, "\"%s\" is not the name of a relation: %s", text, what);
    return err_hint(err, "write schema.name, with double quotes around parts that hold capitals, "
                         "blanks or other signs: \"My Schema\".\"Table\"");
}

/* One part up to its end; folds what is not quoted, as Postgres does with ASCII letters. NULL when
 * it is empty, too long, or its quote does not end. */
static const char *read_part(const char *at, char part[PG_IDENTIFIER_SIZE], const char **ret_what)
{
    bool quoted = *at == '"', closed = !quoted;
    size_t n = 0;

    at += quoted;
    while (*at != '\0') {
        if (quoted && *at == '"' && *++at != '"') {
            closed = true;
            break;
        }
        if (!quoted && (*at == '.' || *at == '"' || isspace((unsigned char)*at)))
            break;
        if (n == PG_IDENTIFIER_SIZE - 1) {
            *ret_what = "a part is longer than 63 bytes";
            return NULL;
        }
        part[n++] = (char)(!quoted && *at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
        at++;
    }
    part[n] = '\0';
    *ret_what = closed ? "a part is empty" : "a quote does not end";
    return closed && n > 0 ? at : NULL;
}

static const char *skip_blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

enum err_code relation_name_parse(const char *text, struct relation_name *ret_name, struct err *err)
{
    char parts[2][PG_IDENTIFIER_SIZE];
    const char *at = text, *what = NULL;
    int n = 0;

    if (!utf8_valid(text, strlen(text)))
        return malformed("…", "it is not valid UTF-8", err);
    do {
        if (n == 2)
            return malformed(text, "it has more than two parts", err);
        at = read_part(skip_blanks(n == 0 ? at : at + 1), parts[n], &what);
        if (at == NULL)
            return malformed(text, what, err);
        at = skip_blanks(at);
        n++;
    } while (*at == '.');
    if (*at != '\0')
        return malformed(text, "there is more after the name", err);
    strcpy(ret_name->schema, n == 2 ? parts[0] : "public");
    strcpy(ret_name->name, parts[n - 1]);
    return ERR_OK;
}
