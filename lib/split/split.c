#include "split/split.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"

#define ROWS_LEAST 10

/* Behind these stand the folds: VALID + k for a row that validates in fold k. */
enum { TRAIN, TEST, VALID, PARTS_MAX = VALID + SPLIT_FOLDS_MAX };

/* A row on its way to a part. */
struct item {
    uint64_t hash; /* SPLIT_HASH_BITS */
    int64_t order; /* what the rows are cut by, ascending: place or time; NULL time INT64_MIN */
    uint32_t row;
    uint32_t class : 25; /* 0 unless stratified */
    uint32_t part : 7;
};

double split_validation_share(size_t n_rows, bool searching)
{
    double n = n_rows > 0 ? (double)n_rows : 1;
    double share = n_rows < 5000 ? fmin(fmax(500 / n, 0.1), 0.2) : fmin(fmax(2500 / n, 0.01), 0.1);

    return searching ? fmin(share * 2, 0.2) : share;
}

/* The first 13 hexadecimal digits of the digest, as a number. */
static enum err_code hash_text(const struct buf *text, uint64_t *ret_hash, struct err *err)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t hash = 0;

    TRY(buf_check(text, err));
    TRY(sha256(buf_text(text), text->length, digest, err));
    for (int i = 0; i < 7; i++)
        hash = hash << 8 | digest[i];
    *ret_hash = hash >> (56 - SPLIT_HASH_BITS);
    return ERR_OK;
}

enum err_code split_key_hash(void *context, const struct cell *cells, uint64_t *ret_hash,
                             struct err *err)
{
    struct split_key *key = context;

    buf_clear(&key->text);
    buf_put_int(&key->text, key->seed);
    for (int i = 0; i < key->n_columns; i++) {
        buf_putc(&key->text, '|');
        cell_to_text(key->types[i], &cells[key->columns == NULL ? i : key->columns[i]], &key->text);
    }
    return hash_text(&key->text, ret_hash, err);
}

/* Each text of a dictionary is hashed once: known[codes], UINT64_MAX until then. */
static enum err_code hash_groups(const struct column *group, struct split_key *key, uint64_t *known,
                                 const uint64_t *hashes, size_t n_rows, uint64_t *places,
                                 struct err *err)
{
    for (size_t row = 0; row < n_rows; row++) {
        uint64_t *seen = NULL;
        struct cell cell;

        column_cell(group, row, &cell);
        if (cell.is_null) {
            places[row] = hashes[row];
            continue;
        }
        if (known != NULL)
            seen = &known[group->codes[column_at(group, row)]];
        if (seen != NULL && *seen != UINT64_MAX) {
            places[row] = *seen;
            continue;
        }
        TRY(split_key_hash(key, &cell, &places[row], err));
        if (seen != NULL)
            *seen = places[row];
    }
    return ERR_OK;
}

enum err_code split_group_places(const struct column *group, int64_t seed, const uint64_t *hashes,
                                 size_t n_rows, uint64_t **ret_places, struct err *err)
{
    struct split_key key = {.seed = seed, .n_columns = 1, .types = &group->type};
    size_t n_texts = group->kind == CELL_TEXT ? group->dictionary.n_keys : 0;
    CLEANUP(free_ptr) uint64_t *known = malloc(n_texts * sizeof(*known) + 1);
    CLEANUP(free_ptr) uint64_t *places = malloc(n_rows * sizeof(*places) + 1);
    enum err_code code;

    if (known == NULL || places == NULL)
        return err_nomem(err);
    memset(known, 0xff, n_texts * sizeof(*known));
    code = hash_groups(group, &key, n_texts > 0 ? known : NULL, hashes, n_rows, places, err);
    buf_release(&key.text);
    if (code == ERR_OK)
        *ret_places = TAKE_PTR(places);
    return code;
}

static int64_t order_of(const struct frame *frame, const struct item *item,
                        const struct split_options *options)
{
    const struct column *column;

    if (options->by != SPLIT_TIME)
        return (int64_t)(options->places != NULL ? options->places[item->row] : item->hash);
    if (options->times != NULL)
        return options->times[item->row];
    column = &frame->columns[options->time];
    return column_is_null(column, item->row) ? INT64_MIN
                                             : column->ints[column_at(column, item->row)];
}

static void fill_items(const struct frame *frame, const uint32_t *rows, size_t n_rows,
                       const struct split_options *options, struct item *items)
{
    for (size_t i = 0; i < n_rows; i++) {
        struct item *item = &items[i];

        item->row = rows[i];
        item->hash = options->hashes[rows[i]];
        item->order = order_of(frame, item, options);
        item->class = options->by == SPLIT_STRATIFIED ? options->classes[rows[i]] : 0;
    }
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_hash(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int by_hash = COMPARE(x->hash, y->hash);

    return by_hash != 0 ? by_hash : COMPARE(x->row, y->row);
}

static int compare_order(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int by_order = COMPARE(x->order, y->order);

    return by_order != 0 ? by_order : compare_hash(a, b);
}

static int compare_class(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int by_class = COMPARE(x->class, y->class);

    return by_class != 0 ? by_class : compare_order(a, b);
}

/* Rows often come in the order of their hashes already. */
static void sort_items(struct item *items, size_t n, int (*compare)(const void *, const void *))
{
    size_t i = 1;

    while (i < n && compare(&items[i - 1], &items[i]) <= 0)
        i++;
    if (i < n)
        qsort(items, n, sizeof(*items), compare);
}

static void mark(struct item *items, size_t from, size_t to, uint32_t part)
{
    for (size_t i = from; i < to; i++)
        items[i].part = part;
}

/* Where the last n_wanted of the ordered items start; later when that is among equals, so that
 * these stay on one side. */
static size_t cut_at(const struct item *items, size_t n, size_t n_wanted)
{
    size_t from = n - n_wanted;

    while (from > 0 && from < n && items[from].order == items[from - 1].order)
        from++;
    return from;
}

static size_t n_to_validate(size_t n_rest, const struct split_options *options)
{
    double n = round(split_validation_share(n_rest, options->searching) * (double)n_rest);

    return n >= 1 ? (size_t)n : n_rest > 0;
}

/* How many of the ordered items are of the first place; 0 where there is no other. */
static size_t n_of_first(const struct item *items, size_t n)
{
    size_t first = 1;

    while (first < n && items[first].order == items[0].order)
        first++;
    return first < n ? first : 0;
}

/* Where those of the last place begin; n where there is no other. */
static size_t start_of_last(const struct item *items, size_t n)
{
    size_t last = n;

    while (last > 1 && items[last - 2].order == items[n - 1].order)
        last--;
    return last > 1 ? last - 1 : n;
}

/* Of several folds: of n ordered items, the fold of each by how many are before its place. */
static void deal(struct item *items, size_t n, int n_folds)
{
    size_t before = 0;

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && items[i].order != items[i - 1].order)
            before = i;
        items[i].part = VALID + (uint32_t)((size_t)n_folds * before / n);
    }
}

/* By place: [test | train | valid], or [test | fold | fold | …] */
static void place_random(struct item *items, size_t n, const struct split_options *options)
{
    double end = ldexp(options->test_size, SPLIT_HASH_BITS);
    size_t n_test = 0, n_rest, valid_from;

    while (n_test < n && (double)items[n_test].order < end)
        n_test++;
    if (n_test == 0)
        n_test = n_of_first(items, n);
    n_rest = n - n_test;
    mark(items, 0, n_test, TEST);
    if (options->n_folds > 1) {
        deal(items + n_test, n_rest, options->n_folds);
        return;
    }
    valid_from = n_test + cut_at(items + n_test, n_rest, n_to_validate(n_rest, options));
    if (valid_from == n)
        valid_from = n_test + start_of_last(items + n_test, n_rest);
    mark(items, n_test, valid_from, TRAIN);
    mark(items, valid_from, n, VALID);
}

/* round(share × n), at least one of two, and one stays behind. */
static size_t n_of_class(double share, size_t n)
{
    size_t wanted = (size_t)round(share * (double)n);

    if (n < 2)
        return 0;
    return wanted < 1 ? 1 : wanted > n - 1 ? n - 1 : wanted;
}

/* Rows of one place stay together: the cut moves up, or down where nothing would be above it. */
static size_t settle(const struct item *items, size_t n, size_t cut)
{
    size_t up = cut;

    if (cut == 0)
        return 0;
    while (up < n && items[up].order == items[up - 1].order)
        up++;
    if (up < n)
        return up;
    while (cut > 0 && items[cut].order == items[cut - 1].order)
        cut--;
    return cut;
}

/* Those of one place and several classes go with the one of the smallest hash. By place, then hash.
 */
static void join_classes(struct item *items, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (items[i].order == items[i - 1].order)
            items[i].part = items[i - 1].part;
}

/* By class, then place; within each class as place_random. */
static void place_stratified(struct item *items, size_t n, const struct split_options *options)
{
    size_t n_test_all = 0, from, to;
    double valid_share;

    for (from = 0; from < n; from = to) {
        size_t n_test;

        for (to = from; to < n && items[to].class == items[from].class;)
            to++;
        n_test = settle(items + from, to - from, n_of_class(options->test_size, to - from));
        mark(items, from, from + n_test, TEST);
        mark(items, from + n_test, to, TRAIN);
        n_test_all += n_test;
    }
    valid_share = split_validation_share(n - n_test_all, options->searching);
    for (from = 0; from < n; from = to) {
        size_t n_rest = 0, n_valid;

        for (to = from; to < n && items[to].class == items[from].class; to++)
            n_rest += items[to].part == TRAIN;
        if (options->n_folds > 1) {
            if (n_rest > 1)
                deal(items + to - n_rest, n_rest, options->n_folds);
            continue;
        }
        n_valid = n_of_class(valid_share, n_rest);
        while (n_valid > 0 && n_valid < n_rest &&
               items[to - n_valid].order == items[to - n_valid - 1].order)
            n_valid--;
        mark(items, to - n_valid, to, VALID);
    }
}

/* Of several folds: the newer half of the ordered items, the others always train. */
static void deal_forward(struct item *items, size_t n, int n_folds)
{
    size_t from = cut_at(items, n, n / 2);

    mark(items, 0, from, TRAIN);
    deal(items + from, n - from, n_folds);
}

/* By time: [train | valid | test], or [train | fold | fold | … | test] */
static void place_by_time(struct item *items, size_t n, const struct split_options *options,
                          struct split *split)
{
    /* 0.29 × 100 is a little less than 29 in doubles */
    size_t test_from = cut_at(items, n, (size_t)floor(options->test_size * (double)n + 1e-9));
    size_t valid_from;

    mark(items, test_from, n, TEST);
    split->test_from = test_from < n ? items[test_from].order : 0;
    if (options->n_folds > 1) {
        deal_forward(items, test_from, options->n_folds);
        return;
    }
    valid_from = cut_at(items, test_from, n_to_validate(test_from, options));
    mark(items, 0, valid_from, TRAIN);
    mark(items, valid_from, test_from, VALID);
}

static void place(struct item *items, size_t n, const struct split_options *options,
                  struct split *split)
{
    switch (options->by) {
    case SPLIT_RANDOM:
    case SPLIT_GROUP:
        sort_items(items, n, compare_order);
        place_random(items, n, options);
        split->n_groups = n > 0;
        for (size_t i = 1; i < n; i++)
            split->n_groups += items[i].order != items[i - 1].order;
        break;
    case SPLIT_STRATIFIED:
        sort_items(items, n, compare_class);
        place_stratified(items, n, options);
        sort_items(items, n, compare_order);
        join_classes(items, n);
        break;
    case SPLIT_TIME:
        sort_items(items, n, compare_order);
        place_by_time(items, n, options, split);
        break;
    }
    sort_items(items, n, compare_hash);
}

/* Does a row of this part train in the fold? A later fold's rows are newer, in a split by time. */
static bool trains(uint32_t part, int fold, bool forward)
{
    if (part == TRAIN)
        return true;
    return part >= VALID &&
           (forward ? part < VALID + (uint32_t)fold : part != VALID + (uint32_t)fold);
}

static enum err_code rows_alloc(struct rows *rows, size_t n, struct err *err)
{
    rows->n = 0;
    rows->items = calloc(n + 1, sizeof(*rows->items));
    return rows->items != NULL ? ERR_OK : err_nomem(err);
}

static void rows_add(struct rows *rows, const struct item *item)
{
    rows->items[rows->n++] = item->row;
}

/* counts[]: of the items in each part. */
static enum err_code collect_fold(const struct item *items, size_t n, const size_t *counts,
                                  int number, bool forward, struct fold *fold, struct err *err)
{
    size_t n_train = 0;

    for (uint32_t part = 0; part < PARTS_MAX; part++)
        n_train += trains(part, number, forward) ? counts[part] : 0;
    TRY(rows_alloc(&fold->train, n_train, err));
    TRY(rows_alloc(&fold->valid, counts[VALID + number], err));
    for (size_t i = 0; i < n; i++) {
        if (trains(items[i].part, number, forward)) {
            rows_add(&fold->train, &items[i]);
        } else if (items[i].part == VALID + (uint32_t)number) {
            if (fold->valid.n == 0 || items[i].order < fold->valid_from)
                fold->valid_from = items[i].order;
            rows_add(&fold->valid, &items[i]);
        }
    }
    return ERR_OK;
}

static void fold_release(struct fold *fold)
{
    free(fold->train.items);
    free(fold->valid.items);
    *fold = (struct fold){0};
}

/* Folds of the items in their order, those left out that nothing trains or validates in; of one
 * fold an empty one stays, for an error to speak of. */
static enum err_code collect(const struct item *items, size_t n,
                             const struct split_options *options, struct split *split,
                             struct err *err)
{
    int n_folds = options->n_folds > 1 ? options->n_folds : 1;
    size_t counts[PARTS_MAX] = {0};

    for (size_t i = 0; i < n; i++)
        counts[items[i].part]++;
    TRY(rows_alloc(&split->test, counts[TEST], err));
    for (size_t i = 0; i < n; i++)
        if (items[i].part == TEST)
            rows_add(&split->test, &items[i]);
    split->folds = calloc((size_t)n_folds, sizeof(*split->folds));
    if (split->folds == NULL)
        return err_nomem(err);
    for (int k = 0; k < n_folds; k++) {
        struct fold *fold = &split->folds[split->n_folds++];

        TRY(collect_fold(items, n, counts, k, options->by == SPLIT_TIME, fold, err));
        if (n_folds > 1 && (fold->train.n == 0 || fold->valid.n == 0)) {
            fold_release(fold);
            split->n_folds--;
        }
    }
    return ERR_OK;
}

static enum err_code too_few_folds(const struct split *split, const struct split_options *options,
                                   size_t n_rows, struct err *err)
{
    err_set(err, ERR_DATA, "%zu rows, %zu of them for the test, leave %d of %d folds", n_rows,
            split->test.n, split->n_folds, options->n_folds);
    err_field(err, "/search/folds");
    if (options->by == SPLIT_TIME)
        return err_hint(err, "too many rows share one time or have none: \"folds\": 1 holds out "
                             "the newest");
    return err_hint(err, options->by == SPLIT_GROUP
                             ? "there are too few groups: \"folds\": 1 holds out some of them"
                             : "rows that cannot be told apart stay in one fold: \"folds\": 1 "
                               "holds out some of them");
}

static enum err_code check_parts(const struct split *split, const struct split_options *options,
                                 size_t n_rows, struct err *err)
{
    const struct fold *fold = split->folds;
    size_t n_test = split->test.n;

    if (options->by == SPLIT_GROUP && split->n_groups < 3) {
        err_set(err, ERR_DATA, "%zu rows are of %zu %s: training, validation and test need three",
                n_rows, split->n_groups, split->n_groups == 1 ? "group" : "groups");
        return err_hint(err, "is \"group\" the right column? \"test\": {\"by\": \"random\"} lets "
                             "groups be on several sides");
    }
    if (options->n_folds > 1 && n_test > 0)
        return split->n_folds > 1 ? ERR_OK : too_few_folds(split, options, n_rows, err);
    if (options->n_folds <= 1 && fold->train.n > 0 && fold->valid.n > 0 && n_test > 0)
        return ERR_OK;
    err_set(err, ERR_DATA,
            "%zu rows split into %zu for training, %zu for validation and %zu for the test", n_rows,
            fold->train.n, fold->valid.n, n_test);
    if (options->by == SPLIT_TIME)
        return err_hint(err, "too many rows share one time or have none: split with \"test\": "
                             "{\"by\": \"random\"}, or use a finer time column");
    if (options->by == SPLIT_GROUP)
        return err_hint(err,
                        "few groups, or groups of very different size: try another \"seed\" or "
                        "\"test\": {\"size\": …}, or define smaller groups");
    return err_hint(err, "get more rows, change \"test\": {\"size\": …}, or name a \"key\" that "
                         "tells rows apart");
}

static enum err_code check_options(const struct frame *frame, size_t n_rows,
                                   const struct split_options *options, struct err *err)
{
    if (n_rows < ROWS_LEAST) {
        err_set(err, ERR_DATA,
                "%zu rows with a target: training, validation and test need at least %d", n_rows,
                ROWS_LEAST);
        return err_hint(err, "does the relation have rows, and values in the target column?");
    }
    if (!(options->test_size > 0 && options->test_size < 1))
        return err_set(err, ERR_INVALID, "a test size of %g is not between 0 and 1",
                       options->test_size);
    if (options->n_folds > SPLIT_FOLDS_MAX)
        return err_set(err, ERR_INVALID, "%d folds are more than %d", options->n_folds,
                       SPLIT_FOLDS_MAX);
    if (options->by == SPLIT_TIME && frame->columns[options->time].kind != CELL_TIMESTAMP &&
        frame->columns[options->time].kind != CELL_INT)
        return err_set(err, ERR_INVALID, "column \"%s\" is neither a time nor a whole number",
                       frame->columns[options->time].name);
    return ERR_OK;
}

enum err_code split_new(const struct frame *frame, const uint32_t *rows, size_t n_rows,
                        const struct split_options *options, struct split **ret_split,
                        struct err *err)
{
    CLEANUP(split_freep) struct split *split = calloc(1, sizeof(*split));
    CLEANUP(free_ptr) struct item *items = calloc(n_rows + 1, sizeof(*items));

    if (split == NULL || items == NULL)
        return err_nomem(err);
    TRY(check_options(frame, n_rows, options, err));
    fill_items(frame, rows, n_rows, options, items);
    place(items, n_rows, options, split);
    TRY(collect(items, n_rows, options, split, err));
    TRY(check_parts(split, options, n_rows, err));
    *ret_split = TAKE_PTR(split);
    return ERR_OK;
}

void split_free(struct split *split)
{
    if (split == NULL)
        return;
    for (int k = 0; k < split->n_folds; k++)
        fold_release(&split->folds[k]);
    free(split->folds);
    free(split->test.items);
    free(split);
}
