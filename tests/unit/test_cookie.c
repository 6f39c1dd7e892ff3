/* Cookie pairs, and what a Set-Cookie sets or clears. */
#include <whichworker/http.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#define NOW 1700000000 /* 2023-11-14 22:13:20 UTC */

static void assert_str(ww_str got, const char *want)
{
    assert_non_null(got.ptr);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void pairs_come_one_by_one(void **state)
{
    ww_str rest = WW_STR(" a=1; b = x=y ;; nameless; =none; c=; d=\"q\";e=5");
    static const char *const want[][2] = {
        { "a", "1" }, { "b", "x=y" }, { "c", "" }, { "d", "\"q\"" }, { "e", "5" }
    };
    ww_str name, value;

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(ww_cookie_next(&rest, &name, &value));
        assert_str(name, want[i][0]);
        assert_str(value, want[i][1]);
    }
    assert_false(ww_cookie_next(&rest, &name, &value));
    assert_false(ww_cookie_next(&rest, &name, &value));
}

static void nothing_gives_no_pair(void **state)
{
    ww_str rest = WW_STR(""), absent = { 0 }, name, value;

    assert_false(ww_cookie_next(&rest, &name, &value));
    assert_false(ww_cookie_next(&absent, &name, &value));
}

static void name_value_and_attributes_are_apart(void **state)
{
    struct ww_set_cookie c;

    assert_true(ww_set_cookie_parse(WW_STR("session=eyJ9.a=; HttpOnly; Path=/"), NOW, &c));
    assert_str(c.name, "session");
    assert_str(c.value, "eyJ9.a=");
    assert_str(c.attributes, " HttpOnly; Path=/");
    assert_true(c.http_only);
    assert_false(c.cleared);

    assert_true(ww_set_cookie_parse(WW_STR("a=1"), NOW, &c));
    assert_null(c.attributes.ptr);
    assert_false(c.http_only);
}

struct set_case {
    const char *field;
    bool cleared;
};

static void clearing_is_told(void **state)
{
    const struct set_case *want = *state;
    struct ww_set_cookie c;

    assert_true(ww_set_cookie_parse(ww_str_c(want->field), NOW, &c));
    assert_int_equal(c.cleared, want->cleared);
}

static void what_names_nothing_is_refused(void **state)
{
    struct ww_set_cookie c;

    assert_false(ww_set_cookie_parse(WW_STR(""), NOW, &c));
    assert_false(ww_set_cookie_parse((ww_str){ 0 }, NOW, &c));
    assert_false(ww_set_cookie_parse(WW_STR("session"), NOW, &c));
    assert_false(ww_set_cookie_parse(WW_STR("=x; Path=/"), NOW, &c));
    assert_false(ww_set_cookie_parse(WW_STR("; a=b"), NOW, &c));
}

#define SET(field_, cleared_)                                                                  \
    {                                                                                          \
        .name = "set " field_, .test_func = clearing_is_told,                                  \
        .initial_state = &(struct set_case)                                                    \
        {                                                                                      \
            field_, cleared_                                                                   \
        }                                                                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_one_by_one),
        cmocka_unit_test(nothing_gives_no_pair),
        cmocka_unit_test(name_value_and_attributes_are_apart),
        SET("s=1", false),
        SET("s=", true),
        SET("s=\"\"", true),
        SET("s=1; Max-Age=0", true),
        SET("s=1; max-age=-5", true),
        SET("s=1; Max-Age=00", true),
        SET("s=1; Max-Age=60", false),
        SET("s=1; Max-Age=99999999999999999999999", false),
        SET("s=1; Max-Age=soon", false),
        SET("s=1; Max-Age=-", false),
        SET("s=1; Max-Age", false),
        SET("s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
        SET("s=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", true),
        SET("s=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", true),
        SET("s=1; Expires=Thu Jan  1 00:00:00 1970", true),
        SET("s=1; Expires=Tue, 14 Nov 2023 22:13:20 GMT", true),
        SET("s=1; Expires=Tue, 14 Nov 2023 22:13:21 GMT", false),
        SET("s=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", false),
        SET("s=1; Expires=Mon, 14 Nov 33 22:13:20 GMT", false),
        SET("s=1; Expires=never", false),
        SET("s=1; Expires=Thu, 01 Jan 1970 25:00:00 GMT", false),
        SET("s=1; Expires=Thu, 00 Jan 1970 00:00:00 GMT", false),
        SET("s=1; Expires=", false),
        SET("s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", false),
        SET("s=1; Max-Age=0; Expires=Fri, 31 Dec 9999 23:59:59 GMT", true),
        cmocka_unit_test(what_names_nothing_is_refused),
    };
    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
