/* Connecting to an address. */
#include "socket.h"

#include <whichworker/arena.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long to wait before a Unix listener with a full backlog is tried again. There is no event
 * for it: connect(2) on a non-blocking Unix socket fails with EAGAIN instead of waiting. */
#define RETRY_MS 2

struct dialer {
    struct ww_dialer dialer; /* first */
    struct ww_loop *loop;
    struct ww_addr addr;
};

static void connected(struct ww_socket *k, int error)
{
    if (k->closing)
        return;
    if (error != 0)
        k->stream.events->on_error(k->stream.owner, error);
    else
        k->stream.events->on_connected(k->stream.owner);
}

static void on_tcp_connected(uv_connect_t *c, int status)
{
    connected(c->data, status < 0 ? -status : 0);
}

static void dial_tcp(struct ww_socket *k, const struct ww_addr *addr)
{
    int r = uv_tcp_connect(&k->connect, &k->tcp, (const struct sockaddr *)&addr->sa,
                           on_tcp_connected);

    /* The head goes out in two writes: Nagle's algorithm would keep the second back. */
    if (r == 0)
        r = uv_tcp_nodelay(&k->tcp, 1);
    (void)r; /* what connect refuses at once it also tells its callback */
}

/* A Unix connect never waits, so it needs no event: it is done here, on the loop's next turn.
 */
static void on_retry(uv_timer_t *t)
{
    struct ww_socket *k = t->data;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        connected(k, errno);
        return;
    }
    if (connect(fd, (const struct sockaddr *)&k->target->sa, k->target->len) < 0) {
        int error = errno;

        close(fd);
        if (error == EAGAIN)
            uv_timer_start(t, on_retry, RETRY_MS, 0);
        else
            connected(k, error);
        return;
    }

    int r = uv_pipe_open(&k->pipe, fd);

    if (r < 0)
        close(fd);
    connected(k, -r);
}

static struct ww_stream *dial(struct ww_dialer *d)
{
    struct dialer *me = (struct dialer *)d;
    struct ww_socket *k = ww_socket_new(me->loop, me->addr.sa.ss_family);

    k->target = &me->addr;
    if (me->addr.sa.ss_family == AF_UNIX)
        uv_timer_start(&k->retry, on_retry, 0, 0);
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

void ww_dialer_free(struct ww_dialer *d)
{
    free(d);
}
