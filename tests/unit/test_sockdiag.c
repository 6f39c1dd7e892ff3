/* The kernel's answers about sockets: canned, cut short, of somebody else, and hostile. */
#include "sockdiag.h"

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>

#define SEQ 7

struct reply {
    union {
        struct nlmsghdr h;
        char bytes[512];
    };
    size_t len;
};

static void put(struct reply *r, const void *p, size_t n)
{
    memcpy(r->bytes + r->len, p, n);
    r->len = (r->len + n + 3) & ~(size_t)3;
    r->h.nlmsg_len = (uint32_t)r->len;
}

static struct reply reply_of(uint16_t type, uint32_t seq)
{
    struct reply r = { .h = { .nlmsg_type = type, .nlmsg_seq = seq } };

    r.len = sizeof(r.h);
    r.h.nlmsg_len = (uint32_t)r.len;
    return r;
}

static struct reply tcp_reply(uint8_t state, uint32_t inode)
{
    struct reply r = reply_of(SOCK_DIAG_BY_FAMILY, SEQ);
    struct inet_diag_msg m = { .idiag_family = AF_INET,
                               .idiag_state = state,
                               .idiag_inode = inode };

    put(&r, &m, sizeof(m));
    return r;
}

static void put_attr(struct reply *r, uint16_t type, const void *p, size_t n)
{
    struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + n), .nla_type = type };

    put(r, &a, sizeof(a));
    put(r, p, n);
}

static struct reply unix_reply(void)
{
    struct reply r = reply_of(SOCK_DIAG_BY_FAMILY, SEQ);
    struct unix_diag_msg m = { .udiag_family = AF_UNIX, .udiag_ino = 55 };

    put(&r, &m, sizeof(m));
    return r;
}

static struct reply error_reply(int error)
{
    struct reply r = reply_of(NLMSG_ERROR, SEQ);
    struct nlmsgerr e = { .error = error };

    put(&r, &e, sizeof(e));
    return r;
}

static enum ww_diag read_tcp(const struct reply *r, uint64_t *inode)
{
    return ww_sockdiag_read_tcp(r->bytes, r->len, SEQ, inode);
}

static enum ww_diag read_unix(const struct reply *r, uint64_t *inode)
{
    return ww_sockdiag_read_unix(r->bytes, r->len, SEQ, inode);
}

struct state_case {
    uint8_t state;
    uint32_t inode;
    enum ww_diag want;
};

static void tcp_state_means(void **state)
{
    const struct state_case *c = *state;
    struct reply r = tcp_reply(c->state, c->inode);
    uint64_t inode = 0;

    assert_int_equal(read_tcp(&r, &inode), c->want);
    assert_int_equal(inode, c->want == WW_DIAG_ACCEPTED ? c->inode : 0);
}

/* clang-format off */
#define STATE(name_, state_, inode_, want_)                                                    \
    { .name = (name_), .test_func = tcp_state_means,                                           \
      .initial_state = &(struct state_case){ (state_), (inode_), (want_) } }
/* clang-format on */

static void an_answer_cut_anywhere_is_lost(void **state)
{
    struct reply r = tcp_reply(TCP_ESTABLISHED, 77);
    uint64_t inode = 0;

    for (size_t n = 0; n < r.len; n++)
        assert_int_equal(ww_sockdiag_read_tcp(r.bytes, n, SEQ, &inode), WW_DIAG_LOST);
    r.h.nlmsg_len = sizeof(struct nlmsghdr) + 8;
    assert_int_equal(read_tcp(&r, &inode), WW_DIAG_LOST);
    r.h.nlmsg_len = 3;
    assert_int_equal(read_tcp(&r, &inode), WW_DIAG_LOST);
    assert_int_equal(inode, 0);
}

static void an_answer_to_another_question_is_stale(void **state)
{
    struct reply r = tcp_reply(TCP_ESTABLISHED, 77);
    uint64_t inode = 0;

    assert_int_equal(ww_sockdiag_read_tcp(r.bytes, r.len, SEQ + 1, &inode), WW_DIAG_STALE);
    assert_int_equal(inode, 0);
}

static void errors_are_told_apart(void **state)
{
    struct reply gone = error_reply(-2);
    struct reply refused = error_reply(-1);
    uint64_t inode = 0;

    assert_int_equal(read_tcp(&gone, &inode), WW_DIAG_GONE);
    assert_int_equal(read_tcp(&refused, &inode), WW_DIAG_LOST);
}

static void the_unix_peer_is_found(void **state)
{
    struct reply r = unix_reply();
    uint32_t peer = 4711;
    uint64_t inode = 0;

    put_attr(&r, UNIX_DIAG_SHUTDOWN, "", 1);
    put_attr(&r, UNIX_DIAG_PEER, &peer, sizeof(peer));
    assert_int_equal(read_unix(&r, &inode), WW_DIAG_ACCEPTED);
    assert_int_equal(inode, 4711);
}

static void a_unix_peer_without_inode_is_queued(void **state)
{
    struct reply r = unix_reply();
    uint32_t peer = 0;
    uint64_t inode = 0;

    put_attr(&r, UNIX_DIAG_PEER, &peer, sizeof(peer));
    put_attr(&r, UNIX_DIAG_SHUTDOWN, "", 1);
    assert_int_equal(read_unix(&r, &inode), WW_DIAG_QUEUED);
}

static void a_unix_peer_that_shut_us_down_is_gone(void **state)
{
    struct reply r = unix_reply();
    uint32_t peer = 0;
    uint64_t inode = 0;

    put_attr(&r, UNIX_DIAG_PEER, &peer, sizeof(peer));
    put_attr(&r, UNIX_DIAG_SHUTDOWN, "\3", 1);
    assert_int_equal(read_unix(&r, &inode), WW_DIAG_GONE);
}

static void a_unix_socket_without_peer_is_gone(void **state)
{
    struct reply r = unix_reply();
    uint64_t inode = 0;

    assert_int_equal(read_unix(&r, &inode), WW_DIAG_GONE);
}

static void attributes_with_wrong_lengths_are_not_believed(void **state)
{
    uint64_t inode = 0;

    for (uint16_t len = 0; len < 64; len++) {
        struct reply r = unix_reply();
        struct nlattr a = { .nla_len = len, .nla_type = UNIX_DIAG_PEER };
        uint32_t peer = 4711;

        put(&r, &a, sizeof(a));
        put(&r, &peer, sizeof(peer));
        if (len == sizeof(a) + sizeof(peer))
            continue;
        assert_int_equal(read_unix(&r, &inode), WW_DIAG_GONE);
    }
    assert_int_equal(inode, 0);
}

static struct ww_addr address(const char *text)
{
    struct ww_addr a;
    struct ww_err err = { 0 };

    assert_int_equal(ww_addr_parse(ww_str_c(text), "test", &a, &err), WW_OK);
    return a;
}

static struct reply listener(uint8_t family, const uint32_t src[4], uint16_t port,
                             uint32_t inode)
{
    struct reply r = reply_of(SOCK_DIAG_BY_FAMILY, SEQ);
    struct inet_diag_msg m = { .idiag_family = family,
                               .idiag_state = TCP_LISTEN,
                               .idiag_inode = inode };

    m.id.idiag_sport = (uint16_t)(port << 8 | port >> 8);
    memcpy(m.id.idiag_src, src, 16);
    put(&r, &m, sizeof(m));
    return r;
}

#define LOOPBACK4 0x0100007fU

static size_t matches(const char *upstream, const struct reply *r)
{
    struct ww_addr up = address(upstream);
    struct ww_unix_place place = { 0 };
    struct ww_inodes mine = { 0 };
    struct ww_inodes all = { 0 };
    bool bad = false;

    assert_true(
        ww_sockdiag_read_listeners(r->bytes, r->len, SEQ, &up, &place, &mine, &all, &bad));
    assert_false(bad);
    assert_int_equal(all.len, 1);

    size_t n = mine.len;

    ww_inodes_release(&mine);
    ww_inodes_release(&all);
    return n;
}

static void listeners_are_matched_as_the_kernel_would(void **state)
{
    static const uint32_t any[4] = { 0 };
    static const uint32_t v4[4] = { LOOPBACK4 };
    static const uint32_t mapped[4] = { 0, 0, 0xffff0000U, LOOPBACK4 };
    static const uint32_t v6[4] = { 0, 0, 0, 0x01000000U };
    struct reply r = listener(AF_INET, v4, 8000, 1);

    assert_int_equal(matches("127.0.0.1:8000", &r), 1);
    assert_int_equal(matches("127.0.0.2:8000", &r), 0);
    assert_int_equal(matches("127.0.0.1:8001", &r), 0);
    assert_int_equal(matches("[::1]:8000", &r), 0);
    r = listener(AF_INET, any, 8000, 1);
    assert_int_equal(matches("127.0.0.1:8000", &r), 1);
    assert_int_equal(matches("[::ffff:127.0.0.1]:8000", &r), 1);
    r = listener(AF_INET6, any, 8000, 1);
    assert_int_equal(matches("127.0.0.1:8000", &r), 1);
    assert_int_equal(matches("[::1]:8000", &r), 1);
    r = listener(AF_INET6, mapped, 8000, 1);
    assert_int_equal(matches("127.0.0.1:8000", &r), 1);
    assert_int_equal(matches("127.0.0.2:8000", &r), 0);
    r = listener(AF_INET6, v6, 8000, 1);
    assert_int_equal(matches("[::1]:8000", &r), 1);
    assert_int_equal(matches("127.0.0.1:8000", &r), 0);
    assert_int_equal(matches("unix:/run/app.sock", &r), 0);
}

static void unix_listeners_are_matched_by_name_or_file(void **state)
{
    struct ww_addr path = address("unix:/run/app.sock");
    struct ww_addr name = address("unix:@app");
    struct ww_unix_place place = { .known = true, .ino = 9, .dev = 3 };
    struct unix_diag_vfs vfs = { .udiag_vfs_ino = 9, .udiag_vfs_dev = 3 };
    struct ww_inodes mine = { 0 };
    struct ww_inodes all = { 0 };
    bool bad = false;
    struct reply r = unix_reply();

    put_attr(&r, UNIX_DIAG_NAME, "app.sock", 9);
    put_attr(&r, UNIX_DIAG_VFS, &vfs, sizeof(vfs));
    (void)ww_sockdiag_read_listeners(r.bytes, r.len, SEQ, &path, &place, &mine, &all, &bad);
    assert_int_equal(mine.len, 1);
    r = unix_reply();
    put_attr(&r, UNIX_DIAG_NAME, "/run/app.sock", 13);
    (void)ww_sockdiag_read_listeners(r.bytes, r.len, SEQ, &path, &place, &mine, &all, &bad);
    assert_int_equal(mine.len, 2);
    r = unix_reply();
    put_attr(&r, UNIX_DIAG_NAME, "\0app", 4);
    (void)ww_sockdiag_read_listeners(r.bytes, r.len, SEQ, &name, &place, &mine, &all, &bad);
    assert_int_equal(mine.len, 3);
    r = unix_reply();
    put_attr(&r, UNIX_DIAG_NAME, "\0app2", 5);
    (void)ww_sockdiag_read_listeners(r.bytes, r.len, SEQ, &name, &place, &mine, &all, &bad);
    assert_int_equal(mine.len, 3);
    ww_inodes_release(&mine);
    ww_inodes_release(&all);
}

static void a_dump_ends_and_breaks(void **state)
{
    struct ww_addr up = address("127.0.0.1:8000");
    struct ww_unix_place place = { 0 };
    struct ww_inodes set = { 0 };
    bool bad = false;
    struct reply done = reply_of(NLMSG_DONE, SEQ);
    struct reply lost = error_reply(-12);
    struct reply odd = reply_of(SOCK_DIAG_BY_FAMILY, SEQ);

    assert_false(
        ww_sockdiag_read_listeners(done.bytes, done.len, SEQ, &up, &place, &set, &set, &bad));
    assert_false(bad);
    assert_true(
        ww_sockdiag_read_listeners(odd.bytes, odd.len, SEQ, &up, &place, &set, &set, &bad));
    assert_false(
        ww_sockdiag_read_listeners(lost.bytes, lost.len, SEQ, &up, &place, &set, &set, &bad));
    assert_true(bad);
    bad = false;
    odd.h.nlmsg_len = 4000;
    assert_false(
        ww_sockdiag_read_listeners(odd.bytes, odd.len, SEQ, &up, &place, &set, &set, &bad));
    assert_true(bad);
    assert_int_equal(set.len, 0);
}

static void inode_sets_find_what_they_have(void **state)
{
    struct ww_inodes s = { 0 };

    assert_false(ww_inodes_has(&s, 1));
    for (uint64_t i = 100; i > 0; i--)
        ww_inodes_add(&s, i * 2);
    ww_inodes_sort(&s);
    for (uint64_t i = 1; i <= 201; i++)
        assert_int_equal(ww_inodes_has(&s, i), i % 2 == 0);
    for (uint64_t i = 0; i < WW_INODES_MAX + 10; i++)
        ww_inodes_add(&s, i);
    assert_int_equal(s.len, WW_INODES_MAX);
    ww_inodes_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATE("established with an inode is accepted", TCP_ESTABLISHED, 5, WW_DIAG_ACCEPTED),
        STATE("established without an inode is queued", TCP_ESTABLISHED, 0, WW_DIAG_QUEUED),
        STATE("a deferred accept is queued", TCP_SYN_RECV, 0, WW_DIAG_QUEUED),
        STATE("half closed by us is accepted", TCP_CLOSE_WAIT, 5, WW_DIAG_ACCEPTED),
        STATE("half closed by us in the queue", TCP_CLOSE_WAIT, 0, WW_DIAG_QUEUED),
        STATE("shut down by the server but open", TCP_FIN_WAIT2, 5, WW_DIAG_ACCEPTED),
        STATE("closed by the server", TCP_FIN_WAIT2, 0, WW_DIAG_GONE),
        STATE("closed by both", TCP_LAST_ACK, 0, WW_DIAG_GONE),
        STATE("the listener is not a connection", TCP_LISTEN, 5, WW_DIAG_GONE),
        STATE("TIME_WAIT is nobody's", TCP_TIME_WAIT, 0, WW_DIAG_GONE),
        STATE("TIME_WAIT is nobody's, inode or not", TCP_TIME_WAIT, 5, WW_DIAG_GONE),
        STATE("a state of another kernel", 99, 5, WW_DIAG_GONE),
        cmocka_unit_test(an_answer_cut_anywhere_is_lost),
        cmocka_unit_test(an_answer_to_another_question_is_stale),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(the_unix_peer_is_found),
        cmocka_unit_test(a_unix_peer_without_inode_is_queued),
        cmocka_unit_test(a_unix_peer_that_shut_us_down_is_gone),
        cmocka_unit_test(a_unix_socket_without_peer_is_gone),
        cmocka_unit_test(attributes_with_wrong_lengths_are_not_believed),
        cmocka_unit_test(listeners_are_matched_as_the_kernel_would),
        cmocka_unit_test(unix_listeners_are_matched_by_name_or_file),
        cmocka_unit_test(a_dump_ends_and_breaks),
        cmocka_unit_test(inode_sets_find_what_they_have),
    };

    return cmocka_run_group_tests_name("sockdiag", tests, NULL, NULL);
}
