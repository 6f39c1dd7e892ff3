/* A stream over a TCP or Unix socket. */
#include "socket.h"

#include <whichworker/arena.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MAX_PIECES 64

/* What one relay may leave pending is bounded by whoever writes; this only stops a mistake. */
#define MAX_PENDING (64u << 20)

static struct ww_socket *of_stream(struct ww_stream *s)
{
    return (struct ww_socket *)s;
}

static int socket_fd(const struct ww_stream *s);

static void on_closed(uv_handle_t *h)
{
    struct ww_socket *k = h->data;

    if (--k->open_handles > 0)
        return;
    ww_buf_release(&k->sending);
    ww_buf_release(&k->waiting);
    free(k);
}

static void give_bytes(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    struct ww_socket *k = h->data;
    struct ww_loop *l = WW_CONTAINER_OF(k->uv.loop, struct ww_loop, uv);

    (void)suggested;
    *out = uv_buf_init(l->scratch, sizeof(l->scratch));
}

/*
 * Whether what libuv calls an end of file is one: behind the last data it says so of a reset,
 * too, and so does the kernel once writing was told of the reset. EPIPE is no objection: the
 * peer ended properly before it refused what we still wrote.
 */
static int end_error(const struct ww_socket *k)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(socket_fd(&k->stream), SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error == 0)
        error = k->write_error;
    return error == EPIPE ? 0 : error;
}

static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf)
{
    struct ww_socket *k = uv->data;

    if (n == 0 || k->closing)
        return;
    if (n > 0) {
        k->stream.events->on_read(k->stream.owner, ww_str_n(buf->base, (size_t)n));
        return;
    }
    uv_read_stop(uv);
    k->ended = true;

    int error = n == UV_EOF ? end_error(k) : (int)-n;

    if (error == 0)
        k->stream.events->on_end(k->stream.owner);
    else
        k->stream.events->on_error(k->stream.owner, error);
}

static void socket_read(struct ww_stream *s, bool on)
{
    struct ww_socket *k = of_stream(s);

    if (on == k->reading || k->ended)
        return;
    k->reading = on;
    if (on)
        uv_read_start(&k->uv, give_bytes, on_read);
    else
        uv_read_stop(&k->uv);
}

static void send_pending(struct ww_socket *k);

static void on_written(uv_write_t *w, int status)
{
    struct ww_socket *k = w->data;

    if (k->closing)
        return;
    ww_buf_clear(&k->sending);
    if (status < 0) {
        ww_buf_clear(&k->waiting);
        k->write_error = -status;
        /* The peer may have answered before it closed: if it is read, that tells the rest. */
        if (!k->reading || k->ended)
            k->stream.events->on_error(k->stream.owner, -status);
        return;
    }
    if (k->waiting.len > 0) {
        send_pending(k);
        return;
    }
    k->stream.events->on_drained(k->stream.owner);
}

/* Puts what waits in flight; nothing else is. */
static void send_pending(struct ww_socket *k)
{
    struct ww_buf swap = k->sending;

    k->sending = k->waiting;
    k->waiting = swap;

    uv_buf_t buf = uv_buf_init(k->sending.ptr, (unsigned)k->sending.len);
    int r = uv_write(&k->write, &k->uv, &buf, 1, on_written);

    assert(r == 0);
    (void)r;
}

static size_t try_now(struct ww_socket *k, const ww_str *piece, size_t n, int *out_error)
{
    uv_buf_t buf[MAX_PIECES];
    unsigned used = 0;

    for (size_t i = 0; i < n; i++)
        if (piece[i].len > 0)
            buf[used++] = uv_buf_init((char *)(uintptr_t)piece[i].ptr, (unsigned)piece[i].len);
    if (used == 0)
        return 0;

    int r = uv_try_write(&k->uv, buf, used);

    if (r >= 0)
        return (size_t)r;
    *out_error = r == UV_EAGAIN ? 0 : -r;
    k->write_error = *out_error;
    return 0;
}

static enum ww_written socket_write(struct ww_stream *s, const ww_str *piece, size_t n)
{
    struct ww_socket *k = of_stream(s);
    size_t skip = 0;
    int error = 0;

    assert(n <= MAX_PIECES && !k->finishing);
    if (k->write_error != 0)
        return WW_UNWRITABLE;
    if (k->sending.len == 0)
        skip = try_now(k, piece, n, &error);
    if (error != 0)
        return WW_UNWRITABLE;
    for (size_t i = 0; i < n; i++) {
        size_t gone = skip < piece[i].len ? skip : piece[i].len;
        bool fits = ww_buf_add(&k->waiting, ww_str_from(piece[i], gone));

        assert(fits);
        (void)fits;
        skip -= gone;
    }
    if (k->waiting.len > 0 && k->sending.len == 0)
        send_pending(k);
    return k->sending.len > 0 ? WW_PENDING : WW_WRITTEN;
}

static void on_shut_down(uv_shutdown_t *r, int status)
{
    /* A peer that is gone already needs no goodbye. */
    (void)r;
    (void)status;
}

static void socket_finish(struct ww_stream *s)
{
    struct ww_socket *k = of_stream(s);

    if (k->finishing)
        return;
    k->finishing = true;
    uv_shutdown(&k->shutdown, &k->uv, on_shut_down); /* libuv waits for the writes in flight */
}

static void socket_close(struct ww_stream *s, bool reset)
{
    struct ww_socket *k = of_stream(s);

    assert(!k->closing);
    k->closing = true;
    uv_close((uv_handle_t *)&k->retry, on_closed);
    /* A reset needs an idle write side; with bytes in flight, closing with unread or unsent
     * data is as abrupt as it gets. */
    if (reset && k->uv.type == UV_TCP && !k->finishing &&
        uv_tcp_close_reset(&k->tcp, on_closed) == 0)
        return;
    uv_close((uv_handle_t *)&k->uv, on_closed);
}

static int socket_fd(const struct ww_stream *s)
{
    const struct ww_socket *k = (const struct ww_socket *)s;
    uv_os_fd_t fd = -1;

    if (uv_fileno((const uv_handle_t *)&k->uv, &fd) < 0)
        return -1;
    return fd;
}

static const struct ww_stream_ops socket_ops = {
    .read = socket_read,
    .write = socket_write,
    .finish = socket_finish,
    .close = socket_close,
    .fd = socket_fd,
};

struct ww_socket *ww_socket_new(struct ww_loop *l, int family)
{
    struct ww_socket *k = ww_xcalloc(1, sizeof(*k));

    k->stream.ops = &socket_ops;
    if (family == AF_UNIX)
        uv_pipe_init(&l->uv, &k->pipe, 0);
    else
        uv_tcp_init(&l->uv, &k->tcp);
    uv_timer_init(&l->uv, &k->retry);
    k->uv.data = k->retry.data = k->write.data = k->connect.data = k;
    k->open_handles = 2;
    ww_buf_init(&k->sending, MAX_PENDING);
    ww_buf_init(&k->waiting, MAX_PENDING);
    return k;
}
