/* Who accepted? Asked of the real kernel, about servers that accept when the test tells them
 * to. */
#include <whichworker/attrib.h>
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
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 4
#define TEST_SECOND                                                                            \
    60 /* a server that does not answer fails the program instead of hanging it */

enum family { TCP4, TCP6, MAPPED, WILD4, WILD6_BY_4, PATH, ABSTRACT, DEFERRED };

enum shape {
    PREFORK,   /* a master that only listens, workers that accept */
    LONE,      /* one process */
    REUSEPORT, /* workers with a listener each */
    SENDER     /* one process that listens, and a child to which it may send connections */
};

/*
 * A server. Each process obeys one-letter commands and reports a PID for each:
 * a accept; c close; f fork a child that keeps the connection; F the same, and close it;
 * s send it to the child over SCM_RIGHTS; x fork a child that keeps nothing, and wait for it;
 * h open something, so that the next connection gets another number.
 */
struct server {
    int command[WORKERS][2];
    int report[2];
    pid_t master;
    struct ww_addr up;
    struct ww_attrib *a;
    char path[64];
};

/* A parent that was gone before the call is noticed by its PID. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static void fail_in_server(const char *what)
{
    perror(what);
    _exit(1);
}

static void report_pid(const struct server *s, pid_t pid)
{
    if (write(s->report[1], &pid, sizeof(pid)) != sizeof(pid))
        _exit(1);
}

static pid_t fork_keeper(int keep)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        die_with(parent);
        if (keep < 0)
            _exit(0);
        for (;;)
            pause();
    }
    return pid;
}

static void send_fd(int channel, int fd)
{
    union {
        struct cmsghdr h;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec v = { .iov_base = "s", .iov_len = 1 };
    struct msghdr m = { .msg_iov = &v,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };

    control.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                  .cmsg_level = SOL_SOCKET,
                                  .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
    if (sendmsg(channel, &m, 0) != 1)
        fail_in_server("sendmsg");
}

/* Keeps the connection that it got last. */
static void receive_forever(const struct server *s, int channel)
{
    int held = -1;

    for (;;) {
        char bytes[CMSG_SPACE(sizeof(int))];
        char byte;
        struct iovec v = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &v,
                            .msg_iovlen = 1,
                            .msg_control = bytes,
                            .msg_controllen = sizeof(bytes) };

        if (recvmsg(channel, &m, 0) != 1)
            _exit(0);
        if (held >= 0)
            close(held);

        const struct cmsghdr *h = CMSG_FIRSTHDR(&m);

        if (h == NULL)
            _exit(1);
        memcpy(&held, CMSG_DATA(h), sizeof(held));
        report_pid(s, getpid());
    }
}

static void obey_one(const struct server *s, char command, int listener, int channel, int *conn)
{
    pid_t child = 0;

    switch (command) {
    case 'a':
        *conn = accept4(listener, NULL, NULL, 0);
        if (*conn < 0)
            fail_in_server("accept");
        report_pid(s, getpid());
        return;
    case 'c':
        close(*conn);
        report_pid(s, getpid());
        return;
    case 'f':
    case 'F':
        child = fork_keeper(*conn);
        if (command == 'F')
            close(*conn);
        report_pid(s, child);
        return;
    case 'x':
        child = fork_keeper(-1);
        waitpid(child, NULL, 0);
        report_pid(s, child);
        return;
    case 'h':
        if (dup(STDERR_FILENO) < 0)
            fail_in_server("dup");
        report_pid(s, getpid());
        return;
    case 's':
        send_fd(channel, *conn); /* the receiver reports */
        return;
    default:
        _exit(0);
    }
}

static void obey(const struct server *s, int worker, int listener, int channel)
{
    int conn = -1;
    char command;

    while (read(s->command[worker][0], &command, 1) == 1)
        obey_one(s, command, listener, channel, &conn);
    _exit(0);
}

/* What the server binds to: a free port, or a name of our own. */
static struct ww_addr where(enum family family, const struct server *s)
{
    static const char *const text[] = { "127.0.0.1:1", "[::1]:1",    "[::ffff:127.0.0.1]:1",
                                        "0.0.0.0:1",   "[::]:1",     "unix:",
                                        "unix:@",      "127.0.0.1:1" };
    bool local = family == PATH || family == ABSTRACT;
    struct ww_addr a = { 0 };
    struct ww_err err = { 0 };
    char full[96];

    snprintf(full, sizeof(full), "%s%s", text[family], local ? s->path : "");
    if (ww_addr_parse(ww_str_c(full), "test", &a, &err) != WW_OK)
        fail_in_server(err.text);
    if (a.sa.ss_family == AF_INET) /* port 0 is not something that a user may write */
        ((struct sockaddr_in *)&a.sa)->sin_port = 0;
    if (a.sa.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&a.sa)->sin6_port = 0;
    return a;
}

static int make_listener(const struct ww_addr *at, enum family family, bool share, bool listens)
{
    int fd = socket(at->sa.ss_family, SOCK_STREAM, 0);
    int one = 1;

    if (fd < 0)
        fail_in_server("socket");
    if (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0)
        fail_in_server("SO_REUSEPORT");
    if (family == DEFERRED &&
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one)) != 0)
        fail_in_server("TCP_DEFER_ACCEPT");
    if (bind(fd, (const struct sockaddr *)&at->sa, at->len) != 0)
        fail_in_server("bind");
    if (listens && listen(fd, 64) != 0)
        fail_in_server("listen");
    return fd;
}

/* What a client connects to; a wildcard is reached over loopback. */
static struct ww_addr reached_at(int fd, enum family family)
{
    struct ww_addr a = { .len = sizeof(a.sa) };

    if (getsockname(fd, (struct sockaddr *)&a.sa, &a.len) != 0)
        fail_in_server("getsockname");
    if (family == WILD4)
        ((struct sockaddr_in *)&a.sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (family == WILD6_BY_4 || family == MAPPED) {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = ((struct sockaddr_in6 *)&a.sa)->sin6_port,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

        a = (struct ww_addr){ .len = sizeof(in) };
        memcpy(&a.sa, &in, sizeof(in));
    }
    return a;
}

static void run_server(struct server *s, enum family family, enum shape shape)
{
    struct ww_addr at = where(family, s);
    int listener = make_listener(&at, family, shape == REUSEPORT, shape != REUSEPORT);
    int pair[2] = { -1, -1 };
    pid_t self = getpid();

    s->up = reached_at(listener, family);
    if (shape == SENDER) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
            fail_in_server("socketpair");
        if (fork() == 0) {
            die_with(self);
            close(listener);
            close(pair[0]);
            receive_forever(s, pair[1]);
        }
        close(pair[1]);
    }
    for (int i = 0; i < WORKERS && (shape == PREFORK || shape == REUSEPORT); i++) {
        if (fork() != 0)
            continue;
        die_with(self);

        int own = listener;

        if (shape == REUSEPORT) {
            own = make_listener(&s->up, family, true, true);
            close(listener);
        }
        report_pid(s, getpid());
        obey(s, i, own, -1);
    }
    if (shape == LONE || shape == SENDER)
        report_pid(s, getpid());
    if (write(s->report[1], &s->up, sizeof(s->up)) != sizeof(s->up))
        _exit(1);
    if (shape == LONE || shape == SENDER)
        obey(s, 0, listener, pair[0]);
    for (;;)
        pause();
}

static void take(const struct server *s, void *out, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t k = read(s->report[0], (char *)out + have, n - have);

        if (k < 0 && errno == EINTR)
            continue;
        assert_true(k > 0);
        have += (size_t)k;
    }
}

static pid_t tell(const struct server *s, int worker, char command)
{
    pid_t pid = 0;

    assert_int_equal(write(s->command[worker][1], &command, 1), 1);
    take(s, &pid, sizeof(pid));
    return pid;
}

/* Each process reports its PID once it listens; the address may come before or between them. */
static void await_ready(struct server *s, enum shape shape)
{
    size_t reports = shape == PREFORK || shape == REUSEPORT ? WORKERS : 1;
    size_t want = reports * sizeof(pid_t) + sizeof(struct ww_addr);
    char *all = malloc(want);

    assert_non_null(all);
    take(s, all, want);
    for (size_t at = 0; at + sizeof(struct ww_addr) <= want; at += sizeof(pid_t)) {
        struct ww_addr a;

        memcpy(&a, all + at, sizeof(a));
        if (a.len > 0 && a.len <= sizeof(a.sa) &&
            (a.sa.ss_family == AF_UNIX || a.sa.ss_family == AF_INET ||
             a.sa.ss_family == AF_INET6) &&
            at % sizeof(pid_t) == 0) {
            s->up = a;
            break;
        }
    }
    free(all);
}

static void start(struct server *s, enum family family, enum shape shape)
{
    struct ww_err err = { 0 };

    *s = (struct server){ 0 };
    snprintf(s->path, sizeof(s->path), "/tmp/whichworker-test-%d.sock", getpid());
    unlink(s->path);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pipe(s->command[i]), 0);
    assert_int_equal(pipe(s->report), 0);

    pid_t self = getpid();

    s->master = fork();
    assert_true(s->master >= 0);
    if (s->master == 0) {
        die_with(self);
        run_server(s, family, shape);
    }
    await_ready(s, shape);
    s->a = ww_attrib_new(&s->up, "/proc", &err);
    assert_non_null(s->a);
}

static void stop(struct server *s)
{
    kill(s->master, SIGKILL);
    waitpid(s->master, NULL, 0);
    for (int i = 0; i < WORKERS; i++) {
        close(s->command[i][0]);
        close(s->command[i][1]);
    }
    close(s->report[0]);
    close(s->report[1]);
    unlink(s->path);
    ww_attrib_free(s->a);
}

static struct ww_flow dial(const struct server *s)
{
    struct ww_flow f = { .peer = s->up, .opened_us = ww_clock_mono_us() };

    f.fd = socket(s->up.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f.fd >= 0);
    assert_int_equal(connect(f.fd, (const struct sockaddr *)&s->up.sa, s->up.len), 0);
    f.local.len = sizeof(f.local.sa);
    assert_int_equal(getsockname(f.fd, (struct sockaddr *)&f.local.sa, &f.local.len), 0);
    return f;
}

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

    start(&s, *(const enum family *)*state, PREFORK);
    for (int i = 0; i < 3 * WORKERS; i++) {
        struct ww_flow f = dial(&s);
        struct ww_flow late = f;
        int worker = i % WORKERS;

        expect(&s, &f, WW_OWNER_QUEUED, WW_OBSTACLE_NONE);
        expect(&s, &f, WW_OWNER_QUEUED, WW_OBSTACLE_NONE);
        assert_int_equal(f.state.accepted_us, 0);
        assert_int_equal(send(f.fd, "GET", 3, MSG_NOSIGNAL), 3);

        pid_t pid = tell(&s, worker, 'a');

        expect_known(&s, &f, pid);
        expect_known(&s, &f, pid);
        expect_confirmed(&s, &f, pid);
        assert_int_equal(tell(&s, worker, 'c'), pid);
        expect_confirmed(&s, &f, pid);
        expect(&s, &f, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
        expect(&s, &late, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
        close(f.fd);
    }
    stop(&s);
}

/* The kernel chooses the queue; with this many connections each queue has one. */
static void workers_with_a_listener_each_are_named(void **state)
{
    struct server s;
    struct ww_flow f[64];

    start(&s, TCP4, REUSEPORT);
    for (int k = 0; k < 64; k++)
        f[k] = dial(&s);
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = tell(&s, i, 'a');
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
    stop(&s);
}

static void a_lone_process_is_named(void **state)
{
    struct server s;

    start(&s, TCP4, LONE);
    for (int i = 0; i < 3; i++) {
        struct ww_flow f = dial(&s);
        pid_t pid = tell(&s, 0, 'a');

        expect_known(&s, &f, pid);
        expect_confirmed(&s, &f, pid);
        tell(&s, 0, 'c');
        close(f.fd);
    }
    stop(&s);
}

static void two_holders_are_ambiguous(void **state)
{
    struct server s;

    start(&s, TCP4, *(const enum shape *)*state);

    struct ww_flow f = dial(&s);

    (void)tell(&s, 0, 'a');
    (void)tell(&s, 0, 'f');
    expect(&s, &f, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    expect_unconfirmed(&s, &f, WW_OWNER_AMBIGUOUS);
    close(f.fd);
    stop(&s);
}

static void a_fork_after_the_look_is_no_longer_claimed(void **state)
{
    struct server s;

    start(&s, TCP4, *(const enum shape *)*state);

    struct ww_flow f = dial(&s);
    pid_t pid = tell(&s, 0, 'a');

    expect_known(&s, &f, pid);
    (void)tell(&s, 0, 'f');
    expect_unconfirmed(&s, &f, WW_OWNER_AMBIGUOUS);
    close(f.fd);
    stop(&s);
}

/* The first connection is found out at its answer, the later ones at the look. */
static void a_server_that_forks_for_each_connection_is_found_out(void **state)
{
    struct server s;

    start(&s, TCP4, *(const enum shape *)*state);

    struct ww_flow first = dial(&s);
    pid_t pid = tell(&s, 0, 'a');

    expect_known(&s, &first, pid);
    (void)tell(&s, 0, 'F');
    expect_unconfirmed(&s, &first, WW_OWNER_UNKNOWN);
    assert_int_equal(ww_attrib_why(s.a), WW_OBSTACLE_HANDOVER);
    for (int i = 0; i < 3; i++) {
        struct ww_flow f = dial(&s);

        assert_int_equal(tell(&s, 0, 'a'), pid);
        expect(&s, &f, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);

        pid_t child = tell(&s, 0, 'F');

        assert_true(child != pid);
        expect_known(&s, &f, child);
        expect_confirmed(&s, &f, child);
        close(f.fd);
    }
    close(first.fd);
    stop(&s);
}

static void a_child_seen_first_is_named_once_the_parent_lets_go(void **state)
{
    struct server s;

    start(&s, TCP4, LONE);

    struct ww_flow f = dial(&s);

    (void)tell(&s, 0, 'a');

    pid_t child = tell(&s, 0, 'f');

    expect(&s, &f, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    (void)tell(&s, 0, 'c');
    expect_known(&s, &f, child);
    close(f.fd);
    stop(&s);
}

static void a_command_run_by_a_proven_worker_does_not_unname_it(void **state)
{
    struct server s;

    start(&s, TCP4, LONE);

    struct ww_flow f = dial(&s);
    pid_t pid = tell(&s, 0, 'a');

    expect_known(&s, &f, pid);
    (void)tell(&s, 0, 'x');
    expect_confirmed(&s, &f, pid); /* it still holds the connection, and the child is gone */
    (void)tell(&s, 0, 'c');
    close(f.fd);
    f = dial(&s);
    (void)tell(&s, 0, 'a');
    expect_known(&s, &f, pid);
    (void)tell(&s, 0, 'x');
    (void)tell(&s, 0, 'c');
    expect_unconfirmed(&s, &f,
                       WW_OWNER_UNKNOWN); /* a child may have answered for all we know */
    close(f.fd);
    f = dial(&s);
    (void)tell(&s, 0, 'a');
    expect(&s, &f, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);
    expect_confirmed(&s, &f, pid); /* it answers, has not forked, and holds it: proven */
    (void)tell(&s, 0, 'c');
    close(f.fd);
    f = dial(&s);
    (void)tell(&s, 0, 'a');
    expect_known(&s, &f, pid);
    (void)tell(&s, 0, 'x');
    (void)tell(&s, 0, 'c');
    expect_confirmed(&s, &f, pid);
    close(f.fd);
    stop(&s);
}

static void a_worker_that_runs_a_command_for_each_request_is_proven(void **state)
{
    struct server s;

    start(&s, TCP4, *(const enum shape *)*state);
    for (int i = 0; i < 4; i++) {
        struct ww_flow f = dial(&s);
        pid_t pid = tell(&s, 0, 'a');

        expect_known(&s, &f, pid);
        (void)tell(&s, 0, 'x');
        if (i >= 2) /* proven by now, so that it may close before we ask */
            (void)tell(&s, 0, 'c');
        expect_confirmed(&s, &f, pid);
        if (i < 2)
            (void)tell(&s, 0, 'c');
        close(f.fd);
    }
    stop(&s);
}

static void a_connection_sent_to_a_child_is_the_childs(void **state)
{
    struct server s;

    start(&s, TCP4, SENDER);
    for (int i = 0; i < 3; i++) {
        struct ww_flow f = dial(&s);
        pid_t parent = tell(&s, 0, 'a');

        expect(&s, &f, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);
        expect_unconfirmed(&s, &f, WW_OWNER_UNKNOWN);

        pid_t child = tell(&s, 0, 's');
        struct ww_worker w = { 0 };
        enum ww_owner both = ww_attrib_look(s.a, &f, &w);

        assert_true(child != parent);
        assert_true(both == WW_OWNER_UNSETTLED || both == WW_OWNER_AMBIGUOUS);
        (void)tell(&s, 0, 'c');
        expect_known(&s, &f, child);
        expect_confirmed(&s, &f, child);
        close(f.fd);
    }
    stop(&s);
}

/* The parent has it under a new number, so the child comes first in the search. */
static void a_child_is_not_named_while_its_parent_holds_on(void **state)
{
    struct server s;

    start(&s, TCP4, SENDER);
    for (int i = 0; i < 6; i++) {
        struct ww_flow f = dial(&s);

        (void)tell(&s, 0, 'h');
        (void)tell(&s, 0, 'a');

        pid_t child = tell(&s, 0, 's');
        struct ww_worker w = { 0 };
        enum ww_owner both = ww_attrib_look(s.a, &f, &w);

        assert_true(both == WW_OWNER_UNSETTLED || both == WW_OWNER_AMBIGUOUS);
        if (i >= 2) /* by now both numbers that the child uses are known */
            assert_int_equal(both, WW_OWNER_AMBIGUOUS);
        (void)tell(&s, 0, 'c');
        expect_known(&s, &f, child);
        close(f.fd);
    }
    stop(&s);
}

static void nothing_listens_here(void **state)
{
    struct server s;

    start(&s, TCP4, LONE);

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
    stop(&s);
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
    start(&s, TCP4, PREFORK);

    struct ww_flow f = dial(&s);

    (void)tell(&s, 1, 'a');

    pid_t pid = fork();

    if (pid == 0)
        _exit(look_as_nobody(&s, &f));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    close(f.fd);
    stop(&s);
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
