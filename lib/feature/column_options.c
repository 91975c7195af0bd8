#include "feature/column_options.h"

#include "feature/types.h"

/* What the options beside "as" may be, by what the column becomes; an ignored one has none. */
#define IMPUTE(impute) (1u << (impute))
struct option_rules {
    const char *what;
    unsigned impute; /* IMPUTE() of what fits, beside none */
    bool encode, scale;
    const char *impute_hint;
};

static const struct option_rules rules_of_numbers = {
    .what = "a number",
    .impute = IMPUTE(IMPUTE_MEAN) | IMPUTE(IMPUTE_MEDIAN) | IMPUTE(IMPUTE_MODE) |
              IMPUTE(IMPUTE_MIN) | IMPUTE(IMPUTE_MAX) | IMPUTE(IMPUTE_ZERO) |
              IMPUTE(IMPUTE_RANDOM) | IMPUTE(IMPUTE_NUMBER),
    .scale = true,
    .impute_hint = "none, mean, median, mode, min, max, zero, random and a number do",
};
static const struct option_rules rules_of_categories = {
    .what = "a category",
    .impute = IMPUTE(IMPUTE_MODE) | IMPUTE(IMPUTE_LABEL),
    .encode = true,
    .impute_hint = "none, mode and a label as text do",
};
static const struct option_rules rules_of_others = {
    .what = "neither a number nor a category",
    .impute_hint = "only none does",
};
static const struct option_rules rules_of_ignored = {
    .what = "ignored",
    .impute_hint = "only none does",
};

static const struct option_rules *option_rules(enum pg_type type,
                                               const struct column_override *override)
{
    if (override->as == AS_IGNORE)
        return &rules_of_ignored;
    switch (encoding_of(type, override)) {
    case ENCODE_BOOL:
    case ENCODE_NUMBER:
        return type_traits(type)->use == USE_FEATURE ? &rules_of_numbers : &rules_of_others;
    case ENCODE_CATEGORY:
    case ENCODE_ONEHOT:
    case ENCODE_ORDINAL:
        return override->as == AS_CATEGORY || type_traits(type)->use == USE_FEATURE
                   ? &rules_of_categories
                   : &rules_of_others;
    default:
        return &rules_of_others;
    }
}

static enum err_code refuse_option(const char *column, const char *pointer, const char *option,
                                   const char *value, const struct option_rules *rules,
                                   const char *hint, struct err *err)
{
    err_set(err, ERR_CONFIG,
            "key \"columns\": column \"%s\" is %s, which \"%s\": \"%s\" does not fit", column,
            rules->what, option, value);
    err_field(err, "%s/%s", pointer, option);
    err_hint(err, "%s", hint);
    return ERR_CONFIG;
}

enum err_code check_options(const struct relation_column *column,
                            const struct column_override *override, const char *pointer,
                            struct err *err)
{
    const struct option_rules *rules = option_rules(column->type, override);

    if (override->impute != IMPUTE_NONE && !(rules->impute & IMPUTE(override->impute)))
        return refuse_option(column->name, pointer, "impute", column_impute_name(override->impute),
                             rules, rules->impute_hint, err);
    if (override->encode != COLUMN_NATIVE && !rules->encode)
        return refuse_option(
            column->name, pointer, "encode", column_encode_name(override->encode), rules,
            "it is for categories: text, or what {\"as\": \"category\"} makes one", err);
    if (override->scale != SCALE_NONE && !rules->scale)
        return refuse_option(column->name, pointer, "scale", column_scale_name(override->scale),
                             rules, "only numbers can be scaled", err);
    return ERR_OK;
}
