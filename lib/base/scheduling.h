/*
 * How the kernel shares processors between threads that answer and those that compute.
 *
 * For the calling thread and all it starts. Refuses nothing: where the kernel is too old or does
 * not let us, all stays as it was.
 */
#ifndef PGBOOST_BASE_SCHEDULING_H
#define PGBOOST_BASE_SCHEDULING_H

#include <stdbool.h>

/* For threads that sleep and answer: turns of 0.1 ms. From Linux 6.12 on, one that wakes up does
 * then not wait until a longer turn of another thread has ended (EEVDF: I. Stoica, H. Abdel-Wahab,
 * Earliest Eligible Virtual Deadline First, 1995). False: the kernel refused, or an operator has
 * chosen another policy, which stays. */
bool scheduling_be_quick(void);

/* For threads that compute: nicer by niceness, up to 19, turns of the usual length (whoever started
 * us may have short ones), and waking up takes no processor from others. False: the kernel refused,
 * and nothing has changed. */
bool scheduling_be_patient(int niceness);

#endif
