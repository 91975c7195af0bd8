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

/* Before the first member: members[n_members], which come with names, are all absent. */
void members_clear(struct member *members, int n_members);

/* The next of an object's members that is one of members, whose first token (its `token`) was then
 * just returned: the caller reads the value to its end, or skips it. Others are stepped over. NULL
 * at the object's end. Errors: the reader's own; ERR_INVALID with the member's JSON pointer for one
 * that comes twice or, when refused, is unknown (nearest name in the hint). */
MUST_CHECK enum err_code members_next(struct json_reader *reader, struct member *members,
                                      int n_members, enum unknown_members unknown,
                                      struct buf *scratch, struct member **ret_member,
                                      struct err *err);

/* All of them: reads an object whose JSON_OBJECT_BEGIN was just returned, to its end. */
MUST_CHECK enum err_code members_read(struct json_reader *reader, struct member *members,
                                      int n_members, enum unknown_members unknown,
                                      struct buf *scratch, struct err *err);

#endif
