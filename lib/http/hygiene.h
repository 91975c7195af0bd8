/*
 * What a request's head must look like before anything of it is believed.
 *
 * libmicrohttpd lets through what proxies and servers understand in different ways, which is how
 * requests are smuggled: two lengths, a length beside chunks, two hosts, unknown codings. All of it
 * is refused here, on the handler's first call, before a byte of the body. Pure functions.
 */
#ifndef PGBOOST_HTTP_HYGIENE_H
#define PGBOOST_HTTP_HYGIENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The headers that matter here, as they came; the texts are the HTTP library's. */
enum head_name {
    HEAD_HOST,
    HEAD_CONTENT_LENGTH,
    HEAD_TRANSFER_ENCODING,
    HEAD_CONTENT_TYPE,
    HEAD_CONTENT_ENCODING,
    HEAD_EXPECT,
    HEAD_ACCEPT,
    HEAD_REQUEST_ID,
    HEAD_ORIGIN,
    HEAD_AUTHORIZATION,
    HEAD_NAMES
};

struct head {
    const char *method, *version;
    int n[HEAD_NAMES];             /* how often each came */
    const char *value[HEAD_NAMES]; /* the last; NULL: none */
    bool bad_name;                 /* some header's name is not a token: "Content-Length " */
    bool bad_target; /* what is asked for is no path, or holds blanks or control characters */
    bool bad_lines;  /* head_begin: a line is not what it seems */
    const char *at;  /* where the next line must begin; NULL: unknown */
};

/* Where a method and a target of n_target bytes are the texts of one line that has been read in
 * place, and n_bytes is the length of the whole head: then head_add notices everything that the
 * library has changed of it. It replaces a line's end by NULs, so a line that follows the last one
 * at any other distance than CRLF's two bytes was ended by a bare CR or LF, folded, or holds a NUL.
 * (libmicrohttpd before 1.0 reads in place; later ones refuse such lines by themselves.) */
void head_begin(struct head *head, const char *target, size_t n_target);

/* After the last header. */
void head_end(struct head *head, size_t n_bytes);

/* Is this a target that a server may be asked for: "/path?query", or "*" with OPTIONS? */
bool head_target_is_sound(const char *target, size_t length);

/* Notes a header: its value when it is one of the table's. value may be NULL. */
void head_add(struct head *head, const char *name, const char *value);

/* 0 when the head is sound, and *ret_length is the announced length of the body (UINT64_MAX: comes
 * in chunks). Otherwise the status to refuse with, err filled; the connection must be closed, since
 * where the request ends is not certain. */
int head_check(const struct head *head, uint64_t *ret_length, struct err *err);

/* Can this be a request's id: 1 to 64 letters, digits and a few signs that mean nothing in logs? */
bool head_request_id_is_sound(const char *text);

/* Is the body announced as CSV? */
bool head_is_csv(const struct head *head);

/* Can a body of this type be read, as JSON or, where a route takes it, as CSV? 0, or 415 with err
 * filled. As JSON where no type is announced, JSON's own types are, and curl's default form type.
 */
int head_check_type(const struct head *head, bool takes_csv, struct err *err);

/* Can an answer in JSON (or else, text) be sent to who says what he accepts? 0, or 406. */
int head_check_accept(const struct head *head, struct err *err);

/* Like head_check_type for a request that changes something: the type must be application/json
 * itself. */
int head_check_change(const struct head *head, struct err *err);

#endif
