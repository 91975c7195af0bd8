/*
 * Rows beyond a frame's bound: an external merge sort that stops before it writes the merged rows.
 *
 * Each time memory is full its rows are sorted and written as a run, column after column, as they
 * are in memory. Of the merge only the outcome is kept: for each row of the whole the run it comes
 * from (a run's rows follow one another, so that is enough), and for each block of rows where in
 * the runs it begins. A window of a column is a block: its segment of each run, put in order.
 */
#include <string.h>

#include "base/spill.h"
#include "frame/internal.h"

#define RUNS_MAX      UINT16_MAX
#define BLOCK_ROWS    65536 /* a window has at most so many; fewer where rows are heavy */
#define WINDOWS_SHARE 4     /* all windows together: this part of the bound */

/* Where a run's column is in the file. */
struct run_column {
    uint64_t nulls, data, elements;
    bool has_nulls;
};

struct run {
    size_t n_rows;
    struct run_column *columns; /* [frame columns], in the frame's arena */
};

struct frame_spill {
    struct spill *file;
    struct run *runs;
    size_t n_runs, runs_capacity;
    uint64_t *keys;    /* [rows] run after run; freed by the merge */
    uint16_t *sources; /* [rows] */
    uint32_t *starts;  /* [(blocks + 1) × runs]: rows of the run that come before the block */
    size_t block_rows;
    struct err failure; /* of the first window that could not be read */
};

void frame_spill_free(struct frame_spill *spilled)
{
    if (spilled == NULL)
        return;
    spill_free(spilled->file);
    free(spilled->runs);
    free(spilled->keys);
    free(spilled->sources);
    free(spilled->starts);
    free(spilled);
}

enum err_code frame_spill_check(const struct frame_spill *spilled, struct err *err)
{
    if (spilled->failure.code == ERR_OK)
        return ERR_OK;
    if (err != NULL)
        *err = spilled->failure;
    return spilled->failure.code;
}

/* Runs ------------------------------------------------------------------------------------------
 */

static enum err_code spill_begin(struct frame *frame, struct err *err)
{
    frame->spilled = calloc(1, sizeof(*frame->spilled));
    if (frame->spilled == NULL)
        return err_nomem(err);
    return spill_new(frame->options.spill.folder, &frame->spilled->file, err);
}

static enum err_code next_run(struct frame *frame, size_t n_rows, struct run **ret_run,
                              struct err *err)
{
    struct frame_spill *spilled = frame->spilled;
    struct run run = {.n_rows = n_rows};

    if (spilled->n_runs == RUNS_MAX) {
        err_set(err, ERR_LIMIT, "%zu rows need more than %d runs of \"spill_above\"", frame->n_rows,
                RUNS_MAX);
        return err_hint(err, "raise \"spill_above\"");
    }
    if (spilled->n_runs == spilled->runs_capacity) {
        size_t capacity = spilled->runs_capacity == 0 ? 16 : 2 * spilled->runs_capacity;
        struct run *runs = reallocarray(spilled->runs, capacity, sizeof(*runs));

        if (runs == NULL)
            return err_nomem(err);
        spilled->runs = runs;
        spilled->runs_capacity = capacity;
    }
    run.columns = arena_alloc_array(&frame->arena, (size_t)frame->n_columns, sizeof(*run.columns));
    if (run.columns == NULL)
        return err_nomem(err);
    spilled->runs[spilled->n_runs] = run;
    *ret_run = &spilled->runs[spilled->n_runs++];
    return ERR_OK;
}

static bool any_null(const struct column *column, size_t n_rows)
{
    for (size_t i = 0; i < (n_rows + 63) / 64; i++)
        if (column->nulls[i] != 0)
            return true;
    return false;
}

/* Texts of lists are written as pointers into the dictionary, which stay: no other process reads
 * the file. */
static enum err_code write_column(struct spill *file, const struct column *column, size_t n_rows,
                                  struct run_column *to, struct err *err)
{
    to->has_nulls = any_null(column, n_rows);
    if (to->has_nulls)
        TRY(spill_append(file, column->nulls, (n_rows + 63) / 64 * sizeof(*column->nulls),
                         &to->nulls, err));
    TRY(spill_append(file, column->data, n_rows * cell_widths[column->kind], &to->data, err));
    if (element_widths[column->kind] == 0)
        return ERR_OK;
    return spill_append(file, column->elements,
                        column->ends[n_rows - 1] * element_widths[column->kind], &to->elements,
                        err);
}

static enum err_code keep_keys(struct frame *frame, size_t n_rows, struct err *err)
{
    uint64_t *keys;

    if (frame->options.order == NULL)
        return ERR_OK;
    keys = reallocarray(frame->spilled->keys, frame->n_rows, sizeof(*keys));
    if (keys == NULL)
        return err_nomem(err);
    memcpy(keys + frame->n_spilled, frame->keys, n_rows * sizeof(*keys));
    frame->spilled->keys = keys;
    return ERR_OK;
}

enum err_code frame_spill_run(struct frame *frame, struct err *err)
{
    size_t n_rows = frame->n_rows - frame->n_spilled;
    struct run *run = NULL;

    if (n_rows == 0)
        return ERR_OK;
    if (frame->spilled == NULL)
        TRY(spill_begin(frame, err));
    TRY(frame_sort(frame, err));
    TRY(next_run(frame, n_rows, &run, err));
    for (int i = 0; i < frame->n_columns; i++) {
        struct column *column = &frame->columns[i];

        TRY(write_column(frame->spilled->file, column, n_rows, &run->columns[i], err));
        memset(column->nulls, 0, frame->capacity / 64 * sizeof(*column->nulls));
    }
    TRY(keep_keys(frame, n_rows, err));
    frame->n_spilled = frame->n_rows;
    frame->n_element_bytes = 0;
    return ERR_OK;
}

/* The merge -------------------------------------------------------------------------------------
 */

/* The runs' next keys: a heap whose least is first; of equals the run that was written first. */
struct head {
    uint64_t key;
    uint32_t run;
};

struct merge {
    const struct frame_spill *spilled;
    const uint64_t **keys; /* [runs] of the run; NULL: all alike */
    uint32_t *n_taken;     /* [runs] */
    struct head *heads;
    size_t n_heads;
};

static void merge_release(struct merge *merge)
{
    free(merge->keys);
    free(merge->n_taken);
    free(merge->heads);
}

static bool comes_first(const struct head *a, const struct head *b)
{
    return a->key != b->key ? a->key < b->key : a->run < b->run;
}

static void sift_down(struct merge *merge, size_t at)
{
    struct head *heads = merge->heads, head = heads[at];

    for (size_t child; (child = 2 * at + 1) < merge->n_heads; at = child) {
        if (child + 1 < merge->n_heads && comes_first(&heads[child + 1], &heads[child]))
            child++;
        if (!comes_first(&heads[child], &head))
            break;
        heads[at] = heads[child];
    }
    heads[at] = head;
}

static uint64_t key_of(const struct merge *merge, size_t run)
{
    return merge->keys[run] == NULL ? 0 : merge->keys[run][merge->n_taken[run]];
}

static enum err_code merge_init(struct merge *merge, const struct frame_spill *spilled,
                                struct err *err)
{
    const uint64_t *keys = spilled->keys;

    merge->spilled = spilled;
    merge->keys = calloc(spilled->n_runs, sizeof(*merge->keys));
    merge->n_taken = calloc(spilled->n_runs, sizeof(*merge->n_taken));
    merge->heads = calloc(spilled->n_runs, sizeof(*merge->heads));
    if (merge->keys == NULL || merge->n_taken == NULL || merge->heads == NULL)
        return err_nomem(err);
    for (size_t r = 0; r < spilled->n_runs; r++) {
        merge->keys[r] = keys;
        keys = keys == NULL ? NULL : keys + spilled->runs[r].n_rows;
        merge->heads[merge->n_heads++] = (struct head){key_of(merge, r), (uint32_t)r};
    }
    for (size_t at = merge->n_heads / 2; at-- > 0;)
        sift_down(merge, at);
    return ERR_OK;
}

/* The run of the next row. */
static uint32_t merge_next(struct merge *merge)
{
    struct head *head = &merge->heads[0];
    uint32_t run = head->run;

    if (++merge->n_taken[run] < merge->spilled->runs[run].n_rows)
        head->key = key_of(merge, run);
    else
        *head = merge->heads[--merge->n_heads];
    sift_down(merge, 0);
    return run;
}

/* By what rows weigh on the average, their elements included: blocks of heavier ones need more. */
static size_t choose_block_rows(const struct frame *frame)
{
    size_t row_bytes = (size_t)(spill_bytes(frame->spilled->file) / frame->n_rows) + 1;
    size_t n = frame->options.spill.above / WINDOWS_SHARE / row_bytes;

    return n < 1 ? 1 : n > BLOCK_ROWS ? BLOCK_ROWS : n;
}

/* Whole words of nulls. */
static size_t window_capacity(const struct frame_spill *spilled)
{
    return (spilled->block_rows + 63) / 64 * 64;
}

static enum err_code merge_all(struct frame *frame, struct merge *merge, uint64_t *keys,
                               struct err *err)
{
    struct frame_spill *spilled = frame->spilled;
    size_t n_runs = spilled->n_runs, n_blocks = frame->n_rows / spilled->block_rows + 1;

    spilled->sources = calloc(frame->n_rows, sizeof(*spilled->sources));
    spilled->starts = calloc((n_blocks + 1) * n_runs, sizeof(*spilled->starts));
    if (spilled->sources == NULL || spilled->starts == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < frame->n_rows; row++) {
        if (row % spilled->block_rows == 0)
            memcpy(spilled->starts + row / spilled->block_rows * n_runs, merge->n_taken,
                   n_runs * sizeof(*spilled->starts));
        if (keys != NULL)
            keys[row] = merge->heads[0].key;
        spilled->sources[row] = (uint16_t)merge_next(merge);
    }
    for (size_t block = (frame->n_rows - 1) / spilled->block_rows + 1; block <= n_blocks; block++)
        memcpy(spilled->starts + block * n_runs, merge->n_taken, n_runs * sizeof(*spilled->starts));
    return ERR_OK;
}

/* The arrays become windows, which exist from now on, so that one that cannot be read can always be
 * nulls. */
static enum err_code open_windows(struct frame *frame, struct err *err)
{
    for (int i = 0; i < frame->n_columns; i++) {
        struct column *column = &frame->columns[i];

        free(column->nulls);
        free(column->data);
        free(column->elements);
        column->nulls = NULL;
        column->data = NULL;
        column->elements = NULL;
        column->elements_capacity = 0;
        column->n_here = 0;
        TRY(column_reserve(column, 0, window_capacity(frame->spilled), err));
    }
    frame->capacity = window_capacity(frame->spilled);
    return ERR_OK;
}

enum err_code frame_merge_runs(struct frame *frame, struct err *err)
{
    struct frame_spill *spilled = frame->spilled;
    CLEANUP(merge_release) struct merge merge = {0};
    uint64_t *keys = NULL;

    TRY(frame_spill_run(frame, err));
    spilled->block_rows = choose_block_rows(frame);
    TRY(open_windows(frame, err));
    free(frame->keys);
    frame->keys = NULL;
    TRY(merge_init(&merge, spilled, err));
    if (frame->options.order != NULL) {
        keys = calloc(frame->n_rows, sizeof(*keys));
        if (keys == NULL)
            return err_nomem(err);
        frame->keys = keys;
    }
    TRY(merge_all(frame, &merge, keys, err));
    free(spilled->keys);
    spilled->keys = NULL;
    return ERR_OK;
}

/* Windows ---------------------------------------------------------------------------------------
 */

/* A block on its way into a column: segments of the runs, one behind the other. */
struct block {
    const struct frame_spill *spilled;
    size_t first, n_rows;
    const uint32_t *from, *to; /* [runs] */
};

static struct block block_of(const struct frame_spill *spilled, size_t n_rows, size_t row)
{
    size_t number = row / spilled->block_rows, first = number * spilled->block_rows;
    size_t rest = n_rows - first;

    return (struct block){
        .spilled = spilled,
        .first = first,
        .n_rows = rest < spilled->block_rows ? rest : spilled->block_rows,
        .from = spilled->starts + number * spilled->n_runs,
        .to = spilled->starts + (number + 1) * spilled->n_runs,
    };
}

static enum err_code read_nulls(const struct block *block, size_t run, const struct run_column *at,
                                struct column *column, size_t done, struct err *err)
{
    size_t first = block->from[run], end = block->to[run];
    size_t first_word = first / 64, n_words = (end + 63) / 64 - first_word;
    CLEANUP(free_ptr) uint64_t *words = malloc(n_words * sizeof(*words));

    if (words == NULL)
        return err_nomem(err);
    TRY(spill_read(block->spilled->file, at->nulls + first_word * sizeof(*words), words,
                   n_words * sizeof(*words), err));
    for (size_t i = first; i < end; i++, done++) {
        uint64_t is_null = words[i / 64 - first_word] >> (i % 64) & 1;

        column->nulls[done / 64] |= is_null << (done % 64);
    }
    return ERR_OK;
}

/* Elements of the segment, behind those of the segments before; ends follow. */
static enum err_code read_elements(const struct block *block, size_t run,
                                   const struct run_column *at, struct column *column, size_t done,
                                   struct err *err)
{
    size_t n = block->to[run] - block->from[run], width = element_widths[column->kind];
    uint64_t before = first_element(column, done), base = 0, n_elements;

    if (block->from[run] > 0)
        TRY(spill_read(block->spilled->file,
                       at->data + (block->from[run] - 1) * sizeof(*column->ends), &base,
                       sizeof(base), err));
    n_elements = column->ends[done + n - 1] - base;
    TRY(column_reserve_elements(column, before + n_elements, err));
    TRY(spill_read(block->spilled->file, at->elements + base * width,
                   (char *)column->elements + before * width, n_elements * width, err));
    for (size_t i = done; i < done + n; i++)
        column->ends[i] = column->ends[i] - base + before;
    return ERR_OK;
}

/* done: rows of the segments before. */
static enum err_code read_segment(const struct block *block, size_t run, struct column *column,
                                  size_t done, struct err *err)
{
    const struct run_column *at =
        &block->spilled->runs[run].columns[column - column->frame->columns];
    size_t n = block->to[run] - block->from[run], width = cell_widths[column->kind];

    if (n == 0)
        return ERR_OK;
    TRY(spill_read(block->spilled->file, at->data + block->from[run] * width,
                   (char *)column->data + done * width, n * width, err));
    if (at->has_nulls)
        TRY(read_nulls(block, run, at, column, done, err));
    return element_widths[column->kind] == 0 ? ERR_OK
                                             : read_elements(block, run, at, column, done, err);
}

/* Which of the segments' rows comes to each place of the block. */
static enum err_code permute(const struct block *block, struct column *column, size_t capacity,
                             struct err *err)
{
    size_t n_runs = block->spilled->n_runs;
    CLEANUP(free_ptr) uint32_t *rows = malloc(block->n_rows * sizeof(*rows));
    CLEANUP(free_ptr) uint32_t *next = malloc(n_runs * sizeof(*next));
    uint32_t done = 0;

    if (rows == NULL || next == NULL)
        return err_nomem(err);
    for (size_t r = 0; r < n_runs; r++) {
        next[r] = done;
        done += block->to[r] - block->from[r];
    }
    for (size_t i = 0; i < block->n_rows; i++)
        rows[i] = next[block->spilled->sources[block->first + i]]++;
    return column_permute(column, rows, block->n_rows, capacity, err);
}

static enum err_code load(const struct block *block, struct column *column, struct err *err)
{
    size_t capacity = window_capacity(block->spilled), done = 0;

    memset(column->nulls, 0, capacity / 64 * sizeof(*column->nulls));
    for (size_t run = 0; run < block->spilled->n_runs; run++) {
        TRY(read_segment(block, run, column, done, err));
        done += block->to[run] - block->from[run];
    }
    return permute(block, column, capacity, err);
}

/* For a window that cannot be read. */
static void fill_with_nulls(struct column *column, size_t capacity)
{
    memset(column->nulls, 0xff, capacity / 64 * sizeof(*column->nulls));
    memset(column->data, 0, capacity * cell_widths[column->kind]);
}

void frame_spill_load(struct frame_spill *spilled, struct column *column, size_t row)
{
    struct block block = block_of(spilled, column->frame->n_rows, row);
    struct err err = {0};

    if (load(&block, column, &err) != ERR_OK) {
        if (spilled->failure.code == ERR_OK)
            spilled->failure = err;
        fill_with_nulls(column, window_capacity(spilled));
    }
    column->first = block.first;
    column->n_here = block.n_rows;
}
