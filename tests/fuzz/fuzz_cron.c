/*
 * Cron expressions: any text is taken or refused, and what is taken comes at times that the clock
 * shows and the expression names, one after the other.
 *
 * The first byte chooses a zone, the next eight an instant, the rest is the text.
 */
#include <stdlib.h>
#include <string.h>

#include "schedule/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD   9
#define N_NEXT 5

static const char *const zone_names[] = {"UTC",          "Europe/Zurich", "Australia/Lord_Howe",
                                         "Africa/Cairo", "Pacific/Apia",  "-03:30"};

static bool names(const struct cron *cron, const struct civil *civil)
{
    return civil->second == 0 && (cron->minutes >> civil->minute & 1) != 0 &&
           (cron->hours >> civil->hour & 1) != 0 && (cron->months >> civil->month & 1) != 0 &&
           ((cron->days >> civil->day & 1) != 0 || (cron->weekdays >> civil->weekday % 7 & 1) != 0);
}

static void check_times(const struct cron *cron, const struct zone *zone, int64_t after_us)
{
    for (int i = 0; i < N_NEXT && after_us != CRON_NEVER; i++) {
        int64_t at_us = cron_next(cron, zone, after_us);
        struct civil civil;

        if (at_us <= after_us)
            abort();
        if (at_us == CRON_NEVER)
            return;
        civil_from_us(zone_to_local(zone, at_us), &civil);
        /* one that is skipped comes at the moment of the change */
        if (!names(cron, &civil) &&
            (cron->by_the_clock || zone_next_change(zone, at_us - 1) != at_us))
            abort();
        after_us = at_us;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone *zones[N_ELEMENTS(zone_names)];
    char text[256];
    struct cron cron;
    int64_t after_us;
    size_t which;

    if (size < HEAD || size - HEAD >= sizeof(text))
        return 0;
    which = data[0] % N_ELEMENTS(zone_names);
    if (zones[which] == NULL && zone_new(zone_names[which], &zones[which], NULL) != ERR_OK)
        abort();
    memcpy(&after_us, data + 1, sizeof(after_us));
    memcpy(text, data + HEAD, size - HEAD);
    text[size - HEAD] = '\0';
    if (cron_parse(text, &cron, NULL) != ERR_OK)
        return 0;
    check_times(&cron, zones[which], after_us % (8000 * 366 * USECS_PER_DAY));
    return 0;
}
