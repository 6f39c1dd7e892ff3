/* Field lines: order and duplicates stay, names have no case, lists are split at the right
 * commas. */
#include <whichworker/http.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

static void assert_str(ww_str got, const char *want)
{
    assert_non_null(got.ptr);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void order_and_duplicates_are_kept(void **state)
{
    struct ww_arena a;
    struct ww_fields f = { 0 };

    ww_arena_init(&a, 65536);
    for (size_t i = 0; i < 100; i++)
        assert_true(ww_fields_add(&f, &a, i % 2 == 0 ? WW_STR("Even") : WW_STR("Odd"),
                                  ww_arena_printf(&a, "%zu", i)));
    assert_int_equal(f.n, 100);
    assert_str(f.v[99].value, "99");
    assert_str(f.v[0].value, "0");
    assert_str(ww_fields_get(&f, WW_STR("odd")), "1");
    assert_int_equal(ww_fields_count(&f, WW_STR("EVEN")), 50);
    assert_null(ww_fields_get(&f, WW_STR("Eve")).ptr);
    ww_arena_release(&a);
}

static void a_full_arena_is_said(void **state)
{
    struct ww_arena a;
    struct ww_fields f = { 0 };
    size_t n = 0;

    ww_arena_init(&a, 4096);
    while (n < 1000 && ww_fields_add(&f, &a, WW_STR("a"), WW_STR("b")))
        n++;
    assert_in_range(n, 16, 200);
    assert_int_equal(f.n, n);
    assert_str(f.v[n - 1].name, "a");
    ww_arena_release(&a);
}

struct token_case {
    const char *list;
    const char *token;
    bool want;
};

static void token_is_found(void **state)
{
    const struct token_case *c = *state;
    struct ww_arena a;
    struct ww_fields f = { 0 };

    ww_arena_init(&a, 4096);
    assert_true(ww_fields_add(&f, &a, WW_STR("Connection"), WW_STR("first")));
    assert_true(ww_fields_add(&f, &a, WW_STR("connection"), ww_str_c(c->list)));
    assert_true(ww_fields_has_token(&f, WW_STR("CONNECTION"), WW_STR("First")));
    assert_int_equal(ww_fields_has_token(&f, WW_STR("Connection"), ww_str_c(c->token)),
                     c->want);
    assert_false(ww_fields_has_token(&f, WW_STR("Other"), ww_str_c(c->token)));
    ww_arena_release(&a);
}

static void text_and_back_is_the_same(void **state)
{
    struct ww_arena a;
    struct ww_fields f = { 0 }, again = { 0 };
    struct ww_buf out;

    ww_arena_init(&a, 4096);
    ww_buf_init(&out, 4096);
    ww_fields_add(&f, &a, WW_STR("Host"), WW_STR("x"));
    ww_fields_add(&f, &a, WW_STR("Empty"), WW_STR(""));
    ww_fields_add(&f, &a, WW_STR("Odd"), WW_STR("a: b: c"));
    assert_true(ww_fields_write(&f, &out));
    assert_str(ww_buf_str(&out), "Host: x\nEmpty: \nOdd: a: b: c\n");

    ww_fields_read(&again, &a, ww_buf_str(&out));
    assert_int_equal(again.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(ww_str_eq(again.v[i].name, f.v[i].name));
        assert_true(ww_str_eq(again.v[i].value, f.v[i].value));
    }
    ww_buf_release(&out);
    ww_arena_release(&a);
}

static void reading_skips_what_is_no_field(void **state)
{
    struct ww_arena a;
    struct ww_fields f = { 0 };

    ww_arena_init(&a, 4096);
    ww_fields_read(&f, &a, WW_STR("no colon\n: nameless\n\nA: 1\nB:2\nC: 3"));
    assert_int_equal(f.n, 2);
    assert_str(f.v[0].name, "A");
    assert_str(f.v[1].value, "3");
    ww_arena_release(&a);
}

static void writing_says_when_it_does_not_fit(void **state)
{
    struct ww_arena a;
    struct ww_fields f = { 0 };
    struct ww_buf out;

    ww_arena_init(&a, 4096);
    ww_buf_init(&out, 6);
    ww_fields_add(&f, &a, WW_STR("Host"), WW_STR("x"));
    assert_false(ww_fields_write(&f, &out));
    ww_buf_release(&out);
    ww_arena_release(&a);
}

static void reasons_are_known(void **state)
{
    assert_string_equal(ww_http_reason(200), "OK");
    assert_string_equal(ww_http_reason(502), "Bad Gateway");
    assert_string_equal(ww_http_reason(299), "");
    assert_string_equal(ww_http_reason(0), "");
}

#define TOKEN(list_, token_, want_)                                                            \
    {                                                                                          \
        .name = "token " token_ " in " list_, .test_func = token_is_found,                     \
        .initial_state = &(struct token_case)                                                  \
        {                                                                                      \
            list_, token_, want_                                                               \
        }                                                                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_duplicates_are_kept),
        cmocka_unit_test(a_full_arena_is_said),
        TOKEN("close", "close", true),
        TOKEN("keep-alive ,\tClose", "close", true),
        TOKEN(",, ,close,", "close", true),
        TOKEN("closed", "close", false),
        TOKEN("x=\"a, close, b\"", "close", false),
        TOKEN("x=\"a\\\", close, b\", y", "close", false),
        TOKEN("x=\"a\\\", b\", close", "close", true),
        TOKEN("x=\"never closed, close", "close", false),
        TOKEN("", "close", false),
        cmocka_unit_test(text_and_back_is_the_same),
        cmocka_unit_test(reading_skips_what_is_no_field),
        cmocka_unit_test(writing_says_when_it_does_not_fit),
        cmocka_unit_test(reasons_are_known),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
