/*
 * The calendar: which project's run is due, and when the next one will be.
 *
 * Parsed schedules and their zones are kept from one look to the next; what is wrong with one is
 * logged once. The catalog's clock and its notes of due times (catalog_see_to) decide, so that any
 * number of daemons may look at the same time.
 */
#ifndef PGBOOSTD_CALENDAR_H
#define PGBOOSTD_CALENDAR_H

#include "catalog/catalog.h"

struct calendar;

MUST_CHECK enum err_code calendar_new(struct calendar **ret_calendar, struct err *err);
void calendar_free(struct calendar *calendar);

/* Queues the runs that are due. *ret_wait_ms: until the next one; INT64_MAX: there is none. */
MUST_CHECK enum err_code calendar_look(struct calendar *calendar, struct pg *pg,
                                       int64_t *ret_wait_ms, struct err *err);

#endif
