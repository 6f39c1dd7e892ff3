/* What makes two workers the same one, and the words for the sources. */
#include <whichworker/worker.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

static void a_reused_pid_is_another_worker(void **state)
{
    struct ww_worker_id a = { .pid = 51463, .start_ticks = 1000 };
    struct ww_worker_id b = { .pid = 51463, .start_ticks = 2000 };
    struct ww_worker_id c = { .pid = 51465, .start_ticks = 1000 };

    assert_true(ww_worker_same(a, a));
    assert_false(ww_worker_same(a, b));
    assert_false(ww_worker_same(a, c));
}

static void each_source_token_is_found_again(void **state)
{
    for (unsigned i = 0; i < WW_SOURCES; i++) {
        const char *token = ww_source_token((enum ww_source)i);
        assert_true(strlen(token) > 0);
        assert_int_equal(ww_source_find(ww_str_c(token)), i);
    }
    assert_string_equal(ww_source_token(WW_BY_NOBODY), "none");
}

static void what_is_no_source_is_not_found(void **state)
{
    assert_int_equal(ww_source_find(WW_STR("Kernel")), WW_SOURCES);
    assert_int_equal(ww_source_find((ww_str){ 0 }), WW_SOURCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reused_pid_is_another_worker),
        cmocka_unit_test(each_source_token_is_found_again),
        cmocka_unit_test(what_is_no_source_is_not_found),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
