/* An exchange's path in every form of target, and its memory. */
#include <whichworker/exchange.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

struct path_case {
    const char *target;
    const char *path;
};

static void path_is(void **state)
{
    const struct path_case *c = *state;
    struct ww_exchange x = { .target = ww_str_c(c->target) };
    ww_str path = ww_exchange_path(&x);

    assert_non_null(path.ptr);
    assert_int_equal(path.len, strlen(c->path));
    assert_memory_equal(path.ptr, c->path, path.len);
}

static void an_absent_target_has_an_absent_path(void **state)
{
    struct ww_exchange x = { .target = { 0 } };

    assert_null(ww_exchange_path(&x).ptr);
}

static void what_it_holds_is_counted(void **state)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);
    size_t before = ww_exchange_bytes(x);

    assert_true(before >= sizeof(*x));
    assert_int_equal(x->end, WW_END_COMPLETE);
    assert_int_equal(x->by, WW_BY_NOBODY);
    assert_non_null(ww_arena_try(&x->arena, 100000));
    assert_true(ww_exchange_bytes(x) >= before + 100000);
    assert_null(ww_arena_try(&x->arena, 1 << 20));
    ww_exchange_free(x);
    ww_exchange_free(NULL);
}

#define CASE(target_, path_)                                                                   \
    {                                                                                          \
        .name = "path of " target_, .test_func = path_is, .initial_state = &(struct path_case) \
        {                                                                                      \
            target_, path_                                                                     \
        }                                                                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE("/", "/"),
        CASE("/cars", "/cars"),
        CASE("/cars?x=1", "/cars"),
        CASE("/cars#top", "/cars"),
        CASE("/cars?x=1#top", "/cars"),
        CASE("/cars#top?x=1", "/cars"),
        CASE("/?u=http://other/path", "/"),
        CASE("/go/http://other/path", "/go/http://other/path"),
        CASE("//twice", "//twice"),
        CASE("http://host/cars?x", "/cars"),
        CASE("HTTPS://host:8000/cars", "/cars"),
        CASE("http://user:pw@[::1]:80/a/b#c", "/a/b"),
        CASE("http://host", "/"),
        CASE("http://host?x=/y", "/"),
        CASE("http://host#f", "/"),
        CASE("http://", "/"),
        CASE("*", "*"),
        CASE("?x", ""),
        CASE("", ""),
        cmocka_unit_test(an_absent_target_has_an_absent_path),
        cmocka_unit_test(what_it_holds_is_counted),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
