#include "feature/stored.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const struct {
    const char *what;
    cJSON_bool (*is)(const cJSON *item);
} types[] = {
    [STORED_STRING] = {"a string", cJSON_IsString},
    [STORED_NUMBER] = {"a number", cJSON_IsNumber},
    [STORED_BOOL] = {"true or false", cJSON_IsBool},
    [STORED_ARRAY] = {"an array", cJSON_IsArray},
};

enum err_code stored_read(struct stored_object *from, const struct stored_member *members,
                          int n_members, const cJSON **items, struct err *err)
{
    for (int i = 0; i < n_members; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(from->object, members[i].name);

        items[i] = item;
        if (item == NULL && members[i].optional)
            continue;
        if (item == NULL)
            return err_set(err, ERR_CORRUPT, "\"%s\" is missing", members[i].name);
        if (!types[members[i].type].is(item))
            return err_set(err, ERR_CORRUPT, "\"%s\" is not %s", members[i].name,
                           types[members[i].type].what);
        from->n_read++;
    }
    return ERR_OK;
}

enum err_code stored_end(const struct stored_object *from, struct err *err)
{
    if (cJSON_GetArraySize(from->object) == from->n_read)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "it has a member that this program does not know");
}

enum err_code stored_length(const cJSON *array, size_t n, struct err *err)
{
    size_t length = (size_t)cJSON_GetArraySize(array);

    if (length == n)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "\"%s\" has %zu values, expected %zu", array->string, length,
                   n);
}

enum err_code stored_doubles(const cJSON *array, size_t n, double *values, struct err *err)
{
    const cJSON *item;

    TRY(stored_length(array, n, err));
    cJSON_ArrayForEach (item, array) {
        if (!cJSON_IsNumber(item))
            return err_set(err, ERR_CORRUPT, "\"%s\" holds something other than numbers",
                           array->string);
        *values++ = item->valuedouble;
    }
    return ERR_OK;
}

enum err_code stored_int64(const cJSON *text, int64_t *ret_value, struct err *err)
{
    long long value;
    char *end;

    errno = 0;
    value = strtoll(text->valuestring, &end, 10);
    if (errno != 0 || end == text->valuestring || *end != '\0')
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a whole number", text->string);
    *ret_value = value;
    return ERR_OK;
}

enum err_code stored_int(const cJSON *number, int low, int high, int *ret_value, struct err *err)
{
    double value = number->valuedouble;

    if (!(value >= low && value <= high) || value != (int)value)
        return err_set(err, ERR_CORRUPT, "\"%s\" is not a whole number from %d to %d",
                       number->string, low, high);
    *ret_value = (int)value;
    return ERR_OK;
}

enum err_code stored_names(const cJSON *array, struct strmap *names, struct err *err)
{
    const cJSON *item;
    uint32_t i = 0;

    cJSON_ArrayForEach (item, array) {
        uint32_t index;

        if (!cJSON_IsString(item))
            return err_set(err, ERR_CORRUPT, "\"%s\" holds something other than strings",
                           array->string);
        index = strmap_add(names, item->valuestring, strlen(item->valuestring));
        if (index == STRMAP_NONE)
            return err_nomem(err);
        if (index != i++)
            return err_set(err, ERR_CORRUPT, "\"%s\" holds a string twice", array->string);
    }
    return ERR_OK;
}

void stored_put_doubles(struct buf *json, const char *name, const double *values, size_t n)
{
    buf_printf(json, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_double(json, values[i]);
    }
    buf_putc(json, ']');
}

void stored_put_names(struct buf *json, const char *name, const struct strmap *names)
{
    buf_printf(json, ",\"%s\":[", name);
    for (uint32_t i = 0; i < names->n_keys; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_string(json, names->keys[i].text, names->keys[i].length);
    }
    buf_putc(json, ']');
}

double without_tiny(double value)
{
    return fabs(value) < (double)FLT_MIN ? 0 : value;
}
