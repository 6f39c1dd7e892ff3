/* Asks the kernel which socket is at the other end of a connection, and which ones listen. */
#include "sockdiag.h"

#include <whichworker/arena.h>

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define EXACT_ROOM 4096
#define DUMP_ROOM  32768

/* Answers to questions of long ago that may stand before ours (each was lost to an error). */
#define STALE_MAX 16

void ww_inodes_release(struct ww_inodes *s)
{
    free(s->ino);
    *s = (struct ww_inodes){ 0 };
}

void ww_inodes_clear(struct ww_inodes *s)
{
    s->len = 0;
}

void ww_inodes_add(struct ww_inodes *s, uint64_t inode)
{
    if (s->len >= WW_INODES_MAX)
        return;
    s->ino = ww_grow(s->ino, s->len + 1, &s->cap, sizeof(*s->ino));
    s->ino[s->len++] = inode;
}

static int compare_inodes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void ww_inodes_sort(struct ww_inodes *s)
{
    if (s->len > 1)
        qsort(s->ino, s->len, sizeof(*s->ino), compare_inodes);
}

bool ww_inodes_has(const struct ww_inodes *s, uint64_t inode)
{
    return s->len > 0 &&
           bsearch(&inode, s->ino, s->len, sizeof(*s->ino), compare_inodes) != NULL;
}

int ww_sockdiag_open(struct ww_sockdiag *d, struct ww_err *err)
{
    *d = (struct ww_sockdiag){
        .fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG),
    };
    if (d->fd < 0)
        return ww_err_errno(err, errno, "cannot ask the kernel about sockets (sock_diag)");
    return WW_OK;
}

void ww_sockdiag_close(struct ww_sockdiag *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

static bool ask(struct ww_sockdiag *d, const void *request, size_t len)
{
    return send(d->fd, request, len, MSG_DONTWAIT) == (ssize_t)len;
}

/* The next datagram; only the kernel's own count. 0: none, or lost. */
static size_t hear(struct ww_sockdiag *d, void *buf, size_t room)
{
    struct sockaddr_nl from = { 0 };
    struct iovec v = { .iov_base = buf, .iov_len = room };
    struct msghdr m = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1
    };
    ssize_t n = recvmsg(d->fd, &m, MSG_DONTWAIT);

    if (n <= 0 || (m.msg_flags & MSG_TRUNC) != 0 || from.nl_pid != 0)
        return 0;
    return (size_t)n;
}

static size_t aligned4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* The message at *at if it lies wholly inside; moves *at behind it. */
static const struct nlmsghdr *next_message(const char *bytes, size_t len, size_t *at)
{
    if (*at > len || len - *at < sizeof(struct nlmsghdr))
        return NULL;

    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(bytes + *at);

    if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len - *at)
        return NULL;
    *at += aligned4(h->nlmsg_len);
    return h;
}

static const void *payload_of(const struct nlmsghdr *h, size_t want)
{
    return h->nlmsg_len < sizeof(*h) + want ? NULL : (const char *)(h + 1);
}

#define ATTR_HEAD sizeof(struct nlattr)

/* The attribute's bytes, or NULL. */
static const void *attribute(const struct nlmsghdr *h, size_t fixed, uint16_t type,
                             size_t *out_len)
{
    const char *p = (const char *)h;
    size_t at = sizeof(*h) + aligned4(fixed);

    while (at + ATTR_HEAD <= h->nlmsg_len) {
        const struct nlattr *a = (const struct nlattr *)(const void *)(p + at);

        if (a->nla_len < ATTR_HEAD || a->nla_len > h->nlmsg_len - at)
            return NULL;
        if ((a->nla_type & NLA_TYPE_MASK) == type) {
            *out_len = a->nla_len - ATTR_HEAD;
            return p + at + ATTR_HEAD;
        }
        at += aligned4(a->nla_len);
    }
    return NULL;
}

const void *ww_sockdiag_attribute(const struct nlmsghdr *h, size_t fixed, uint16_t type,
                                  size_t want)
{
    size_t len = 0;
    const void *p = attribute(h, fixed, type, &len);

    return p != NULL && len >= want ? p : NULL;
}

/* The one message of an exact answer; what is not an answer comes back as *out_verdict. */
static const struct nlmsghdr *exact_answer(const void *bytes, size_t len, uint32_t seq,
                                           enum ww_diag *out_verdict)
{
    size_t at = 0;
    const struct nlmsghdr *h = next_message(bytes, len, &at);

    *out_verdict = WW_DIAG_LOST;
    if (h == NULL)
        return NULL;
    if (h->nlmsg_seq != seq) {
        *out_verdict = WW_DIAG_STALE;
        return NULL;
    }
    if (h->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *e = payload_of(h, sizeof(*e));

        if (e != NULL && e->error == -ENOENT)
            *out_verdict = WW_DIAG_GONE;
        return NULL;
    }
    return h->nlmsg_type == SOCK_DIAG_BY_FAMILY ? h : NULL;
}

/*
 * SYN_RECV: the client is connected and the server has not made a socket of it yet: a listener
 * with TCP_DEFER_ACCEPT waits for data, or its queue is full. LISTEN: where there is no
 * connection, the kernel answers with the listening socket, which every worker holds. An inode
 * of 0 is a connection that no process has: not yet accepted while the server could still read
 * from it, closed by the server once its own end has sent FIN.
 */
static enum ww_diag judge_tcp(uint8_t state, uint32_t inode)
{
    switch (state) {
    case TCP_SYN_RECV:
        return WW_DIAG_QUEUED;
    case TCP_ESTABLISHED:
    case TCP_CLOSE_WAIT:
        return inode == 0 ? WW_DIAG_QUEUED : WW_DIAG_ACCEPTED;
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
        return inode == 0 ? WW_DIAG_GONE : WW_DIAG_ACCEPTED;
    default: /* a number from the kernel, not an enum */
        return WW_DIAG_GONE;
    }
}

enum ww_diag ww_sockdiag_read_tcp(const void *bytes, size_t len, uint32_t seq,
                                  uint64_t *out_inode)
{
    enum ww_diag verdict;
    const struct nlmsghdr *h = exact_answer(bytes, len, seq, &verdict);

    if (h == NULL)
        return verdict;

    const struct inet_diag_msg *m = payload_of(h, sizeof(*m));

    if (m == NULL)
        return WW_DIAG_LOST;
    verdict = judge_tcp(m->idiag_state, m->idiag_inode);
    if (verdict == WW_DIAG_ACCEPTED)
        *out_inode = m->idiag_inode;
    return verdict;
}

/* A peer with inode 0 has no process: in the queue, or closed. Closing shuts our end down too.
 */
enum ww_diag ww_sockdiag_read_unix(const void *bytes, size_t len, uint32_t seq,
                                   uint64_t *out_inode)
{
    enum ww_diag verdict;
    const struct nlmsghdr *h = exact_answer(bytes, len, seq, &verdict);

    if (h == NULL)
        return verdict;

    const struct unix_diag_msg *m = payload_of(h, sizeof(*m));

    if (m == NULL)
        return WW_DIAG_LOST;

    const uint8_t *shut = ww_sockdiag_attribute(h, sizeof(*m), UNIX_DIAG_SHUTDOWN, 1);
    const void *peer = ww_sockdiag_attribute(h, sizeof(*m), UNIX_DIAG_PEER, sizeof(uint32_t));
    uint32_t inode = 0;

    if (peer == NULL)
        return WW_DIAG_GONE;
    memcpy(&inode, peer, sizeof(inode));
    if (inode != 0) {
        *out_inode = inode;
        return WW_DIAG_ACCEPTED;
    }
    return shut != NULL && *shut == 3 ? WW_DIAG_GONE : WW_DIAG_QUEUED;
}

/* The address as the kernel compares it: a mapped IPv4 address is an IPv4 address. */
struct endpoint {
    uint8_t family;
    uint16_t port; /* network order */
    uint32_t addr[4];
    uint32_t scope;
};

static struct endpoint endpoint_of(const struct ww_addr *a)
{
    struct endpoint e = { .family = AF_INET };

    if (a->sa.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;

        e.port = in->sin_port;
        e.addr[0] = in->sin_addr.s_addr;
        return e;
    }

    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

    e.port = in6->sin6_port;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        memcpy(&e.addr[0], &in6->sin6_addr.s6_addr[12], 4);
        return e;
    }
    e.family = AF_INET6;
    e.scope = in6->sin6_scope_id;
    memcpy(e.addr, &in6->sin6_addr, 16);
    return e;
}

struct inet_request {
    struct nlmsghdr h;
    struct inet_diag_req_v2 r;
};

struct unix_request {
    struct nlmsghdr h;
    struct unix_diag_req r;
};

typedef enum ww_diag read_fn(const void *bytes, size_t len, uint32_t seq, uint64_t *out_inode);

static enum ww_diag exact(struct ww_sockdiag *d, const void *request, size_t len, read_fn *read,
                          uint64_t *out_inode)
{
    union {
        struct nlmsghdr h; /* for its alignment */
        char bytes[EXACT_ROOM];
    } answer;

    if (!ask(d, request, len))
        return WW_DIAG_LOST;
    for (int i = 0; i < STALE_MAX; i++) {
        size_t n = hear(d, answer.bytes, sizeof(answer.bytes));

        if (n == 0)
            return WW_DIAG_LOST;

        enum ww_diag verdict = read(answer.bytes, n, d->seq, out_inode);

        if (verdict != WW_DIAG_STALE)
            return verdict;
    }
    return WW_DIAG_LOST;
}

enum ww_diag ww_sockdiag_tcp(struct ww_sockdiag *d, const struct ww_addr *server,
                             const struct ww_addr *client, uint64_t *out_inode)
{
    struct endpoint s = endpoint_of(server);
    struct endpoint c = endpoint_of(client);
    struct inet_request q = {
        .h = { .nlmsg_len = sizeof(q),
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST,
               .nlmsg_seq = ++d->seq },
        .r = { .sdiag_family = s.family,
               .sdiag_protocol = IPPROTO_TCP,
               .idiag_states = UINT32_MAX,
               .id = { .idiag_sport = s.port,
                       .idiag_dport = c.port,
                       .idiag_if = s.scope,
                       .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
    };

    memcpy(q.r.id.idiag_src, s.addr, sizeof(s.addr));
    memcpy(q.r.id.idiag_dst, c.addr, sizeof(c.addr));
    return exact(d, &q, sizeof(q), ww_sockdiag_read_tcp, out_inode);
}

enum ww_diag ww_sockdiag_unix(struct ww_sockdiag *d, uint64_t our_inode, uint64_t *out_inode)
{
    struct unix_request q = {
        .h = { .nlmsg_len = sizeof(q),
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST,
               .nlmsg_seq = ++d->seq },
        .r = { .sdiag_family = AF_UNIX,
               .udiag_states = UINT32_MAX,
               .udiag_ino = (uint32_t)our_inode,
               .udiag_show = UDIAG_SHOW_PEER,
               .udiag_cookie = { UINT32_MAX, UINT32_MAX } },
    };

    return exact(d, &q, sizeof(q), ww_sockdiag_read_unix, out_inode);
}

/* A connect to `up` may reach a listener bound to the address itself or to all addresses, also
 * through IPv6's wildcard, which takes IPv4 too unless it says otherwise. */
static bool tcp_listener_matches(const struct inet_diag_msg *m, const struct ww_addr *upstream)
{
    static const uint32_t any[4];
    struct endpoint up = endpoint_of(upstream);
    struct in6_addr bound;

    if (m->id.idiag_sport != up.port)
        return false;
    if (m->idiag_family == AF_INET && up.family != AF_INET)
        return false;
    if (m->idiag_family == AF_INET)
        return m->id.idiag_src[0] == 0 || m->id.idiag_src[0] == up.addr[0];
    if (memcmp(m->id.idiag_src, any, sizeof(any)) == 0)
        return true;
    memcpy(&bound, m->id.idiag_src, sizeof(bound));
    if (up.family == AF_INET && !IN6_IS_ADDR_V4MAPPED(&bound))
        return false;
    if (up.family == AF_INET)
        return m->id.idiag_src[3] == 0 || m->id.idiag_src[3] == up.addr[0];
    return memcmp(m->id.idiag_src, up.addr, sizeof(up.addr)) == 0;
}

static bool unix_listener_matches(const struct nlmsghdr *h, const struct ww_addr *upstream,
                                  const struct ww_unix_place *place)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&upstream->sa;
    const struct unix_diag_vfs *vfs =
        ww_sockdiag_attribute(h, sizeof(struct unix_diag_msg), UNIX_DIAG_VFS, sizeof(*vfs));
    size_t len = 0;
    const char *name = attribute(h, sizeof(struct unix_diag_msg), UNIX_DIAG_NAME, &len);
    size_t want = upstream->len - offsetof(struct sockaddr_un, sun_path);

    if (place->known && vfs != NULL && vfs->udiag_vfs_ino == place->ino &&
        vfs->udiag_vfs_dev == place->dev)
        return true;
    if (name == NULL || want == 0)
        return false;
    if (un->sun_path[0] != '\0') { /* a path counts up to its NUL, which may be left out */
        want = strnlen(un->sun_path, want);
        len = strnlen(name, len);
    }
    return len == want && memcmp(name, un->sun_path, want) == 0;
}

static void take_listener(const struct nlmsghdr *h, const struct ww_addr *upstream,
                          const struct ww_unix_place *place, struct ww_inodes *mine,
                          struct ww_inodes *all)
{
    const uint8_t *family = payload_of(h, 1);

    if (family == NULL)
        return;
    if (*family == AF_UNIX) {
        const struct unix_diag_msg *m = payload_of(h, sizeof(*m));

        if (m == NULL || m->udiag_ino == 0)
            return;
        ww_inodes_add(all, m->udiag_ino);
        if (upstream->sa.ss_family == AF_UNIX && unix_listener_matches(h, upstream, place))
            ww_inodes_add(mine, m->udiag_ino);
        return;
    }

    const struct inet_diag_msg *m = payload_of(h, sizeof(*m));

    if (m == NULL || m->idiag_inode == 0 || m->idiag_state != TCP_LISTEN)
        return;
    ww_inodes_add(all, m->idiag_inode);
    if (upstream->sa.ss_family != AF_UNIX && tcp_listener_matches(m, upstream))
        ww_inodes_add(mine, m->idiag_inode);
}

bool ww_sockdiag_read_listeners(const void *bytes, size_t len, uint32_t seq,
                                const struct ww_addr *upstream,
                                const struct ww_unix_place *place, struct ww_inodes *mine,
                                struct ww_inodes *all, bool *out_bad)
{
    size_t at = 0;

    while (at < len) {
        const struct nlmsghdr *h = next_message(bytes, len, &at);

        if (h == NULL) {
            *out_bad = true;
            return false;
        }
        if (h->nlmsg_seq != seq)
            continue;
        if (h->nlmsg_type == NLMSG_DONE)
            return false;
        if (h->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *e = payload_of(h, sizeof(*e));

            /* A kernel built without this family has no such listeners: nothing is missing. */
            *out_bad = e == NULL || e->error != -ENOENT;
            return false;
        }
        if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
            take_listener(h, upstream, place, mine, all);
    }
    return true;
}

static bool dump(struct ww_sockdiag *d, const void *request, size_t len,
                 const struct ww_addr *upstream, const struct ww_unix_place *place,
                 struct ww_inodes *mine, struct ww_inodes *all)
{
    bool bad = false;
    char *buf = ww_xmalloc(DUMP_ROOM);

    if (!ask(d, request, len)) {
        free(buf);
        return false;
    }
    for (;;) {
        size_t n = hear(d, buf, DUMP_ROOM);

        if (n == 0) {
            bad = true;
            break;
        }
        if (!ww_sockdiag_read_listeners(buf, n, d->seq, upstream, place, mine, all, &bad))
            break;
    }
    free(buf);
    return !bad;
}

static struct inet_request inet_listeners(struct ww_sockdiag *d, uint8_t family)
{
    return (struct inet_request){
        .h = { .nlmsg_len = sizeof(struct inet_request),
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
               .nlmsg_seq = ++d->seq },
        .r = { .sdiag_family = family,
               .sdiag_protocol = IPPROTO_TCP,
               .idiag_states = 1U << TCP_LISTEN },
    };
}

static struct unix_request unix_listeners(struct ww_sockdiag *d)
{
    return (struct unix_request){
        .h = { .nlmsg_len = sizeof(struct unix_request),
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
               .nlmsg_seq = ++d->seq },
        .r = { .sdiag_family = AF_UNIX,
               .udiag_states = 1U << TCP_LISTEN,
               .udiag_show =
                   UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID },
    };
}

static bool dump_inet(struct ww_sockdiag *d, uint8_t family, const struct ww_addr *upstream,
                      struct ww_inodes *mine, struct ww_inodes *all)
{
    struct ww_unix_place nowhere = { 0 };
    struct inet_request q = inet_listeners(d, family);

    return dump(d, &q, sizeof(q), upstream, &nowhere, mine, all);
}

static struct ww_unix_place place_of(const struct ww_addr *upstream)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&upstream->sa;
    struct stat st;

    if (upstream->sa.ss_family != AF_UNIX || un->sun_path[0] == '\0' ||
        stat(un->sun_path, &st) != 0)
        return (struct ww_unix_place){ 0 };
    return (struct ww_unix_place){
        .known = true,
        .ino = (uint32_t)st.st_ino,
        .dev = (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev)),
    };
}

bool ww_sockdiag_listeners(struct ww_sockdiag *d, const struct ww_addr *upstream,
                           struct ww_inodes *mine, struct ww_inodes *all)
{
    struct ww_unix_place place = place_of(upstream);

    ww_inodes_clear(mine);
    ww_inodes_clear(all);

    bool fine = dump_inet(d, AF_INET, upstream, mine, all) &&
                dump_inet(d, AF_INET6, upstream, mine, all);

    if (fine) {
        struct unix_request q = unix_listeners(d);

        fine = dump(d, &q, sizeof(q), upstream, &place, mine, all);
    }
    ww_inodes_sort(mine);
    ww_inodes_sort(all);
    return fine;
}

struct visit {
    const struct ww_addr *upstream;
    struct ww_unix_place place;
    ww_listener_fn *fn;
    void *ctx;
};

static void visit(const struct visit *v, const struct nlmsghdr *h)
{
    if (v->upstream->sa.ss_family == AF_UNIX) {
        const struct unix_diag_msg *m = payload_of(h, sizeof(*m));

        if (m != NULL && unix_listener_matches(h, v->upstream, &v->place))
            v->fn(v->ctx, h);
        return;
    }

    const struct inet_diag_msg *m = payload_of(h, sizeof(*m));

    if (m != NULL && m->idiag_state == TCP_LISTEN && tcp_listener_matches(m, v->upstream))
        v->fn(v->ctx, h);
}

/* One datagram of the answer. -1: there is more to come. */
static int visit_all(const struct visit *v, const char *bytes, size_t len, uint32_t seq)
{
    size_t at = 0;

    while (at < len) {
        const struct nlmsghdr *h = next_message(bytes, len, &at);

        if (h == NULL)
            return EBADMSG;
        if (h->nlmsg_seq != seq)
            continue;
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *e = payload_of(h, sizeof(*e));

            return e == NULL || e->error >= 0 ? EBADMSG : -e->error;
        }
        if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
            visit(v, h);
    }
    return -1;
}

static int visit_dump(struct ww_sockdiag *d, const struct visit *v, const void *request,
                      size_t len)
{
    char *buf = NULL;
    int error = -1;

    if (!ask(d, request, len))
        return errno;
    buf = ww_xmalloc(DUMP_ROOM);
    while (error < 0) {
        size_t n = hear(d, buf, DUMP_ROOM);

        error = n == 0 ? EBADMSG : visit_all(v, buf, n, d->seq);
    }
    free(buf);
    return error;
}

int ww_sockdiag_each_listener(struct ww_sockdiag *d, const struct ww_addr *upstream,
                              ww_listener_fn *fn, void *ctx)
{
    struct visit v = {
        .upstream = upstream, .place = place_of(upstream), .fn = fn, .ctx = ctx
    };
    struct inet_request tcp = inet_listeners(d, AF_INET);

    if (upstream->sa.ss_family == AF_UNIX) {
        struct unix_request local = unix_listeners(d);

        return visit_dump(d, &v, &local, sizeof(local));
    }

    int error = visit_dump(d, &v, &tcp, sizeof(tcp));

    if (error != 0)
        return error;
    tcp = inet_listeners(d, AF_INET6);
    error = visit_dump(d, &v, &tcp, sizeof(tcp));
    return error == ENOENT ? 0 : error; /* a kernel without IPv6 */
}
