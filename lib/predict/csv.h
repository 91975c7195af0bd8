/*
 * A CSV body as the "columns" and "rows" of a JSON one, so that both are read by the same code.
 *
 * RFC 4180, as COPY … (FORMAT csv, HEADER) writes it: the first line names the columns, lines end
 * in LF or CRLF, a value that holds a comma, a quote or a line's end stands in quotes, where a
 * quote is doubled. An empty value without quotes is a missing value. Values become JSON strings,
 * which count as the text that Postgres prints. A byte order mark before the first line is stepped
 * over.
 *
 * Refuses: text that is not UTF-8, quotes where RFC 4180 has none.
 */
#ifndef PGBOOST_PREDICT_CSV_H
#define PGBOOST_PREDICT_CSV_H

#include "base/buf.h"

/* Appends "columns":[…],"rows":[…]. At most max_rows + 1 rows: one too many is refused by whoever
 * reads them. ERR_INVALID names the line. */
MUST_CHECK enum err_code csv_to_table(const char *text, size_t length, size_t max_rows,
                                      struct buf *json, struct err *err);

#endif
