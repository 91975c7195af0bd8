/*
 * Long answers in gzip, for clients that take it. Inside lib/http only.
 */
#ifndef PGBOOST_HTTP_PACK_H
#define PGBOOST_HTTP_PACK_H

#include <stdbool.h>

#include "base/buf.h"

/* Shorter ones fit into a few packets as they are, and cost more to pack than to send. */
#define PACK_MIN ((size_t)8 << 10)

/* Does an Accept-Encoding header (NULL: none) take gzip? RFC 9110, 12.5.3. */
bool pack_is_taken(const char *accept_encoding);

/* Replaces the text by its gzip. False, and nothing changed: it would not be shorter, or memory ran
 * out. */
bool pack(struct buf *text);

#endif
