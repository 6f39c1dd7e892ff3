/* Log lines: their form, their level, and that no peer can break a line. */
#include "check.h"

#include <whichworker/log.h>

#define OUT_BYTES 65536

/* What act writes to standard error; a pipe holds all of it (64 KiB). */
static size_t logged(void (*act)(void), char out[OUT_BYTES])
{
    int ends[2];
    int before = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    act();
    dup2(before, STDERR_FILENO);
    close(before);

    ssize_t n = read(ends[0], out, OUT_BYTES - 1);

    close(ends[0]);
    assert_true(n >= 0);
    out[n] = '\0';
    return (size_t)n;
}

static void two_events(void)
{
    ww_log_line(WW_LOG_WARN, "upstream-refused", "addr=%s port=%d", "::1", 80);
    ww_log_line(WW_LOG_ERROR, "stopped", NULL);
}

static void line_has_time_level_event_and_values(void **state)
{
    char out[OUT_BYTES];
    static const char first[] = " warn upstream-refused addr=::1 port=80\n";

    logged(two_events, out);
    assert_memory_equal(out + 12, first, sizeof(first) - 1);
    assert_string_equal(out + 12 + sizeof(first) - 1 + 12, " error stopped\n");
    assert_int_equal(strspn(out, "0123456789:."), 12);
}

static void hostile_event(void)
{
    static char hostile[10000];

    memset(hostile, '\x1b', sizeof(hostile) - 1);
    ww_log_line(WW_LOG_WARN, "a", "path=/\n12:00:00.000 error forged %s", hostile);
    ww_log_line(WW_LOG_WARN, "b", "x=%s", "y");
}

static void longest_hostile_text_is_one_line(void **state)
{
    char out[OUT_BYTES];
    size_t len = logged(hostile_event, out);
    size_t lines = 0;

    for (size_t i = 0; i < len; i++) {
        assert_true(out[i] == '\n' || (out[i] >= 0x20 && out[i] < 0x7f));
        lines += out[i] == '\n';
    }
    assert_int_equal(lines, 2);
    assert_non_null(strstr(out, "\\x0a12:00:00.000 error forged \\x1b\\x1b"));
    assert_string_equal(strchr(out, '\n') + 1 + 12, " warn b x=y\n");
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void events_of_each_level(void)
{
    ww_log(WW_LOG_WARN, "w", "n=%d", evaluate());
    ww_log(WW_LOG_INFO, "i", "n=%d", evaluate());
    ww_log(WW_LOG_DEBUG, "d", "n=%d", evaluate());
}

static void level_that_is_off_is_not_even_evaluated(void **state)
{
    char out[OUT_BYTES];

    evaluated = 0;
    assert_true(ww_log_on(WW_LOG_WARN));
    assert_false(ww_log_on(WW_LOG_INFO));
    logged(events_of_each_level, out);
    assert_int_equal(evaluated, 1);
    ww_log_set_level(WW_LOG_DEBUG);
    logged(events_of_each_level, out);
    assert_int_equal(evaluated, 4);
    ww_log_set_level(WW_LOG_ERROR);
    assert_int_equal(logged(events_of_each_level, out), 0);
    ww_log_set_level(WW_LOG_WARN);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(line_has_time_level_event_and_values),
    cmocka_unit_test(longest_hostile_text_is_one_line),
    cmocka_unit_test(level_that_is_off_is_not_even_evaluated),
};

int main(void)
{
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
