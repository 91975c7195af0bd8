#include "http/hygiene.h"

#include <string.h>
#include <strings.h>

static const char *const head_names[HEAD_NAMES] = {
    [HEAD_HOST] = "Host",
    [HEAD_CONTENT_LENGTH] = "Content-Length",
    [HEAD_TRANSFER_ENCODING] = "Transfer-Encoding",
    [HEAD_CONTENT_TYPE] = "Content-Type",
    [HEAD_CONTENT_ENCODING] = "Content-Encoding",
    [HEAD_EXPECT] = "Expect",
};

static const char *const known_methods[] = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                            "PATCH", "OPTIONS", "TRACE", "CONNECT"};

/* RFC 9110, 5.6.2 */
static bool is_token(const char *text)
{
    const char *c = text;

    while ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '-' ||
           (*c >= '0' && *c <= '9') || (*c != '\0' && strchr("!#$%&'*+.^_`|~", *c) != NULL))
        c++;
    return c > text && *c == '\0';
}

void head_add(struct head *head, const char *name, const char *value)
{
    head->bad_name |= !is_token(name);
    for (size_t i = 0; i < HEAD_NAMES; i++) {
        if (strcasecmp(name, head_names[i]) != 0)
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
        return refuse(505, err, "only HTTP/1.1 and HTTP/1.0 are spoken here");
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
        return refuse(400, err, "Transfer-Encoding in a request that is not HTTP/1.1");
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
