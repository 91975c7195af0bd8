#include "http/hygiene.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct {
    const char *text;
    size_t length;
} head_names[HEAD_NAMES] = {
    [HEAD_HOST] = NAME("Host"),
    [HEAD_CONTENT_LENGTH] = NAME("Content-Length"),
    [HEAD_TRANSFER_ENCODING] = NAME("Transfer-Encoding"),
    [HEAD_CONTENT_TYPE] = NAME("Content-Type"),
    [HEAD_CONTENT_ENCODING] = NAME("Content-Encoding"),
    [HEAD_EXPECT] = NAME("Expect"),
    [HEAD_ACCEPT] = NAME("Accept"),
    [HEAD_REQUEST_ID] = NAME("X-Request-ID"),
    [HEAD_ORIGIN] = NAME("Origin"),
    [HEAD_AUTHORIZATION] = NAME("Authorization"),
};

static const char *const known_methods[] = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                            "PATCH", "OPTIONS", "TRACE", "CONNECT"};

/* RFC 9110, 5.6.2: tchar. */
static const bool token_chars[UCHAR_MAX + 1] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

/* The length of a token; 0: it is none. */
static size_t token_length(const char *text)
{
    const char *c = text;

    while (token_chars[(unsigned char)*c])
        c++;
    return *c == '\0' ? (size_t)(c - text) : 0;
}

#define LINE_END 2 /* CR LF */

void head_begin(struct head *head, const char *target, size_t n_target)
{
    size_t n_method = strlen(head->method), n_version = strlen(head->version);

    head->bad_lines =
        target != head->method + n_method + 1 || head->version != target + n_target + 1;
    head->at = head->version + n_version + LINE_END;
}

void head_end(struct head *head, size_t n_bytes)
{
    if (head->at != NULL)
        head->bad_lines |= head->at + LINE_END != head->method + n_bytes;
}

static void follow(struct head *head, const char *name, const char *value)
{
    size_t length;

    head->bad_lines |= name != head->at || value == NULL;
    if (value == NULL)
        return;
    length = strlen(value);
    head->bad_lines |= memchr(value, '\r', length) != NULL;
    head->at = value + length + LINE_END;
}

bool head_target_is_sound(const char *target, size_t length)
{
    if (target[0] != '/' && strcmp(target, "*") != 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)target[i] <= ' ' || target[i] == 0x7f || target[i] == '#')
            return false;
    return true;
}

void head_add(struct head *head, const char *name, const char *value)
{
    size_t length = token_length(name);

    head->bad_name |= length == 0;
    if (head->at != NULL)
        follow(head, name, value);
    for (size_t i = 0; i < HEAD_NAMES; i++) {
        if (length != head_names[i].length || strcasecmp(name, head_names[i].text) != 0)
            continue;
        head->n[i]++;
        head->value[i] = value != NULL ? value : "";
        return;
    }
}

static bool is_known_method(const char *method)
{
    for (size_t i = 0; i < N_ELEMENTS(known_methods); i++)
        if (strcmp(method, known_methods[i]) == 0)
            return true;
    return false;
}

static int refuse(int status, struct err *err, const char *why)
{
    err_set(err, ERR_INVALID, "%s", why);
    return status;
}

/* Digits only: no sign, no blanks, no list. */
static bool parse_length(const char *text, uint64_t *ret_length)
{
    uint64_t length = 0;

    if (text[0] == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (digit > 9 || length > (UINT64_MAX - 1 - digit) / 10)
            return false;
        length = length * 10 + digit;
    }
    *ret_length = length;
    return true;
}

static int check_line(const struct head *head, struct err *err)
{
    if (!is_known_method(head->method))
        return refuse(501, err, "the request's method is not known");
    if (strcmp(head->version, "HTTP/1.1") != 0 && strcmp(head->version, "HTTP/1.0") != 0)
        return refuse(505, err, "only versions 1.1 and 1.0 of HTTP are spoken here");
    if (head->bad_lines)
        return refuse(400, err,
                      "the head's lines must end with CR LF, and hold no NUL and no folding");
    if (head->bad_target)
        return refuse(400, err, "the request's target is not a path");
    if (head->bad_name)
        return refuse(400, err, "a header's name holds what no name may");
    if (head->n[HEAD_HOST] > 1)
        return refuse(400, err, "more than one Host header");
    if (head->n[HEAD_HOST] == 0 && strcmp(head->version, "HTTP/1.1") == 0)
        return refuse(400, err, "the Host header is missing");
    return 0;
}

static int check_framing(const struct head *head, struct err *err)
{
    const char *coding = head->value[HEAD_TRANSFER_ENCODING];

    if (head->n[HEAD_CONTENT_LENGTH] > 1)
        return refuse(400, err, "more than one Content-Length header");
    if (head->n[HEAD_TRANSFER_ENCODING] == 0)
        return 0;
    if (head->n[HEAD_CONTENT_LENGTH] > 0)
        return refuse(400, err, "both Content-Length and Transfer-Encoding");
    if (head->n[HEAD_TRANSFER_ENCODING] > 1)
        return refuse(400, err, "more than one Transfer-Encoding header");
    if (strcmp(head->version, "HTTP/1.1") != 0)
        return refuse(400, err, "Transfer-Encoding in a request of an older version");
    if (strcasecmp(coding, "chunked") != 0)
        return refuse(501, err, "the only Transfer-Encoding understood is chunked");
    return 0;
}

int head_check(const struct head *head, uint64_t *ret_length, struct err *err)
{
    uint64_t length = 0;
    int status = check_line(head, err);

    if (status == 0)
        status = check_framing(head, err);
    if (status != 0)
        return status;
    if (head->n[HEAD_CONTENT_LENGTH] == 1 &&
        !parse_length(head->value[HEAD_CONTENT_LENGTH], &length))
        return refuse(400, err, "Content-Length is not a number");
    *ret_length = head->n[HEAD_TRANSFER_ENCODING] > 0 ? UINT64_MAX : length;
    return 0;
}

bool head_request_id_is_sound(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_.:/+=~@");

    return length >= 1 && length <= 64 && text[length] == '\0';
}

static bool is_type(const char *text, size_t length, const char *type)
{
    return length == strlen(type) && strncasecmp(text, type, length) == 0;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t n = strlen(end);

    return length > n && strncasecmp(text + length - n, end, n) == 0;
}

/* The content type without its parameters; "" where there is none. */
static const char *content_type(const struct head *head, size_t *ret_length)
{
    const char *type = head->value[HEAD_CONTENT_TYPE];

    if (type == NULL)
        type = "";
    *ret_length = strcspn(type, "; \t");
    return type;
}

bool head_is_csv(const struct head *head)
{
    size_t length;
    const char *type = content_type(head, &length);

    return is_type(type, length, "text/csv");
}

int head_check_type(const struct head *head, bool takes_csv, struct err *err)
{
    const char *coding = head->value[HEAD_CONTENT_ENCODING];
    size_t length;
    const char *type = content_type(head, &length);

    if (coding != NULL && coding[0] != '\0' && strcasecmp(coding, "identity") != 0)
        return refuse(415, err, "the body must come without a Content-Encoding");
    if (type[0] == '\0' || is_type(type, length, "application/json") ||
        is_type(type, length, "text/json") ||
        is_type(type, length, "application/x-www-form-urlencoded") ||
        ends_with(type, length, "+json") || (takes_csv && head_is_csv(head)))
        return 0;
    refuse(415, err, "the body's content type is not one that is read here");
    err_hint(err, takes_csv ? "send JSON as application/json, or CSV as text/csv"
                            : "send JSON as application/json");
    return 415;
}

/* One range of an Accept header, without its parameters: does it take in JSON? */
static bool accepts(const char *range, size_t length)
{
    static const char *const wide[] = {"*/*", "application/*", "application/json",
                                       "application/problem+json"};

    for (size_t i = 0; i < N_ELEMENTS(wide); i++)
        if (is_type(range, length, wide[i]))
            return true;
    return length > 5 && strncasecmp(range, "text/", 5) == 0; /* a browser or a person */
}

int head_check_accept(const struct head *head, struct err *err)
{
    const char *at = head->value[HEAD_ACCEPT];

    if (at == NULL || strcmp(at, "*/*") == 0 || head->n[HEAD_ACCEPT] > 1)
        return 0;
    for (at += strspn(at, " \t,"); *at != '\0'; at += strspn(at, " \t,")) {
        if (accepts(at, strcspn(at, ",; \t")))
            return 0;
        at += strcspn(at, ",");
    }
    if (head->value[HEAD_ACCEPT][0] == '\0')
        return 0;
    refuse(406, err, "none of the types that the Accept header names is spoken here");
    err_hint(err, "accept application/json");
    return 406;
}

/* A page of another site may send a form without asking, but not this type. */
int head_check_change(const struct head *head, struct err *err)
{
    size_t length;
    const char *type = content_type(head, &length);

    if (is_type(type, length, "application/json"))
        return head_check_type(head, false, err);
    refuse(415, err, "a request that changes something is JSON");
    err_hint(err, "send the header \"Content-Type: application/json\"");
    return 415;
}
