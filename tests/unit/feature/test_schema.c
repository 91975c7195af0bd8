/* A definition meets a relation: what each column is for, and every disagreement. */
#include "fixture.h"

#define LIST(...)                                                                                  \
    {                                                                                              \
        .n = (int)N_ELEMENTS(((const char *[]){__VA_ARGS__})), .items = (const char *[])           \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define OVERRIDE(name, how)                                                                        \
    .n_overrides = 1, .overrides = (struct column_override[])                                      \
    {                                                                                              \
        {                                                                                          \
            .column = name, .as = how                                                              \
        }                                                                                          \
    }
#define OPTION(name, ...)                                                                          \
    .n_overrides = 1, .overrides = (struct column_override[])                                      \
    {                                                                                              \
        {                                                                                          \
            .column = name, __VA_ARGS__                                                            \
        }                                                                                          \
    }

static void all_types(struct fixture *fixture)
{
    fixture_column(fixture, "id", PG_INT8);
    fixture_column(fixture, "delay", PG_FLOAT8);
    fixture_column(fixture, "late", PG_TEXT_TYPE);
    fixture_column(fixture, "flag", PG_BOOL);
    fixture_column(fixture, "kind", PG_ENUM);
    fixture_column(fixture, "carrier", PG_BPCHAR);
    fixture_column(fixture, "n", PG_INT4);
    fixture_column(fixture, "price", PG_NUMERIC);
    fixture_column(fixture, "ratio", PG_FLOAT4);
    fixture_column(fixture, "day", PG_DATE);
    fixture_column(fixture, "at", PG_TIMESTAMP);
    fixture_column(fixture, "at_tz", PG_TIMESTAMPTZ);
    fixture_column(fixture, "token", PG_OTHER);
    fixture_column(fixture, "a/b~c", PG_TEXT_TYPE);
}

static const struct {
    struct project project;
    const char *message, *field, *hint; /* hint: a part of it */
} refusals[] = {
    /* names that are not there */
    {{.target = "delai"},
     "key \"target\": relation demo.x has no column \"delai\"",
     "/target",
     "did you mean \"delay\"?"},
    {{.target = "zzzzzz"},
     "key \"target\": relation demo.x has no column \"zzzzzz\"",
     "/target",
     "its columns are \"id\", \"delay\", \"late\""},
    {{.target = "delay", .key = LIST("id", "idd")},
     "key \"key\": relation demo.x has no column \"idd\"",
     "/key/1",
     "did you mean \"id\"?"},
    {{.target = "delay", .time = "att"},
     "key \"time\": relation demo.x has no column \"att\"",
     "/time",
     "did you mean \"at\"?"},
    {{.target = "delay", .exclude = LIST("foo")},
     "key \"exclude\": relation demo.x has no column \"foo\"",
     "/exclude/0",
     ""},
    {{.target = "delay", .include = LIST("n", "carier")},
     "key \"include\": relation demo.x has no column \"carier\"",
     "/include/1",
     "did you mean \"carrier\"?"},
    {{.target = "delay", OVERRIDE("x/y~z", AS_CATEGORY)},
     "key \"columns\": relation demo.x has no column \"x/y~z\"",
     "/columns/x~1y~0z",
     ""},
    {{.target = "delay", .exclude = LIST("DELAY")},
     "key \"exclude\": relation demo.x has no column \"DELAY\"",
     "/exclude/0",
     "did you mean \"delay\"?"},
    {{.target = "delay", .group = "carier"},
     "key \"group\": relation demo.x has no column \"carier\"",
     "/group",
     "did you mean \"carrier\"?"},
    {{.target = "delay", .weight = "prise"},
     "key \"weight\": relation demo.x has no column \"prise\"",
     "/weight",
     "did you mean \"price\"?"},
    /* a column said to be two things */
    {{.target = "late", .group = "late"},
     "key \"group\": column \"late\" is the target",
     "/group",
     "a customer"},
    {{.target = "delay", .key = LIST("id"), .group = "id"},
     "key \"group\": column \"id\" is the key",
     "/group",
     "several rows share"},
    {{.target = "delay", .time = "day", .group = "day"},
     "key \"group\": column \"day\" is the time",
     "/group",
     "leave \"group\" out"},
    {{.target = "delay", .weight = "delay"},
     "key \"weight\": column \"delay\" is the target",
     "/weight",
     "beside the answer"},
    {{.target = "delay", .key = LIST("id", "n"), .weight = "n"},
     "key \"weight\": column \"n\" is part of the key",
     "/weight",
     "a key names rows"},
    {{.target = "delay", .time = "n", .weight = "n"},
     "key \"weight\": column \"n\" is the time",
     "/weight",
     "in the view"},
    {{.target = "delay", .group = "n", .weight = "n"},
     "key \"weight\": column \"n\" is the group",
     "/weight",
     "belong together"},
    {{.target = "delay", .group = "n", .include = LIST("n")},
     "key \"include\": column \"n\" is the group",
     "/include/0",
     "another name"},
    {{.target = "delay", .group = "n", OVERRIDE("n", AS_CATEGORY)},
     "key \"columns\": column \"n\" is the group",
     "/columns/n",
     "another name"},
    {{.target = "delay", .weight = "n", .include = LIST("n")},
     "key \"include\": column \"n\" is the weight",
     "/include/0",
     "another name"},
    {{.target = "delay", .weight = "n", OPTION("n", .impute = IMPUTE_MEAN)},
     "key \"columns\": column \"n\" is the weight",
     "/columns/n",
     "another name"},
    {{.target = "delay", .weight = "late"},
     "key \"weight\": column \"late\" is of type text, which is not a number",
     "/weight",
     "cast"},
    {{.target = "delay", .weight = "flag"},
     "key \"weight\": column \"flag\" is of type bool, which is not a number",
     "/weight",
     "cast"},
    {{.target = "delay", .key = LIST("delay")},
     "key \"key\": column \"delay\" is the target",
     "/key/0",
     "a key names rows"},
    {{.target = "n", .time = "n"},
     "key \"time\": column \"n\" is the target",
     "/time",
     "known before"},
    {{.target = "delay", .exclude = LIST("n", "delay")},
     "key \"exclude\": column \"delay\" is the target",
     "/exclude/1",
     "no need"},
    {{.target = "delay", .include = LIST("delay")},
     "key \"include\": column \"delay\" is the target",
     "/include/0",
     "feature of itself"},
    {{.target = "delay", OVERRIDE("delay", AS_NUMBER)},
     "key \"columns\": column \"delay\" is the target",
     "/columns/delay",
     "\"task\""},
    {{.target = "delay", OVERRIDE("delay", AS_IGNORE)},
     "key \"columns\": column \"delay\" is the target",
     "/columns/delay",
     "no need"},
    {{.target = "delay", .key = LIST("id"), .include = LIST("id")},
     "key \"include\": column \"id\" is part of the key",
     "/include/0",
     "another name"},
    {{.target = "delay", .key = LIST("id"), OVERRIDE("id", AS_CATEGORY)},
     "key \"columns\": column \"id\" is part of the key",
     "/columns/id",
     "another name"},
    {{.target = "delay", .include = LIST("n"), .exclude = LIST("n")},
     "key \"include\": column \"n\" is in \"exclude\" too",
     "/include/0",
     "one of the two"},
    {{.target = "delay", .include = LIST("n"), OVERRIDE("n", AS_IGNORE)},
     "key \"columns\": column \"n\" is in \"include\" too",
     "/columns/n",
     "one of the two"},
    /* and twice */
    {{.target = "delay", .key = LIST("id", "id")},
     "key \"key\": column \"id\" is named twice",
     "/key/1",
     ""},
    {{.target = "delay", .exclude = LIST("n", "id", "n")},
     "key \"exclude\": column \"n\" is named twice",
     "/exclude/2",
     ""},
    {{.target = "delay", .include = LIST("n", "n")},
     "key \"include\": column \"n\" is named twice",
     "/include/1",
     ""},
    /* types */
    {{.target = "token"},
     "key \"target\": column \"token\" is of type uuid, which cannot be predicted",
     "/target",
     "convert it"},
    {{.target = "day"},
     "key \"target\": column \"day\" is of type date, which cannot be predicted",
     "/target",
     "convert it"},
    {{.target = "at"},
     "key \"target\": column \"at\" is of type timestamp, which cannot be predicted",
     "/target",
     ""},
    {{.target = "at_tz"},
     "key \"target\": column \"at_tz\" is of type timestamptz, which cannot be predicted",
     "/target",
     ""},
    {{.target = "late", .task = TASK_REGRESSION},
     "key \"task\": regression needs a number, and the target \"late\" is of type text",
     "/task",
     "classification"},
    {{.target = "flag", .task = TASK_REGRESSION},
     "key \"task\": regression needs a number, and the target \"flag\" is of type bool",
     "/task",
     "classification"},
    {{.target = "kind", .task = TASK_REGRESSION},
     "key \"task\": regression needs a number, and the target \"kind\" is of type enum",
     "/task",
     "classification"},
    {{.target = "delay", .time = "late"},
     "key \"time\": column \"late\" is of type text, which does not order rows in time",
     "/time",
     "a date"},
    {{.target = "delay", .time = "flag"},
     "key \"time\": column \"flag\" is of type bool, which does not order rows in time",
     "/time",
     ""},
    {{.target = "delay", .time = "token"},
     "key \"time\": column \"token\" is of type uuid, which does not order rows in time",
     "/time",
     ""},
    {{.target = "delay", .test_by = TEST_BY_TIME},
     "key \"test\": \"by\": \"time\" needs a time column",
     "/test/by",
     "\"time\""},
    {{.target = "delay", .include = LIST("token")},
     "key \"include\": column \"token\" is of type uuid, which is not used as a feature",
     "/include/0",
     "in the view"},
    /* what a type cannot be */
    {{.target = "delay", OVERRIDE("late", AS_NUMBER)},
     "key \"columns\": column \"late\" is of type text, which cannot be a number",
     "/columns/late",
     "category or ignore"},
    {{.target = "delay", OVERRIDE("kind", AS_TIMESTAMP)},
     "key \"columns\": column \"kind\" is of type enum, which cannot be a timestamp",
     "/columns/kind",
     "category or ignore"},
    {{.target = "delay", OVERRIDE("price", AS_CATEGORY)},
     "key \"columns\": column \"price\" is of type numeric, which cannot be a category",
     "/columns/price",
     "cast it to text"},
    {{.target = "delay", OVERRIDE("ratio", AS_TIMESTAMP)},
     "key \"columns\": column \"ratio\" is of type float4, which cannot be a timestamp",
     "/columns/ratio",
     "number or ignore"},
    {{.target = "delay", OVERRIDE("n", AS_TIMESTAMP)},
     "key \"columns\": column \"n\" is of type int4, which cannot be a timestamp",
     "/columns/n",
     "number, category or ignore"},
    {{.target = "delay", OVERRIDE("day", AS_NUMBER)},
     "key \"columns\": column \"day\" is of type date, which cannot be a number",
     "/columns/day",
     "timestamp or ignore"},
    {{.target = "delay", OVERRIDE("at_tz", AS_CATEGORY)},
     "key \"columns\": column \"at_tz\" is of type timestamptz, which cannot be a category",
     "/columns/at_tz",
     "timestamp or ignore"},
    {{.target = "delay", OVERRIDE("token", AS_CATEGORY)},
     "key \"columns\": column \"token\" is of type uuid, which cannot be a category",
     "/columns/token",
     "may be ignore"},
    {{.target = "delay", OVERRIDE("n", AS_TEXT)},
     "key \"columns\": column \"n\" is of type int4, which cannot be a text",
     "/columns/n",
     "number, category or ignore"},
    {{.target = "delay", OVERRIDE("kind", AS_TEXT)},
     "key \"columns\": column \"kind\" is of type enum, which cannot be a text",
     "/columns/kind",
     "category or ignore"},
    /* options that do not fit */
    {{.target = "delay", OPTION("late", .impute = IMPUTE_MEAN)},
     "key \"columns\": column \"late\" is a category, which \"impute\": \"mean\" does not fit",
     "/columns/late/impute",
     "mode and a label"},
    {{.target = "delay", OPTION("late", .impute = IMPUTE_NUMBER)},
     "key \"columns\": column \"late\" is a category, which \"impute\": \"a number\" does not fit",
     "/columns/late/impute",
     "mode and a label"},
    {{.target = "delay", OPTION("n", .impute = IMPUTE_LABEL)},
     "key \"columns\": column \"n\" is a number, which \"impute\": \"a label\" does not fit",
     "/columns/n/impute",
     "median"},
    {{.target = "delay", OPTION("n", .as = AS_CATEGORY, .impute = IMPUTE_ZERO)},
     "key \"columns\": column \"n\" is a category, which \"impute\": \"zero\" does not fit",
     "/columns/n/impute",
     ""},
    {{.target = "delay", OPTION("day", .impute = IMPUTE_MODE)},
     "key \"columns\": column \"day\" is neither a number nor a category, which \"impute\": "
     "\"mode\" does not fit",
     "/columns/day/impute",
     "none"},
    {{.target = "delay", OPTION("late", .as = AS_TEXT, .encode = COLUMN_ONEHOT)},
     "key \"columns\": column \"late\" is neither a number nor a category, which \"encode\": "
     "\"onehot\" does not fit",
     "/columns/late/encode",
     "categories"},
    {{.target = "delay", OPTION("flag", .encode = COLUMN_TARGET_MEANS)},
     "key \"columns\": column \"flag\" is a number, which \"encode\": \"target\" does not fit",
     "/columns/flag/encode",
     "categor"},
    {{.target = "delay", OPTION("kind", .scale = SCALE_ROBUST)},
     "key \"columns\": column \"kind\" is a category, which \"scale\": \"robust\" does not fit",
     "/columns/kind/scale",
     "only numbers"},
    {{.target = "delay", OPTION("n", .as = AS_IGNORE, .scale = SCALE_ROBUST)},
     "key \"columns\": column \"n\" is ignored, which \"scale\": \"robust\" does not fit",
     "/columns/n/scale",
     ""},
    /* nothing left */
    {{.target = "delay",
      .exclude = LIST("id", "late", "flag", "kind", "carrier", "n", "price", "ratio", "day", "at",
                      "at_tz", "a/b~c")},
     "relation demo.x has no column left to predict \"delay\" from",
     "/exclude",
     "beside the target"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(refusals); i++) {
        struct fixture fixture = {0};
        struct schema *schema = NULL;
        struct err err = {0};

        all_types(&fixture);
        if (schema_new(&refusals[i].project, &fixture.relation, &schema, &err) != ERR_CONFIG)
            fail_msg("not refused: %s", refusals[i].message);
        assert_null(schema);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_string_equal(err.message, refusals[i].message);
        assert_string_equal(err.field, refusals[i].field);
        if (strstr(err.hint, refusals[i].hint) == NULL)
            fail_msg("%s: hint is \"%s\"", err.message, err.hint);
        assert_int_equal(schema_new(&refusals[i].project, &fixture.relation, &schema, NULL),
                         ERR_CONFIG);
    }
}

/* A relation of the target, the key and nothing of use. */
static void test_nothing_to_learn_from(void **state)
{
    struct fixture fixture = {0};
    struct project project = {.target = "y", .key = LIST("id")};
    struct schema *schema = NULL;
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "id", PG_INT4);
    fixture_column(&fixture, "token", PG_OTHER);
    assert_int_equal(schema_new(&project, &fixture.relation, &schema, &err), ERR_CONFIG);
    assert_string_equal(err.message, "relation demo.x has no column left to predict \"y\" from");
    assert_string_equal(err.field, "/relation");
}

static const struct {
    const char *target;
    enum task asked, task;
} tasks[] = {
    {"delay", TASK_AUTO, TASK_REGRESSION},
    {"n", TASK_AUTO, TASK_REGRESSION},
    {"id", TASK_AUTO, TASK_REGRESSION},
    {"price", TASK_AUTO, TASK_REGRESSION},
    {"ratio", TASK_AUTO, TASK_REGRESSION},
    {"late", TASK_AUTO, TASK_CLASSIFICATION},
    {"carrier", TASK_AUTO, TASK_CLASSIFICATION},
    {"kind", TASK_AUTO, TASK_CLASSIFICATION},
    {"flag", TASK_AUTO, TASK_CLASSIFICATION},
    {"n", TASK_CLASSIFICATION, TASK_CLASSIFICATION},
    {"delay", TASK_CLASSIFICATION, TASK_CLASSIFICATION},
    {"price", TASK_REGRESSION, TASK_REGRESSION},
    {"late", TASK_CLASSIFICATION, TASK_CLASSIFICATION},
};

static void test_tasks(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(tasks); i++) {
        struct project project = {.target = tasks[i].target, .task = tasks[i].asked};
        CLEANUP(schema_freep) struct schema *schema = NULL;
        struct fixture fixture = {0};
        struct err err;

        all_types(&fixture);
        OK(schema_new(&project, &fixture.relation, &schema, &err));
        assert_int_equal(schema->task, tasks[i].task);
        assert_string_equal(schema->columns[schema->target].name, tasks[i].target);
    }
}

static void check_names(const struct schema *schema, const int *indices, int n,
                        const char *expected)
{
    CLEANUP(buf_release) struct buf names = {0};

    for (int i = 0; i < n; i++)
        buf_printf(&names, "%s%s", i == 0 ? "" : " ", schema->columns[indices[i]].name);
    assert_string_equal(buf_text(&names), expected);
}

static const struct schema_column *find(const struct schema *schema, const char *name)
{
    for (int i = 0; i < schema->n_columns; i++)
        if (strcmp(schema->columns[i].name, name) == 0)
            return &schema->columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

/* By default every column of a usable type is a feature; the time column is one too. */
static void test_everything(void **state)
{
    struct project project = {
        .target = "delay", .key = LIST("token", "id"), .time = "at", .test_by = TEST_BY_TIME};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct err err;

    (void)state;
    all_types(&fixture);
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    assert_int_equal(schema->n_columns, 14);
    for (int i = 0; i < schema->n_columns; i++)
        assert_int_equal(schema->columns[i].relation_index, i);
    check_names(schema, schema->keys, schema->n_keys, "token id");
    check_names(schema, schema->features, schema->n_features,
                "late flag kind carrier n price ratio day at at_tz a/b~c");
    check_names(schema, schema->read, schema->n_read,
                "delay token id at late flag kind carrier n price ratio day at_tz a/b~c");
    assert_int_equal(find(schema, "delay")->roles, COLUMN_TARGET);
    assert_int_equal(find(schema, "id")->roles, COLUMN_KEY);
    assert_int_equal(find(schema, "token")->roles, COLUMN_KEY);
    assert_int_equal(find(schema, "at")->roles, COLUMN_TIME | COLUMN_FEATURE);
    assert_int_equal(find(schema, "n")->roles, COLUMN_FEATURE);
    assert_null(find(schema, "n")->why);
}

static void test_left_out(void **state)
{
    struct column_override overrides[] = {
        {.column = "n", .as = AS_CATEGORY}, {.column = "price", .as = AS_IGNORE}, {.column = "at"}};
    struct project project = {.target = "delay",
                              .time = "day",
                              .exclude = LIST("late", "day", "at_tz"),
                              .n_overrides = 3,
                              .overrides = overrides};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct err err;

    (void)state;
    all_types(&fixture);
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    check_names(schema, schema->features, schema->n_features,
                "id flag kind carrier n ratio at a/b~c");
    check_names(schema, schema->read, schema->n_read,
                "delay day id flag kind carrier n ratio at a/b~c");
    assert_int_equal(schema->n_keys, 0);
    assert_string_equal(schema->columns[schema->time].name, "day");
    assert_int_equal(find(schema, "day")->roles, COLUMN_TIME | COLUMN_LEFT_OUT);
    assert_string_equal(find(schema, "day")->why, "excluded");
    assert_string_equal(find(schema, "late")->why, "excluded");
    assert_string_equal(find(schema, "price")->why, "ignored");
    assert_int_equal(find(schema, "token")->roles, COLUMN_LEFT_OUT);
    assert_string_equal(find(schema, "token")->why, "its type uuid is not used as a feature");
    assert_int_equal(find(schema, "n")->as, AS_CATEGORY);
    assert_int_equal(find(schema, "at")->as, AS_AUTO);
}

static void test_include(void **state)
{
    struct project project = {
        .target = "late", .time = "n", .include = LIST("at", "flag"), .exclude = LIST("id")};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct err err;

    (void)state;
    all_types(&fixture);
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    check_names(schema, schema->features, schema->n_features, "flag at");
    check_names(schema, schema->read, schema->n_read, "late n flag at");
    assert_int_equal(find(schema, "n")->roles, COLUMN_TIME | COLUMN_LEFT_OUT);
    assert_string_equal(find(schema, "n")->why, "not in include");
    assert_string_equal(find(schema, "token")->why, "not in include");
    assert_string_equal(find(schema, "id")->why, "excluded");
}

/* Neither is a feature; both are read, and a group may be part of the key. */
static void test_group_and_weight(void **state)
{
    struct project project = {.target = "delay",
                              .key = LIST("carrier", "id"),
                              .group = "carrier",
                              .weight = "ratio",
                              .exclude = LIST("ratio"),
                              .include = LIST("n", "at")};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct err err;

    (void)state;
    all_types(&fixture);
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    check_names(schema, schema->features, schema->n_features, "n at");
    check_names(schema, schema->read, schema->n_read, "delay carrier id ratio n at");
    assert_string_equal(schema->columns[schema->group].name, "carrier");
    assert_string_equal(schema->columns[schema->weight].name, "ratio");
    assert_int_equal(find(schema, "carrier")->roles, COLUMN_KEY | COLUMN_GROUP);
    assert_int_equal(find(schema, "ratio")->roles, COLUMN_WEIGHT);
}

/* Whole numbers order rows too; a column may be key and time at once, and is read once. */
static void test_time_is_key(void **state)
{
    struct project project = {.target = "late", .key = LIST("id", "n"), .time = "n"};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct err err;

    (void)state;
    fixture_column(&fixture, "late", PG_BOOL);
    fixture_column(&fixture, "id", PG_INT4);
    fixture_column(&fixture, "n", PG_INT8);
    fixture_column(&fixture, "x", PG_FLOAT4);
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    assert_int_equal(find(schema, "n")->roles, COLUMN_KEY | COLUMN_TIME);
    check_names(schema, schema->features, schema->n_features, "x");
    check_names(schema, schema->read, schema->n_read, "late id n x");
}

/* An id is a feature only where it is declared one. */
static void test_ids(void **state)
{
    struct column_override as_category = {.column = "inet", .as = AS_CATEGORY};
    struct project project = {.target = "y", .n_overrides = 1, .overrides = &as_category};
    struct project included = {.target = "y", .include = LIST("uuid")};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct schema *refused = NULL;
    struct err err;

    (void)state;
    fixture_column(&fixture, "y", PG_INT4);
    fixture_column(&fixture, "uuid", PG_UUID);
    fixture_column(&fixture, "inet", PG_INET);
    fixture_column(&fixture, "bytea", PG_BYTEA);
    fixture_column(&fixture, "list", PG_INT4_ARRAY);
    fixture.columns[1].type_name = "uuid";
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    check_names(schema, schema->features, schema->n_features, "inet list");
    assert_string_equal(find(schema, "uuid")->why,
                        "its type uuid is an id's; \"as\": \"category\" makes it a feature");
    assert_ptr_equal(find(schema, "inet")->override, &as_category);
    assert_null(find(schema, "list")->override);
    assert_int_equal(schema_new(&included, &fixture.relation, &refused, &err), ERR_CONFIG);
    assert_string_equal(
        err.message,
        "key \"include\": column \"uuid\" is of type uuid, which is not used as a feature");
    assert_non_null(strstr(err.hint, "category"));
}

/* A model from elsewhere brings its own features, in its own order. */
static void test_use(void **state)
{
    struct project project = {.target = "late", .key = LIST("id"), .time = "day"};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct fixture fixture = {0};
    struct err err;

    (void)state;
    fixture_column(&fixture, "x", PG_FLOAT4);
    fixture_column(&fixture, "id", PG_INT4);
    fixture_column(&fixture, "late", PG_BOOL);
    fixture_column(&fixture, "day", PG_DATE);
    fixture_column(&fixture, "n", PG_INT4);
    fixture_column(&fixture, "flag", PG_BOOL);
    OK(schema_new(&project, &fixture.relation, &schema, &err));
    check_names(schema, schema->features, schema->n_features, "x day n flag");
    schema_use(schema, (const int[]){5, 0}, 2, "not wanted");
    check_names(schema, schema->features, schema->n_features, "flag x");
    check_names(schema, schema->read, schema->n_read, "late id day flag x");
    assert_int_equal(find(schema, "day")->roles, COLUMN_TIME | COLUMN_LEFT_OUT);
    assert_int_equal(find(schema, "n")->roles, COLUMN_LEFT_OUT);
    assert_string_equal(find(schema, "n")->why, "not wanted");
    assert_int_equal(find(schema, "x")->roles, COLUMN_FEATURE);
    assert_null(find(schema, "x")->why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nothing_to_learn_from),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_include),
        cmocka_unit_test(test_group_and_weight),
        cmocka_unit_test(test_time_is_key),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_use),
    };

    return cmocka_run_group_tests_name("feature/schema", tests, NULL, NULL);
}
