/* Words of our own in a database of another encoding than UTF-8. */
#include <string.h>

#include "base/utf8.h"
#include "pg/internal.h"

static bool holds_any_text(const struct pg *pg)
{
    const char *encoding = PQparameterStatus(pg->conn, "server_encoding");

    return encoding == NULL || strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0;
}

static const char *spelled(const char *character, int length)
{
    return length == 3 && memcmp(character, "…", 3) == 0 ? "..." : "?";
}

const char *pg_plain(const struct pg *pg, const char *text, struct buf *storage)
{
    size_t length;

    if (text == NULL || holds_any_text(pg))
        return text;
    for (length = strlen(text); length > 0;) {
        int n = utf8_length(text, length);

        if (n == 1)
            buf_putc(storage, *text);
        else
            buf_puts(storage, spelled(text, n));
        n = n > 0 ? n : 1;
        text += n;
        length -= (size_t)n;
    }
    return buf_text(storage);
}
