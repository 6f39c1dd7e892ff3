/* Sessions that are bounded: who was idle the longest is forgotten, and its memory given back.
 */
#include "session.h"
#include "session_asks.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <malloc.h>
#include <stdio.h>

static struct ww_sessions *bounded(size_t max)
{
    struct ww_sessions_config cfg = { .max_sessions = max };

    return ww_sessions_new(&cfg);
}

static void the_session_that_was_idle_the_longest_is_forgotten(void **state)
{
    struct ww_sessions *s = bounded(3);
    size_t a = ASK(.cookie = "session=mac:a"), b = ASK(.cookie = "session=mac:b");
    size_t c = ASK(.cookie = "session=mac:c");

    assert_int_equal(ASK(.cookie = "session=mac:a"), a);
    assert_int_equal(ASK(.cookie = "session=mac:d"), b);
    assert_int_equal(ww_sessions_key(s, b)->number, 4);
    assert_int_equal(ASK(.cookie = "session=mac:a"), a);
    assert_int_equal(ww_sessions_key(s, a)->number, 1);
    assert_int_equal(ASK(.cookie = "session=mac:b"), c);
    assert_int_equal(ww_sessions_key(s, c)->number, 5);
    assert_int_equal(ww_sessions_count(s), 3);
    ww_sessions_free(s);
}

static void a_session_that_changes_its_cookie_for_weeks_keeps_the_latest(void **state)
{
    struct ww_sessions *s = bounded(10);
    char cookie[32] = "session=mac:0", set[32];
    size_t a = ASK(.cookie = cookie);

    for (unsigned i = 1; i < 1000; i++) {
        snprintf(set, sizeof set, "session=mac:%u", i);
        assert_int_equal(ASK(.cookie = cookie, .set = set), a);
        memcpy(cookie, set, sizeof cookie);
    }
    assert_int_equal(ASK(.cookie = "session=mac:990"), a);
    assert_int_not_equal(ASK(.cookie = "session=mac:1"), a);
    ww_sessions_free(s);
}

/* What a million strangers leave behind is what a hundred do. */
static void memory_does_not_grow_with_strangers(void **state)
{
    struct ww_sessions *s = bounded(100);
    size_t before = 0;

    for (unsigned i = 0; i < 20000; i++) {
        char set[64], agent[32];
        snprintf(set, sizeof set, "session=mac:%u; Path=/", i);
        snprintf(agent, sizeof agent, "agent %u", i % 7);
        assert_true(ASK(.agent = agent, .set = set) < 100);
        if (i == 5000)
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks <= before + 4096);
    ww_sessions_free(s);
}

/* Whoever holds what everybody holds is forgotten as easily: this takes no time, or hours. */
static void one_value_for_everybody_is_forgotten_in_any_order(void **state)
{
    struct ww_sessions *s = bounded(20000);

    for (unsigned i = 1; i < 60000; i++)
        ASK(.connection = i, .set = "session=mac:same");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ASK(.connection = 59999, .cookie = "session=mac:same"),
                         ASK(.connection = 59999, .cookie = "session=mac:same"));
    ww_sessions_free(s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_session_that_was_idle_the_longest_is_forgotten),
        cmocka_unit_test(a_session_that_changes_its_cookie_for_weeks_keeps_the_latest),
        cmocka_unit_test(one_value_for_everybody_is_forgotten_in_any_order),
        cmocka_unit_test(memory_does_not_grow_with_strangers),
    };

    return cmocka_run_group_tests_name("session_bounds", tests, NULL, NULL);
}
