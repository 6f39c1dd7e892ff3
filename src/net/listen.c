/* Listening and accepting. */
#include "socket.h"

#include <whichworker/arena.h>
#include <whichworker/log.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

struct ww_listener {
    union {
        uv_handle_t handle;
        uv_stream_t uv;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct ww_loop *loop;
    struct ww_addr addr;
    ww_accept_cb *on_accept;
    void *ctx;
    bool paused;
    bool waiting; /* libuv holds a connection for us, and listens no further until it is taken */
};

static void peer_of(struct ww_socket *k, struct ww_addr *out)
{
    int len = sizeof(out->sa);

    *out = (struct ww_addr){ 0 };
    if (k->uv.type == UV_TCP) {
        /* Fails when the client is gone again: the first read will tell. */
        if (uv_tcp_getpeername(&k->tcp, (struct sockaddr *)&out->sa, &len) == 0)
            out->len = (socklen_t)len;
        uv_tcp_nodelay(&k->tcp, 1);
    } else {
        out->sa.ss_family = AF_UNIX;
        out->len = sizeof(sa_family_t);
    }
    ww_addr_format(out);
}

static void take(struct ww_listener *l)
{
    struct ww_addr peer;
    struct ww_socket *k = ww_socket_new(l->loop, l->addr.sa.ss_family);

    l->waiting = false;
    if (uv_accept(&l->uv, &k->uv) < 0) {
        ww_stream_close(&k->stream);
        return;
    }
    k->stream.connected = true;
    peer_of(k, &peer);
    l->on_accept(l->ctx, &k->stream, &peer);
}

static void on_connection(uv_stream_t *uv, int status)
{
    struct ww_listener *l = uv->data;

    if (status < 0) {
        /* Out of descriptors, most likely: libuv drops the connection and goes on listening. */
        ww_log(WW_LOG_ERROR, "accept failed", "error=%s", uv_strerror(status));
        return;
    }
    l->waiting = true;
    if (!l->paused)
        take(l);
}

void ww_listener_pause(struct ww_listener *l, bool paused)
{
    l->paused = paused;
    if (!paused && l->waiting)
        take(l);
}

/* A socket file that nobody listens on any more is in the way of bind; a live one is not ours.
 */
static void remove_stale(const struct ww_addr *addr)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->sa;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)un, addr->len) < 0 && errno == ECONNREFUSED)
        unlink(un->sun_path);
    close(fd);
}

static int bind_unix(struct ww_listener *l)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&l->addr.sa;

    if (un->sun_path[0] == '\0')
        return UV_EINVAL; /* libuv 1.44 cannot bind an abstract name */
    remove_stale(&l->addr);
    return uv_pipe_bind(&l->pipe, un->sun_path);
}

static int start(struct ww_listener *l)
{
    int len = sizeof(l->addr.sa);
    int r = l->addr.sa.ss_family == AF_UNIX
                ? bind_unix(l)
                : uv_tcp_bind(&l->tcp, (const struct sockaddr *)&l->addr.sa, 0);

    if (r == 0)
        r = uv_listen(&l->uv, BACKLOG, on_connection);
    if (r == 0 && l->addr.sa.ss_family != AF_UNIX)
        r = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&l->addr.sa, &len);
    ww_addr_format(&l->addr);
    return r;
}

struct ww_listener *ww_listener_new(struct ww_loop *loop, const struct ww_addr *addr,
                                    ww_accept_cb *on_accept, void *ctx, struct ww_err *err)
{
    struct ww_listener *l = ww_xcalloc(1, sizeof(*l));

    l->loop = loop;
    l->addr = *addr;
    l->on_accept = on_accept;
    l->ctx = ctx;
    if (addr->sa.ss_family == AF_UNIX)
        uv_pipe_init(&loop->uv, &l->pipe, 0);
    else
        uv_tcp_init(&loop->uv, &l->tcp);
    l->handle.data = l;

    int r = start(l);

    if (r == 0)
        return l;
    ww_err_set(err, WW_ESYSTEM, "cannot listen on %s: %s%s", addr->text, uv_strerror(r),
               r == UV_EADDRINUSE
                   ? "; another program has it: choose another --listen, or port 0 "
                     "for any free one"
                   : "");
    ww_listener_free(l);
    return NULL;
}

const struct ww_addr *ww_listener_addr(const struct ww_listener *l)
{
    return &l->addr;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void ww_listener_free(struct ww_listener *l)
{
    if (l != NULL)
        uv_close(&l->handle, on_closed);
}
