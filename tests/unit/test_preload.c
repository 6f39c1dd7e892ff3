/* Reports: what is read from a datagram, whose is believed, and which connection it speaks of.
 */
#include "check.h"
#include "reports.h"
#include "tree.h"

#include <whichworker/arena.h>
#include <whichworker/units.h>

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ww_shim_report tcp_report(uint16_t client_port, uint16_t server_port)
{
    struct ww_shim_report r = { .magic = WW_SHIM_MAGIC, .fd = 5, .accepted_us = 7 };
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(client_port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    memcpy(r.peer, &in, sizeof(in));
    in.sin_port = htons(server_port);
    memcpy(r.local, &in, sizeof(in));
    return r;
}

static struct ww_flow tcp_flow(uint16_t client_port, uint16_t server_port)
{
    struct ww_flow flow = { .fd = -1 };
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(client_port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    memcpy(&flow.local.sa, &in, sizeof(in));
    in.sin_port = htons(server_port);
    memcpy(&flow.peer.sa, &in, sizeof(in));
    flow.local.len = flow.peer.len = sizeof(in);
    return flow;
}

static struct report_key key_of(const struct ww_shim_report *r)
{
    struct ww_shim_report out;
    struct report_key key;

    assert_true(report_read(r, sizeof(*r), &key, &out));
    return key;
}

static void test_a_report_and_its_connection_have_one_key(void **state)
{
    struct ww_shim_report r = tcp_report(40000, 8000);
    struct ww_flow flow = tcp_flow(40000, 8000);
    struct ww_flow other = tcp_flow(40000, 8001);
    struct report_key a = key_of(&r);
    struct report_key b;

    (void)state;
    assert_true(report_key_of(&flow, &b));
    assert_memory_equal(&a, &b, sizeof(a));
    /* The same client port, another listener: another connection. */
    assert_true(report_key_of(&other, &b));
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_a_mapped_address_is_the_ipv4_one(void **state)
{
    struct ww_shim_report r = { .magic = WW_SHIM_MAGIC };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(40000) };
    static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
    struct ww_flow flow = tcp_flow(40000, 8000);
    struct report_key a;
    struct report_key b;

    (void)state;
    memcpy(&in6.sin6_addr, mapped, sizeof(mapped));
    memcpy(r.peer, &in6, sizeof(in6));
    in6.sin6_port = htons(8000);
    memcpy(r.local, &in6, sizeof(in6));
    a = key_of(&r);
    assert_true(report_key_of(&flow, &b));
    assert_memory_equal(&a, &b, sizeof(a));
}

static void test_a_unix_client_is_known_by_its_name(void **state)
{
    struct ww_shim_report r = { .magic = WW_SHIM_MAGIC };
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0ww-01234567/1f" };
    size_t len = offsetof(struct sockaddr_un, sun_path) + sizeof("ww-01234567/1f");
    struct ww_flow flow = { .fd = -1 };
    struct report_key a;
    struct report_key b;

    (void)state;
    memcpy(r.peer, &un, len);
    a = key_of(&r);
    flow.peer.sa.ss_family = AF_UNIX;
    memcpy(&flow.local.sa, &un, len);
    flow.local.len = (socklen_t)len;
    assert_true(report_key_of(&flow, &b));
    assert_memory_equal(&a, &b, sizeof(a));
    flow.local.len = sizeof(sa_family_t); /* unnamed */
    assert_false(report_key_of(&flow, &b));
}

static void test_what_is_no_report_is_refused(void **state)
{
    struct ww_shim_report good = tcp_report(1, 2);
    struct ww_shim_report bad;
    struct ww_shim_report out;
    struct report_key key;

    (void)state;
    for (size_t len = 0; len < sizeof(good); len++)
        assert_false(report_read(&good, len, &key, &out));
    bad = good;
    bad.magic++;
    assert_false(report_read(&bad, sizeof(bad), &key, &out));
    bad = good;
    bad.fd = -1;
    assert_false(report_read(&bad, sizeof(bad), &key, &out));
    bad = good;
    memset(bad.local, 0, sizeof(bad.local)); /* no family */
    assert_false(report_read(&bad, sizeof(bad), &key, &out));
    memset(bad.peer, 0xff, sizeof(bad.peer));
    assert_false(report_read(&bad, sizeof(bad), &key, &out));
    memset(bad.peer, 0, sizeof(bad.peer));
    bad.peer[0] = AF_UNIX; /* an unnamed client */
    assert_false(report_read(&bad, sizeof(bad), &key, &out));
}

static void test_any_bytes_are_read_without_harm(void **state)
{
    unsigned char bytes[sizeof(struct ww_shim_report) + 8];
    struct ww_shim_report out;
    struct report_key key;
    uint64_t seed = 1;
    unsigned taken = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        for (size_t j = 0; j < sizeof(bytes); j++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[j] = (unsigned char)(seed >> 56);
        }
        if (i % 2 == 0)
            memcpy(bytes, &(uint32_t){ WW_SHIM_MAGIC }, 4);
        bytes[16] = (unsigned char)(i % 11);
        bytes[17] = 0;
        taken += report_read(bytes, sizeof(struct ww_shim_report), &key, &out);
    }
    assert_true(taken > 0 && taken < 100000);
}

static struct acceptor by(int32_t pid, int64_t heard_us)
{
    return (struct acceptor){ .pid = pid, .fd = 5, .heard_us = heard_us };
}

static void test_a_report_is_taken_once(void **state)
{
    struct reports *r = ww_xcalloc(1, sizeof(*r));
    struct ww_shim_report report = tcp_report(1, 2);
    struct report_key key = key_of(&report);
    struct acceptor who = by(11, 100);

    (void)state;
    reports_put(r, &key, &who);
    assert_int_equal(reports_take(r, &key, 50, &who), REPORTS_ONE);
    assert_int_equal(who.pid, 11);
    assert_int_equal(reports_take(r, &key, 50, &who), REPORTS_NONE);
    free(r);
}

static void test_a_claim_from_before_the_connection_is_of_an_earlier_one(void **state)
{
    struct reports *r = ww_xcalloc(1, sizeof(*r));
    struct ww_shim_report report = tcp_report(1, 2);
    struct report_key key = key_of(&report);
    struct acceptor who = by(11, 100);

    (void)state;
    reports_put(r, &key, &who);
    who = by(12, 200);
    reports_put(r, &key, &who);
    assert_int_equal(reports_take(r, &key, 150, &who), REPORTS_ONE);
    assert_int_equal(who.pid, 12);
    who = by(11, 100);
    reports_put(r, &key, &who);
    assert_int_equal(reports_take(r, &key, 150, &who), REPORTS_NONE);
    free(r);
}

static void test_two_claims_contest_each_other(void **state)
{
    struct reports *r = ww_xcalloc(1, sizeof(*r));
    struct ww_shim_report report = tcp_report(1, 2);
    struct report_key key = key_of(&report);
    struct acceptor who = by(11, 100);

    (void)state;
    reports_put(r, &key, &who);
    reports_put(r, &key, &who); /* saying it twice is no contest */
    assert_int_equal(reports_take(r, &key, 50, &who), REPORTS_ONE);
    reports_put(r, &key, &who);
    who = by(12, 101);
    reports_put(r, &key, &who);
    assert_int_equal(reports_take(r, &key, 50, &who), REPORTS_CONTESTED);
    assert_int_equal(reports_take(r, &key, 50, &who), REPORTS_NONE);
    free(r);
}

static void test_a_flood_pushes_out_the_oldest_and_nothing_grows(void **state)
{
    struct reports *r = ww_xcalloc(1, sizeof(*r));
    struct acceptor who;
    unsigned kept = 0;

    (void)state;
    for (int64_t i = 0; i < 60000; i++) {
        struct ww_shim_report report = tcp_report((uint16_t)i, 2);
        struct report_key key = key_of(&report);

        who = by(11, i);
        reports_put(r, &key, &who);
    }
    for (int64_t i = 0; i < 60000; i++) {
        struct ww_shim_report report = tcp_report((uint16_t)i, 2);
        struct report_key key = key_of(&report);

        kept += reports_take(r, &key, 0, &who) == REPORTS_ONE;
        if (i == 59999)
            assert_int_equal(who.heard_us, i);
    }
    assert_true(kept > REPORTS_BUCKETS && kept <= REPORTS_BUCKETS * REPORTS_WAYS);
    free(r);
}

static void send_to(const struct ww_preload *p, const void *bytes, size_t len)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "ww-%s-0", ww_preload_token(p));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(
        sendto(fd, bytes, len, 0, (struct sockaddr *)&un,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
        len);
    close(fd);
}

static void send_from_a_child(const struct ww_preload *p, const void *bytes, size_t len)
{
    pid_t pid = fork();

    if (pid == 0) {
        send_to(p, bytes, len);
        _exit(0);
    }
    /* It must be there to be asked after. */
    assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
}

static void test_only_descendants_are_believed(void **state)
{
    struct ww_err err = { 0 };
    struct ww_preload *ours = ww_preload_new(getpid(), "/proc", &err);
    struct ww_preload *strange = ww_preload_new(1 << 22, "/proc", &err);
    struct ww_shim_report r = tcp_report(1, 2);

    (void)state;
    assert_non_null(ours);
    assert_non_null(strange);
    send_from_a_child(ours, &r, sizeof(r));
    send_from_a_child(strange, &r, sizeof(r));
    send_to(ours, &r, sizeof(r)); /* we are no descendant of ourselves */
    send_from_a_child(ours, &r, sizeof(r) - 1);
    ww_preload_drain(ours, 0);
    ww_preload_drain(strange, 0);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    assert_int_equal(ww_preload_stats(ours)->reports, 1);
    assert_int_equal(ww_preload_stats(ours)->strange, 2);
    assert_int_equal(ww_preload_stats(strange)->reports, 0);
    assert_int_equal(ww_preload_stats(strange)->strange, 1);
    ww_preload_free(ours);
    ww_preload_free(strange);
}

static int count_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
    return n;
}

static void test_descriptors_that_come_along_are_closed(void **state)
{
    struct ww_err err = { 0 };
    struct ww_preload *p = ww_preload_new(getpid(), "/proc", &err);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "ww-%s-0", ww_preload_token(p));
    int before = count_descriptors();
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        int fds[2] = { 0, 1 };
        union {
            size_t aligned;
            char bytes[CMSG_SPACE(sizeof(int) * 2)];
        } control = { 0 };
        struct iovec iov = { .iov_base = &n, .iov_len = sizeof(n) };
        struct msghdr m = { .msg_name = &un,
                            .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                                       1 + (size_t)n),
                            .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(c), fds, sizeof(fds));
        _exit(sendmsg(socket(AF_UNIX, SOCK_DGRAM, 0), &m, 0) < 0);
    }

    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    ww_preload_drain(p, 0);
    assert_int_equal(ww_preload_stats(p)->strange, 1);
    assert_int_equal(count_descriptors(), before);
    ww_preload_free(p);
}

static void test_listening_sockets_are_read_from_proc(void **state)
{
    struct ww_addr a;
    uint64_t inode = 0;
    const char *tcp =
        "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
        "        0 4711 1 0000000000000000 100 0 0 10 0";
    const char *established =
        "   0: 0100007F:1F90 0100007F:0001 01 00000000:00000000 00:00000000 00000000     0"
        "        0 4711 1";
    const char *tcp6 =
        "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000 0 0 4712 1";
    const char *path =
        "0000000000000000: 00000002 00000000 00010000 0001 01 4713 /tmp/a b.sock";
    const char *abstract = "0000000000000000: 00000002 00000000 00010000 0001 01 4714 @name";
    const char *datagram = "0000000000000000: 00000002 00000000 00000000 0002 01 4715 /tmp/d";

    (void)state;
    assert_true(tree_read_tcp(ww_str_c(tcp), &inode, &a));
    assert_int_equal(inode, 4711);
    assert_string_equal(a.text, "127.0.0.1:8080");
    assert_false(tree_read_tcp(ww_str_c(established), &inode, &a));
    assert_true(tree_read_tcp(ww_str_c(tcp6), &inode, &a));
    assert_string_equal(a.text, "[::1]:80");
    assert_true(tree_read_unix(ww_str_c(path), &inode, &a));
    assert_int_equal(inode, 4713);
    assert_string_equal(a.text, "unix:/tmp/a b.sock");
    assert_true(tree_read_unix(ww_str_c(abstract), &inode, &a));
    assert_string_equal(a.text, "unix:@name");
    assert_false(tree_read_unix(ww_str_c(datagram), &inode, &a));
    for (size_t len = 0; len < strlen(tcp6); len++)
        assert_false(tree_read_unix(ww_str_n(tcp6, len), &inode, &a));
    for (size_t len = 0; len < 120; len++)
        assert_false(tree_read_tcp(ww_str_n(tcp6, len), &inode, &a));
}

static void test_descent_is_followed_to_its_end(void **state)
{
    int32_t pids[WW_TREE_MAX];
    int ready[2];
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        pid_t grandchild = fork();

        if (grandchild == 0)
            pause();
        (void)!write(ready[1], "x", 1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(ww_tree_children("/proc", getpid(), pids, WW_TREE_MAX), 1);
    assert_int_equal(pids[0], child);
    assert_int_equal(ww_tree_below("/proc", getpid(), pids, WW_TREE_MAX), 2);
    assert_int_equal(ww_tree_below("/proc", getpid(), pids, 1), 1);
    assert_int_equal(ww_tree_below("/proc", child, pids, WW_TREE_MAX), 1);
    kill(pids[0], SIGKILL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_and_its_connection_have_one_key),
        cmocka_unit_test(test_a_mapped_address_is_the_ipv4_one),
        cmocka_unit_test(test_a_unix_client_is_known_by_its_name),
        cmocka_unit_test(test_what_is_no_report_is_refused),
        cmocka_unit_test(test_any_bytes_are_read_without_harm),
        cmocka_unit_test(test_a_report_is_taken_once),
        cmocka_unit_test(test_a_claim_from_before_the_connection_is_of_an_earlier_one),
        cmocka_unit_test(test_two_claims_contest_each_other),
        cmocka_unit_test(test_a_flood_pushes_out_the_oldest_and_nothing_grows),
        cmocka_unit_test(test_only_descendants_are_believed),
        cmocka_unit_test(test_descriptors_that_come_along_are_closed),
        cmocka_unit_test(test_listening_sockets_are_read_from_proc),
        cmocka_unit_test(test_descent_is_followed_to_its_end),
    };

    return cmocka_run_group_tests_name("preload", tests, NULL, NULL);
}
