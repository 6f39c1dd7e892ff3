/* Timers, ticks, descriptors, signals, and a wake-up from another thread. */
#include "check.h"

#include <whichworker/loop.h>
#include <whichworker/units.h>

#include <pthread.h>
#include <stdio.h>

/* What happened, a letter each. */
struct record {
    struct ww_loop *loop;
    struct ww_timer *timer;
    char text[64];
    size_t n;
    size_t stop_at;
};

struct mark {
    struct record *record;
    char letter;
};

static void note(void *ctx)
{
    const struct mark *m = ctx;
    struct record *r = m->record;

    assert_true(r->n + 1 < sizeof(r->text));
    r->text[r->n++] = m->letter;
    if (r->n == r->stop_at)
        ww_loop_stop(r->loop);
}

static int set_up(void **state)
{
    struct ww_err err = { 0 };
    struct record *r = test_calloc(1, sizeof(*r));

    r->loop = ww_loop_new(&err);
    *state = r;
    return r->loop == NULL;
}

static int tear_down(void **state)
{
    struct record *r = *state;

    ww_loop_free(r->loop); /* aborts if something was not given back */
    test_free(r);
    return 0;
}

static void timers_fire_in_their_order_and_once(void **state)
{
    struct record *r = *state;
    struct mark a = { r, 'a' };
    struct mark b = { r, 'b' };
    struct mark c = { r, 'c' };
    struct ww_timer *late = ww_timer_new(r->loop, note, &b);
    struct ww_timer *soon = ww_timer_new(r->loop, note, &a);
    struct ww_timer *never = ww_timer_new(r->loop, note, &c);

    ww_timer_start(late, 20);
    ww_timer_start(soon, 1);
    ww_timer_start(never, 10);
    ww_timer_stop(never);
    ww_loop_run(r->loop); /* ends by itself: nothing is left that could call back */
    assert_string_equal(r->text, "ab");
    ww_timer_free(late);
    ww_timer_free(soon);
    ww_timer_free(never);
    ww_timer_free(NULL);
}

static void a_timer_started_again_waits_again(void **state)
{
    struct record *r = *state;
    struct mark a = { r, 'a' };
    struct mark b = { r, 'b' };
    struct ww_timer *first = ww_timer_new(r->loop, note, &a);
    struct ww_timer *second = ww_timer_new(r->loop, note, &b);

    ww_timer_start(first, 1);
    ww_timer_start(second, 15);
    ww_timer_start(first, 40);
    ww_loop_run(r->loop);
    assert_string_equal(r->text, "ba");
    ww_timer_free(first);
    ww_timer_free(second);
}

static void a_freed_timer_never_fires(void **state)
{
    struct record *r = *state;
    struct mark a = { r, 'a' };
    struct ww_timer *t = ww_timer_new(r->loop, note, &a);

    ww_timer_start(t, 0);
    ww_timer_free(t);
    ww_loop_run(r->loop);
    assert_int_equal(r->n, 0);
}

static void ticks_fire_in_their_order_and_once(void **state)
{
    struct record *r = *state;
    struct ww_err err = { 0 };
    struct mark a = { r, 'a' };
    struct mark b = { r, 'b' };
    struct mark c = { r, 'c' };
    struct ww_tick *late = ww_tick_new(r->loop, note, &b, &err);
    struct ww_tick *soon = ww_tick_new(r->loop, note, &a, &err);
    struct ww_tick *never = ww_tick_new(r->loop, note, &c, &err);

    r->stop_at = 2;
    ww_tick_start(late, 20000);
    ww_tick_start(soon, 0); /* as soon as may be, not never */
    ww_tick_start(never, 5000);
    ww_tick_stop(never);
    ww_loop_run(r->loop);
    assert_string_equal(r->text, "ab");
    ww_tick_start(soon, 30000);
    ww_tick_start(late, 100);
    r->stop_at = 4;
    ww_loop_run(r->loop);
    assert_string_equal(r->text, "abba");
    ww_tick_free(late);
    ww_tick_free(soon);
    ww_tick_free(never);
}

static void a_tick_does_not_come_early(void **state)
{
    struct record *r = *state;
    struct ww_err err = { 0 };
    struct mark a = { r, 'a' };
    struct ww_tick *t = ww_tick_new(r->loop, note, &a, &err);
    int64_t began = ww_clock_mono_us();

    r->stop_at = 1;
    ww_tick_start(t, 3000);
    ww_loop_run(r->loop);
    assert_true(ww_clock_mono_us() - began >= 3000);
    ww_tick_free(t);
}

static void *send_wake(void *wake)
{
    ww_wake_send(wake);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    struct record *r = *state;
    struct mark a = { r, 'a' };
    struct ww_wake *wake = ww_wake_new(r->loop, note, &a);
    pthread_t thread;

    for (size_t i = 1; i <= 10; i++) {
        r->stop_at = i;
        assert_int_equal(pthread_create(&thread, NULL, send_wake, wake), 0);
        ww_loop_run(r->loop); /* would wait for ever */
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(r->n, i);
    }
    ww_wake_free(wake);
    ww_wake_free(NULL);
}

static void a_descriptor_that_is_readable_is_told(void **state)
{
    struct record *r = *state;
    struct ww_err err = { 0 };
    struct mark a = { r, 'a' };
    int fd[2];

    assert_int_equal(pipe(fd), 0);

    struct ww_ready *ready = ww_ready_new(r->loop, fd[0], note, &a, &err);

    assert_non_null(ready);
    r->stop_at = 1;
    assert_int_equal(write(fd[1], "x", 1), 1);
    ww_loop_run(r->loop);
    assert_string_equal(r->text, "a");
    ww_ready_free(ready);
    ww_ready_free(NULL);
    close(fd[0]); /* may be closed at once */
    close(fd[1]);
}

static void a_descriptor_that_cannot_be_watched_is_said(void **state)
{
    struct record *r = *state;
    struct ww_err err = { 0 };
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_null(ww_ready_new(r->loop, fileno(file), note, NULL, &err));
    assert_int_equal(err.code, WW_ESYSTEM);
    fclose(file);
}

static void a_signal_is_told(void **state)
{
    struct record *r = *state;
    struct ww_err err = { 0 };
    struct mark a = { r, 'a' };
    struct ww_signal *s = ww_signal_new(r->loop, SIGUSR1, note, &a, &err);

    assert_non_null(s);
    r->stop_at = 1;
    raise(SIGUSR1);
    ww_loop_run(r->loop);
    assert_string_equal(r->text, "a");
    ww_signal_free(s);
    ww_signal_free(NULL);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers_fire_in_their_order_and_once),
        CASE(a_timer_started_again_waits_again),
        CASE(a_freed_timer_never_fires),
        CASE(ticks_fire_in_their_order_and_once),
        CASE(a_tick_does_not_come_early),
        CASE(another_thread_wakes_the_loop),
        CASE(a_descriptor_that_is_readable_is_told),
        CASE(a_descriptor_that_cannot_be_watched_is_said),
        CASE(a_signal_is_told),
    };

    alarm(60);
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
