#include "feature/types.h"

#define NUMBER_TYPE                                                                                \
    .use = USE_FEATURE, .encoding = ENCODE_NUMBER, .is_class = true, .is_number = true
#define SPAN_TYPE .use = USE_FEATURE, .encoding = ENCODE_NUMBER, .as = AS(AS_NUMBER)
#define TIME_TYPE                                                                                  \
    .use = USE_FEATURE, .encoding = ENCODE_TIMESTAMP, .as = AS(AS_TIMESTAMP), .is_ordered = true
#define TEXT_TYPE .use = USE_FEATURE, .encoding = ENCODE_CATEGORY, .is_class = true
#define LIST_TYPE .use = USE_FEATURE, .encoding = ENCODE_LIST
#define ID_TYPE   .use = USE_ID, .encoding = ENCODE_CATEGORY, .as = AS(AS_CATEGORY)

static const struct type_traits traits[PG_TYPES] = {
    [PG_BOOL] = {.use = USE_FEATURE,
                 .encoding = ENCODE_BOOL,
                 .as = AS(AS_NUMBER) | AS(AS_CATEGORY),
                 .is_class = true},
    [PG_INT2] = {NUMBER_TYPE, .as = AS(AS_NUMBER) | AS(AS_CATEGORY), .is_ordered = true},
    [PG_INT4] = {NUMBER_TYPE, .as = AS(AS_NUMBER) | AS(AS_CATEGORY), .is_ordered = true},
    [PG_INT8] = {NUMBER_TYPE, .as = AS(AS_NUMBER) | AS(AS_CATEGORY), .is_ordered = true},
    [PG_FLOAT4] = {NUMBER_TYPE, .as = AS(AS_NUMBER)},
    [PG_FLOAT8] = {NUMBER_TYPE, .as = AS(AS_NUMBER)},
    [PG_NUMERIC] = {NUMBER_TYPE, .as = AS(AS_NUMBER)},
    [PG_TEXT_TYPE] = {TEXT_TYPE, .as = AS(AS_CATEGORY) | AS(AS_TEXT)},
    [PG_BPCHAR] = {TEXT_TYPE, .as = AS(AS_CATEGORY) | AS(AS_TEXT)},
    [PG_ENUM] = {TEXT_TYPE, .as = AS(AS_CATEGORY)},
    [PG_DATE] = {TIME_TYPE},
    [PG_TIMESTAMP] = {TIME_TYPE},
    [PG_TIMESTAMPTZ] = {TIME_TYPE},
    [PG_TIME] = {SPAN_TYPE},
    [PG_INTERVAL] = {SPAN_TYPE},
    [PG_MONEY] = {SPAN_TYPE},
    [PG_BIT] = {LIST_TYPE},
    [PG_POINT] = {LIST_TYPE},
    [PG_INT_RANGE] = {LIST_TYPE},
    [PG_NUM_RANGE] = {LIST_TYPE},
    [PG_DATE_RANGE] = {LIST_TYPE},
    [PG_TS_RANGE] = {LIST_TYPE},
    [PG_TSTZ_RANGE] = {LIST_TYPE},
    [PG_BOOL_ARRAY] = {LIST_TYPE},
    [PG_INT2_ARRAY] = {LIST_TYPE},
    [PG_INT4_ARRAY] = {LIST_TYPE},
    [PG_INT8_ARRAY] = {LIST_TYPE},
    [PG_FLOAT4_ARRAY] = {LIST_TYPE},
    [PG_FLOAT8_ARRAY] = {LIST_TYPE},
    [PG_NUMERIC_ARRAY] = {LIST_TYPE},
    [PG_VECTOR] = {LIST_TYPE},
    [PG_TEXT_ARRAY] = {.use = USE_FEATURE, .encoding = ENCODE_TAGS},
    [PG_JSON] = {.use = USE_FEATURE, .encoding = ENCODE_JSON},
    [PG_UUID] = {ID_TYPE},
    [PG_INET] = {ID_TYPE},
    [PG_BYTEA] = {ID_TYPE},
};

const struct column_override no_override = {0};

const struct type_traits *type_traits(enum pg_type type)
{
    return &traits[type];
}

static enum encoding category_of(const struct column_override *how)
{
    switch (how->encode) {
    case COLUMN_ONEHOT:
        return ENCODE_ONEHOT;
    case COLUMN_ORDINAL:
        return ENCODE_ORDINAL;
    default:
        return ENCODE_CATEGORY;
    }
}

enum encoding encoding_of(enum pg_type type, const struct column_override *how)
{
    enum encoding natural = traits[type].encoding;

    if (how->as == AS_TEXT)
        return ENCODE_TEXT;
    if (how->as == AS_CATEGORY || natural == ENCODE_CATEGORY)
        return category_of(how);
    if (natural == ENCODE_BOOL && (how->impute != IMPUTE_NONE || how->scale != SCALE_NONE))
        return ENCODE_NUMBER; /* a mean is neither true nor false */
    return natural;
}

bool encoding_possible(enum pg_type type, enum encoding encoding)
{
    static const unsigned declared[] = {
        [ENCODE_NUMBER] = AS(AS_NUMBER),   [ENCODE_CATEGORY] = AS(AS_CATEGORY),
        [ENCODE_ONEHOT] = AS(AS_CATEGORY), [ENCODE_ORDINAL] = AS(AS_CATEGORY),
        [ENCODE_TEXT] = AS(AS_TEXT),       [ENCODE_TIMESTAMP] = AS(AS_TIMESTAMP),
    };
    const struct type_traits *of = &traits[type];

    return (of->use == USE_FEATURE && of->encoding == encoding) || (of->as & declared[encoding]);
}
