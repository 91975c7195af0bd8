/* What a definition says of single columns: "columns": {"carrier": {"as": "category"}}. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "config/project_keys.h"
#include "config/project_read.h"

static enum err_code read_as(struct project_reader *reader, const char *pointer, const cJSON *value,
                             struct column_override *override, struct err *err)
{
    int chosen;

    TRY(project_read_choice(reader, column_as_choices, pointer, value, &chosen, err));
    override->as = (enum column_as)chosen;
    return ERR_OK;
}

/* A text that names no way to impute is a label. */
static enum err_code read_impute(struct project_reader *reader, const char *pointer,
                                 const cJSON *value, struct column_override *override,
                                 struct err *err)
{
    static const char expected[] = "\"none\", \"mean\", \"median\", \"mode\", \"min\", \"max\", "
                                   "\"zero\", \"random\", a number or "
                                   "a category's label";

    if (cJSON_IsNumber(value)) {
        double size = fabs(value->valuedouble);

        if (size > (double)FLT_MAX || (size > 0 && size < (double)FLT_MIN))
            return project_refuse_value(reader, pointer, "a number that a float32 holds", value,
                                        err);
        override->impute = IMPUTE_NUMBER;
        override->impute_number = value->valuedouble;
        return ERR_OK;
    }
    if (!cJSON_IsString(value) || value->valuestring[0] == '\0')
        return project_refuse_value(reader, pointer, expected, value, err);
    for (const struct choice *c = column_impute_choices; c->name != NULL; c++) {
        if (strcmp(c->name, value->valuestring) == 0) {
            override->impute = (enum column_impute)c->value;
            return ERR_OK;
        }
    }
    override->impute = IMPUTE_LABEL;
    override->impute_label = arena_strdup(&reader->project->arena, value->valuestring);
    return override->impute_label == NULL ? err_nomem(err) : ERR_OK;
}

/* {"ordinal": ["low", "high"]} */
static enum err_code read_ordinal(struct project_reader *reader, const char *pointer,
                                  const cJSON *value, struct column_override *override,
                                  struct err *err)
{
    static const char expected[] = "an object such as {\"ordinal\": [\"low\", \"high\"]}";
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(value, "ordinal");
    CLEANUP(buf_release) struct buf inner = {0};

    if (cJSON_GetArraySize(value) != 1 || list == NULL || !cJSON_IsArray(list) ||
        cJSON_GetArraySize(list) == 0)
        return project_refuse(reader, pointer, err, "expected %s", expected);
    buf_printf(&inner, "%s/ordinal", pointer);
    TRY(buf_check(&inner, err));
    override->encode = COLUMN_ORDINAL;
    return project_read_list(reader, buf_text(&inner), "a list of labels",
                             "a label that is listed "
                             "twice",
                             list, &override->ordinal, err);
}

static enum err_code read_encode(struct project_reader *reader, const char *pointer,
                                 const cJSON *value, struct column_override *override,
                                 struct err *err)
{
    int chosen;

    if (cJSON_IsObject(value))
        return read_ordinal(reader, pointer, value, override, err);
    if (project_read_choice(reader, column_encode_choices, pointer, value, &chosen, err) != ERR_OK)
        return err_hint(err, "or {\"ordinal\": [\"low\", \"high\"]}: labels by their position");
    override->encode = (enum column_encode)chosen;
    return ERR_OK;
}

static enum err_code read_scale(struct project_reader *reader, const char *pointer,
                                const cJSON *value, struct column_override *override,
                                struct err *err)
{
    int chosen;

    TRY(project_read_choice(reader, column_scale_choices, pointer, value, &chosen, err));
    override->scale = (enum column_scale)chosen;
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err_code (*read)(struct project_reader *reader, const char *pointer, const cJSON *value,
                          struct column_override *override, struct err *err);
} options[] = {
    {"as", read_as}, {"impute", read_impute}, {"encode", read_encode}, {"scale", read_scale}};

static enum err_code read_option(struct project_reader *reader, const struct buf *parent,
                                 const cJSON *member, struct column_override *override,
                                 struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    buf_puts(&pointer, buf_text(parent));
    json_pointer_append(&pointer, member->string);
    TRY(buf_check(&pointer, err));
    for (size_t i = 0; i < N_ELEMENTS(options); i++) {
        if (strcmp(options[i].name, member->string) != 0)
            continue;
        if (cJSON_IsNull(member))
            return ERR_OK; /* the same as an option that is not there */
        return options[i].read(reader, buf_text(&pointer), member, override, err);
    }
    project_refuse(reader, buf_text(&pointer), err, "unknown key");
    return err_hint(err, "what a column has is \"as\", \"impute\", \"encode\" and \"scale\"");
}

static enum err_code read_column(struct project_reader *reader, const struct buf *pointer,
                                 const cJSON *value, struct column_override *override,
                                 struct err *err)
{
    const cJSON *member;

    if (!cJSON_IsObject(value))
        return project_refuse_value(reader, buf_text(pointer),
                                    "an object such as {\"as\": \"category\"}", value, err);
    cJSON_ArrayForEach (member, value)
        TRY(read_option(reader, pointer, member, override, err));
    return ERR_OK;
}

enum err_code project_read_columns(struct project_reader *reader, const struct project_key *key,
                                   const char *pointer, const cJSON *value, struct err *err)
{
    struct project *project = reader->project;
    const cJSON *member;

    if (!cJSON_IsObject(value))
        return project_refuse_value(reader, pointer, key->expected, value, err);
    project->overrides = arena_alloc_array(&project->arena, (size_t)cJSON_GetArraySize(value),
                                           sizeof(*project->overrides));
    if (project->overrides == NULL)
        return err_nomem(err);
    cJSON_ArrayForEach (member, value) {
        CLEANUP(buf_release) struct buf inner = {0};
        struct column_override *override = &project->overrides[project->n_overrides];

        buf_puts(&inner, pointer);
        json_pointer_append(&inner, member->string);
        TRY(buf_check(&inner, err));
        TRY(read_column(reader, &inner, member, override, err));
        override->column = arena_strdup(&project->arena, member->string);
        if (override->column == NULL)
            return err_nomem(err);
        project->n_overrides++;
    }
    return ERR_OK;
}
