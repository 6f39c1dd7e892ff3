/* Opens connections that ask for nothing, and closes each once its owner is known. */
#include "touch.h"

#include <whichworker/units.h>

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* So long an idle worker may take to accept; and then again, once it has something to read: a
 * listener with TCP_DEFER_ACCEPT hands over only connections on which data has come. */
#define SILENT_US  150000
#define SPEAK_US   150000
#define SETTLE_US  500000
#define PART_MS    20
#define PART_READS 16
#define PAUSE_NSEC 500000

/* No worker can answer it, and closing the connection ends it. */
#define INCOMPLETE "GET / HTTP/1.1\r\n"

static int wait_for_connect(int fd, uint32_t timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t len = sizeof(error);
    int n;

    do
        n = poll(&p, 1, (int)timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ETIMEDOUT;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

/* The socket, or -1 and *out_error. */
static int open_one(const struct ww_addr *upstream, uint32_t timeout_ms, int *out_error)
{
    int fd = socket(upstream->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *out_error = fd < 0 ? errno : 0;
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&upstream->sa, upstream->len) != 0)
        *out_error = errno == EINPROGRESS ? wait_for_connect(fd, timeout_ms) : errno;
    if (*out_error == 0)
        return fd;
    close(fd);
    return -1;
}

static bool name_ends(int fd, struct ww_flow *flow)
{
    flow->local.len = sizeof(flow->local.sa);
    flow->peer.len = sizeof(flow->peer.sa);
    return getsockname(fd, (struct sockaddr *)&flow->local.sa, &flow->local.len) == 0 &&
           getpeername(fd, (struct sockaddr *)&flow->peer.sa, &flow->peer.len) == 0;
}

static void ask_peer(struct touch *t, int fd, const struct ww_addr *upstream)
{
    struct ucred who = { 0 };
    socklen_t len = sizeof(who);

    if (upstream->sa.ss_family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return;
    t->peer_known = true;
    t->peer_pid = who.pid;
    t->peer_uid = who.uid;
}

/* How long looking on may help. */
static int64_t patience_us(enum ww_owner owner, bool sent)
{
    switch (owner) {
    case WW_OWNER_QUEUED:
        return sent ? SILENT_US + SPEAK_US : SILENT_US;
    case WW_OWNER_UNSETTLED:
    case WW_OWNER_AMBIGUOUS:
        return SETTLE_US;
    case WW_OWNER_KNOWN:
    case WW_OWNER_UNKNOWN:
        break;
    }
    return 0;
}

static void look_on(struct touch *t, struct ww_attrib *a, struct ww_flow *flow,
                    struct touch_one *one)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NSEC };
    bool sent = false;

    for (;;) {
        one->owner = ww_attrib_look(a, flow, &one->worker);
        one->why = ww_attrib_why(a);
        one->took_us = ww_clock_mono_us() - flow->opened_us;
        if (one->took_us < patience_us(one->owner, sent)) {
            nanosleep(&pause, NULL);
            continue;
        }
        if (one->owner != WW_OWNER_QUEUED || sent)
            return;
        sent =
            send(flow->fd, INCOMPLETE, sizeof(INCOMPLETE) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
        t->sent = t->sent || sent;
        if (!sent)
            return;
    }
}

/* Says that we are done, and reads what the server says to that: closing over unread bytes
 * would be a reset, which not every server takes lightly. */
static void part(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char bytes[1024];

    shutdown(fd, SHUT_WR);
    for (int i = 0; i < PART_READS && poll(&p, 1, PART_MS) == 1; i++) {
        if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
            break;
    }
    close(fd);
}

static bool touch_once(struct touch *t, struct ww_attrib *a, const struct ww_addr *upstream,
                       uint32_t connect_timeout_ms)
{
    struct ww_flow flow = { .opened_us = ww_clock_mono_us() };
    int fd = open_one(upstream, connect_timeout_ms, &t->error);

    if (fd < 0)
        return false;

    struct touch_one *one = &t->one[t->n++];

    *one = (struct touch_one){ .owner = WW_OWNER_UNKNOWN, .why = WW_OBSTACLE_CLOSED };
    ask_peer(t, fd, upstream);
    flow.fd = fd;
    if (a == NULL)
        one->why = WW_OBSTACLE_NETLINK;
    else if (name_ends(fd, &flow))
        look_on(t, a, &flow, one);
    part(fd);
    return one->owner == WW_OWNER_KNOWN;
}

void touch(const struct ww_addr *upstream, uint32_t connect_timeout_ms, struct touch *out)
{
    struct ww_attrib *a = ww_attrib_new(upstream, "/proc", NULL);

    *out = (struct touch){ .tried = true };
    while (out->n < TOUCHES_MAX && touch_once(out, a, upstream, connect_timeout_ms))
        ;
    ww_attrib_free(a);
}
