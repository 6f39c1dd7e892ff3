/* A server that obeys one-letter commands. */
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
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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

pid_t server_tell(const struct server *s, int worker, char command)
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

void server_start(struct server *s, enum family family, enum shape shape)
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

void server_stop(struct server *s)
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

struct ww_flow server_dial(const struct server *s)
{
    struct ww_flow f = { .peer = s->up, .opened_us = ww_clock_mono_us() };

    f.fd = socket(s->up.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f.fd >= 0);
    assert_int_equal(connect(f.fd, (const struct sockaddr *)&s->up.sa, s->up.len), 0);
    f.local.len = sizeof(f.local.sa);
    assert_int_equal(getsockname(f.fd, (struct sockaddr *)&f.local.sa, &f.local.len), 0);
    return f;
}
