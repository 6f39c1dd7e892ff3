/* The shim inside a real server process: what it reports, and what it leaves untouched. */
#include "check.h"

#include <whichworker/shim.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

/* Names that no other run of this test has at the same time. */
struct names {
    char token[33];
    char ours[32];   /* of a client that the shim reports and hides */
    char theirs[32]; /* of one that it leaves alone */
};

static struct names names_of(pid_t run)
{
    struct names n;

    snprintf(n.token, sizeof(n.token), "%08x%024x", (unsigned)run, (unsigned)run);
    snprintf(n.ours, sizeof(n.ours), "ww-%08x/2a", (unsigned)run);
    snprintf(n.theirs, sizeof(n.theirs), "ww-%08x/2a", ~(unsigned)run);
    return n;
}

static int receiver_at(char digit)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int on = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "ww-%s-%c",
                     names_of(getpid()).token, digit);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                     0);
    return fd;
}

/* The next report, and who the kernel says sent it. */
static bool receive(int fd, struct ww_shim_report *out, pid_t *out_pid, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    union {
        size_t aligned;
        char bytes[256];
    } control;
    struct iovec iov = { .iov_base = out, .iov_len = sizeof(*out) };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };
    struct ucred cred;

    if (poll(&p, 1, wait_ms) != 1)
        return false;
    assert_int_equal(recvmsg(fd, &m, 0), sizeof(*out));
    assert_non_null(CMSG_FIRSTHDR(&m));
    memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(cred));
    *out_pid = cred.pid;
    return true;
}

struct server {
    pid_t pid;
    struct sockaddr_storage addr;
    socklen_t len;
    int said; /* one line for each connection */
};

/* The program beside this one, with the shim in it and a listening socket as its number 3. */
static struct server start(int family, const char *mode, bool with_token)
{
    struct server s = { .len = sizeof(s.addr) };
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int out[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    s.addr.ss_family = (sa_family_t)family;
    if (family == AF_INET)
        ((struct sockaddr_in *)&s.addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (family == AF_INET6)
        ((struct sockaddr_in6 *)&s.addr)->sin6_addr = in6addr_loopback;
    assert_int_equal(bind(listener, (struct sockaddr *)&s.addr,
                          family == AF_UNIX    ? (socklen_t)sizeof(sa_family_t)
                          : family == AF_INET6 ? (socklen_t)sizeof(struct sockaddr_in6)
                                               : (socklen_t)sizeof(struct sockaddr_in)),
                     0);
    struct names names = names_of(getpid());

    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&s.addr, &s.len), 0);
    s.pid = fork();
    if (s.pid == 0) {
        setenv("LD_PRELOAD", SHIM_PATH, 1);
        if (with_token)
            setenv(WW_SHIM_ENV, names.token, 1);
        dup2(out[1], STDOUT_FILENO);
        if (dup2(listener, 3) == listener)
            fcntl(3, F_SETFD, 0);
        execl(SERVER_PATH, SERVER_PATH, mode, (char *)NULL);
        _exit(127);
    }
    close(listener);
    close(out[1]);
    s.said = out[0];
    return s;
}

static void stop(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->said);
}

static int connect_to(const struct server *s, const char *name)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(s->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (name != NULL) {
        memcpy(un.sun_path + 1, name, strlen(name));
        assert_int_equal(
            bind(fd, (struct sockaddr *)&un,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
            0);
    }
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->addr, s->len), 0);
    return fd;
}

/* "conn=4 errno=0 len=16 fds=5" */
static void read_line(const struct server *s, char *out, size_t room)
{
    size_t n = 0;

    while (n + 1 < room && read(s->said, out + n, 1) == 1 && out[n] != '\n')
        n++;
    out[n] = '\0';
}

static void test_a_tcp_connection_is_reported_with_both_ends(void **state)
{
    int families[] = { AF_INET, AF_INET6 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int receiver = receiver_at('0');
        struct server s = start(families[i], "accept", true);
        int fd = connect_to(&s, NULL);
        struct sockaddr_storage mine;
        socklen_t len = sizeof(mine);
        struct ww_shim_report r;
        pid_t pid = 0;

        assert_true(receive(receiver, &r, &pid, WAIT_MS));
        getsockname(fd, (struct sockaddr *)&mine, &len);
        assert_int_equal(r.magic, WW_SHIM_MAGIC);
        assert_int_equal(pid, s.pid);
        assert_memory_equal(r.peer, &mine, len);
        assert_memory_equal(r.local, &s.addr, s.len);
        assert_true(r.fd > 3 && r.accepted_us > 0);
        close(fd);
        stop(&s);
        close(receiver);
    }
}

static void test_a_named_unix_client_is_reported_and_hidden(void **state)
{
    int receiver = receiver_at('0');
    struct server s = start(AF_UNIX, "accept4", true);
    struct names names = names_of(getpid());
    int fd = connect_to(&s, names.ours);
    struct ww_shim_report r;
    char want[16] = { 0 };
    char line[128];
    pid_t pid = 0;

    (void)state;
    assert_true(receive(receiver, &r, &pid, WAIT_MS));
    assert_int_equal(pid, s.pid);
    memcpy(want + 1, names.ours, strlen(names.ours));
    assert_memory_equal(r.peer + 2, want, sizeof(want));
    read_line(&s, line, sizeof(line));
    assert_non_null(strstr(line, " len=2 "));
    close(fd);
    stop(&s);
    close(receiver);
}

static void test_other_unix_clients_are_left_alone(void **state)
{
    int receiver = receiver_at('0');
    struct server s = start(AF_UNIX, "accept", true);
    int unnamed = connect_to(&s, NULL);
    int named = connect_to(&s, names_of(getpid()).theirs);
    struct ww_shim_report r;
    char line[128];
    pid_t pid = 0;

    (void)state;
    read_line(&s, line, sizeof(line));
    assert_non_null(strstr(line, " len=2 "));
    read_line(&s, line, sizeof(line));
    assert_non_null(strstr(line, " len=17 "));
    assert_false(receive(receiver, &r, &pid, 0));
    close(unnamed);
    close(named);
    stop(&s);
    close(receiver);
}

static void test_each_forked_worker_is_reported_as_itself(void **state)
{
    int receiver = receiver_at('0');
    struct server s = start(AF_INET, "prefork", true); /* its master never accepts */

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct ww_shim_report r;
        char line[128];
        char want[32];
        pid_t pid = 0;
        int fd = connect_to(&s, NULL);

        assert_true(receive(receiver, &r, &pid, WAIT_MS));
        read_line(&s, line, sizeof(line));
        snprintf(want, sizeof(want), "pid=%d ", (int)pid);
        assert_non_null(strstr(line, want));
        assert_int_not_equal(pid, s.pid);
        close(fd);
    }
    stop(&s);
    close(receiver);
}

/* errno, the address's length and the number of open descriptors are as without the shim:
 * whether somebody listens, nobody does, or there is no token at all. */
static void test_the_server_notices_nothing(void **state)
{
    const char *modes[] = { "accept", "accept4", "null", "short" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char line[3][128];

        for (int how = 0; how < 3; how++) {
            int receiver = how == 2 ? receiver_at('0') : -1;
            struct server s = start(AF_INET, modes[i], how > 0);
            int fd = connect_to(&s, NULL);

            read_line(&s, line[how], sizeof(line[how]));
            assert_non_null(strstr(line[how], "conn="));
            close(fd);
            stop(&s);
            if (receiver >= 0)
                close(receiver);
        }
        /* behind "pid=… " */
        assert_string_equal(strchr(line[0], ' '), strchr(line[1], ' '));
        assert_string_equal(strchr(line[0], ' '), strchr(line[2], ' '));
    }
}

static void test_a_full_queue_is_passed_over_and_never_waited_for(void **state)
{
    int first = receiver_at('0');
    int second = receiver_at('1');
    struct server s = start(AF_INET, "accept", true);
    struct ww_shim_report r;
    char line[128];
    pid_t pid = 0;
    int to_first = 0;
    int to_second = 0;

    (void)state;
    for (int i = 0; i < 600; i++) { /* more than either queue has room for, as a rule */
        int fd = connect_to(&s, NULL);

        read_line(&s, line, sizeof(line));
        close(fd);
    }
    while (receive(first, &r, &pid, 0))
        to_first++;
    while (receive(second, &r, &pid, 0))
        to_second++;
    assert_true(to_first > 0);
    assert_true(to_first == 600 || to_second > 0);
    stop(&s);
    close(first);
    close(second);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tcp_connection_is_reported_with_both_ends),
        cmocka_unit_test(test_a_named_unix_client_is_reported_and_hidden),
        cmocka_unit_test(test_other_unix_clients_are_left_alone),
        cmocka_unit_test(test_each_forked_worker_is_reported_as_itself),
        cmocka_unit_test(test_the_server_notices_nothing),
        cmocka_unit_test(test_a_full_queue_is_passed_over_and_never_waited_for),
    };

    return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
