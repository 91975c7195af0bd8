#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <strings.h>

#include "http/hygiene.h"
#include "http/pack.h"

#define HEADERS_MAX 4

struct header {
    const char *name, *value;
};

static struct head head_of(const char *method, const char *version,
                           const struct header headers[HEADERS_MAX])
{
    struct head head = {.method = method, .version = version};

    for (int i = 0; i < HEADERS_MAX && headers[i].name != NULL; i++)
        head_add(&head, headers[i].name, headers[i].value);
    return head;
}

#define HOST                                                                                       \
    {                                                                                              \
        "Host", "h"                                                                                \
    }
#define CHUNKS UINT64_MAX

static void test_sound_heads(void **state)
{
    const struct {
        const char *method, *version;
        struct header headers[HEADERS_MAX];
        uint64_t length;
    } rows[] = {
        {"GET", "HTTP/1.1", {HOST}, 0},
        {"GET", "HTTP/1.0", {{NULL, NULL}}, 0},
        {"GET", "HTTP/1.1", {{"Host", NULL}}, 0},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "0"}}, 0},
        {"POST", "HTTP/1.1", {{"hOST", "h"}, {"content-LENGTH", "12"}}, 12},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "0012"}}, 12},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "18446744073709551614"}}, UINT64_MAX - 1},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "chunked"}}, CHUNKS},
        {"POST", "HTTP/1.1", {HOST, {"transfer-encoding", "Chunked"}}, CHUNKS},
        {"DELETE", "HTTP/1.1", {HOST, {"X-!#$%&'*+.^_`|~09az", "x"}}, 0},
        {"OPTIONS", "HTTP/1.1", {HOST}, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct head head = head_of(rows[i].method, rows[i].version, rows[i].headers);
        uint64_t length = 77;
        struct err err;

        if (head_check(&head, &length, &err) != 0)
            fail_msg("row %zu: %s", i, err.message);
        assert_true(length == rows[i].length);
    }
}

static void test_refused_heads(void **state)
{
    const struct {
        const char *method, *version;
        struct header headers[HEADERS_MAX];
        int status;
    } rows[] = {
        {"get", "HTTP/1.1", {HOST}, 501},
        {"BREW", "HTTP/1.1", {HOST}, 501},
        {"PRI", "HTTP/2.0", {HOST}, 501},
        {"", "HTTP/1.1", {HOST}, 501},
        {"GET", "HTTP/2.0", {HOST}, 505},
        {"GET", "HTTP/1.2", {HOST}, 505},
        {"GET", "", {HOST}, 505},
        {"GET", "HTTP/1.1", {{NULL, NULL}}, 400},
        {"GET", "HTTP/1.1", {HOST, HOST}, 400},
        {"GET", "HTTP/1.1", {HOST, {"", "x"}}, 400},
        {"GET", "HTTP/1.1", {HOST, {"X Y", "x"}}, 400},
        {"GET", "HTTP/1.1", {HOST, {"X\x80", "x"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length ", "5"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding\t", "chunked"}}, 400},
        {"GET", "HTTP/1.0", {HOST, HOST}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5"}, {"Content-Length", "5"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5"}, {"content-length", "6"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", ""}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "-1"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "+5"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5,5"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5 "}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "0x5"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "18446744073709551615"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Content-Length", "99999999999999999999"}}, 400},
        {"POST",
         "HTTP/1.1",
         {HOST, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
         400},
        {"POST",
         "HTTP/1.1",
         {HOST, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}},
         400},
        {"POST",
         "HTTP/1.1",
         {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
         400},
        {"POST", "HTTP/1.0", {HOST, {"Transfer-Encoding", "chunked"}}, 400},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "xchunked"}}, 501},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "chunked "}}, 501},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "gzip, chunked"}}, 501},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "identity"}}, 501},
        {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", ""}}, 501},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct head head = head_of(rows[i].method, rows[i].version, rows[i].headers);
        uint64_t length = 77;
        struct err err = {0};
        int status = head_check(&head, &length, &err);

        if (status != rows[i].status)
            fail_msg("row %zu: %d", i, status);
        assert_string_not_equal(err.message, "");
        assert_true(length == 77); /* untouched */
    }
}

static void test_content_types(void **state)
{
    const struct {
        const char *type;
        int status;
    } rows[] = {
        {NULL, 0},
        {"", 0},
        {"application/json", 0},
        {"Application/JSON", 0},
        {"application/json; charset=utf-8", 0},
        {"application/json;charset=utf-8", 0},
        {"text/json", 0},
        {"application/vnd.api+json", 0},
        {"application/x-www-form-urlencoded", 0},
        {"text/csv", 415},
        {"Text/CSV; header=present", 415},
        {"text/plain", 415},
        {"multipart/form-data; boundary=x", 415},
        {"application/jsonl", 415},
        {"application/jso", 415},
        {"+json", 415},
        {"application/octet-stream", 415},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct header headers[HEADERS_MAX] = {
            {rows[i].type != NULL ? "Content-Type" : NULL, rows[i].type}};
        struct head head = head_of("POST", "HTTP/1.1", headers);
        struct err err = {0};
        int status = head_check_type(&head, false, &err);
        bool is_csv = rows[i].type != NULL && strncasecmp(rows[i].type, "text/csv", 8) == 0;

        if (status != rows[i].status)
            fail_msg("\"%s\": %d", rows[i].type, status);
        assert_int_equal(err.message[0] != '\0', status != 0);
        assert_int_equal(head_is_csv(&head), is_csv);
        assert_int_equal(head_check_type(&head, true, NULL), is_csv ? 0 : status);
    }
}

static void test_content_encodings(void **state)
{
    const struct {
        const char *coding;
        int status;
    } rows[] = {{"identity", 0}, {"Identity", 0}, {"", 0}, {"gzip", 415}, {"br", 415}};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct header headers[HEADERS_MAX] = {{"Content-Encoding", rows[i].coding}};
        struct head head = head_of("POST", "HTTP/1.1", headers);

        assert_int_equal(head_check_type(&head, true, NULL), rows[i].status);
    }
}

/* A head as the library leaves it: read in place, each line's end replaced by NULs. "|" stands for
 * a NUL here; the header's name begins after the version's end. */
static void test_lines_in_place(void **state)
{
    static const struct {
        const char
            *text; /* GET, target, version, then name and value of one header, then the end */
        bool bad;
    } rows[] = {
        {"GET|/a|HTTP/1.1||X| b||||", false},   {"GET|/a|HTTP/1.1||X|b||||", false},
        {"GET|/a|HTTP/1.1||X|||||", false},     {"GET|/a|HTTP/1.1|X| b||||", true},
        {"GET|/a|HTTP/1.1||X| b|||", true},     {"GET|/a|HTTP/1.1||X| b|||||", true},
        {"GET||/a|HTTP/1.1||X| b||||", true},   {"GET|/a||HTTP/1.1||X| b||||", true},
        {"GET|/a|HTTP/1.1|||X| b||||", true},   {"GET|/a|HTTP/1.1||X| b|c||||", true},
        {"GET|/a|HTTP/1.1||X| b\rc||||", true}, {"GET|/a|HTTP/1.1 ||X| b||||", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[64];
        size_t length = strlen(rows[i].text);
        struct head head = {0};
        char *target, *name, *value;

        for (size_t at = 0; at <= length; at++)
            text[at] = (char)(rows[i].text[at] == '|' ? '\0' : rows[i].text[at]);
        target = memchr(text, '/', length);
        head.method = text;
        head.version = memchr(text, 'H', length);
        name = memchr(text, 'X', length);
        value = name + 2;
        value += *value == ' ';
        head_begin(&head, target, strlen(target));
        head_add(&head, name, value);
        head_end(&head, length);
        if (head.bad_lines != rows[i].bad)
            fail_msg("%s", rows[i].text);
    }
}

static void test_targets(void **state)
{
    static const struct {
        const char *target;
        bool sound;
    } rows[] = {
        {"/", true},     {"/a?b=c", true},  {"*", true},   {"/\xc3\xa9", true},
        {"", false},     {"a", false},      {"**", false}, {"http://h/", false},
        {"/a b", false}, {"/a\x01", false}, {"/#", false}, {"/\x7f", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(head_target_is_sound(rows[i].target, strlen(rows[i].target)),
                         rows[i].sound);
}

static void test_accept(void **state)
{
    static const struct {
        const char *value;
        int status;
    } rows[] = {
        {"*/*", 0},
        {"", 0},
        {"application/json", 0},
        {"a/b, application/*;q=1", 0},
        {"text/html", 0},
        {"image/png", 406},
        {"application/xml", 406},
        {",;", 406},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct head head = {0};
        struct err err;

        head_add(&head, "Accept", rows[i].value);
        assert_int_equal(head_check_accept(&head, &err), rows[i].status);
    }
}

static void test_gzip_is_taken(void **state)
{
    static const struct {
        const char *value;
        bool taken;
    } rows[] = {
        {NULL, false},         {"", false},      {"gzip", true},     {"br, GZIP;q=0.1", true},
        {"gzip;q=0", false},   {"*", true},      {"*;q=0", false},   {"gzip;q=0.00, *", false},
        {"gzip;q=0.01", true}, {"xgzip", false}, {"deflate", false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(pack_is_taken(rows[i].value), rows[i].taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_heads),    cmocka_unit_test(test_refused_heads),
        cmocka_unit_test(test_content_types),  cmocka_unit_test(test_content_encodings),
        cmocka_unit_test(test_lines_in_place), cmocka_unit_test(test_targets),
        cmocka_unit_test(test_accept),         cmocka_unit_test(test_gzip_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
