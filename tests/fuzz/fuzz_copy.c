/*
 * A COPY stream, from its messages to the rows of a frame.
 *
 *   input: int8 columns, int8 type of each, 4 × int8 sizes of the messages in turn; the stream
 *
 * The stream is read three times: in one message, in messages of those sizes, and (when it is
 * short) a byte a message. Each time the same rows must come out, the same end, and the same cells;
 * what was read must be what a writer of such a stream would have sent; a stream is good, or it is
 * ERR_CORRUPT with a reason. Each message lies in memory of its own that is gone when the next one
 * came.
 */
#include "cells.h"
#include "frame/frame.h"
#include "pg/copy_stream.h"

#define COLUMNS_MAX    8
#define SIZES          4
#define BYTEWISE_BYTES 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    int n_columns;
    enum pg_type types[COLUMNS_MAX];
    uint8_t sizes[SIZES];
    const uint8_t *stream;
    size_t n_bytes;
};

/* What one reading gave. */
struct reading {
    struct buf rows;     /* as they would be written again */
    struct frame *frame; /* of the rows whose fields are values */
    size_t n_rows;       /* of those */
    enum err_code code;
    struct err err;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool parse(const uint8_t *data, size_t size, struct input *ret_input)
{
    size_t head;

    if (size == 0)
        return false;
    ret_input->n_columns = 1 + data[0] % COLUMNS_MAX;
    head = 1 + (size_t)ret_input->n_columns;
    if (size < head + SIZES)
        return false;
    for (int i = 0; i < ret_input->n_columns; i++)
        ret_input->types[i] = (enum pg_type)(data[1 + i] % PG_TYPES);
    memcpy(ret_input->sizes, data + head, SIZES);
    ret_input->stream = data + head + SIZES;
    ret_input->n_bytes = size - head - SIZES;
    return true;
}

static void put_int(struct buf *buf, uint32_t value, int n_bytes)
{
    for (int shift = 8 * (n_bytes - 1); shift >= 0; shift -= 8)
        buf_putc(buf, (char)(value >> shift));
}

static void write_row(const struct input *input, const struct pg_field *fields, struct buf *rows)
{
    put_int(rows, (uint32_t)input->n_columns, 2);
    for (int i = 0; i < input->n_columns; i++) {
        put_int(rows, fields[i].data != NULL ? fields[i].n_bytes : UINT32_MAX, 4);
        buf_append(rows, fields[i].data, fields[i].n_bytes);
    }
}

/* False: a field is no value of its type. */
static bool read_cells(const struct input *input, const struct pg_field *fields, struct cell *cells)
{
    static struct cell_scratch scratches[COLUMNS_MAX];

    for (int i = 0; i < input->n_columns; i++) {
        struct err err = {0};
        enum err_code code = ERR_OK;

        if (fields[i].data == NULL)
            cells[i] = (struct cell){.kind = cell_kind_of(input->types[i]), .is_null = true};
        else
            code = cell_from_binary(input->types[i], fields[i].data, fields[i].n_bytes,
                                    &scratches[i], &cells[i], &err);
        if (code != ERR_OK) {
            must((code == ERR_CORRUPT || code == ERR_LIMIT) && err.message[0] != '\0');
            return false;
        }
    }
    return true;
}

static void check_cells(const struct input *input, const struct frame *frame, size_t row,
                        const struct cell *cells)
{
    must(row < frame->n_rows);
    for (int i = 0; i < input->n_columns; i++) {
        struct cell kept;

        column_cell(&frame->columns[i], row, &kept);
        must(same(&kept, &cells[i]));
    }
}

/* A row goes into the frame where it is being filled, and must else be in it. */
static void take_row(const struct input *input, const struct pg_field *fields,
                     const struct frame *filled, struct reading *reading)
{
    struct cell cells[COLUMNS_MAX];

    write_row(input, fields, &reading->rows);
    if (!read_cells(input, fields, cells))
        return;
    if (filled == NULL)
        must(frame_append(reading->frame, cells, NULL) == ERR_OK);
    check_cells(input, filled != NULL ? filled : reading->frame, reading->n_rows, cells);
    reading->n_rows++;
}

static bool drain(const struct input *input, struct copy_stream *stream, const struct frame *filled,
                  struct reading *reading)
{
    for (;;) {
        struct pg_field fields[COLUMNS_MAX];

        switch (copy_stream_next(stream, fields, &reading->err)) {
        case COPY_ROW:
            take_row(input, fields, filled, reading);
            break;
        case COPY_MORE:
        case COPY_END:
            return true;
        case COPY_CORRUPT:
            reading->code = ERR_CORRUPT;
            return false;
        }
    }
}

/* sizes[n_sizes] in turn; a message of size 0 is one of 64 KiB, which no input reaches. */
static void read_stream(const struct input *input, const uint8_t *sizes, int n_sizes,
                        const struct frame *filled, struct reading *reading)
{
    struct copy_stream stream = {.n_columns = input->n_columns};
    uint8_t *last = NULL;
    size_t at = 0, n;
    bool good = true;

    for (int i = 0; good && at < input->n_bytes; i++, at += n) {
        uint8_t *message;

        n = sizes[i % n_sizes] != 0 ? sizes[i % n_sizes] : 1 << 16;
        n = n < input->n_bytes - at ? n : input->n_bytes - at;
        message = malloc(n);
        must(message != NULL);
        memcpy(message, input->stream + at, n);
        must(copy_stream_feed(&stream, message, n, NULL) == ERR_OK);
        free(last);
        last = message;
        good = drain(input, &stream, filled, reading);
    }
    if (good)
        reading->code = copy_stream_finish(&stream, &reading->err);
    must(reading->code == ERR_OK ||
         (reading->code == ERR_CORRUPT && reading->err.message[0] != '\0'));
    free(last);
    copy_stream_release(&stream);
}

/* The rows must stand in the stream as they would be written, behind its header; a good stream is
 * all of that and the trailer. */
static void check_written(const struct input *input, const struct reading *reading)
{
    const uint8_t *bytes = input->stream;
    size_t header = 19, n_rows_bytes = reading->rows.length;

    if (n_rows_bytes == 0 && reading->code != ERR_OK)
        return;
    must(input->n_bytes >= header);
    header += (size_t)bytes[15] << 24 | (size_t)bytes[16] << 16 | (size_t)bytes[17] << 8 |
              (size_t)bytes[18];
    must(input->n_bytes >= header + n_rows_bytes);
    must(n_rows_bytes == 0 || memcmp(bytes + header, reading->rows.data, n_rows_bytes) == 0);
    if (reading->code == ERR_OK)
        must(input->n_bytes == header + n_rows_bytes + 2 &&
             memcmp(bytes + header + n_rows_bytes, "\377\377", 2) == 0);
}

static void check_again(const struct input *input, const uint8_t *sizes, int n_sizes,
                        const struct reading *first)
{
    struct reading again = {0};

    read_stream(input, sizes, n_sizes, first->frame, &again);
    must(again.n_rows == first->n_rows && again.code == first->code);
    must(strcmp(again.err.message, first->err.message) == 0);
    must(same_text(buf_text(&again.rows), again.rows.length, buf_text(&first->rows),
                   first->rows.length));
    buf_release(&again.rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[COLUMNS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static const uint8_t whole = 0, bytewise = 1;
    struct reading first = {0};
    struct input input;

    if (!parse(data, size, &input))
        return 0;
    must(frame_new(names, input.types, input.n_columns, &first.frame, NULL) == ERR_OK);
    read_stream(&input, &whole, 1, NULL, &first);
    must(first.frame->n_rows == first.n_rows);
    check_written(&input, &first);
    check_again(&input, input.sizes, SIZES, &first);
    if (input.n_bytes <= BYTEWISE_BYTES)
        check_again(&input, &bytewise, 1, &first);
    frame_free(first.frame);
    buf_release(&first.rows);
    return 0;
}
