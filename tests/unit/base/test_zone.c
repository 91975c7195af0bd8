/* Time zones: offsets as PostgreSQL 15 gives them (`at time zone`), at the changes to and from
 * summer time, long before 1900 and beyond the tables of the tz database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/tzfile.h"
#include "base/tzrule.h"
#include "base/zone.h"

struct zone_case {
    const char *zone;
    int64_t us;
    int64_t seconds; /* to add for the other clock */
};

/* Instants, written in UTC; to the wall clock. */
static const struct zone_case to_local_cases[] = {
    {"Europe/Zurich", INT64_C(765161999999999), 3600},        /* 2024-03-31 00:59:59.999999 */
    {"Europe/Zurich", INT64_C(765162000000000), 7200},        /* 2024-03-31 01:00:00 */
    {"Europe/Zurich", INT64_C(783305999000000), 7200},        /* 2024-10-27 00:59:59 */
    {"Europe/Zurich", INT64_C(783306000000000), 3600},        /* 2024-10-27 01:00:00 */
    {"Europe/Zurich", INT64_C(-4733510400000000), 2048},      /* 1850-01-01 00:00:00 */
    {"Europe/Zurich", INT64_C(-4621881600000000), 1786},      /* 1853-07-16 00:00:00 */
    {"Europe/Zurich", INT64_C(-3345019200000000), 1786},      /* 1893-12-31 12:00:00 */
    {"Europe/Zurich", INT64_C(-63082281600000000), 2048},     /* 0001-01-01 00:00:00 */
    {"Europe/Zurich", INT64_C(1183377600000000), 7200},       /* 2037-07-01 12:00:00 */
    {"Europe/Zurich", INT64_C(1214913600000000), 7200},       /* 2038-07-01 12:00:00 */
    {"Europe/Zurich", INT64_C(3163194000000000), 7200},       /* 2100-03-28 01:00:00 */
    {"Europe/Zurich", INT64_C(13816141199000000), 7200},      /* 2437-10-25 00:59:59 */
    {"Europe/Zurich", INT64_C(26460432000000000), 7200},      /* 2838-07-01 00:00:00 */
    {"Europe/Zurich", INT64_C(252439718400000000), 7200},     /* 9999-07-01 00:00:00 */
    {"Europe/Zurich", INT64_C(9214645708800000000), 7200},    /* 294000-07-01 00:00:00 */
    {"America/New_York", INT64_C(763369199000000), -18000},   /* 2024-03-10 06:59:59 */
    {"America/New_York", INT64_C(763369200000000), -14400},   /* 2024-03-10 07:00:00 */
    {"America/New_York", INT64_C(783928799000000), -14400},   /* 2024-11-03 05:59:59 */
    {"America/New_York", INT64_C(783928800000000), -18000},   /* 2024-11-03 06:00:00 */
    {"America/New_York", INT64_C(-3664335600000000), -18000}, /* 1883-11-18 17:00:00 */
    {"America/New_York", INT64_C(-6311347200000000), -17762}, /* 1800-01-01 00:00:00 */
    {"America/New_York", INT64_C(1593864000000000), -14400},  /* 2050-07-04 12:00:00 */
    {"America/New_York", INT64_C(15810076799000000), -18000}, /* 2500-12-31 23:59:59 */
    {"Australia/Lord_Howe", INT64_C(765730799000000), 39600}, /* 2024-04-06 14:59:59 */
    {"Australia/Lord_Howe", INT64_C(765730800000000), 37800}, /* 2024-04-06 15:00:00 */
    {"Australia/Lord_Howe", INT64_C(781457399000000), 37800}, /* 2024-10-05 15:29:59 */
    {"Australia/Lord_Howe", INT64_C(781457400000000), 39600}, /* 2024-10-05 15:30:00 */
    {"Asia/Kathmandu", INT64_C(-441783001000000), 19800},     /* 1985-12-31 18:29:59 */
    {"Asia/Kathmandu", INT64_C(-441783000000000), 20700},     /* 1985-12-31 18:30:00 */
    {"Asia/Kathmandu", INT64_C(-2524629600000000), 20476},    /* 1919-12-31 18:00:00 */
    {"Asia/Kathmandu", INT64_C(770515200000000), 20700},      /* 2024-06-01 00:00:00 */
    {"Asia/Kathmandu", INT64_C(31570041600000000), 20700},    /* 3000-06-01 00:00:00 */
    {"Europe/Moscow", INT64_C(467589599000000), 14400},       /* 2014-10-25 21:59:59 */
    {"Europe/Moscow", INT64_C(467589600000000), 10800},       /* 2014-10-25 22:00:00 */
    {"Europe/Dublin", INT64_C(765161999000000), 0},           /* 2024-03-31 00:59:59 */
    {"Europe/Dublin", INT64_C(765162000000000), 3600},        /* 2024-03-31 01:00:00 */
    {"Europe/Dublin", INT64_C(1922400000000000), 0},          /* 2060-12-01 00:00:00 */
    {"Pacific/Apia", INT64_C(378554399000000), -36000},       /* 2011-12-30 09:59:59 */
    {"Pacific/Apia", INT64_C(378554400000000), 50400},        /* 2011-12-30 10:00:00 */
};

/* Wall clock times, the skipped and the doubled among them; to UTC. */
static const struct zone_case from_local_cases[] = {
    {"Europe/Zurich", INT64_C(765165599000000), -3600},        /* 2024-03-31 01:59:59 */
    {"Europe/Zurich", INT64_C(765165600000000), -3600},        /* 2024-03-31 02:00:00 */
    {"Europe/Zurich", INT64_C(765167400000000), -3600},        /* 2024-03-31 02:30:00 */
    {"Europe/Zurich", INT64_C(765169199999999), -3600},        /* 2024-03-31 02:59:59.999999 */
    {"Europe/Zurich", INT64_C(765169200000000), -7200},        /* 2024-03-31 03:00:00 */
    {"Europe/Zurich", INT64_C(783309599000000), -7200},        /* 2024-10-27 01:59:59 */
    {"Europe/Zurich", INT64_C(783309600000000), -3600},        /* 2024-10-27 02:00:00 */
    {"Europe/Zurich", INT64_C(783311400000000), -3600},        /* 2024-10-27 02:30:00 */
    {"Europe/Zurich", INT64_C(783313199000000), -3600},        /* 2024-10-27 02:59:59 */
    {"Europe/Zurich", INT64_C(783313200000000), -3600},        /* 2024-10-27 03:00:00 */
    {"Europe/Zurich", INT64_C(-4733510400000000), -2048},      /* 1850-01-01 00:00:00 */
    {"Europe/Zurich", INT64_C(-63082281600000000), -2048},     /* 0001-01-01 00:00:00 */
    {"Europe/Zurich", INT64_C(1206671400000000), -3600},       /* 2038-03-28 02:30:00 */
    {"Europe/Zurich", INT64_C(3181948200000000), -3600},       /* 2100-10-31 02:30:00 */
    {"Europe/Zurich", INT64_C(26452233000000000), -3600},      /* 2838-03-28 02:30:00 */
    {"Europe/Zurich", INT64_C(252450268200000000), -3600},     /* 9999-10-31 02:30:00 */
    {"America/New_York", INT64_C(763351199000000), 18000},     /* 2024-03-10 01:59:59 */
    {"America/New_York", INT64_C(763353000000000), 18000},     /* 2024-03-10 02:30:00 */
    {"America/New_York", INT64_C(763354800000000), 14400},     /* 2024-03-10 03:00:00 */
    {"America/New_York", INT64_C(783910799000000), 14400},     /* 2024-11-03 00:59:59 */
    {"America/New_York", INT64_C(783912600000000), 18000},     /* 2024-11-03 01:30:00 */
    {"America/New_York", INT64_C(783914400000000), 18000},     /* 2024-11-03 02:00:00 */
    {"America/New_York", INT64_C(-3664353600000000), 18000},   /* 1883-11-18 12:00:00 */
    {"America/New_York", INT64_C(-9453974400000000), 17762},   /* 1700-06-01 00:00:00 */
    {"America/New_York", INT64_C(3150495000000000), 18000},    /* 2099-11-01 01:30:00 */
    {"Australia/Lord_Howe", INT64_C(765768599000000), -39600}, /* 2024-04-07 01:29:59 */
    {"Australia/Lord_Howe", INT64_C(765768600000000), -37800}, /* 2024-04-07 01:30:00 */
    {"Australia/Lord_Howe", INT64_C(765770399000000), -37800}, /* 2024-04-07 01:59:59 */
    {"Australia/Lord_Howe", INT64_C(765770400000000), -37800}, /* 2024-04-07 02:00:00 */
    {"Australia/Lord_Howe", INT64_C(781495199000000), -37800}, /* 2024-10-06 01:59:59 */
    {"Australia/Lord_Howe", INT64_C(781495200000000), -37800}, /* 2024-10-06 02:00:00 */
    {"Australia/Lord_Howe", INT64_C(781496100000000), -37800}, /* 2024-10-06 02:15:00 */
    {"Australia/Lord_Howe", INT64_C(781497000000000), -39600}, /* 2024-10-06 02:30:00 */
    {"Asia/Kathmandu", INT64_C(-441763201000000), -19800},     /* 1985-12-31 23:59:59 */
    {"Asia/Kathmandu", INT64_C(-441763200000000), -19800},     /* 1986-01-01 00:00:00 */
    {"Asia/Kathmandu", INT64_C(-441762600000000), -19800},     /* 1986-01-01 00:10:00 */
    {"Asia/Kathmandu", INT64_C(-441762300000000), -20700},     /* 1986-01-01 00:15:00 */
    {"Asia/Kathmandu", INT64_C(-2524608600000000), -19800},    /* 1919-12-31 23:50:00 */
    {"Asia/Kathmandu", INT64_C(15778540800000000), -20700},    /* 2500-01-01 00:00:00 */
    {"Europe/Moscow", INT64_C(467600399000000), -14400},       /* 2014-10-26 00:59:59 */
    {"Europe/Moscow", INT64_C(467600400000000), -10800},       /* 2014-10-26 01:00:00 */
    {"Europe/Moscow", INT64_C(467602200000000), -10800},       /* 2014-10-26 01:30:00 */
    {"Europe/Moscow", INT64_C(467604000000000), -10800},       /* 2014-10-26 02:00:00 */
    {"Europe/Dublin", INT64_C(783307800000000), 0},            /* 2024-10-27 01:30:00 */
    {"Europe/Dublin", INT64_C(765163800000000), 0},            /* 2024-03-31 01:30:00 */
    {"Pacific/Apia", INT64_C(378518399000000), 36000},         /* 2011-12-29 23:59:59 */
    {"Pacific/Apia", INT64_C(378561600000000), 36000},         /* 2011-12-30 12:00:00 */
    {"Pacific/Apia", INT64_C(378604800000000), -50400},        /* 2011-12-31 00:00:00 */
};

static void check_cases(const struct zone_case *cases, size_t n,
                        int64_t (*convert)(const struct zone *zone, int64_t us))
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(zone_freep) struct zone *zone = NULL;
        struct err err;

        assert_int_equal(zone_new(cases[i].zone, &zone, &err), ERR_OK);
        if (convert(zone, cases[i].us) != cases[i].us + cases[i].seconds * 1000000)
            fail_msg("%s at %lld: wanted %lld seconds, got %lld us", cases[i].zone,
                     (long long)cases[i].us, (long long)cases[i].seconds,
                     (long long)(convert(zone, cases[i].us) - cases[i].us));
    }
}

static void to_local_is_postgres(void **state)
{
    (void)state;
    check_cases(to_local_cases, N_ELEMENTS(to_local_cases), zone_to_local);
}

static void from_local_is_postgres(void **state)
{
    (void)state;
    check_cases(from_local_cases, N_ELEMENTS(from_local_cases), zone_from_local);
}

static void fixed_offsets(void **state)
{
    static const struct {
        const char *name;
        int seconds;
    } cases[] = {{"UTC", 0},      {"Etc/UTC", 0},     {"Z", 0},
                 {"+00:00", 0},   {"+02:00", 7200},   {"+0530", 19800},
                 {"-05", -18000}, {"-09:30", -34200}, {"+15:59", 57540}};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(zone_freep) struct zone *zone = NULL;
        int64_t us = INT64_C(-123456789000001), moved = cases[i].seconds * INT64_C(1000000);

        assert_int_equal(zone_new(cases[i].name, &zone, NULL), ERR_OK);
        assert_int_equal(zone_to_local(zone, us) - us, moved);
        assert_int_equal(zone_from_local(zone, us) - us, -moved);
    }
}

static void infinity_and_range_ends_stay(void **state)
{
    static const int64_t ends[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    CLEANUP(zone_freep) struct zone *zone = NULL;

    (void)state;
    assert_int_equal(zone_new("Europe/Zurich", &zone, NULL), ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(zone_to_local(zone, ends[i]), ends[i]);
        assert_int_equal(zone_from_local(zone, ends[i]), ends[i]);
    }
    assert_int_equal(zone_to_local(zone, ends[2]), ends[2]); /* there is no such wall clock */
    assert_int_equal(zone_from_local(zone, ends[3]), ends[3]);
}

static void unknown_names(void **state)
{
    static const char *const names[] = {"",
                                        "Nope/Zone",
                                        "Europe",
                                        "europe/zurich",
                                        "/etc/localtime",
                                        "../../etc/passwd",
                                        "Europe/../UTC",
                                        "localtime",
                                        "Europe/Zurich ",
                                        "tzdata.zi",
                                        "zone.tab",
                                        "+",
                                        "+2",
                                        "+02:60",
                                        "+16:00",
                                        "+02:",
                                        "-1:30",
                                        "+02:00:00",
                                        "+ab:cd",
                                        "\n",
                                        "Europe/Z\xc3\xbcrich",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        struct zone *zone = NULL;
        struct err err = {0};

        if (zone_new(names[i], &zone, &err) == ERR_OK)
            fail_msg("\"%s\" was accepted", names[i]);
        assert_null(zone);
        assert_true(err.code == ERR_INVALID || err.code == ERR_CORRUPT);
        assert_true(err.message[0] != '\0');
    }
}

/* Days of a rule's changes in 2024 (a leap year), worked by hand from a calendar. */
static void rules(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t to_summer, to_standard; /* unix seconds */
    } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", true, 1711846800, 1729990800},
        {"EST5EDT,M3.2.0,M11.1.0", true, 1710054000, 1730613600},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true, 1711846800, 1729990800},
        {"AAA0BBB,J60/0,J365/24", true, 1709251200, 1735686000}, /* 1 March, end of 31 December */
        {"AAA0BBB,59/0,365/0", true, 1709164800, 1735599600},    /* 29 February, 31 December */
        {"AAA0BBB", false, 0, 0},
        {"AA0", false, 0, 0},
        {"CET", false, 0, 0},
        {"CET-1CEST,M13.5.0,M10.5.0/3", false, 0, 0},
        {"CET-1CEST,M3.6.0,M10.5.0/3", false, 0, 0},
        {"CET-1CEST,M3.5.0,M10.5.0/3x", false, 0, 0},
        {"CET-1CEST,M3.5.0", false, 0, 0},
        {"CET-168CEST,M3.5.0,M10.5.0", false, 0, 0},
        {"<CET-1", false, 0, 0},
        {"", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct tz_rule rule;
        int64_t to_summer, to_standard;

        if (tz_rule_parse(cases[i].text, &rule) != cases[i].valid)
            fail_msg("\"%s\"", cases[i].text);
        if (!cases[i].valid)
            continue;
        assert_true(tz_rule_changes(&rule, 2024, &to_summer, &to_standard));
        assert_int_equal(to_summer, cases[i].to_summer);
        assert_int_equal(to_standard, cases[i].to_standard);
    }
}

static void summer_all_year(void **state)
{
    struct tz_rule rule;
    int64_t to_summer, to_standard;

    (void)state;
    assert_true(tz_rule_parse("XXX3EDT4,0/0,J365/23", &rule)); /* RFC 8536, section 3.3.1 */
    assert_int_equal(rule.standard_offset, -10800);
    assert_int_equal(rule.summer_offset, -14400);
    assert_false(tz_rule_changes(&rule, 2023, &to_summer, &to_standard));
}

#define ZEROS_12 "\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_15 ZEROS_12 "\0\0\0"

/* A small file that is right, cut at every byte and with every byte changed: an error or a
 * table, never more (the sanitizers watch). */
static void damaged_files(void **state)
{
    static const char file[] = "TZif2" ZEROS_15 ZEROS_12 "\0\0\0\0\0\0\0\1\0\0\0\4"
                               "\0\0\0\0\0\0"
                               "UTC\0"
                               "TZif2" ZEROS_15 ZEROS_12 "\0\0\0\1\0\0\0\2\0\0\0\4"
                               "\0\0\0\0\1\2\3\4"
                               "\1"
                               "\0\0\0\0\0\0"
                               "\0\0\x0e\x10\0\0"
                               "UTC\0"
                               "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
    struct tz_table table = {0};

    (void)state;
    assert_int_equal(tz_table_parse(file, sizeof(file) - 1, &table, NULL), ERR_OK);
    assert_int_equal(table.entries[0].at, 0x01020304);
    assert_int_equal(table.entries[0].offset, 3600);
    assert_true(table.repeats);
    free(table.entries);
    for (size_t cut = 0; cut < sizeof(file) - 1; cut++) {
        CLEANUP(free_ptr) char *copy = malloc(cut + 1); /* of the exact size, for the sanitizer */

        memcpy(copy, file, cut);
        assert_int_equal(tz_table_parse(copy, cut, &table, NULL), ERR_CORRUPT);
    }
    for (size_t i = 0; i < 256 * (sizeof(file) - 1); i++) {
        char copy[sizeof(file)];

        memcpy(copy, file, sizeof(file));
        copy[i / 256] = (char)(i % 256);
        if (tz_table_parse(copy, sizeof(file) - 1, &table, NULL) == ERR_OK)
            free(table.entries);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_local_is_postgres), cmocka_unit_test(from_local_is_postgres),
        cmocka_unit_test(fixed_offsets),        cmocka_unit_test(infinity_and_range_ends_stay),
        cmocka_unit_test(unknown_names),        cmocka_unit_test(rules),
        cmocka_unit_test(summer_all_year),      cmocka_unit_test(damaged_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
