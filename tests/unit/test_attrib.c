/* Who accepted? Asked of the real kernel, about servers that accept when the test tells them
 * to. */
#include "commanded_server.h"

#include <whichworker/units.h>

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECOND                                                                            \
    60 /* a server that does not answer fails the program instead of hanging it */

static void expect(struct server *s, struct ww_flow *f, enum ww_owner want,
                   enum ww_obstacle why)
{
    struct ww_worker w = { 0 };

    assert_int_equal(ww_attrib_look(s->a, f, &w), want);
    assert_int_equal(ww_attrib_why(s->a), why);
    assert_int_equal(w.id.pid, 0);
}

static void expect_known(struct server *s, struct ww_flow *f, pid_t pid)
{
    struct ww_worker w = { 0 };

    assert_int_equal(ww_attrib_look(s->a, f, &w), WW_OWNER_KNOWN);
    assert_int_equal(w.id.pid, pid);
    assert_true(w.id.start_ticks > 0);
    assert_true(w.started_us > 0);
    assert_true(w.command[0] != '\0');
    assert_true(f->state.accepted_us >= f->opened_us);
}

static void expect_confirmed(struct server *s, struct ww_flow *f, pid_t pid)
{
    struct ww_worker w = { 0 };

    assert_int_equal(ww_attrib_confirm(s->a, f, &w), WW_OWNER_KNOWN);
    assert_int_equal(w.id.pid, pid);
}

static void expect_unconfirmed(struct server *s, struct ww_flow *f, enum ww_owner want)
{
    struct ww_worker w = { 0 };

    assert_int_equal(ww_attrib_confirm(s->a, f, &w), want);
    assert_int_equal(w.id.pid, 0);
}

/* Queued, then each worker in turn, three times over; and once more after the close. */
static void every_accept_is_named(void **state)
{
    struct server s;

    server_start(&s, *(const enum family *)*state, PREFORK);
    for (int i = 0; i < 3 * WORKERS; i++) {
        struct ww_flow f = server_dial(&s);
        struct ww_flow late = f;
        int worker = i % WORKERS;

        expect(&s, &f, WW_OWNER_QUEUED, WW_OBSTACLE_NONE);
        expect(&s, &f, WW_OWNER_QUEUED, WW_OBSTACLE_NONE);
        assert_int_equal(f.state.accepted_us, 0);
        assert_int_equal(send(f.fd, "GET", 3, MSG_NOSIGNAL), 3);

        pid_t pid = server_tell(&s, worker, 'a');

        expect_known(&s, &f, pid);
        expect_known(&s, &f, pid);
        expect_confirmed(&s, &f, pid);
        assert_int_equal(server_tell(&s, worker, 'c'), pid);
        expect_confirmed(&s, &f, pid);
        expect(&s, &f, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
        expect(&s, &late, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
        close(f.fd);
    }
    server_stop(&s);
}

/* The kernel chooses the queue; with this many connections each queue has one. */
static void workers_with_a_listener_each_are_named(void **state)
{
    struct server s;
    struct ww_flow f[64];

    server_start(&s, TCP4, REUSEPORT);
    for (int k = 0; k < 64; k++)
        f[k] = server_dial(&s);
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = server_tell(&s, i, 'a');
        int found = 0;

        for (int k = 0; k < 64; k++) {
            struct ww_worker w = { 0 };

            if (ww_attrib_look(s.a, &f[k], &w) == WW_OWNER_KNOWN && w.id.pid == pid)
                found++;
        }
        assert_int_equal(found, 1);
    }
    for (int k = 0; k < 64; k++)
        close(f[k].fd);
    server_stop(&s);
}

static void a_lone_process_is_named(void **state)
{
    struct server s;

    server_start(&s, TCP4, LONE);
    for (int i = 0; i < 3; i++) {
        struct ww_flow f = server_dial(&s);
        pid_t pid = server_tell(&s, 0, 'a');

        expect_known(&s, &f, pid);
        expect_confirmed(&s, &f, pid);
        server_tell(&s, 0, 'c');
        close(f.fd);
    }
    server_stop(&s);
}

static void two_holders_are_ambiguous(void **state)
{
    struct server s;

    server_start(&s, TCP4, *(const enum shape *)*state);

    struct ww_flow f = server_dial(&s);

    (void)server_tell(&s, 0, 'a');
    (void)server_tell(&s, 0, 'f');
    expect(&s, &f, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    expect_unconfirmed(&s, &f, WW_OWNER_AMBIGUOUS);
    close(f.fd);
    server_stop(&s);
}

static void a_fork_after_the_look_is_no_longer_claimed(void **state)
{
    struct server s;

    server_start(&s, TCP4, *(const enum shape *)*state);

    struct ww_flow f = server_dial(&s);
    pid_t pid = server_tell(&s, 0, 'a');

    expect_known(&s, &f, pid);
    (void)server_tell(&s, 0, 'f');
    expect_unconfirmed(&s, &f, WW_OWNER_AMBIGUOUS);
    close(f.fd);
    server_stop(&s);
}

/* The first connection is found out at its answer, the later ones at the look. */
static void a_server_that_forks_for_each_connection_is_found_out(void **state)
{
    struct server s;

    server_start(&s, TCP4, *(const enum shape *)*state);

    struct ww_flow first = server_dial(&s);
    pid_t pid = server_tell(&s, 0, 'a');

    expect_known(&s, &first, pid);
    (void)server_tell(&s, 0, 'F');
    expect_unconfirmed(&s, &first, WW_OWNER_UNKNOWN);
    assert_int_equal(ww_attrib_why(s.a), WW_OBSTACLE_HANDOVER);
    for (int i = 0; i < 3; i++) {
        struct ww_flow f = server_dial(&s);

        assert_int_equal(server_tell(&s, 0, 'a'), pid);
        expect(&s, &f, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);

        pid_t child = server_tell(&s, 0, 'F');

        assert_true(child != pid);
        expect_known(&s, &f, child);
        expect_confirmed(&s, &f, child);
        close(f.fd);
    }
    close(first.fd);
    server_stop(&s);
}

static void a_child_seen_first_is_named_once_the_parent_lets_go(void **state)
{
    struct server s;

    server_start(&s, TCP4, LONE);

    struct ww_flow f = server_dial(&s);

    (void)server_tell(&s, 0, 'a');

    pid_t child = server_tell(&s, 0, 'f');

    expect(&s, &f, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    (void)server_tell(&s, 0, 'c');
    expect_known(&s, &f, child);
    close(f.fd);
    server_stop(&s);
}

static void a_command_run_by_a_proven_worker_does_not_unname_it(void **state)
{
    struct server s;

    server_start(&s, TCP4, LONE);

    struct ww_flow f = server_dial(&s);
    pid_t pid = server_tell(&s, 0, 'a');

    expect_known(&s, &f, pid);
    (void)server_tell(&s, 0, 'x');
    expect_confirmed(&s, &f, pid); /* it still holds the connection, and the child is gone */
    (void)server_tell(&s, 0, 'c');
    close(f.fd);
    f = server_dial(&s);
    (void)server_tell(&s, 0, 'a');
    expect_known(&s, &f, pid);
    (void)server_tell(&s, 0, 'x');
    (void)server_tell(&s, 0, 'c');
    expect_unconfirmed(&s, &f,
                       WW_OWNER_UNKNOWN); /* a child may have answered for all we know */
    close(f.fd);
    f = server_dial(&s);
    (void)server_tell(&s, 0, 'a');
    expect(&s, &f, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);
    expect_confirmed(&s, &f, pid); /* it answers, has not forked, and holds it: proven */
    (void)server_tell(&s, 0, 'c');
    close(f.fd);
    f = server_dial(&s);
    (void)server_tell(&s, 0, 'a');
    expect_known(&s, &f, pid);
    (void)server_tell(&s, 0, 'x');
    (void)server_tell(&s, 0, 'c');
    expect_confirmed(&s, &f, pid);
    close(f.fd);
    server_stop(&s);
}

static void a_worker_that_runs_a_command_for_each_request_is_proven(void **state)
{
    struct server s;

    server_start(&s, TCP4, *(const enum shape *)*state);
    for (int i = 0; i < 4; i++) {
        struct ww_flow f = server_dial(&s);
        pid_t pid = server_tell(&s, 0, 'a');

        expect_known(&s, &f, pid);
        (void)server_tell(&s, 0, 'x');
        if (i >= 2) /* proven by now, so that it may close before we ask */
            (void)server_tell(&s, 0, 'c');
        expect_confirmed(&s, &f, pid);
        if (i < 2)
            (void)server_tell(&s, 0, 'c');
        close(f.fd);
    }
    server_stop(&s);
}

static void a_connection_sent_to_a_child_is_the_childs(void **state)
{
    struct server s;

    server_start(&s, TCP4, SENDER);
    for (int i = 0; i < 3; i++) {
        struct ww_flow f = server_dial(&s);
        pid_t parent = server_tell(&s, 0, 'a');

        expect(&s, &f, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);
        expect_unconfirmed(&s, &f, WW_OWNER_UNKNOWN);

        pid_t child = server_tell(&s, 0, 's');
        struct ww_worker w = { 0 };
        enum ww_owner both = ww_attrib_look(s.a, &f, &w);

        assert_true(child != parent);
        assert_true(both == WW_OWNER_UNSETTLED || both == WW_OWNER_AMBIGUOUS);
        (void)server_tell(&s, 0, 'c');
        expect_known(&s, &f, child);
        expect_confirmed(&s, &f, child);
        close(f.fd);
    }
    server_stop(&s);
}

/* The parent has it under a new number, so the child comes first in the search. */
static void a_child_is_not_named_while_its_parent_holds_on(void **state)
{
    struct server s;

    server_start(&s, TCP4, SENDER);
    for (int i = 0; i < 6; i++) {
        struct ww_flow f = server_dial(&s);

        (void)server_tell(&s, 0, 'h');
        (void)server_tell(&s, 0, 'a');

        pid_t child = server_tell(&s, 0, 's');
        struct ww_worker w = { 0 };
        enum ww_owner both = ww_attrib_look(s.a, &f, &w);

        assert_true(both == WW_OWNER_UNSETTLED || both == WW_OWNER_AMBIGUOUS);
        if (i >= 2) /* by now both numbers that the child uses are known */
            assert_int_equal(both, WW_OWNER_AMBIGUOUS);
        (void)server_tell(&s, 0, 'c');
        expect_known(&s, &f, child);
        close(f.fd);
    }
    server_stop(&s);
}

static void nothing_listens_here(void **state)
{
    struct server s;

    server_start(&s, TCP4, LONE);

    struct ww_flow f = { .fd = -1, .peer = s.up, .local = s.up, .opened_us = 1 };

    /* A connection of another network namespace or host: the kernel has never heard of it. */
    ((struct sockaddr_in *)&f.peer.sa)->sin_addr.s_addr = htonl(0xc0000201);
    ((struct sockaddr_in *)&f.local.sa)->sin_addr.s_addr = htonl(0xc0000202);
    ww_attrib_free(s.a);

    struct ww_err err = { 0 };

    s.a = ww_attrib_new(&f.peer, "/proc", &err);
    assert_non_null(s.a);
    expect(&s, &f, WW_OWNER_UNKNOWN, WW_OBSTACLE_NO_HOLDER);
    expect_unconfirmed(&s, &f, WW_OWNER_UNKNOWN);
    server_stop(&s);
}

/* Runs in a process that has given up root. */
static int look_as_nobody(const struct server *s, struct ww_flow *f)
{
    struct ww_err err = { 0 };
    struct ww_worker w = { 0 };

    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;

    struct ww_attrib *a = ww_attrib_new(&s->up, "/proc", &err);

    if (a == NULL)
        return 3;

    int64_t first_us = 0;
    int64_t began_us = ww_clock_mono_us();

    for (int i = 0; i < 200; i++) {
        if (ww_attrib_look(a, f, &w) != WW_OWNER_UNKNOWN ||
            ww_attrib_why(a) != WW_OBSTACLE_UNREADABLE)
            return 4;
        if (i == 0)
            first_us = ww_clock_mono_us() - began_us;
    }
    /* The first look walks through /proc. Not each of them may. */
    if (ww_clock_mono_us() - began_us > 100 * first_us)
        return 5;
    ww_attrib_free(a);
    return 0;
}

static void workers_of_another_user_are_unreadable_at_once(void **state)
{
    struct server s;
    int status = 0;

    if (geteuid() != 0)
        skip();
    server_start(&s, TCP4, PREFORK);

    struct ww_flow f = server_dial(&s);

    (void)server_tell(&s, 1, 'a');

    pid_t pid = fork();

    if (pid == 0)
        _exit(look_as_nobody(&s, &f));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    close(f.fd);
    server_stop(&s);
}

static void every_obstacle_has_words(void **state)
{
    for (int o = 0; o < WW_OBSTACLES; o++) {
        assert_true(strlen(ww_obstacle_sentence((enum ww_obstacle)o)) > 0);
        assert_true(strlen(ww_obstacle_remedy((enum ww_obstacle)o)) > 0);
    }
}

#define ACCEPT(name_, family_)                                                                 \
    {                                                                                          \
        .name = "every accept is named: " name_, .test_func = every_accept_is_named,           \
        .initial_state = &(enum family)                                                        \
        {                                                                                      \
            family_                                                                            \
        }                                                                                      \
    }
#define SHAPE(test_, shape_)                                                                   \
    {                                                                                          \
        .name = #test_ ": " #shape_, .test_func = (test_), .initial_state = &(enum shape)      \
        {                                                                                      \
            shape_                                                                             \
        }                                                                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCEPT("IPv4", TCP4),
        ACCEPT("IPv6", TCP6),
        ACCEPT("a mapped address", MAPPED),
        ACCEPT("the IPv4 wildcard", WILD4),
        ACCEPT("the IPv6 wildcard, by IPv4", WILD6_BY_4),
        ACCEPT("a Unix path", PATH),
        ACCEPT("an abstract Unix name", ABSTRACT),
        ACCEPT("TCP_DEFER_ACCEPT", DEFERRED),
        cmocka_unit_test(workers_with_a_listener_each_are_named),
        cmocka_unit_test(a_lone_process_is_named),
        SHAPE(two_holders_are_ambiguous, PREFORK),
        SHAPE(two_holders_are_ambiguous, LONE),
        SHAPE(a_fork_after_the_look_is_no_longer_claimed, PREFORK),
        SHAPE(a_fork_after_the_look_is_no_longer_claimed, LONE),
        SHAPE(a_server_that_forks_for_each_connection_is_found_out, LONE),
        SHAPE(a_server_that_forks_for_each_connection_is_found_out, PREFORK),
        cmocka_unit_test(a_child_seen_first_is_named_once_the_parent_lets_go),
        cmocka_unit_test(a_command_run_by_a_proven_worker_does_not_unname_it),
        SHAPE(a_worker_that_runs_a_command_for_each_request_is_proven, LONE),
        SHAPE(a_worker_that_runs_a_command_for_each_request_is_proven, PREFORK),
        cmocka_unit_test(a_connection_sent_to_a_child_is_the_childs),
        cmocka_unit_test(a_child_is_not_named_while_its_parent_holds_on),
        cmocka_unit_test(nothing_listens_here),
        cmocka_unit_test(workers_of_another_user_are_unreadable_at_once),
        cmocka_unit_test(every_obstacle_has_words),
    };

    alarm(TEST_SECOND);
    return cmocka_run_group_tests_name("attrib", tests, NULL, NULL);
}
