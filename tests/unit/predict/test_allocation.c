/*
 * A prediction allocates nothing once its buffers have grown: malloc, calloc and realloc are
 * counted. (Under a sanitizer, which has an allocator of its own, only the buffers are looked at.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "asking.h"

static _Thread_local int n_allocations;

#ifndef __SANITIZE_ADDRESS__
/* glibc's own entrances, which are there for such wrappers */
void *__libc_malloc(size_t n_bytes);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t n_bytes);
void *malloc(size_t n_bytes)
{
    n_allocations++;
    return __libc_malloc(n_bytes);
}
void *calloc(size_t n, size_t size)
{
    n_allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *memory, size_t n_bytes)
{
    n_allocations++;
    return __libc_realloc(memory, n_bytes);
}
#endif

static const char *const bodies[] = {
    "{\"project\":\"regression\",\"features\":{\"distance\":2000,\"carrier\":\"A\\u0041\","
    "\"scheduled at\":\"2013-01-01 13:00:00+00\",\"on/off~\":false,\"seats\":\"7\","
    "\"ratio\":0.25,\"price\":\"12.5\",\"id\":[1,{\"x\":2}]},\"encoded\":true}",
    "{\"project\":\"multiclass\",\"columns\":[\"seats\",\"carrier\"],"
    "\"rows\":[[1,\"UA\"],[2,null],[3,\"never seen\"]]}",
    "{\"project\":\"multiclass\",\"features\":[{\"seats\":1},{}],\"explain\":true}",
};

static void test_nothing_is_allocated(void **state)
{
    static const struct predict_limits limits = {.max_rows = 10};
    struct asking asking;

    (void)state;
    asking_init(&asking);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
            struct predict_scratch before = asking.scratch;

            buf_clear(&asking.reply);
            n_allocations = 0;
            assert_int_equal(predict_json(bodies[i], strlen(bodies[i]), &asking.source, &limits,
                                          &asking.scratch, &asking.reply, NULL),
                             ERR_OK);
            if (round == 0)
                continue;
            assert_int_equal(n_allocations, 0);
            assert_ptr_equal(asking.scratch.features, before.features);
            assert_ptr_equal(asking.scratch.cell.string.data, before.cell.string.data);
        }
    }
    asking_release(&asking);
}

#ifndef __SANITIZE_ADDRESS__
static void test_allocations_are_counted(void **state)
{
    (void)state;
    n_allocations = 0;
    free(malloc(1));
    free(calloc(1, 1));
    assert_true(n_allocations > 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_allocated),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_allocations_are_counted),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
