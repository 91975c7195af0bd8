/*
 * One asking for all tests of a group.
 */
#ifndef PGBOOST_TEST_ASKING_GROUP_H
#define PGBOOST_TEST_ASKING_GROUP_H

#include "asking.h"

static struct asking asking;

static int asking_setup(void **state)
{
    (void)state;
    asking_init(&asking);
    return 0;
}

static int asking_teardown(void **state)
{
    (void)state;
    asking_release(&asking);
    return 0;
}

#endif
