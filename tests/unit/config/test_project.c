/* Project definitions: what is read, what is refused and how that is said. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/project.h"
#include "config/project_keys.h"

#define REQUIRED "\"project\":\"p\",\"relation\":\"r\",\"target\":\"t\""

static enum err_code parse(const char *text, struct project **ret_project, struct err *err)
{
    return project_parse(text, strlen(text), "x.json", ret_project, err);
}

static void defaults(void **state)
{
    CLEANUP(project_freep) struct project *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(parse("{" REQUIRED "}", &p, &err), ERR_OK);
    assert_string_equal(p->name, "p");
    assert_string_equal(p->relation, "r");
    assert_string_equal(p->target, "t");
    assert_int_equal(p->task, TASK_AUTO);
    assert_int_equal(p->key.n, 0);
    assert_null(p->time);
    assert_int_equal(p->include.n + p->exclude.n + p->n_overrides, 0);
    assert_int_equal(p->algorithms, ALGORITHM_BIT(ALGORITHM_XGBOOST));
    assert_null(p->objective);
    assert_null(p->metric);
    assert_true(p->test_size == 0.2);
    assert_int_equal(p->test_by, TEST_BY_AUTO);
    assert_int_equal(p->search_strategy, SEARCH_AUTO);
    assert_int_equal(p->search_trials, 0);
    assert_null(p->search_params);
    assert_true(p->search_minutes == 0);
    assert_int_equal(p->search_folds, 0);
    assert_int_equal(p->refit, REFIT_TRAIN);
    assert_null(p->hyperparams);
    assert_int_equal(p->deploy, DEPLOY_IF_BETTER);
    assert_int_equal(p->keep, 10);
    assert_int_equal(p->seed, 42);
    assert_int_equal(p->threads, 0);
    assert_string_equal(p->timezone, "UTC");
    assert_null(p->schedule);
    assert_string_equal(p->json_text, "{" REQUIRED "}");
}

static void every_key(void **state)
{
    static const char text[] =
        "{\n \"project\": \"\\\";drop table x\", \"relation\": \"demo.\\\"My View\\\"\",\n"
        " \"target\": \"late\", \"task\": \"classification\", \"key\": \"id\", \"time\": \"at\",\n"
        " \"include\": [\"a\", \"b\"], \"exclude\": [], \"columns\": {\"a/b\": {\"as\": "
        "\"category\"},\n"
        " \"c\": {\"as\": \"ignore\"}, \"d\": {}}, \"algorithms\": [\"dart\", \"linear\"],\n"
        " \"objective\": \"binary:logistic\", \"metric\": \"roc_auc\",\n"
        " \"test\": {\"size\": 0.250, \"by\": \"time\"},\n"
        " \"search\": {\"strategy\": \"tpe\", \"trials\": 7, \"minutes\": 0.5, \"folds\": 10,\n"
        "              \"params\": {\"max_depth\": [3, 6]}}, \"refit\": \"all\",\n"
        " \"hyperparams\": {\"eta\": 0.1000000000000000055}, \"deploy\": \"never\", \"keep\": "
        "1000,\n"
        " \"seed\": 9007199254740991, \"threads\": 3, \"timezone\": \"Europe/Zurich\"}";
    CLEANUP(project_freep) struct project *p = NULL;
    struct err err = {0};

    (void)state;
    if (parse(text, &p, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_string_equal(p->name, "\";drop table x");
    assert_string_equal(p->relation, "demo.\"My View\"");
    assert_int_equal(p->task, TASK_CLASSIFICATION);
    assert_int_equal(p->key.n, 1);
    assert_string_equal(p->key.items[0], "id");
    assert_string_equal(p->time, "at");
    assert_int_equal(p->include.n, 2);
    assert_string_equal(p->include.items[1], "b");
    assert_int_equal(p->exclude.n, 0);
    assert_int_equal(p->n_overrides, 3);
    assert_string_equal(p->overrides[0].column, "a/b");
    assert_int_equal(p->overrides[0].as, AS_CATEGORY);
    assert_int_equal(p->overrides[1].as, AS_IGNORE);
    assert_int_equal(p->overrides[2].as, AS_AUTO);
    assert_int_equal(p->algorithms,
                     ALGORITHM_BIT(ALGORITHM_DART) | ALGORITHM_BIT(ALGORITHM_LINEAR));
    assert_string_equal(p->objective, "binary:logistic");
    assert_string_equal(p->metric, "roc_auc");
    assert_true(p->test_size == 0.25);
    assert_int_equal(p->test_by, TEST_BY_TIME);
    assert_int_equal(p->search_strategy, SEARCH_TPE);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(p->search_params, "max_depth")), 2);
    assert_int_equal(p->search_trials, 7);
    assert_true(p->search_minutes == 0.5);
    assert_int_equal(p->search_folds, 10);
    assert_int_equal(p->refit, REFIT_ALL);
    assert_true(cJSON_GetObjectItem(p->hyperparams, "eta")->valuedouble == 0.1);
    assert_int_equal(p->deploy, DEPLOY_NEVER);
    assert_int_equal(p->keep, 1000);
    assert_true(p->seed == INT64_C(9007199254740991));
    assert_int_equal(p->threads, 3);
    assert_string_equal(p->timezone, "Europe/Zurich");
    assert_non_null(strstr(p->json_text, "\"size\":0.250,"));
    assert_non_null(strstr(p->json_text, "{\"eta\":0.1000000000000000055}"));
    assert_null(strchr(p->json_text, '\n'));
}

static void column_options(void **state)
{
    CLEANUP(project_freep) struct project *p = NULL;
    const struct column_override *o;
    struct err err = {0};

    (void)state;
    if (parse("{" REQUIRED ",\"columns\":{"
              "\"a\":{\"as\":\"text\"},"
              "\"b\":{\"impute\":\"median\",\"scale\":\"min_max\"},"
              "\"c\":{\"impute\":-1.5},"
              "\"d\":{\"impute\":\"n/a\",\"encode\":\"onehot\"},"
              "\"e\":{\"encode\":{\"ordinal\":[\"low\",\"high\"]},\"impute\":null},"
              "\"f\":{\"impute\":\"none\",\"encode\":\"native\",\"scale\":\"none\"}}}",
              &p, &err) != ERR_OK)
        fail_msg("%s", err.message);
    o = p->overrides;
    assert_int_equal(p->n_overrides, 6);
    assert_int_equal(o[0].as, AS_TEXT);
    assert_int_equal(o[1].impute, IMPUTE_MEDIAN);
    assert_int_equal(o[1].scale, SCALE_MIN_MAX);
    assert_int_equal(o[2].impute, IMPUTE_NUMBER);
    assert_true(o[2].impute_number == -1.5);
    assert_int_equal(o[3].impute, IMPUTE_LABEL);
    assert_string_equal(o[3].impute_label, "n/a");
    assert_int_equal(o[3].encode, COLUMN_ONEHOT);
    assert_int_equal(o[4].encode, COLUMN_ORDINAL);
    assert_int_equal(o[4].ordinal.n, 2);
    assert_string_equal(o[4].ordinal.items[1], "high");
    assert_int_equal(o[4].impute, IMPUTE_NONE);
    assert_int_equal(o[5].impute + o[5].encode + o[5].scale + o[5].as, 0);
    assert_string_equal(column_impute_name(IMPUTE_ZERO), "zero");
    assert_string_equal(column_encode_name(COLUMN_TARGET_MEANS), "target");
    assert_string_equal(column_scale_name(SCALE_MAX_ABS), "max_abs");
}

static void the_stored_form_reads_back(void **state)
{
    CLEANUP(project_freep) struct project *first = NULL, *second = NULL;
    struct err err;

    (void)state;
    assert_int_equal(
        parse("{ " REQUIRED ", \"search\": {\"minutes\": 1e1}, \"time\": null}", &first, &err),
        ERR_OK);
    assert_int_equal(parse(first->json_text, &second, &err), ERR_OK);
    assert_string_equal(second->json_text, first->json_text);
    assert_string_equal(first->json_text,
                        "{" REQUIRED ",\"search\":{\"minutes\":1e1},\"time\":null}");
    assert_true(second->search_minutes == 10);
}

static void null_is_absent(void **state)
{
    CLEANUP(project_freep) struct project *p = NULL;
    struct err err = {0};

    (void)state;
    if (parse("{" REQUIRED ",\"test\":null,\"search\":{\"trials\":null},\"keep\":null,"
              "\"schedule\":null,\"columns\":null}",
              &p, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p->keep, 10);
    assert_int_equal(p->search_trials, 0);
}

static void thresholds(void **state)
{
    static const struct {
        const char *text;
        const char *metric; /* NULL: none */
        double number;
    } cases[] = {
        {"", NULL, 0},
        {",\"threshold\":null", NULL, 0},
        {",\"threshold\":\"none\"", NULL, 0},
        {",\"threshold\":0.25", NULL, 0.25},
        {",\"threshold\":\"f1\"", "f1", 0},
        {",\"threshold\":\"accuracy\"", "accuracy", 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(project_freep) struct project *p = NULL;
        char text[256];
        struct err err = {0};

        snprintf(text, sizeof(text), "{" REQUIRED "%s}", cases[i].text);
        if (parse(text, &p, &err) != ERR_OK)
            fail_msg("%s", err.message);
        assert_true(p->threshold.number == cases[i].number);
        if (cases[i].metric == NULL)
            assert_null(p->threshold.metric);
        else
            assert_string_equal(p->threshold.metric, cases[i].metric);
        assert_int_equal(p->calibration, CALIBRATE_AUTO);
    }
}

struct refusal {
    const char *text, *message, *field, *hint; /* hint NULL: any */
};

static void check_refusals(const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct project *project = NULL;
        struct err err = {0};

        if (parse(cases[i].text, &project, &err) == ERR_OK)
            fail_msg("%s was accepted", cases[i].text);
        assert_null(project);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.field, cases[i].field);
        if (cases[i].hint != NULL)
            assert_string_equal(err.hint, cases[i].hint);
    }
}

static void refuses_texts(void **state)
{
    static const struct refusal cases[] = {
        {"", "x.json: line 1, column 1: expected a value, found the end of the text", "", NULL},
        {"{\n\"project\": 1,}", "x.json: line 2, column 14: expected a key, found \"}\"", "", NULL},
        {"[]", "x.json: expected an object of keys", "", NULL},
        {"7", "x.json: expected an object of keys", "", NULL},
        {"{\"keep\":1,\"keep\":2}", "x.json: the key \"keep\" appears more than once in one object",
         "", NULL},
        {"{\"project\":\"\\u0000\"}",
         "x.json: line 1, column 13: a string holds \\u0000, which Postgres's text cannot", "",
         NULL},
        {"{}", "x.json: the key \"project\" is missing", "/project", NULL},
        {"{\"project\":\"p\",\"target\":\"t\"}", "x.json: the key \"relation\" is missing",
         "/relation", NULL},
        {"{\"project\":\"p\",\"relation\":\"r\",\"target\":null}",
         "x.json: the key \"target\" is missing", "/target", NULL},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void refuses_unknown_keys(void **state)
{
    static const struct refusal cases[] = {
        {"{" REQUIRED ",\n\"metrics\":1}", "x.json: line 2: \"metrics\": unknown key", "/metrics",
         "did you mean \"metric\"?"},
        {"{" REQUIRED ",\"Target\":1}", "x.json: line 1: \"Target\": unknown key", "/Target",
         "did you mean \"target\"?"},
        {"{" REQUIRED ",\"zzzzz\":1}", "x.json: line 1: \"zzzzz\": unknown key", "/zzzzz",
         "models/README.md lists every key"},
        {"{" REQUIRED ",\"test\":{\"siz\":1}}", "x.json: line 1: \"test.siz\": unknown key",
         "/test/siz", "did you mean \"size\" in the object \"test\"?"},
        {"{" REQUIRED ",\"trials\":1}", "x.json: line 1: \"trials\": unknown key", "/trials",
         "did you mean \"trials\" in the object \"search\"?"},
        {"{" REQUIRED ",\"test.size\":0.1}", "x.json: line 1: \"test.size\": unknown key",
         "/test.size", "did you mean \"size\" in the object \"test\"?"},
        {"{" REQUIRED ",\"\":1}", "x.json: line 1: \"\": unknown key", "/", NULL},
        {"{" REQUIRED ",\"a/b~c\":1}", "x.json: line 1: \"a/b~c\": unknown key", "/a~1b~0c", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"is\":\"number\"}}}",
         "x.json: line 1: \"columns.c.is\": unknown key", "/columns/c/is", NULL},
        {"{" REQUIRED ",\"test\":{\"test\":{\"size\":1}}}",
         "x.json: line 1: \"test.test\": unknown key", "/test/test", NULL},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void refuses_wrong_types(void **state)
{
    static const struct refusal cases[] = {
        {"{" REQUIRED ",\n\"test\":{\n\"size\":\"abc\"}}",
         "x.json: line 3: \"test.size\": expected a number between 0 and 1, found \"abc\"",
         "/test/size", NULL},
        {"{" REQUIRED ",\"test\":{\"size\":0}}",
         "x.json: line 1: \"test.size\": expected a number between 0 and 1, found 0", "/test/size",
         NULL},
        {"{" REQUIRED ",\"test\":{\"size\":1.0}}",
         "x.json: line 1: \"test.size\": expected a number between 0 and 1, found 1", "/test/size",
         NULL},
        {"{" REQUIRED ",\"test\":0.2}", "x.json: line 1: \"test\": expected an object, found 0.2",
         "/test", NULL},
        {"{" REQUIRED ",\"keep\":0}",
         "x.json: line 1: \"keep\": expected a whole number between 1 and 1000, found 0", "/keep",
         NULL},
        {"{" REQUIRED ",\"keep\":1001}",
         "x.json: line 1: \"keep\": expected a whole number between 1 and 1000, found 1001",
         "/keep", NULL},
        {"{" REQUIRED ",\"keep\":2.5}",
         "x.json: line 1: \"keep\": expected a whole number between 1 and 1000, found 2.5", "/keep",
         NULL},
        {"{" REQUIRED ",\"keep\":true}",
         "x.json: line 1: \"keep\": expected a whole number between 1 and 1000, found true",
         "/keep", NULL},
        {"{" REQUIRED ",\"search\":{\"trials\":0}}",
         "x.json: line 1: \"search.trials\": expected a whole number between 1 and 100000, found 0",
         "/search/trials", NULL},
        {"{" REQUIRED ",\"search\":{\"strategy\":\"tpf\"}}",
         "x.json: line 1: \"search.strategy\": expected one of \"auto\", \"none\", \"grid\", "
         "\"random\", \"tpe\", found \"tpf\"",
         "/search/strategy", NULL},
        {"{" REQUIRED ",\"search\":{\"params\":[3]}}",
         "x.json: line 1: \"search.params\": expected an object such as {\"max_depth\": [3, 6, "
         "9]}, found a list",
         "/search/params", NULL},
        {"{" REQUIRED ",\"search\":{\"folds\":0}}",
         "x.json: line 1: \"search.folds\": expected a whole number between 1 and 100, found 0",
         "/search/folds", ""},
        {"{" REQUIRED ",\"refit\":\"both\"}",
         "x.json: line 1: \"refit\": expected one of \"train\", \"all\", found \"both\"", "/refit",
         ""},
        {"{" REQUIRED ",\"search\":{\"minutes\":0}}",
         "x.json: line 1: \"search.minutes\": expected a number of minutes above 0, found 0",
         "/search/minutes", NULL},
        {"{" REQUIRED ",\"seed\":9007199254740993}",
         "x.json: line 1: \"seed\": expected a whole number between 0 and 9007199254740991, found "
         "9007199254740992",
         "/seed", NULL},
        {"{" REQUIRED ",\"key\":[1]}",
         "x.json: line 1: \"key\": expected a column's name or a list of them, found 1", "/key",
         NULL},
        {"{" REQUIRED ",\"key\":[\"a\",\n\"b\",\n\"a\"]}",
         "x.json: line 3: \"key.2\": a column that is listed twice", "/key/2", NULL},
        {"{" REQUIRED ",\"time\":\"\"}",
         "x.json: line 1: \"time\": expected a text that is not empty, found \"\"", "/time", NULL},
        {"{" REQUIRED ",\"relation\":{}}",
         "x.json: the key \"relation\" appears more than once in "
         "one object",
         "", NULL},
        {"{" REQUIRED ",\"metric\":{}}",
         "x.json: line 1: \"metric\": expected a text that is not empty, found an object",
         "/metric", NULL},
        {"{" REQUIRED ",\"hyperparams\":[1]}",
         "x.json: line 1: \"hyperparams\": expected an object such as {\"eta\": 0.1}, found a list",
         "/hyperparams", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":\"number\"}}",
         "x.json: line 1: \"columns.c\": expected an object such as {\"as\": \"category\"}, found "
         "\"number\"",
         "/columns/c", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"as\":\"words\"}}}",
         "x.json: line 1: \"columns.c.as\": expected one of \"number\", \"category\", "
         "\"timestamp\", \"text\", \"ignore\", found \"words\"",
         "/columns/c/as", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"impute\":true}}}",
         "x.json: line 1: \"columns.c.impute\": expected \"none\", \"mean\", \"median\", "
         "\"mode\", \"min\", \"max\", \"zero\", \"random\", a number or a category's label, found "
         "true",
         "/columns/c/impute", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"impute\":1e300}}}",
         "x.json: line 1: \"columns.c.impute\": expected a number that a float32 holds, found "
         "1e+300",
         "/columns/c/impute", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"impute\":\"\"}}}",
         "x.json: line 1: \"columns.c.impute\": expected \"none\", \"mean\", \"median\", "
         "\"mode\", \"min\", \"max\", \"zero\", \"random\", a number or a category's label, found "
         "\"\"",
         "/columns/c/impute", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"encode\":\"ordinal\"}}}",
         "x.json: line 1: \"columns.c.encode\": expected one of \"native\", \"onehot\", "
         "\"target\", \"frequency\", found \"ordinal\"",
         "/columns/c/encode", "or {\"ordinal\": [\"low\", \"high\"]}: labels by their position"},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"encode\":{\"ordinal\":[]}}}}",
         "x.json: line 1: \"columns.c.encode\": expected an object such as {\"ordinal\": [\"low\", "
         "\"high\"]}",
         "/columns/c/encode", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"encode\":{\"ordinal\":[\"a\"],\"b\":1}}}}",
         "x.json: line 1: \"columns.c.encode\": expected an object such as {\"ordinal\": [\"low\", "
         "\"high\"]}",
         "/columns/c/encode", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"encode\":{\"ordinal\":[\"a\",\"b\",\"a\"]}}}}",
         "x.json: line 1: \"columns.c.encode.ordinal.2\": a label that is listed twice",
         "/columns/c/encode/ordinal/2", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"encode\":{\"ordinal\":[1]}}}}",
         "x.json: line 1: \"columns.c.encode.ordinal\": expected a list of labels, found 1",
         "/columns/c/encode/ordinal", NULL},
        {"{" REQUIRED ",\"columns\":{\"c\":{\"scale\":\"log\"}}}",
         "x.json: line 1: \"columns.c.scale\": expected one of \"none\", \"standard\", "
         "\"min_max\", \"max_abs\", \"robust\", found \"log\"",
         "/columns/c/scale", NULL},
        {"{" REQUIRED ",\"deploy\":1}",
         "x.json: line 1: \"deploy\": expected one of \"if_better\", \"always\", \"never\", found "
         "1",
         "/deploy", NULL},
        {"{" REQUIRED ",\"algorithms\":[]}",
         "x.json: line 1: \"algorithms\": expected a list of algorithms, found an empty list",
         "/algorithms", NULL},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void refuses_thresholds(void **state)
{
#define METRICS                                                                                    \
    "\"none\", \"f1\", \"f1_macro\", \"f1_weighted\", \"balanced_accuracy\", "                     \
    "\"mcc\", \"kappa\", \"accuracy\""
    static const struct refusal cases[] = {
        {"{" REQUIRED ",\"threshold\":1}",
         "x.json: line 1: \"threshold\": expected a number between 0 and 1, found 1", "/threshold",
         ""},
        {"{" REQUIRED ",\"threshold\":-0.1}",
         "x.json: line 1: \"threshold\": expected a number between 0 and 1, found -0.1",
         "/threshold", ""},
        {"{" REQUIRED ",\"threshold\":\"roc_auc\"}",
         "x.json: line 1: \"threshold\": expected one of " METRICS ", found \"roc_auc\"",
         "/threshold", "or a number between 0 and 1"},
        {"{" REQUIRED ",\"threshold\":[0.5]}",
         "x.json: line 1: \"threshold\": expected one of " METRICS ", found a list", "/threshold",
         "or a number between 0 and 1"},
        {"{" REQUIRED ",\"calibration\":\"beta\"}",
         "x.json: line 1: \"calibration\": expected one of \"auto\", \"none\", \"platt\", "
         "\"isotonic\", \"temperature\", found \"beta\"",
         "/calibration", ""},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void refuses_what_a_task_cannot_do(void **state)
{
    static const struct refusal cases[] = {
        {"{" REQUIRED ",\"task\":\"ranking\"}",
         "x.json: line 1: \"task\": a ranking needs the key \"group\"", "/task",
         "add \"group\": the name of the column whose equal values are one list: a query, a "
         "customer's offers"},
        {"{" REQUIRED ",\"task\":\"ranking\",\"group\":\"q\",\"test\":{\"by\":\"stratified\"}}",
         "x.json: line 1: \"test.by\": a ranking is split by whole lists", "/test/by",
         "use \"group\" or \"time\", or leave it out"},
        {"{" REQUIRED ",\"task\":\"survival\",\"event\":\"e\",\"target_upper\":\"u\"}",
         "x.json: line 1: \"target_upper\": survival takes one of the keys \"event\" and "
         "\"target_upper\", not both",
         "/target_upper",
         "\"event\" names the column that says whether the event came at the target's time or was "
         "not seen until then; \"target_upper\" the latest time at which it may have come"},
        {"{" REQUIRED ",\"event\":\"e\"}",
         "x.json: line 1: \"event\": only \"task\": \"survival\" has it", "/event",
         "leave the key out, or say \"task\": \"survival\""},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void refuses_what_comes_later(void **state)
{
    static const struct refusal cases[] = {
        {"{" REQUIRED ",\"source\":\"s\"}",
         "x.json: line 1: \"source\": not available in this version", "/source", "leave it out"},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void refuses_what_does_not_fit(void **state)
{
    static const struct refusal cases[] = {
        {"{" REQUIRED ",\n\"test\":{\"by\":\"time\"}}",
         "x.json: line 2: \"test.by\": a split by time needs the key \"time\"", "/test/by", NULL},
        {"{" REQUIRED ",\"test\":{\"by\":\"group\"}}",
         "x.json: line 1: \"test.by\": a split by group needs the key \"group\"", "/test/by", NULL},
        {"{" REQUIRED ",\"task\":\"regression\",\"test\":{\"by\":\"stratified\"}}",
         "x.json: line 1: \"test.by\": a stratified split needs classes", "/test/by", NULL},
        {"{" REQUIRED ",\"timezone\":\"Europe/Zürich\"}",
         "x.json: line 1: \"timezone\": unknown time zone \"Europe/Zürich\"", "/timezone", NULL},
        {"{\"project\":\"a/b\",\"relation\":\"r\",\"target\":\"t\"}",
         "x.json: line 1: \"project\": a project's name must not hold \"/\" and not be \".\" or "
         "\"..\"",
         "/project", NULL},
    };

    (void)state;
    check_refusals(cases, N_ELEMENTS(cases));
}

static void long_values_are_not_echoed(void **state)
{
    CLEANUP(buf_release) struct buf text = {0};
    struct project *project = NULL;
    struct err err;

    (void)state;
    buf_puts(&text, "{" REQUIRED ",\"keep\":\"");
    for (int i = 0; i < 500000; i++)
        buf_putc(&text, 'x');
    buf_puts(&text, "\"}");
    assert_int_equal(parse(text.data, &project, &err), ERR_CONFIG);
    assert_string_equal(err.message, "x.json: line 1: \"keep\": expected a whole number between 1 "
                                     "and 1000, found a text of 500000 bytes");
}

static void names(void **state)
{
    static const char *const good[] = {"p",   "flight_delay", "\";drop table x", "größe 1",
                                       "...", "a.b",          "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"", ".", "..", "a/b", "a\nb", "\x7f", "\xff", "caf\xc3"};
    char name[65];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(good); i++)
        assert_int_equal(project_check_name(good[i], NULL), ERR_OK);
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        assert_int_equal(project_check_name(bad[i], NULL), ERR_INVALID);
    memset(name, 'n', sizeof(name));
    name[63] = '\0';
    assert_int_equal(project_check_name(name, NULL), ERR_OK);
    name[63] = 'n';
    name[64] = '\0';
    assert_int_equal(project_check_name(name, NULL), ERR_INVALID);
}

static void choices_have_names(void **state)
{
    (void)state;
    assert_string_equal(task_name(TASK_REGRESSION), "regression");
    assert_string_equal(task_name(TASK_AUTO), "auto");
    assert_string_equal(algorithm_name(ALGORITHM_XGBOOST), "xgboost");
    assert_string_equal(algorithm_name(ALGORITHM_RANDOM_FOREST), "random_forest");
}

static void reads_scores(void **state)
{
    static const char bare[] = "{" REQUIRED "}";
    static const char all[] = "{" REQUIRED ", \"key\": \"id\", \"score\": {\"from\": \"f\","
                              " \"into\": \"t\", \"after\": \"0 3 * * *\", \"explain\": true,"
                              " \"atomic\": false}}";
    CLEANUP(project_freep) struct project *without = NULL, *with = NULL;
    struct err err;

    (void)state;
    assert_int_equal(project_parse(bare, strlen(bare), "p", &without, &err), ERR_OK);
    assert_null(without->score.into);
    assert_int_equal(project_parse(all, strlen(all), "p", &with, &err), ERR_OK);
    assert_string_equal(with->score.from, "f");
    assert_string_equal(with->score.into, "t");
    assert_string_equal(with->score.after, "0 3 * * *");
    assert_true(with->score.explain);
    assert_false(with->score.atomic);
}

static void refuses_scores(void **state)
{
    static const struct {
        const char *keys, *field, *word;
    } cases[] = {
        {"\"key\": \"id\", \"score\": {\"after\": \"train\"}", "/score", "into"},
        {"\"score\": {\"into\": \"t\"}", "/score", "key"},
        {"\"key\": \"id\", \"score\": {\"into\": \"t\", \"after\": \"often\"}", "/score/after",
         "train"},
        {"\"key\": \"id\", \"score\": {\"into\": \"t\", \"explain\": 1}", "/score/explain",
         "true or false"},
        {"\"key\": \"id\", \"score\": {\"into\": 3}", "/score/into", "text"},
        {"\"key\": \"id\", \"score\": \"t\"", "/score", "an object"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(project_freep) struct project *p = NULL;
        char text[400];
        struct err err;

        snprintf(text, sizeof(text), "{" REQUIRED ", %s}", cases[i].keys);
        assert_int_equal(project_parse(text, strlen(text), "p", &p, &err), ERR_CONFIG);
        assert_string_equal(err.field, cases[i].field);
        assert_non_null(strstr(err.message, cases[i].word));
    }
}

static void loads_files(void **state)
{
    char path[] = "/tmp/pgboost-test-XXXXXX";
    int fd = mkstemp(path);
    CLEANUP(project_freep) struct project *p = NULL;
    struct err err;

    (void)state;
    assert_true(fd >= 0);
    assert_true(write(fd, "{" REQUIRED "}", strlen("{" REQUIRED "}")) > 0);
    assert_int_equal(project_load(path, &p, &err), ERR_OK);
    assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
    close(fd);
    assert_int_equal(project_load(path, &p, &err), ERR_LIMIT);
    unlink(path);
    assert_int_equal(project_load(path, &p, &err), ERR_IO);
    assert_string_equal(p->name, "p"); /* untouched by the failures */
}

static void check_readme_has(const struct buf *readme, const struct choice *choices)
{
    for (const struct choice *c = choices; c != NULL && c->name != NULL; c++) {
        char cell[96];

        snprintf(cell, sizeof(cell), "`%s`", c->name);
        if (c->value != CHOICE_LATER && strstr(readme->data, cell) == NULL)
            fail_msg("models/README.md does not have the value %s", cell);
    }
}

/* The README is the users' side of the table; the test runs in the project's folder. */
static void readme_has_every_key(void **state)
{
    CLEANUP(buf_release) struct buf readme = {0};
    struct err err = {0};

    (void)state;
    if (buf_read_file(&readme, "models/README.md", 1 << 20, &err) != ERR_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < n_project_keys; i++) {
        const struct project_key *key = &project_keys[i];
        char cell[96];

        snprintf(cell, sizeof(cell), "`%s%s`", key->name,
                 key->type == KEY_COLUMNS ? ".NAME.as" : "");
        if (strstr(readme.data, cell) == NULL)
            fail_msg("models/README.md does not have %s", cell);
        check_readme_has(&readme, key->choices);
    }
    check_readme_has(&readme, column_impute_choices);
    check_readme_has(&readme, column_encode_choices);
    check_readme_has(&readme, column_scale_choices);
}

/* What people copy from must work: the README's definitions, and those beside it. */
static void examples_are_valid(void **state)
{
    static const char fence[] = "```json\n";
    CLEANUP(buf_release) struct buf readme = {0};
    struct err err = {0};
    glob_t files;
    int n = 0;

    (void)state;
    assert_int_equal(buf_read_file(&readme, "models/README.md", 1 << 20, &err), ERR_OK);
    for (char *at = strstr(readme.data, fence); at != NULL; at = strstr(at, fence), n++) {
        CLEANUP(project_freep) struct project *p = NULL;

        at += strlen(fence);
        if (project_parse(at, (size_t)(strstr(at, "```") - at), "example", &p, &err) != ERR_OK)
            fail_msg("%s", err.message);
    }
    assert_int_equal(n, 7);
    if (glob("models/*.json", 0, NULL, &files) != 0)
        return; /* there need not be any */
    for (size_t i = 0; i < files.gl_pathc; i++) {
        CLEANUP(project_freep) struct project *p = NULL;

        if (project_load(files.gl_pathv[i], &p, &err) != ERR_OK)
            fail_msg("%s", err.message);
    }
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key),
        cmocka_unit_test(column_options),
        cmocka_unit_test(the_stored_form_reads_back),
        cmocka_unit_test(null_is_absent),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(refuses_thresholds),
        cmocka_unit_test(refuses_texts),
        cmocka_unit_test(refuses_unknown_keys),
        cmocka_unit_test(refuses_wrong_types),
        cmocka_unit_test(refuses_what_a_task_cannot_do),
        cmocka_unit_test(refuses_what_comes_later),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(long_values_are_not_echoed),
        cmocka_unit_test(names),
        cmocka_unit_test(choices_have_names),
        cmocka_unit_test(reads_scores),
        cmocka_unit_test(refuses_scores),
        cmocka_unit_test(loads_files),
        cmocka_unit_test(readme_has_every_key),
        cmocka_unit_test(examples_are_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
