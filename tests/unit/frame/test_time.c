/* Dates and times as clients may write them. Every row was judged by PostgreSQL 15 (TimeZone UTC).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "frame/cell.h"

/* What ::date, ::timestamp and ::timestamptz print; NULL: refused; "": a missing value here. */
static const struct {
    const char *text, *date, *timestamp, *timestamptz;
} forms[] = {
    {"2013-01-01", "2013-01-01", "2013-01-01 00:00:00", "2013-01-01 00:00:00+00"},
    {"2013-01-01 05:00", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 05:00:00+00"},
    {"2013-01-01T05:00", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 05:00:00+00"},
    {"2013-01-01 05:00:00.1234567", "2013-01-01", "2013-01-01 05:00:00.123457",
     "2013-01-01 05:00:00.123457+00"},
    {"2013-01-01 05:00:00.9999995", "2013-01-01", "2013-01-01 05:00:01", "2013-01-01 05:00:01+00"},
    {"2013-01-01 05:00:00.0000005", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 05:00:00+00"},
    {"2013-01-01 05:00:00.0000015", "2013-01-01", "2013-01-01 05:00:00.000002",
     "2013-01-01 05:00:00.000002+00"},
    {"2013-01-01 23:59:60", "2013-01-01", "2013-01-02 00:00:00", "2013-01-02 00:00:00+00"},
    {"2013-01-01 24:00:00", "2013-01-01", "2013-01-02 00:00:00", "2013-01-02 00:00:00+00"},
    {"2013-01-01 24:00:01", NULL, NULL, NULL},
    {"2013-01-01 24:00", "2013-01-01", "2013-01-02 00:00:00", "2013-01-02 00:00:00+00"},
    {"2013-01-01 23:59:59.9999999", "2013-01-01", "2013-01-02 00:00:00", "2013-01-02 00:00:00+00"},
    {"2013-01-01 23:60", NULL, NULL, NULL},
    {"2013-01-01 25:00", NULL, NULL, NULL},
    {"2013-01-01 12:00:61", NULL, NULL, NULL},
    {"2013-01-01 23:59:60.5", NULL, NULL, NULL},
    {"2013-01-01 12:00:60.5", "2013-01-01", "2013-01-01 12:01:00.5", "2013-01-01 12:01:00.5+00"},
    {"2013-02-29", NULL, NULL, NULL},
    {"2012-02-29", "2012-02-29", "2012-02-29 00:00:00", "2012-02-29 00:00:00+00"},
    {"1900-02-29", NULL, NULL, NULL},
    {"2000-02-29", "2000-02-29", "2000-02-29 00:00:00", "2000-02-29 00:00:00+00"},
    {"2013-13-01", NULL, NULL, NULL},
    {"2013-00-01", NULL, NULL, NULL},
    {"2013-01-00", NULL, NULL, NULL},
    {"2013-01-32", NULL, NULL, NULL},
    {"2013-04-31", NULL, NULL, NULL},
    {"0000-01-01", NULL, NULL, NULL},
    {"0001-01-01 BC", "0001-01-01 BC", "0001-01-01 00:00:00 BC", "0001-01-01 00:00:00+00 BC"},
    {"0004-02-29 BC", NULL, NULL, NULL},
    {"0005-02-29 BC", "0005-02-29 BC", "0005-02-29 00:00:00 BC", "0005-02-29 00:00:00+00 BC"},
    {"0001-02-29 BC", "0001-02-29 BC", "0001-02-29 00:00:00 BC", "0001-02-29 00:00:00+00 BC"},
    {"2013-01-01 05:00Z", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 05:00:00+00"},
    {"2013-01-01 05:00z", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 05:00:00+00"},
    {"2013-01-01 05:00+01", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 04:00:00+00"},
    {"2013-01-01 05:00+0130", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 03:30:00+00"},
    {"2013-01-01 05:00+01:30", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 03:30:00+00"},
    {"2013-01-01 05:00+01:30:15", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 03:29:45+00"},
    {"2013-01-01 05:00-01:30", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 06:30:00+00"},
    {"2013-01-01 05:00 +01", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 04:00:00+00"},
    {"2013-01-01 05:00+15:59:59", "2013-01-01", "2013-01-01 05:00:00", "2012-12-31 13:00:01+00"},
    {"2013-01-01 05:00+16", NULL, NULL, NULL},
    {"2013-01-01 05:00:00.5-08 BC", "2013-01-01 BC", "2013-01-01 05:00:00.5 BC",
     "2013-01-01 13:00:00.5+00 BC"},
    {"2013-01-01 05:00+01:60", NULL, NULL, NULL},
    {"2013-01-01 05:00:00 BC", "2013-01-01 BC", "2013-01-01 05:00:00 BC",
     "2013-01-01 05:00:00+00 BC"},
    {"infinity", "", "", ""},
    {"-infinity", "", "", ""},
    {"Infinity", "", "", ""},
    {"294276-12-31 23:59:59.999999", "294276-12-31", "294276-12-31 23:59:59.999999",
     "294276-12-31 23:59:59.999999+00"},
    {"294276-12-31 23:59:59.9999999", "294276-12-31", NULL, NULL},
    {"294277-01-01", "", NULL, NULL},
    {"4714-11-24 BC", "4714-11-24 BC", "4714-11-24 00:00:00 BC", "4714-11-24 00:00:00+00 BC"},
    {"4714-11-23 BC", NULL, NULL, NULL},
    {"4714-11-24 00:00:00+01 BC", "4714-11-24 BC", "4714-11-24 00:00:00 BC", NULL},
    {"4714-11-23 23:00:00-02 BC", NULL, NULL, "4714-11-24 01:00:00+00 BC"},
    {"4714-11-23 23:30:00 BC", NULL, NULL, NULL},
    {"5874897-12-31", "", NULL, NULL},
    {"5874898-01-01", NULL, NULL, NULL},
    {"99999-06-15 12:34:56.789", "99999-06-15", "99999-06-15 12:34:56.789",
     "99999-06-15 12:34:56.789+00"},
    {"2013-01-01 05:00:00.", "2013-01-01", "2013-01-01 05:00:00", "2013-01-01 05:00:00+00"},
    {"2013-01-01 05:00:00.123456789012345678901234567890", "2013-01-01",
     "2013-01-01 05:00:00.123457", "2013-01-01 05:00:00.123457+00"},
    {"294277-01-01 00:30+01", "", NULL, "294276-12-31 23:30:00+00"},
    {"294276-12-31 23:30-01", "294276-12-31", "294276-12-31 23:30:00", NULL},
    {"9999999-01-01", NULL, NULL, NULL},
};

static void check(enum pg_type type, const char *text, const char *expected)
{
    CLEANUP(buf_release) struct buf printed = {0};
    struct cell cell;
    struct err err = {0};
    enum err_code code = cell_from_text(type, NULL, text, strlen(text), NULL, &cell, &err);

    if (expected == NULL) {
        if (code != ERR_INVALID)
            fail_msg("%s \"%s\" is taken", pg_type_name(type), text);
        assert_string_not_equal(err.message, "");
        return;
    }
    if (code != ERR_OK)
        fail_msg("%s \"%s\" is refused", pg_type_name(type), text);
    assert_int_equal(cell.is_null, expected[0] == '\0');
    cell_to_text(type, &cell, &printed);
    assert_string_equal(buf_text(&printed), expected);
}

static void forms_as_postgres_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        check(PG_DATE, forms[i].text, forms[i].date);
        check(PG_TIMESTAMP, forms[i].text, forms[i].timestamp);
        check(PG_TIMESTAMPTZ, forms[i].text, forms[i].timestamptz);
    }
}

/* Postgres takes some of these; they are not what it prints. */
static void other_forms_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "epoch",
        "today",
        "13-01-01",
        "2013-1-1",
        "2013/01/01",
        "20130101",
        "2013-01",
        "2013-01-01 5",
        "2013-01-01 5:00",
        "2013-01-01t05:00",
        "2013-01-01 ",
        " 2013-01-01",
        "2013-01-01x",
        "2013-01-01 05:00 UTC",
        "2013-01-01 05:00+1",
        "2013-01-01 05:00+01:3",
        "2013-01-01 05:00  +01",
        "2013-01-01+01",
        "2013-01-01 BC BC",
        "-2013-01-01",
        "99999999999999999999-01-01",
        "2013-01-01 05:00:1",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        check(PG_DATE, texts[i], NULL);
        check(PG_TIMESTAMP, texts[i], NULL);
        check(PG_TIMESTAMPTZ, texts[i], NULL);
    }
}

/* Only a timestamptz that names no zone is in the project's. */
static void project_zone(void **state)
{
    static const struct {
        enum pg_type type;
        const char *text, *utc;
    } cases[] = {
        {PG_TIMESTAMPTZ, "2013-01-01 05:00", "2013-01-01 04:00:00+00"},
        {PG_TIMESTAMPTZ, "2013-07-01T05:00:00", "2013-07-01 03:00:00+00"},
        {PG_TIMESTAMPTZ, "2013-07-01", "2013-06-30 22:00:00+00"},
        {PG_TIMESTAMPTZ, "2013-07-01 05:00Z", "2013-07-01 05:00:00+00"},
        {PG_TIMESTAMPTZ, "2013-07-01 05:00+01", "2013-07-01 04:00:00+00"},
        {PG_TIMESTAMP, "2013-07-01 05:00", "2013-07-01 05:00:00"},
        {PG_TIMESTAMP, "2013-07-01 05:00+01", "2013-07-01 05:00:00"},
        {PG_DATE, "2013-07-01", "2013-07-01"},
    };
    CLEANUP(zone_freep) struct zone *zone = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(zone_new("Europe/Zurich", &zone, &err), ERR_OK);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(buf_release) struct buf printed = {0};
        struct cell cell;

        assert_int_equal(cell_from_text(cases[i].type, zone, cases[i].text, strlen(cases[i].text),
                                        NULL, &cell, &err),
                         ERR_OK);
        cell_to_text(cases[i].type, &cell, &printed);
        assert_string_equal(buf_text(&printed), cases[i].utc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_as_postgres_reads_them),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(project_zone),
    };

    return cmocka_run_group_tests_name("frame/time", tests, NULL, NULL);
}
