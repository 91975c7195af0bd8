/*
 * Time of this process. What is written to the catalog uses the database's clock instead.
 */
#ifndef PGBOOST_BASE_CLOCK_H
#define PGBOOST_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void); /* monotonic milliseconds */
int64_t clock_us(void); /* the same in microseconds */

/* A deadline is a point on clock_ms's line. INT64_MAX never comes. */
#define DEADLINE_NEVER INT64_MAX

int64_t deadline_in(int64_t timeout_ms);   /* timeout_ms < 0: never */
int deadline_left_ms(int64_t deadline_ms); /* for poll(): 0 when passed, -1 when never */

#endif
