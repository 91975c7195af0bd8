/*
 * Text on a terminal: names may hold anything, and columns must line up.
 */
#ifndef PGBOOST_CMD_TEXT_H
#define PGBOOST_CMD_TEXT_H

#include "base/buf.h"

/* Appends text with what could drive a terminal or turn its writing around made visible: "\n",
 * "\x1b", "\u202e"; bytes that are not UTF-8 as "\xff". */
void text_put_safe(struct buf *out, const char *text);

/* Columns of a terminal that safe text takes: wide characters count two, combining ones none. */
int text_width(const char *text);

#endif
