/* Free text: when a column is that, its tokens, and which of them tell something. */
#include "fixture.h"

#include <math.h>

#include "feature/tokens.h"

static const struct {
    const char *text, *tokens; /* all words, lower case; one that is no token in brackets */
} words[] = {
    {"", ""},
    {" \n.,-", ""},
    {"Hello, WORLD 42x", "hello world 42x"},
    {"a bc", "[1] bc"},
    {"it's", "it [1]"},
    {"Gr\xc3\xb6\xc3\x9f"
     "e \xc3\x84"
     "B",
     "gr\xc3\xb6\xc3\x9f"
     "e \xc3\x84"
     "b"}, /* ASCII only */
    {"\xc3\xa9", "\xc3\xa9"},
    {"abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345"},
    {"abcdefghijklmnopqrstuvwxyz0123456", "[33]"},
};

static void test_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        CLEANUP(buf_release) struct buf found = {0};
        struct tokens tokens;
        size_t n = 0;

        tokens_init(&tokens, words[i].text, strlen(words[i].text));
        for (; tokens_next(&tokens); n++) {
            buf_puts(&found, n > 0 ? " " : "");
            if (tokens.is_token)
                buf_append(&found, tokens.text, tokens.length);
            else
                buf_printf(&found, "[%zu]", tokens.length);
        }
        assert_string_equal(buf_text(&found), words[i].tokens);
        assert_int_equal(count_words(words[i].text, strlen(words[i].text)), n);
    }
}

/* Ten rows: "late" in five of them (target 10 or 8), "rain" in five (mean 5.4), "the" in all. Of
 * the others none is in five rows. */
static const struct {
    const char *text;
    double y;
} rows[] = {
    {"The LATE late rain", 10}, {"the late one", 10}, {"the late rain", 10}, {"late the", 8},
    {"the rain, late", 8},      {"the early one", 0}, {"the rain", 1},       {"the sun", 0},
    {"the one rain", 1},        {"the sun", 2},
};

static struct encoder *fit_rows(struct fixture *fixture, int n_outputs)
{
    static double values[N_ELEMENTS(rows)], classes[N_ELEMENTS(rows) * 17];
    const struct encoder_target target = {n_outputs, n_outputs == 1 ? values : classes, NULL};
    struct cell cells[N_ELEMENTS(rows)];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        cells[i] = text_cell(rows[i].text);
        values[i] = rows[i].y;
    }
    return reloaded(fixture_fit_one(fixture, PG_TEXT_TYPE, (struct column_override){.as = AS_TEXT},
                                    cells, N_ELEMENTS(rows), &target));
}

static void test_features(void **state)
{
    static const struct {
        const char *text;
        float expected[5];
    } values[] = {
        {"Late! the caf\xc3\xa9", {14, 3, 1, 0, 1}},
        {"raining", {7, 1, 0, 0, 0}},
        {"RAIN-late", {9, 2, 1, 1, 0}},
        {"", {0, 0, 0, 0, 0}},
    };
    struct cell null = null_of(PG_TEXT_TYPE);
    struct fixture fixture = {0};
    struct encoder *encoder = fit_rows(&fixture, 1);

    (void)state;
    /* late 9.2 against 0.8; rain 6 against 4; the 0 */
    check_features_are(encoder, "x.length x.words x.word.late x.word.rain x.word.the", "qqiii");
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        struct cell cell = text_cell(values[i].text);

        check_cell(encoder, &cell, values[i].expected, values[i].text);
    }
    check_cell(encoder, &null, (float[]){NAN, NAN, NAN, NAN, NAN}, "NULL");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Too many classes for means: what splits the rows most evenly, ties by bytes. */
static void test_without_means(void **state)
{
    struct fixture fixture = {0};
    struct encoder *encoder = fit_rows(&fixture, 17);

    (void)state;
    check_features_are(encoder, "x.length x.words x.word.late x.word.rain x.word.the", "qqiii");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* Of a text only the first 64 KiB are looked at, but it is as long as it is. */
static void test_long_text(void **state)
{
    enum { LENGTH = 10 << 20 };
    CLEANUP(free_ptr) char *text = malloc(LENGTH);
    struct fixture fixture = {0};
    struct encoder *encoder = fit_rows(&fixture, 1);
    struct cell cell = {.kind = CELL_TEXT, .text = text, .n_bytes = LENGTH};

    (void)state;
    memset(text, ' ', LENGTH);
    memcpy(text + 65536 - 4, "late", 4);
    memcpy(text + 65536 + 10, "rain", 4);
    check_cell(encoder, &cell, (float[]){LENGTH, 1, 1, 0, 0}, "10 MiB");
    memcpy(text + 65536 - 5, " late", 5);
    text[65535] = 'e';
    memmove(text + 65536 - 3, "late", 4); /* now it is cut */
    check_cell(encoder, &cell, (float[]){LENGTH, 1, 0, 0, 0}, "cut");
    encoder_free(encoder);
    fixture_release(&fixture);
}

/* n distinct texts of so many words in two rows each, and n_single in one row. */
static const struct {
    int n_pairs, n_single;
    const char *format; /* of a number */
    enum pg_type type;
    struct column_override how;
    bool is_text;
} columns[] = {
    {65, 0, "one two %d", PG_TEXT_TYPE, {0}, true},
    {64, 0, "one two %d", PG_TEXT_TYPE, {0}, false}, /* few distinct */
    {65, 0, "one-%d", PG_TEXT_TYPE, {0}, false},     /* two words */
    {65, 0, "one two %d", PG_BPCHAR, {0}, true},
    {65, 0, "one two %d", PG_ENUM, {0}, false},
    {65, 0, "one two %d", PG_TEXT_TYPE, {.as = AS_CATEGORY}, false},
    {65, 0, "one two %d", PG_TEXT_TYPE, {.encode = COLUMN_FREQUENCY}, false},
    {65, 0, "one two %d", PG_TEXT_TYPE, {.impute = IMPUTE_MODE}, false},
    {0, 100, "one two %d", PG_TEXT_TYPE, {0}, true},   /* none in two rows */
    {1, 100, "one two %d", PG_TEXT_TYPE, {0}, true},   /* what is kept covers 2 of 102 rows */
    {60, 100, "one two %d", PG_TEXT_TYPE, {0}, false}, /* 120 of 220 */
    {2, 1, "%d", PG_TEXT_TYPE, {.as = AS_TEXT}, true},
};

static void test_what_is_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(columns); i++) {
        int n = 2 * columns[i].n_pairs + columns[i].n_single;
        struct cell cells[300];
        char texts[300][32];
        struct fixture fixture = {0};
        struct encoder_target target = {0};
        struct encoder *encoder;

        for (int k = 0; k < n; k++) {
            int number = k < 2 * columns[i].n_pairs ? k / 2 : k;

            snprintf(texts[k], sizeof(texts[k]), columns[i].format, number + 1000);
            cells[k] = text_cell(texts[k]);
        }
        encoder = reloaded(
            fixture_fit_one(&fixture, columns[i].type, columns[i].how, cells, (size_t)n, &target));
        if ((encoder->columns[0].encoding == ENCODE_TEXT) != columns[i].is_text)
            fail_msg("column %zu is %s text", i, columns[i].is_text ? "not" : "");
        encoder_free(encoder);
        fixture_release(&fixture);
    }
}

/* A token needs five rows, and one of a thousand where that is more; 64 are kept. */
static void test_rare_tokens(void **state)
{
    enum { N = 6001 };
    CLEANUP(free_ptr) struct cell *cells = calloc(N, sizeof(*cells));
    struct fixture fixture = {0};
    struct encoder_target target = {0};
    struct encoder *encoder;

    (void)state;
    for (int i = 0; i < N; i++)
        cells[i] = text_cell(i < 6 ? "six seven" : i == 6 ? "seven" : "the");
    encoder = fixture_fit_one(&fixture, PG_TEXT_TYPE, (struct column_override){.as = AS_TEXT},
                              cells, N, &target);
    check_features_are(encoder, "x.length x.words x.word.seven x.word.the", "qqii");
    encoder_free(encoder);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),        cmocka_unit_test(test_features),
        cmocka_unit_test(test_without_means), cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_what_is_text),  cmocka_unit_test(test_rare_tokens),
    };

    return cmocka_run_group_tests_name("feature/text", tests, NULL, NULL);
}
