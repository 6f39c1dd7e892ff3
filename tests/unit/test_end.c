/* The table of end reasons: every row is sane, and its token is found again. */
#include <whichworker/end.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

static void each_token_is_found_again(void **state)
{
    for (unsigned i = 0; i < WW_ENDS; i++)
        assert_int_equal(ww_end_find(ww_str_c(ww_end_token((enum ww_end)i))), i);
}

static void each_row_is_sane(void **state)
{
    for (unsigned i = 0; i < WW_ENDS; i++) {
        enum ww_end end = (enum ww_end)i;
        const char *token = ww_end_token(end);
        unsigned status = ww_end_status(end);
        assert_true(strlen(token) > 0);
        assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyz-"), strlen(token));
        assert_true(strlen(ww_end_sentence(end)) > strlen(token));
        assert_true(status == 0 || (status >= 400 && status <= 599));
    }
}

static void a_complete_exchange_is_the_zero_value(void **state)
{
    assert_int_equal(WW_END_COMPLETE, 0);
    assert_string_equal(ww_end_token(WW_END_COMPLETE), "complete");
    assert_int_equal(ww_end_status(WW_END_HEAD_TOO_LARGE), 431);
}

static void what_is_no_token_is_not_found(void **state)
{
    assert_int_equal(ww_end_find(WW_STR("")), WW_ENDS);
    assert_int_equal(ww_end_find((ww_str){ 0 }), WW_ENDS);
    assert_int_equal(ww_end_find(WW_STR("Complete")), WW_ENDS);
    assert_int_equal(ww_end_find(WW_STR("complet")), WW_ENDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_is_found_again),
        cmocka_unit_test(each_row_is_sane),
        cmocka_unit_test(a_complete_exchange_is_the_zero_value),
        cmocka_unit_test(what_is_no_token_is_not_found),
    };
    return cmocka_run_group_tests_name("end", tests, NULL, NULL);
}
