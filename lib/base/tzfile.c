#include "base/tzfile.h"

#include <string.h>

#include "base/tzrule.h"
#include "base/zone.h"

#define HEADER_SIZE       44
#define UNIX_DAYS_TO_2000 10957
#define DAYS_MAX          1000000 /* some 2,700 years around 1970 */
#define REPEAT_YEARS                                                                               \
    401 /* one more than repeats, so that the repeated part is the rule's alone                    \
         */

struct cursor {
    const unsigned char *at, *end;
};

/* n_bytes from the cursor, NULL when there are fewer. */
static const unsigned char *take(struct cursor *cursor, size_t n_bytes)
{
    const unsigned char *at = cursor->at;

    if ((size_t)(cursor->end - at) < n_bytes)
        return NULL;
    cursor->at += n_bytes;
    return at;
}

static uint32_t be32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t be64(const unsigned char *bytes)
{
    return (int64_t)((uint64_t)be32(bytes) << 32 | be32(bytes + 4));
}

/* In the order of the file. */
struct header {
    uint32_t n_ut, n_standard, n_leaps, n_times, n_types, n_chars;
};

static enum err_code read_header(struct cursor *cursor, struct header *ret_header, struct err *err)
{
    const unsigned char *bytes = take(cursor, HEADER_SIZE);

    if (bytes == NULL || memcmp(bytes, "TZif", 4) != 0)
        return err_set(err, ERR_CORRUPT, "not a time zone file");
    if (bytes[4] < '2')
        return err_set(err, ERR_CORRUPT, "a time zone file of a format older than 2006");
    *ret_header = (struct header){be32(bytes + 20), be32(bytes + 24), be32(bytes + 28),
                                  be32(bytes + 32), be32(bytes + 36), be32(bytes + 40)};
    return ERR_OK;
}

/* The bytes of the data block that a header announces, with times of time_size bytes. The counts
 * are 32 bits each, so the sum fits. */
static uint64_t block_size(const struct header *header, uint64_t time_size)
{
    return header->n_times * time_size + header->n_times + header->n_types * UINT64_C(6) +
           header->n_chars + header->n_leaps * (time_size + 4) + header->n_standard + header->n_ut;
}

/* The entries of the data block with 64-bit times. Entries has room for header->n_times. */
static enum err_code read_entries(const struct header *header, const unsigned char *block,
                                  struct tz_table *table, struct err *err)
{
    const unsigned char *indices = block + (size_t)header->n_times * 8;
    const unsigned char *types = indices + header->n_times; /* offset (4), summer (1), name (1) */

    if (header->n_leaps > 0)
        return err_set(err, ERR_INVALID, "a time zone with leap seconds");
    if (header->n_types == 0)
        return err_set(err, ERR_CORRUPT, "a time zone file without a local time");
    table->first_offset = (int32_t)be32(types);
    for (uint32_t i = 0; i < header->n_times; i++) {
        struct tz_entry *entry = &table->entries[i];

        if (indices[i] >= header->n_types)
            return err_set(err, ERR_CORRUPT, "a time zone file with a wrong index");
        *entry = (struct tz_entry){be64(block + (size_t)i * 8),
                                   (int32_t)be32(types + (size_t)indices[i] * 6)};
        if (i > 0 && entry->at <= entry[-1].at)
            return err_set(err, ERR_CORRUPT, "a time zone file whose times do not ascend");
    }
    table->n = header->n_times;
    return ERR_OK;
}

static void add_entry(struct tz_table *table, int64_t at, int32_t offset)
{
    if (table->n == 0 || at > table->entries[table->n - 1].at)
        table->entries[table->n++] = (struct tz_entry){at, offset};
}

/* The year to write the rule out from; some files begin with an entry at the Big Bang. */
static int64_t first_year(const struct tz_table *table)
{
    int64_t days = table->n == 0 ? 0 : table->entries[table->n - 1].at / 86400;
    struct civil civil;

    if (days < -DAYS_MAX || days > DAYS_MAX)
        return 1970;
    civil_from_us((days - UNIX_DAYS_TO_2000) * USECS_PER_DAY, &civil);
    return civil.year;
}

/* Entries has room for two more a year. */
static void extend(struct tz_table *table, const struct tz_rule *rule)
{
    int64_t first = first_year(table);

    for (int64_t year = first; year <= first + REPEAT_YEARS; year++) {
        int64_t to_summer, to_standard;

        if (!tz_rule_changes(rule, year, &to_summer, &to_standard))
            return;
        if (to_summer < to_standard) {
            add_entry(table, to_summer, rule->summer_offset);
            add_entry(table, to_standard, rule->standard_offset);
        } else {
            add_entry(table, to_standard, rule->standard_offset);
            add_entry(table, to_summer, rule->summer_offset);
        }
    }
    table->repeats = true;
}

/* The footer: a line break, the rule (may be empty: none), a line break. */
static enum err_code read_footer(const struct cursor *cursor, struct tz_rule *ret_rule,
                                 struct err *err)
{
    char text[128] = "";
    const unsigned char *first = cursor->at + 1, *last;

    if (cursor->at == cursor->end || *cursor->at != '\n')
        return err_set(err, ERR_CORRUPT, "a time zone file that is cut off");
    last = memchr(first, '\n', (size_t)(cursor->end - first));
    if (last == NULL || (size_t)(last - first) >= sizeof(text))
        return err_set(err, ERR_CORRUPT, "a time zone file that is cut off");
    memcpy(text, first, (size_t)(last - first));
    *ret_rule = (struct tz_rule){0};
    if (text[0] != '\0' && !tz_rule_parse(text, ret_rule))
        return err_set(err, ERR_CORRUPT, "a time zone file with a rule that cannot be read");
    return ERR_OK;
}

enum err_code tz_table_parse(const void *data, size_t n_bytes, struct tz_table *ret_table,
                             struct err *err)
{
    struct cursor cursor = {data, (const unsigned char *)data + n_bytes};
    CLEANUP(free_ptr) struct tz_entry *entries = NULL;
    struct tz_table table = {0};
    const unsigned char *block;
    struct header header;
    struct tz_rule rule;

    TRY(read_header(&cursor, &header, err)); /* the old part, with times of 32 bits */
    if (take(&cursor, block_size(&header, 4)) == NULL)
        return err_set(err, ERR_CORRUPT, "a time zone file that is cut off");
    TRY(read_header(&cursor, &header, err));
    block = take(&cursor, block_size(&header, 8));
    if (block == NULL)
        return err_set(err, ERR_CORRUPT, "a time zone file that is cut off");
    TRY(read_footer(&cursor, &rule, err));
    entries = calloc((size_t)header.n_times + 2 * (REPEAT_YEARS + 1), sizeof(*entries));
    if (entries == NULL)
        return err_nomem(err);
    table.entries = entries;
    TRY(read_entries(&header, block, &table, err));
    if (rule.has_summer)
        extend(&table, &rule);
    table.entries = TAKE_PTR(entries);
    *ret_table = table;
    return ERR_OK;
}
