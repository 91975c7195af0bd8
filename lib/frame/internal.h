/*
 * What the files of lib/frame share. For lib/frame only.
 */
#ifndef PGBOOST_FRAME_INTERNAL_H
#define PGBOOST_FRAME_INTERNAL_H

#include "frame/frame.h"

/* Postgres's timestamps: from 4714-11-24 BC to before 294277-01-01. A date may be later than that,
 * and is then a missing value like ±infinity. */
#define TIMESTAMP_MIN    INT64_C(-211813488000000000)
#define TIMESTAMP_END    INT64_C(9223371331200000000)
#define DATE_MIN_DAYS    (TIMESTAMP_MIN / USECS_PER_DAY)
#define USECS_PER_SECOND INT64_C(1000000)

/* Text, from the left. Each scan_… that returns false has found something else. */
struct scanner {
    const char *at, *end;
};
bool scan_char(struct scanner *scanner, char c);
void scan_spaces(struct scanner *scanner);
bool scan_digits(struct scanner *scanner, int n_least, int n_most, int64_t *ret_value);

/* MM[:SS[.F]] behind the hours and their colon; SS up to 60. */
bool scan_minutes(struct scanner *scanner, int64_t *ret_us);

/* Big-endian bytes, from the left. False: too few are left. */
struct wire {
    const uint8_t *at, *end;
};
bool wire_int(struct wire *wire, int n_bytes, int64_t *ret_value);
/* An int32 length, -1 for NULL (*ret_data is NULL), and that many bytes. */
bool wire_field(struct wire *wire, const uint8_t **ret_data, uint32_t *ret_n_bytes);

/* Elements of lists go to the scratch one by one. ERR_LIMIT beyond CELL_ITEMS_MAX. A text NULL is
 * an element that is NULL. */
MUST_CHECK enum err_code cell_push_item(struct cell_scratch *scratch, size_t *n, double value,
                                        struct err *err);
MUST_CHECK enum err_code cell_push_text(struct cell_scratch *scratch, size_t *n, const char *text,
                                        size_t n_bytes, struct err *err);
/* Makes a list of the n elements that were pushed. */
void cell_set_list(struct cell *cell, const struct cell_scratch *scratch, size_t n);

/* The type of a list's elements (of ranges: of their bounds). */
enum pg_type cell_item_type(enum pg_type type);
bool cell_is_array(enum pg_type type); /* also vectors */
bool cell_is_range(enum pg_type type);

#define CELL_SHOWN_MAX 40 /* bytes of a request's value in a message */

/* "expected …" */
enum err_code cell_unexpected(enum pg_type type, struct err *err);
enum err_code cell_corrupt(enum pg_type type, struct err *err);

/* Days as a cell of a date. */
void cell_set_days(struct cell *cell, int64_t days);

/* Text of a date, timestamp or timestamptz; false when it is none. */
bool cell_parse_time(enum pg_type type, const struct zone *zone, const char *text, size_t n_bytes,
                     struct cell *ret_cell);

/* Text of a number; false when it is none. */
bool cell_parse_number(enum pg_type type, const char *text, size_t n_bytes, struct cell *ret_cell);

/* Times of day (false: not within a day) and intervals. */
bool cell_set_time_of_day(struct cell *cell, int64_t us);
bool cell_parse_time_of_day(const char *text, size_t n_bytes, struct cell *ret_cell);
MUST_CHECK enum err_code cell_interval_from_binary(struct wire *wire, struct cell *ret_cell,
                                                   struct err *err);
bool cell_parse_interval(const char *text, size_t n_bytes, struct cell *ret_cell);

/* Lists: arrays and vectors, bit strings, points, ranges. */
MUST_CHECK enum err_code cell_array_from_binary(enum pg_type type, struct wire *wire,
                                                struct cell_scratch *scratch, struct cell *ret_cell,
                                                struct err *err);
MUST_CHECK enum err_code cell_vector_from_binary(struct wire *wire, struct cell_scratch *scratch,
                                                 struct cell *ret_cell, struct err *err);
MUST_CHECK enum err_code cell_array_from_text(enum pg_type type, const char *text, size_t n_bytes,
                                              struct cell_scratch *scratch, struct cell *ret_cell,
                                              struct err *err);
MUST_CHECK enum err_code cell_bits_from_binary(struct wire *wire, struct cell_scratch *scratch,
                                               struct cell *ret_cell, struct err *err);
MUST_CHECK enum err_code cell_bits_from_text(const char *text, size_t n_bytes,
                                             struct cell_scratch *scratch, struct cell *ret_cell,
                                             struct err *err);
MUST_CHECK enum err_code cell_point_from_binary(struct wire *wire, struct cell_scratch *scratch,
                                                struct cell *ret_cell, struct err *err);
MUST_CHECK enum err_code cell_point_from_text(const char *text, size_t n_bytes,
                                              struct cell_scratch *scratch, struct cell *ret_cell,
                                              struct err *err);
MUST_CHECK enum err_code cell_range_from_binary(enum pg_type type, struct wire *wire,
                                                struct cell_scratch *scratch, struct cell *ret_cell,
                                                struct err *err);
MUST_CHECK enum err_code cell_range_from_text(enum pg_type type, const struct zone *zone,
                                              const char *text, size_t n_bytes,
                                              struct cell_scratch *scratch, struct cell *ret_cell,
                                              struct err *err);

/* A document without the white space around it, or a missing value when it is none that cells hold.
 * False: it is no JSON at all. */
bool cell_set_document(struct cell *cell, struct cell_scratch *scratch, const char *text,
                       size_t n_bytes);

/* Printing: numbers of the floating types, whole numbers, seconds, moments. */
void put_double(double value, struct buf *text);
void put_float(double value, struct buf *text);
void put_whole(double value, struct buf *text);
void put_seconds(double seconds, struct buf *text);
void put_moment(enum pg_type type, int64_t us, char separator, const char *zone, struct buf *text);

/* CELL_LIST and CELL_TEXTS that are not null. */
void list_to_text(enum pg_type type, const struct cell *cell, struct buf *text);
void list_to_json(enum pg_type type, const struct cell *cell, struct buf *json);

/* Of a value in its column, and of one element of a list (0: no list), by kind. */
extern const uint8_t cell_widths[], element_widths[];

/* Bytes of a row in memory, but for its elements. */
size_t frame_row_bytes(const struct frame *frame);

/* Where the elements of the row at a place of the arrays begin. */
static inline uint64_t first_element(const struct column *column, size_t at)
{
    return at == 0 ? 0 : column->ends[at - 1];
}

/* Room for `capacity` rows, a multiple of 64, where there was room for `before`; nulls of the new
 * ones are zero. And for n_needed elements. */
MUST_CHECK enum err_code column_reserve(struct column *column, size_t before, size_t capacity,
                                        struct err *err);
MUST_CHECK enum err_code column_reserve_elements(struct column *column, size_t n_needed,
                                                 struct err *err);

/* The value at rows[i] comes to place i, for all n of the column; there is room for `capacity`. */
MUST_CHECK enum err_code column_permute(struct column *column, const uint32_t *rows, size_t n,
                                        size_t capacity, struct err *err);

/* Puts the rows in memory into the frame's order. */
MUST_CHECK enum err_code frame_sort(struct frame *frame, struct err *err);

/* Writes the rows in memory to the file as a sorted run, and starts anew. */
MUST_CHECK enum err_code frame_spill_run(struct frame *frame, struct err *err);

/* The last run, and the order of all rows over the runs. */
MUST_CHECK enum err_code frame_merge_runs(struct frame *frame, struct err *err);

/* Makes a window that has the row. */
void frame_spill_load(struct frame_spill *spilled, struct column *column, size_t row);
MUST_CHECK enum err_code frame_spill_check(const struct frame_spill *spilled, struct err *err);
void frame_spill_free(struct frame_spill *spilled);

#endif
