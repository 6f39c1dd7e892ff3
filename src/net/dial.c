/* Connecting to an address. */
#include "socket.h"

#include <whichworker/arena.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How long to wait before a Unix listener with a full backlog is tried again. There is no event
 * for it: connect(2) on a non-blocking Unix socket fails with EAGAIN instead of waiting. */
#define RETRY_MS 2

struct dialer {
    struct ww_dialer dialer; /* first */
    struct ww_loop *loop;
    struct ww_addr addr;
    struct ww_naming naming; /* no prefix: none */
};

static void connected(struct ww_socket *k, int error)
{
    if (k->closing)
        return;
    if (error != 0) {
        k->stream.events->on_error(k->stream.owner, error);
        return;
    }
    k->stream.connected = true;
    k->stream.events->on_connected(k->stream.owner);
}

static void on_tcp_connected(uv_connect_t *c, int status)
{
    connected(c->data, status < 0 ? -status : 0);
}

/* Without a name it would do too: nobody but the shim's receiver misses it. */
static void name_socket(int fd, struct ww_naming *naming)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "%s%" PRIx64, naming->prefix,
                     naming->next++);

    (void)bind(fd, (const struct sockaddr *)&un,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
}

/* A socket that is connected when this returns, or -1 and errno. */
static int connect_now(const struct ww_addr *addr, struct ww_naming *naming)
{
    const struct sockaddr *sa = (const struct sockaddr *)&addr->sa;
    int family = addr->sa.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;

    if (naming != NULL)
        name_socket(fd, naming);

    int r = connect(fd, sa, addr->len);

    /* Over loopback the handshake is done before connect returns, though it says EINPROGRESS;
     * asked again, it says so. */
    if (r < 0 && errno == EINPROGRESS)
        r = connect(fd, sa, addr->len);
    if (r < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void on_refused(uv_timer_t *t)
{
    struct ww_socket *k = t->data;

    connected(k, k->refusal);
}

static void dial_tcp(struct ww_socket *k, const struct ww_addr *addr)
{
    int fd = ww_addr_is_loopback(addr) ? connect_now(addr, NULL) : -1;

    if (fd >= 0 && uv_tcp_open(&k->tcp, fd) == 0) {
        k->stream.connected = true;
    } else {
        if (fd >= 0)
            close(fd);
        /* Whatever is wrong, this finds it too. What it says at once (no descriptor left, no
         * route) it does not tell its callback. */
        k->refusal = -uv_tcp_connect(&k->connect, &k->tcp, (const struct sockaddr *)&addr->sa,
                                     on_tcp_connected);
        if (k->refusal != 0)
            uv_timer_start(&k->retry, on_refused, 0, 0);
    }
    /* A held head goes out in two writes: Nagle's algorithm would keep the second back. */
    uv_tcp_nodelay(&k->tcp, 1);
}

static bool open_unix(struct ww_socket *k, int *out_error)
{
    int fd = connect_now(k->target, k->naming);

    if (fd < 0) {
        *out_error = errno;
        return false;
    }

    int r = uv_pipe_open(&k->pipe, fd);

    if (r < 0)
        close(fd);
    *out_error = -r;
    return r == 0;
}

static void on_retry(uv_timer_t *t)
{
    struct ww_socket *k = t->data;
    int error = 0;

    if (open_unix(k, &error) || error != EAGAIN)
        connected(k, error);
    else
        uv_timer_start(t, on_retry, RETRY_MS, 0);
}

static void dial_unix(struct ww_socket *k)
{
    int error = 0;

    if (open_unix(k, &error))
        k->stream.connected = true;
    else
        uv_timer_start(&k->retry, on_retry, error == EAGAIN ? RETRY_MS : 0, 0);
}

static struct ww_stream *dial(struct ww_dialer *d)
{
    struct dialer *me = (struct dialer *)d;
    struct ww_socket *k = ww_socket_new(me->loop, me->addr.sa.ss_family);

    k->target = &me->addr;
    k->naming = me->naming.prefix[0] == '\0' ? NULL : &me->naming;
    if (me->addr.sa.ss_family == AF_UNIX)
        dial_unix(k);
    else
        dial_tcp(k, &me->addr);
    return &k->stream;
}

struct ww_dialer *ww_dialer_new(struct ww_loop *l, const struct ww_addr *addr)
{
    struct dialer *d = ww_xcalloc(1, sizeof(*d));

    d->dialer.dial = dial;
    d->loop = l;
    d->addr = *addr;
    return &d->dialer;
}

void ww_dialer_name(struct ww_dialer *d, const char *prefix)
{
    struct dialer *me = (struct dialer *)d;

    snprintf(me->naming.prefix, sizeof(me->naming.prefix), "%s", prefix);
}

void ww_dialer_free(struct ww_dialer *d)
{
    free(d);
}
