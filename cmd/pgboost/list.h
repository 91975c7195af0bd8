/*
 * Listings: rows of structs as an aligned table for people or as JSON for programs, from one table
 * of columns, so that both show the same.
 */
#ifndef PGBOOST_CMD_LIST_H
#define PGBOOST_CMD_LIST_H

#include <stddef.h>

#include "base/buf.h"
#include "cli.h"

enum list_kind {
    LIST_TEXT,    /* const char * */
    LIST_NUMBER,  /* const char *: a number as text, NULL for none */
    LIST_JSON,    /* const char *: a JSON document, NULL for none */
    LIST_TIME,    /* const char *: RFC 3339 in UTC, NULL for not yet */
    LIST_ID,      /* int64_t, 0 for none */
    LIST_COUNT,   /* int */
    LIST_VERSION, /* int64_t */
    LIST_SECONDS, /* double */
    LIST_FLAG,    /* bool */
};

struct list_column {
    const char *title; /* of the table; NULL: in JSON only */
    const char *key;   /* of JSON */
    enum list_kind kind;
    size_t offset; /* into the item */
};

struct list {
    const struct list_column *columns;
    int n_columns;
    const void *items;
    int n_items;
    size_t item_size;
    const char *empty; /* what to say when there is nothing */
};

#define LIST(columns_table, rows, nothing)                                                         \
    {                                                                                              \
        .columns = (columns_table), .n_columns = (int)N_ELEMENTS(columns_table),                   \
        .items = (rows).items, .n_items = (rows).n, .item_size = sizeof((rows).items[0]),          \
        .empty = (nothing)                                                                         \
    }

/* To standard output: the table, or {"items":[…],"next":null}. */
MUST_CHECK enum err_code list_print(const struct cli *cli, const struct list *list,
                                    struct err *err);
/* Its parts: the table's lines, and one item as a JSON object. */
void list_put_table(struct buf *out, const struct list *list, bool colour);
void list_put_object(struct buf *json, const struct list *list, int item);
/* Like the array of items, without what stands around it. */
void list_put_array(struct buf *json, const struct list *list);

#endif
