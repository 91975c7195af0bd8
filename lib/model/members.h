/*
 * The members of a JSON object, in whatever order they come.
 *
 * A json_reader is a plain value: a copy of it taken before a member's value reads that value again
 * later. So one strict pass over the text finds where everything is, and nothing is allocated. Used
 * for request bodies and for the documents stored with a model (jsonb sorts keys its own way).
 */
#ifndef PGBOOST_MODEL_MEMBERS_H
#define PGBOOST_MODEL_MEMBERS_H

#include "base/json.h"

struct member {
    const char *name;
    bool named;               /* the object has it, if only as null */
    enum json_token token;    /* the first of its value; JSON_NULL when absent */
    struct json_reader value; /* json_next gives `token` again; meaningless when absent */
};

enum unknown_members { IGNORE_UNKNOWN, REFUSE_UNKNOWN };

/* Reads an object whose JSON_OBJECT_BEGIN was just returned, to its end. members[n_members] come
 * with names. Errors: the reader's own; ERR_INVALID with the member's JSON pointer for one that
 * comes twice or, when refused, is unknown (nearest name in the hint). */
MUST_CHECK enum err_code members_read(struct json_reader *reader, struct member *members,
                                      int n_members, enum unknown_members unknown,
                                      struct buf *scratch, struct err *err);

#endif
