#include "model/members.h"

#include <string.h>

#include "model/value.h"

#define MEMBERS_MAX 32 /* of those that a hint may suggest */

static struct member *find_member(struct member *members, int n_members, const char *name,
                                  size_t length)
{
    for (int i = 0; i < n_members; i++)
        if (members[i].name[0] == name[0] && strlen(members[i].name) == length &&
            memcmp(members[i].name, name, length) == 0)
            return &members[i];
    return NULL;
}

static enum err_code refuse_unknown(const struct member *members, int n_members, const char *name,
                                    size_t length, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};
    const char *names[MEMBERS_MAX], *nearest;
    int n_names = n_members < MEMBERS_MAX ? n_members : MEMBERS_MAX;

    for (int i = 0; i < n_names; i++)
        names[i] = members[i].name;
    err_set(err, ERR_INVALID, "unknown member \"%.*s\"", value_name_length(name, length), name);
    value_pointer_append(&pointer, name, length);
    err_field(err, "%s", buf_text(&pointer));
    nearest = value_nearest(name, length, names, n_names);
    return nearest != NULL ? err_hint(err, "did you mean \"%s\"?", nearest) : ERR_INVALID;
}

static enum err_code refuse_twice(const struct member *member, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    err_set(err, ERR_INVALID, "\"%s\" is given twice", member->name);
    json_pointer_append(&pointer, member->name);
    return err_field(err, "%s", buf_text(&pointer));
}

/* The member whose name was just read: notes where its value starts, and reads its first token. */
static enum err_code begin_member(struct json_reader *reader, struct member *member,
                                  struct err *err)
{
    member->value = *reader;
    member->token = json_next(reader, err);
    if (member->token == JSON_ERROR)
        return value_error(err);
    if (member->named)
        return refuse_twice(member, err);
    member->named = true;
    return ERR_OK;
}

void members_clear(struct member *members, int n_members)
{
    for (int i = 0; i < n_members; i++) {
        members[i].named = false;
        members[i].token = JSON_NULL;
    }
}

enum err_code members_next(struct json_reader *reader, struct member *members, int n_members,
                           enum unknown_members unknown, struct buf *scratch,
                           struct member **ret_member, struct err *err)
{
    for (;;) {
        enum json_token token = json_next(reader, err);
        struct member *member;
        const char *name;
        size_t length;

        if (token == JSON_OBJECT_END) {
            *ret_member = NULL;
            return ERR_OK;
        }
        if (token != JSON_KEY)
            return value_error(err);
        TRY(json_text(reader, scratch, &name, &length, err));
        member = find_member(members, n_members, name, length);
        if (member != NULL) {
            TRY(begin_member(reader, member, err));
            *ret_member = member;
            return ERR_OK;
        }
        if (unknown == REFUSE_UNKNOWN)
            return refuse_unknown(members, n_members, name, length, err);
        TRY(json_skip(reader, json_next(reader, err), err));
    }
}

enum err_code members_read(struct json_reader *reader, struct member *members, int n_members,
                           enum unknown_members unknown, struct buf *scratch, struct err *err)
{
    members_clear(members, n_members);
    for (;;) {
        struct member *member = NULL;

        TRY(members_next(reader, members, n_members, unknown, scratch, &member, err));
        if (member == NULL)
            return ERR_OK;
        TRY(json_skip(reader, member->token, err));
    }
}
