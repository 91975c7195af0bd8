/*
 * Writes the inputs that fuzzers start from, a folder for each: values as a server gives them, COPY
 * streams of those, bodies of requests, small models, schedules, requests, configurations,
 * definitions.
 *
 *     seeds FOLDER      writes FOLDER/fuzz_cells/000, …
 */
#include <stdio.h>
#include <sys/stat.h>

#include "../unit/frame/cell_pairs.h"
#include "../unit/model/tiny_model.h"

static const char *folder;

static void write_seed(const char *fuzzer, int number, const struct buf *seed)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, fuzzer);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%03d", folder, fuzzer, number);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(buf_text(seed), 1, seed->length, file) != seed->length ||
        fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

static void put_int(struct buf *buf, int64_t value, int n_bytes)
{
    for (int shift = 8 * (n_bytes - 1); shift >= 0; shift -= 8)
        buf_putc(buf, (char)(value >> shift));
}

/* Cells ---------------------------------------------------------------------------------------- */

/* Of the types whose binary form is simple, as cell_pairs are. */
static const struct cell_pair simple_pairs[] = {
    {PG_BOOL, "01", "true", "true", NULL},
    {PG_INT2, "fffe", "-2", "-2", NULL},
    {PG_INT4, "00000007", "7", "7", NULL},
    {PG_INT8, "0020000000000001", "9007199254740993", "9007199254740993", NULL},
    {PG_FLOAT4, "3dcccccd", "0.1", "0.1", NULL},
    {PG_FLOAT8, "7ff8000000000000", "NaN", "\"NaN\"", NULL},
    {PG_FLOAT8, "be112e0be826d695", "-1e-09", "-1e-9", NULL},
    {PG_NUMERIC, "0002000000000002000107d0", "1.2", "1.20", NULL},
    {PG_TEXT_TYPE, "c3a920", "é ", "\"\\u00e9 \"", NULL},
    {PG_BPCHAR, "61622020", "ab  ", "\"ab\"", NULL},
    {PG_ENUM, "6f6b", "ok", "\"ok\"", NULL},
    {PG_DATE, "0000128d", "2013-01-01", "\"2013-01-01\"", NULL},
    {PG_TIMESTAMP, "00017531c5421400", "2013-01-01 05:00:00", "\"2013-01-01T05:00:00\"", NULL},
    {PG_TIMESTAMP, "7fffffffffffffff", "infinity", "\"infinity\"", NULL},
    {PG_TIMESTAMPTZ, "00017531c5421400", "2013-01-01 06:00:00.5+01",
     "\"2013-01-01T06:00:00.5+01:00\"", NULL},
    {PG_OTHER, "78", "x", "\"x\"", NULL},
};

#define N_SIMPLE ((int)N_ELEMENTS(simple_pairs))
#define N_PAIRS  (N_SIMPLE + (int)N_ELEMENTS(cell_pairs))

static const struct cell_pair *pair(int i)
{
    return i < N_SIMPLE ? &simple_pairs[i] : &cell_pairs[i - N_SIMPLE];
}

static void put_hex(struct buf *buf, const char *hex)
{
    uint8_t bytes[512];

    buf_append(buf, bytes, from_hex(hex, bytes));
}

/* A pair's three forms for a fuzzer that knows the type as `number`. */
static void write_forms(const char *fuzzer, int first, int number, const struct cell_pair *of)
{
    for (int form = 0; form < 3; form++) {
        CLEANUP(buf_release) struct buf seed = {0};

        buf_putc(&seed, (char)number);
        buf_putc(&seed, (char)form);
        if (form == 0)
            put_hex(&seed, of->hex);
        else
            buf_puts(&seed, form == 1 ? of->text : of->json);
        write_seed(fuzzer, first + form, &seed);
    }
}

static void write_cells(void)
{
    for (int i = 0; i < N_PAIRS; i++) {
        enum pg_type type = pair(i)->type;

        write_forms("fuzz_cells", 3 * i, (int)type, pair(i));
        if (type >= PG_BOOL_ARRAY && type <= PG_VECTOR)
            write_forms("fuzz_arrays", 3 * i, (int)(type - PG_BOOL_ARRAY), pair(i));
        if (type == PG_JSON)
            write_forms("fuzz_json", 3 * i, 0, pair(i));
    }
}

/* COPY ----------------------------------------------------------------------------------------- */

#define COLUMNS 4

static void put_copy_head(struct buf *seed, int first, int n_columns, const char *sizes)
{
    buf_putc(seed, (char)(n_columns - 1));
    for (int i = 0; i < n_columns; i++)
        buf_putc(seed, (char)pair((first + i) % N_PAIRS)->type);
    buf_append(seed, sizes, 4);
    buf_append(seed, "PGCOPY\n\377\r\n\0\0\0\0\0", 15);
}

/* null: that column is NULL. */
static void put_copy_row(struct buf *seed, int first, int n_columns, int null)
{
    put_int(seed, n_columns, 2);
    for (int i = 0; i < n_columns; i++) {
        const char *hex = pair((first + i) % N_PAIRS)->hex;

        put_int(seed, i == null ? -1 : (int64_t)strlen(hex) / 2, 4);
        if (i != null)
            put_hex(seed, hex);
    }
}

/* Good streams: one of each few types; then one of more rows than a frame first has room for, and
 * with an extension of its header. */
static void write_copies(void)
{
    int number = 0;

    for (int first = 0; first < N_PAIRS; first += COLUMNS) {
        CLEANUP(buf_release) struct buf seed = {0};

        put_copy_head(&seed, first, COLUMNS, "\40\3\7\1");
        put_int(&seed, 0, 4);
        put_copy_row(&seed, first, COLUMNS, -1);
        put_copy_row(&seed, first, COLUMNS, number % COLUMNS);
        put_int(&seed, -1, 2);
        write_seed("fuzz_copy", number++, &seed);
    }
    {
        CLEANUP(buf_release) struct buf seed = {0};

        put_copy_head(&seed, 0, 1, "\0\377\0\21");
        put_int(&seed, 3, 4);
        buf_puts(&seed, "ext");
        for (int row = 0; row < 1100; row++)
            put_copy_row(&seed, 0, 1, row % 7 == 0 ? -1 : 0);
        put_int(&seed, -1, 2);
        write_seed("fuzz_copy", number, &seed);
    }
}

/* Requests ------------------------------------------------------------------------------------- */

static void write_requests(void)
{
    static const char *const bodies[] = {
        "{\"project\":\"p\",\"features\":{\"carrier\":\"UA\",\"distance\":1400.5,\"seats\":\"7\"}}",
        "{\"features\":[{\"on/off~\":true},{\"ratio\":null,\"price\":\"1e3\"}],\"project\":\"p\"}",
        "{\"project\":\"p\",\"columns\":[\"carrier\",\"delay\"],\"rows\":[[\"AA\",{}],[null,7]]}",
        ("{\"project\":\"p\",\"model_id\":7,\"encoded\":true,\"explain\":true,\"features\":"
         "{\"scheduled at\":\"2013-01-01 05:00+00\",\"carr\\u0069er\":\"q\\\"\\\\\"}}"),
        "{\"project\":\"p\",\"features\":{\"nothing\":1}}",
    };
    int number = 0;

    for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
        for (char model = 0; model < 3; model++) {
            CLEANUP(buf_release) struct buf seed = {0};

            buf_putc(&seed, model);
            buf_puts(&seed, bodies[i]);
            write_seed("fuzz_predict", number++, &seed);
        }
    }
}

static void write_csvs(void)
{
    static const char *const texts[] = {
        "a,b\n1,\n,2\n",
        "\xef\xbb\xbf\"a\",\"b\"\"c\"\r\n\"x,\ny\",\"\"\r\n",
        "\xc3\xa9\n\n1e5",
    };

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        CLEANUP(buf_release) struct buf seed = {0};

        buf_puts(&seed, texts[i]);
        write_seed("fuzz_csv", (int)i, &seed);
    }
}

/* The first byte: even for the Open Inference Protocol, odd for MLflow. */
static void write_tensors(void)
{
    static const char *const texts[] = {
        "0{\"id\":\"1\",\"inputs\":[{\"name\":\"a\",\"shape\":[2,1],\"datatype\":\"FP64\",\"data\":"
        "[[1],[null]]},{\"name\":\"b\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"x\",\"y\"]}"
        "]}",
        "2{\"inputs\":[{\"name\":\"m\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2.5]}]}",
        "1{\"dataframe_split\":{\"columns\":[\"a\"],\"index\":[0],\"data\":[[1]]}}",
        "3{\"dataframe_records\":[{\"a\":1},{}]}",
        "5{\"inputs\":{\"a\":[1,2],\"b\":[true,null]},\"params\":{}}",
        "1{\"instances\":[[1,2],[3,4]]}",
    };

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        CLEANUP(buf_release) struct buf seed = {0};

        buf_puts(&seed, texts[i]);
        write_seed("fuzz_tensors", (int)i, &seed);
    }
}

static void write_models(void)
{
    for (int kind = TINY_REGRESSION; kind <= TINY_MULTICLASS; kind++) {
        struct tiny tiny;

        tiny_make(&tiny, (enum tiny_kind)kind, 0.5F);
        write_seed("fuzz_forest", kind, &tiny.bytes);
        tiny_release(&tiny);
    }
}

/* Schedules ------------------------------------------------------------------------------------ */

static void write_schedules(void)
{
    static const char *const texts[] = {
        "*/15 2 * * *", "0 3 * * mon-fri", "30 */2 1,15 jan,JUL *",
        "@daily",       "0 0 29 2 */7",    "0 0 31 2 *",
    };

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        CLEANUP(buf_release) struct buf seed = {0};

        buf_putc(&seed, (char)i);
        put_int(&seed, (int64_t)i << 50, 8);
        buf_puts(&seed, texts[i]);
        write_seed("fuzz_cron", (int)i, &seed);
    }
}

/* Requests and configurations ------------------------------------------------------------------ */

static void write_texts(const char *fuzzer, const char *const *texts, int n)
{
    for (int i = 0; i < n; i++) {
        CLEANUP(buf_release) struct buf seed = {0};

        buf_puts(&seed, texts[i]);
        write_seed(fuzzer, i, &seed);
    }
}

static void write_http(void)
{
    static const char *const texts[] = {
        "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nHost: a.example\r\nContent-Length: 28\r\n\r\n"
        "{\"project\":\"p\",\"features\":{}}",
        "POST /predict?project=p%20q HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\n"
        "Transfer-Encoding: chunked\r\n\r\n4\r\na,b\n\r\n3\r\n1,2\r\n0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\nOrigin: https://b.example\r\n\r\n",
        "POST /projects/p/train HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nX-Request-ID: 7\r\n\r\n{}",
        "GET /projects HTTP/1.1\r\nHost: h\r\nAccept: text/html;q=0.5, */*\r\n"
        "Accept-Encoding: gzip;q=0, *\r\nConnection: close\r\n\r\n",
        "GET /projects/%C3%A9 HTTP/1.1\nHost: h\r\n X: folded\r\n\r\n",
    };

    write_texts("fuzz_http", texts, N_ELEMENTS(texts));
}

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

/* The first byte of each chooses the kind of file: even is a configuration. */
static void write_options(void)
{
    static const char *const texts[] = {
        " [pgboostd]\ndsn = host=x password='y'\nthreads = 2\nbody_limit = 64 MiB\n",
        " # comment\npoll = 250 ms\nrole = server\nlisten = [::1]:0\nhosts = a, b\n",
        " dsn_file = /nowhere\nprotected_mode = no\nidle_timeout = 1 h\n",
        "!shop " DIGEST " predict projects=a,b rate=50\n# comment\n",
        "!ops " DIGEST " predict,admin\nops 0" DIGEST " admin\n",
    };

    write_texts("fuzz_options", texts, N_ELEMENTS(texts));
}

/* With every key, and every form of a value that a search may try. */
static void write_definitions(void)
{
    static const char *const texts[] = {
        "{\"project\":\"p\",\"relation\":\"public.t\",\"target\":\"y\"}",
        "{\"project\":\"p\",\"relation\":\"t\",\"target\":\"y\",\"task\":\"regression\",\"key\":["
        "\"a\","
        "\"b\"],\"serving\":\"s\",\"cache_seconds\":0.5,\"time\":\"at\",\"weight\":\"w\","
        "\"exclude\":"
        "[\"x\"],\"test\":{\"size\":0.25,\"by\":\"time\"},\"metric\":\"mae\",\"snapshot\":"
        "\"table\","
        "\"keep\":3,\"seed\":7,\"threads\":1}",
        "{\"project\":\"\\u00e9\",\"relation\":\"t\",\"target\":\"y\",\"task\":\"ranking\","
        "\"group\":\"g\","
        "\"objective\":\"rank:ndcg\",\"columns\":{\"c\":{\"as\":\"category\",\"impute\":\"mode\","
        "\"encode\":"
        "{\"ordinal\":[\"low\",\"high\"]}},\"d\":{\"impute\":1.5,\"scale\":\"robust\"}}}",
        "{\"project\":\"p\",\"relation\":\"t\",\"target\":\"y\",\"task\":\"survival\",\"event\":"
        "\"e\","
        "\"timezone\":\"Europe/Zurich\",\"schedule\":\"0 3 * * "
        "mon\",\"catch_up\":\"none\",\"retrain\":"
        "{\"after_rows\":10,\"on_refresh\":[\"m\"]},\"key\":\"id\",\"score\":{\"into\":\"o\","
        "\"after\":"
        "\"train\",\"explain\":true,\"atomic\":false}}",
        "{\"project\":\"p\",\"relation\":\"t\",\"target\":\"y\",\"algorithms\":[\"xgboost\","
        "\"dart\","
        "\"random_forest\",\"linear\"],\"search\":{\"strategy\":\"random\",\"trials\":20,"
        "\"minutes\":1,"
        "\"parallel\":2,\"on_cancel\":\"finish\",\"folds\":3,\"params\":{\"max_depth\":[3,6],"
        "\"eta\":{"
        "\"low\":0.01,\"high\":0.3,\"log\":true},\"min_child_weight\":{\"low\":0,\"high\":5,"
        "\"step\":1}}},"
        "\"hyperparams\":{\"n_estimators\":10,\"lambda\":2}}",
        "{\"project\":\"p\",\"relation\":\"t\",\"target\":\"y\",\"task\":\"classification\","
        "\"calibration\":"
        "\"platt\",\"threshold\":\"f1\",\"refit\":\"all\",\"deploy\":\"never\",\"search\":{"
        "\"strategy\":"
        "\"grid\",\"params\":{\"max_depth\":[2,4],\"grow_policy\":[\"depthwise\",\"lossguide\"]}}}",
    };

    write_texts("fuzz_definition", texts, N_ELEMENTS(texts));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    folder = argv[1];
    mkdir(folder, 0777);
    write_cells();
    write_copies();
    write_requests();
    write_csvs();
    write_tensors();
    write_models();
    write_schedules();
    write_http();
    write_options();
    write_definitions();
    return EXIT_SUCCESS;
}
