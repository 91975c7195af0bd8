/*
 * Where in a string of statements something went wrong.
 *
 * The server gives a position for what it could not parse or analyse, and none for what failed
 * while it ran ("relation exists"): for that the statements that succeeded are counted here. The
 * counting follows psql: quotes, dollar quotes, comments and parentheses hide a semicolon. (BEGIN
 * ATOMIC bodies are not followed: the line may then be too early.)
 */
#include <ctype.h>
#include <string.h>

#include "pg/internal.h"

static int line_at(const char *sql, const char *at)
{
    int line = 1;

    for (; sql < at; sql++)
        line += *sql == '\n';
    return line;
}

int script_line_of_position(const char *sql, int position)
{
    const char *at = sql;

    for (int n = 1; *at != '\0' && n < position; n++)
        do
            at++;
        while ((*at & 0xc0) == 0x80);
    return line_at(sql, at);
}

/* The end of a string that starts at `at` with its quote; doubled quotes stay inside. */
static const char *skip_quoted(const char *at, bool backslashes)
{
    char quote = *at++;

    for (; *at != '\0'; at++) {
        if (*at == '\\' && backslashes && at[1] != '\0')
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

/* $tag$ … $tag$; a lone dollar is one character. */
static const char *skip_dollar_quoted(const char *at)
{
    const char *tag_end = at + 1, *close = NULL;
    size_t length;

    while (isalnum((unsigned char)*tag_end) || *tag_end == '_' || (*tag_end & 0x80))
        tag_end++;
    if (*tag_end != '$' || isdigit((unsigned char)at[1]))
        return at + 1;
    length = (size_t)(tag_end + 1 - at);
    for (const char *found = tag_end + 1; close == NULL && *found != '\0'; found++)
        if (strncmp(found, at, length) == 0)
            close = found;
    return close != NULL ? close + length : at + strlen(at);
}

/* Block comments nest. */
static const char *skip_comment(const char *at)
{
    int depth = 0;

    if (at[0] == '-')
        return at + strcspn(at, "\n");
    do {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            depth--;
            at += 2;
        } else if (*at != '\0') {
            at++;
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

static bool is_comment(const char *at)
{
    return (at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*');
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

static const char *skip_word(const char *at)
{
    /* E'…' is the one kind of string where a backslash hides a quote */
    if ((*at == 'e' || *at == 'E') && at[1] == '\'')
        return skip_quoted(at + 1, true);
    while (is_word(*at))
        at++;
    return at;
}

static const char *skip_token(const char *at)
{
    if (is_comment(at))
        return skip_comment(at);
    if (*at == '\'' || *at == '"')
        return skip_quoted(at, false);
    if (*at == '$')
        return skip_dollar_quoted(at);
    return is_word(*at) ? skip_word(at) : at + 1;
}

int script_line_of_statement(const char *sql, int index)
{
    const char *at = sql;
    int depth = 0;
    bool inside = false; /* a statement has begun: empty ones are not counted */

    while (*at != '\0') {
        bool blank = isspace((unsigned char)*at) || is_comment(at);

        if (*at == ';' && depth <= 0) {
            index -= inside;
            inside = false;
        } else if (!blank) {
            if (!inside && index == 0)
                break;
            inside = true;
            depth += *at == '(';
            depth -= *at == ')';
        }
        at = skip_token(at);
    }
    return line_at(sql, at);
}
