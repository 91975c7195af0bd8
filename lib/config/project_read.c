#include "config/project_read.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"
#include "base/strmap.h"
#include "config/project_keys.h"

/* "/test/size" → "test.size", for people. */
static void dotted(const char *pointer, char *out, size_t size)
{
    size_t n = 0;

    for (const char *at = pointer + (*pointer == '/'); *at != '\0' && n + 1 < size; at++) {
        if (*at == '~' && (at[1] == '0' || at[1] == '1'))
            out[n++] = *++at == '0' ? '~' : '/';
        else
            out[n++] = *at == '/' ? '.' : *at;
    }
    out[n] = '\0';
}

enum err_code project_refuse(const struct project_reader *reader, const char *pointer,
                             struct err *err, const char *format, ...)
{
    char reason[sizeof(err->message)], name[sizeof(err->field)];
    int line, column;
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    dotted(pointer, name, sizeof(name));
    err_set(err, ERR_CONFIG, "\"%s\": %s", name, reason);
    if (json_locate(reader->text, reader->length, pointer, &line, &column))
        err_prefix(err, "line %d", line);
    return err_field(err, "%s", pointer);
}

/* A value as a message shows it: scalars as JSON, cut where they are long. */
static const char *shown(const cJSON *value, char *out, size_t size)
{
    CLEANUP(buf_release) struct buf text = {0};

    if (cJSON_IsObject(value) || cJSON_IsArray(value))
        return cJSON_IsObject(value) ? "an object" : "a list";
    if (cJSON_IsString(value))
        json_put_text(&text, value->valuestring);
    else if (cJSON_IsNumber(value))
        json_put_double(&text, value->valuedouble);
    else
        buf_puts(&text, cJSON_IsNull(value) ? "null" : cJSON_IsTrue(value) ? "true" : "false");
    if (text.length < size)
        snprintf(out, size, "%s", buf_text(&text));
    else
        snprintf(out, size, "a text of %zu bytes", strlen(value->valuestring));
    return out;
}

/* '"test.size": expected a number between 0 and 1, found "abc"' */
enum err_code project_refuse_value(const struct project_reader *reader, const char *pointer,
                                   const char *expected, const cJSON *value, struct err *err)
{
    char found[96];

    return project_refuse(reader, pointer, err, "expected %s, found %s", expected,
                          shown(value, found, sizeof(found)));
}

static void *field(struct project_reader *reader, const struct project_key *key)
{
    return (char *)reader->project + key->offset;
}

static enum err_code read_text(struct project_reader *reader, const struct project_key *key,
                               const char *pointer, const cJSON *value, struct err *err)
{
    char *copy;

    if (!cJSON_IsString(value) || value->valuestring[0] == '\0')
        return project_refuse_value(reader, pointer, key->expected, value, err);
    copy = arena_strdup(&reader->project->arena, value->valuestring);
    if (copy == NULL)
        return err_nomem(err);
    *(const char **)field(reader, key) = copy;
    return ERR_OK;
}

static enum err_code read_bool(struct project_reader *reader, const struct project_key *key,
                               const char *pointer, const cJSON *value, struct err *err)
{
    if (!cJSON_IsBool(value))
        return project_refuse_value(reader, pointer, key->expected, value, err);
    *(bool *)field(reader, key) = cJSON_IsTrue(value);
    return ERR_OK;
}

static enum err_code read_number(struct project_reader *reader, const struct project_key *key,
                                 const char *pointer, const cJSON *value, struct err *err)
{
    double number = value->valuedouble;

    if (!cJSON_IsNumber(value) || number < key->low || number > key->high ||
        (key->open && (number == key->low || number == key->high)) ||
        (key->type != KEY_NUMBER && number != floor(number)))
        return project_refuse_value(reader, pointer, key->expected, value, err);
    if (key->type == KEY_NUMBER)
        *(double *)field(reader, key) = number;
    else if (key->type == KEY_INT)
        *(int *)field(reader, key) = (int)number;
    else
        *(int64_t *)field(reader, key) = (int64_t)number;
    return ERR_OK;
}

/* The names of the choices that this version has. */
static void list_choices(const struct choice *choices, struct buf *text)
{
    for (; choices->name != NULL; choices++)
        if (choices->value != CHOICE_LATER)
            buf_printf(text, "%s\"%s\"", text->length > 0 ? ", " : "", choices->name);
}

enum err_code project_read_choice(const struct project_reader *reader, const struct choice *choices,
                                  const char *pointer, const cJSON *value, int *ret_value,
                                  struct err *err)
{
    CLEANUP(buf_release) struct buf names = {0};
    char found[96];

    list_choices(choices, &names);
    for (; cJSON_IsString(value) && choices->name != NULL; choices++) {
        if (strcmp(choices->name, value->valuestring) != 0)
            continue;
        if (choices->value == CHOICE_LATER) {
            project_refuse(reader, pointer, err, "\"%s\" is not available in this version",
                           choices->name);
            return err_hint(err, "available: %s", buf_text(&names));
        }
        *ret_value = choices->value;
        return ERR_OK;
    }
    return project_refuse(reader, pointer, err, "expected one of %s, found %s", buf_text(&names),
                          shown(value, found, sizeof(found)));
}

static enum err_code read_choice(struct project_reader *reader, const struct project_key *key,
                                 const char *pointer, const cJSON *value, struct err *err)
{
    int chosen;

    TRY(project_read_choice(reader, key->choices, pointer, value, &chosen, err));
    memcpy(field(reader, key), &chosen, sizeof(chosen)); /* gcc's enums are ints */
    return ERR_OK;
}

/* A list, or one value in place of a list of one. */
struct items {
    const cJSON *first;
    int n;
    bool is_list;
};

static struct items items_of(const cJSON *value)
{
    if (cJSON_IsArray(value))
        return (struct items){value->child, cJSON_GetArraySize(value), true};
    return (struct items){value, 1, false};
}

static enum err_code refuse_item(const struct project_reader *reader, const char *pointer,
                                 const struct items *items, int i, struct err *err,
                                 const char *reason)
{
    char item[sizeof(err->field)];

    snprintf(item, sizeof(item), items->is_list ? "%s/%d" : "%s", pointer, i);
    return project_refuse(reader, item, err, "%s", reason);
}

enum err_code project_read_list(const struct project_reader *reader, const char *pointer,
                                const char *expected, const char *twice, const cJSON *value,
                                struct string_list *ret_list, struct err *err)
{
    CLEANUP(strmap_release) struct strmap seen = {0};
    struct arena *arena = &reader->project->arena;
    struct items items = items_of(value);
    struct string_list list = {.n = items.n};
    const cJSON *item = items.first;

    list.items = arena_alloc_array(arena, (size_t)items.n, sizeof(*list.items));
    if (list.items == NULL)
        return err_nomem(err);
    for (int i = 0; i < items.n; i++, item = item->next) {
        uint32_t index;

        if (!cJSON_IsString(item) || item->valuestring[0] == '\0')
            return project_refuse_value(reader, pointer, expected, item, err);
        list.items[i] = arena_strdup(arena, item->valuestring);
        index = strmap_add(&seen, item->valuestring, strlen(item->valuestring));
        if (list.items[i] == NULL || index == STRMAP_NONE)
            return err_nomem(err);
        if (index != (uint32_t)i)
            return refuse_item(reader, pointer, &items, i, err, twice);
    }
    *ret_list = list;
    return ERR_OK;
}

static enum err_code read_list(struct project_reader *reader, const struct project_key *key,
                               const char *pointer, const cJSON *value, struct err *err)
{
    return project_read_list(reader, pointer, key->expected, "a column that is listed twice", value,
                             field(reader, key), err);
}

static enum err_code read_choices(struct project_reader *reader, const struct project_key *key,
                                  const char *pointer, const cJSON *value, struct err *err)
{
    struct items items = items_of(value);
    const cJSON *item = items.first;
    unsigned chosen = 0;

    if (items.n == 0)
        return project_refuse(reader, pointer, err, "expected %s, found an empty list",
                              key->expected);
    for (int i = 0; i < items.n; i++, item = item->next) {
        int choice;

        TRY(project_read_choice(reader, key->choices, pointer, item, &choice, err));
        chosen |= 1u << choice;
    }
    *(unsigned *)field(reader, key) = chosen;
    return ERR_OK;
}

/* A number, or the name of a metric. */
static enum err_code read_threshold(struct project_reader *reader, const struct project_key *key,
                                    const char *pointer, const cJSON *value, struct err *err)
{
    struct threshold threshold = {0};
    int chosen = 0;

    if (cJSON_IsNumber(value)) {
        if (!(value->valuedouble > key->low && value->valuedouble < key->high))
            return project_refuse_value(reader, pointer, key->expected, value, err);
        threshold.number = value->valuedouble;
    } else if (project_read_choice(reader, key->choices, pointer, value, &chosen, err) != ERR_OK) {
        return err_hint(err, "or %s", key->expected);
    }
    if (chosen > 0)
        threshold.metric = key->choices[chosen].name;
    *(struct threshold *)field(reader, key) = threshold;
    return ERR_OK;
}

static enum err_code read_object(struct project_reader *reader, const struct project_key *key,
                                 const char *pointer, const cJSON *value, struct err *err)
{
    if (!cJSON_IsObject(value))
        return project_refuse_value(reader, pointer, key->expected, value, err);
    *(const cJSON **)field(reader, key) = value;
    return ERR_OK;
}

static enum err_code read_later(struct project_reader *reader, const struct project_key *key,
                                const char *pointer, const cJSON *value, struct err *err)
{
    (void)key;
    (void)value;
    project_refuse(reader, pointer, err, "not available in this version");
    return err_hint(err, "leave it out");
}

/* By type of key. */
static enum err_code (*const read_functions[])(struct project_reader *reader,
                                               const struct project_key *key, const char *pointer,
                                               const cJSON *value, struct err *err) = {
    [KEY_TEXT] = read_text,       [KEY_BOOL] = read_bool,
    [KEY_LIST] = read_list,       [KEY_CHOICE] = read_choice,
    [KEY_CHOICES] = read_choices, [KEY_INT] = read_number,
    [KEY_LONG] = read_number,     [KEY_NUMBER] = read_number,
    [KEY_OBJECT] = read_object,   [KEY_COLUMNS] = project_read_columns,
    [KEY_LATER] = read_later,     [KEY_THRESHOLD] = read_threshold,
};

static enum err_code refuse_unknown(const struct project_reader *reader, const char *name,
                                    const char *pointer, struct err *err)
{
    const char *nearest = project_key_nearest(name);
    const char *dot = nearest == NULL ? NULL : strchr(nearest, '.');

    project_refuse(reader, pointer, err, "unknown key");
    if (nearest == NULL)
        return err_hint(err, "models/README.md lists every key");
    if (dot == NULL)
        return err_hint(err, "did you mean \"%s\"?", nearest);
    return err_hint(err, "did you mean \"%s\" in the object \"%.*s\"?", dot + 1,
                    (int)(dot - nearest), nearest);
}

static enum err_code read_members(struct project_reader *reader, const char *prefix,
                                  const char *parent, const cJSON *object, struct err *err);

static enum err_code read_member(struct project_reader *reader, const char *name,
                                 const char *pointer, const cJSON *value, struct err *err)
{
    const struct project_key *key = project_key_find(name);
    CLEANUP(buf_release) struct buf prefix = {0};

    if (key == NULL && !project_key_is_group(name))
        return refuse_unknown(reader, name, pointer, err);
    if (cJSON_IsNull(value))
        return ERR_OK; /* the same as a key that is not there */
    if (key != NULL)
        return read_functions[key->type](reader, key, pointer, value, err);
    if (!cJSON_IsObject(value))
        return project_refuse_value(reader, pointer, "an object", value, err);
    buf_printf(&prefix, "%s.", name);
    TRY(buf_check(&prefix, err));
    return read_members(reader, buf_text(&prefix), pointer, value, err);
}

/* The members of an object: of the definition itself (prefix "") or of one that groups keys
 * ("test."). Groups hold no groups, so this goes two levels deep at most. */
static enum err_code read_members(struct project_reader *reader, const char *prefix,
                                  const char *parent, const cJSON *object, struct err *err)
{
    const cJSON *member;

    cJSON_ArrayForEach (member, object) {
        CLEANUP(buf_release) struct buf name = {0};
        CLEANUP(buf_release) struct buf pointer = {0};

        buf_printf(&name, "%s%s", prefix, member->string);
        buf_puts(&pointer, parent);
        json_pointer_append(&pointer, member->string);
        TRY(buf_check(&name, err));
        TRY(buf_check(&pointer, err));
        if (strchr(member->string, '.') != NULL) /* "test.size" is our way to write it only */
            return refuse_unknown(reader, buf_text(&name), buf_text(&pointer), err);
        TRY(read_member(reader, buf_text(&name), buf_text(&pointer), member, err));
    }
    return ERR_OK;
}

/* Defaults go through the same functions as what is given. */
static enum err_code read_default(struct project_reader *reader, const struct project_key *key,
                                  struct err *err)
{
    char fallback[32];
    cJSON value = {.type = cJSON_String, .valuestring = fallback};

    snprintf(fallback, sizeof(fallback), "%s", key->fallback);
    if (key->type == KEY_INT || key->type == KEY_LONG || key->type == KEY_NUMBER)
        value = (cJSON){.type = cJSON_Number, .valuedouble = strtod(fallback, NULL)};
    return read_functions[key->type](reader, key, "", &value, err);
}

enum err_code project_read(struct project_reader *reader, struct err *err)
{
    const cJSON *root = reader->project->json;

    if (!cJSON_IsObject(root))
        return err_set(err, ERR_CONFIG, "expected an object of keys");
    for (int i = 0; i < n_project_keys; i++)
        if (project_keys[i].fallback != NULL)
            TRY(read_default(reader, &project_keys[i], err));
    TRY(read_members(reader, "", "", root, err));
    for (int i = 0; i < n_project_keys; i++) {
        const struct project_key *key = &project_keys[i];

        if (key->required && *(const char **)field(reader, key) == NULL) {
            err_set(err, ERR_CONFIG, "the key \"%s\" is missing", key->name);
            err_hint(err, "a definition needs \"project\", \"relation\" and \"target\"");
            return err_field(err, "/%s", key->name);
        }
    }
    return ERR_OK;
}
