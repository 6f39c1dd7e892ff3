/* A stream whose peer is the program itself: for tests that choose every segment. */
#include <whichworker/arena.h>
#include <whichworker/buf.h>
#include <whichworker/stream.h>

#include <assert.h>
#include <stdlib.h>

#define MAX_BYTES (256u << 20)

struct memory {
    struct ww_stream stream; /* first */
    struct ww_buf written;
    struct ww_buf pending; /* written while blocked */
    struct ww_buf fed;     /* not read yet */
    bool reading;
    bool ended;
    bool end_told;
    bool blocked;
    bool finished;
    bool closed;
    bool was_reset;
};

static struct memory *of_stream(struct ww_stream *s)
{
    return (struct memory *)s;
}

/* Hands on what was fed, as one read. */
static void deliver(struct memory *m)
{
    if (m->closed || !m->reading || m->stream.events == NULL)
        return;
    if (m->fed.len > 0) {
        struct ww_buf now = m->fed;

        ww_buf_init(&m->fed, MAX_BYTES);
        m->stream.events->on_read(m->stream.owner, ww_buf_str(&now));
        ww_buf_release(&now);
    } else if (m->ended && !m->end_told) {
        m->end_told = true;
        m->stream.events->on_end(m->stream.owner);
    }
}

static void memory_read(struct ww_stream *s, bool on)
{
    of_stream(s)->reading = on;
}

static enum ww_written memory_write(struct ww_stream *s, const ww_str *piece, size_t n)
{
    struct memory *m = of_stream(s);

    assert(!m->closed && !m->finished);
    for (size_t i = 0; i < n; i++)
        ww_buf_add(m->blocked ? &m->pending : &m->written, piece[i]);
    return m->blocked ? WW_PENDING : WW_WRITTEN;
}

static void memory_finish(struct ww_stream *s)
{
    of_stream(s)->finished = true;
}

static void memory_close(struct ww_stream *s, bool reset)
{
    struct memory *m = of_stream(s);

    assert(!m->closed);
    m->closed = true;
    m->was_reset = reset;
}

static int memory_fd(const struct ww_stream *s)
{
    (void)s;
    return -1;
}

static const struct ww_stream_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .finish = memory_finish,
    .close = memory_close,
    .fd = memory_fd,
};

struct ww_stream *ww_memory_new(void)
{
    struct memory *m = ww_xcalloc(1, sizeof(*m));

    m->stream.ops = &memory_ops;
    ww_buf_init(&m->written, MAX_BYTES);
    ww_buf_init(&m->pending, MAX_BYTES);
    ww_buf_init(&m->fed, MAX_BYTES);
    return &m->stream;
}

void ww_memory_connect(struct ww_stream *s)
{
    s->connected = true;
    s->events->on_connected(s->owner);
}

void ww_memory_feed(struct ww_stream *s, ww_str bytes)
{
    ww_buf_add(&of_stream(s)->fed, bytes);
    deliver(of_stream(s));
}

void ww_memory_end(struct ww_stream *s)
{
    of_stream(s)->ended = true;
    deliver(of_stream(s));
}

void ww_memory_fail(struct ww_stream *s, int error)
{
    if (!of_stream(s)->closed)
        s->events->on_error(s->owner, error);
}

void ww_memory_block(struct ww_stream *s, bool blocked)
{
    struct memory *m = of_stream(s);

    m->blocked = blocked;
    if (blocked || m->pending.len == 0)
        return;
    ww_buf_add(&m->written, ww_buf_str(&m->pending));
    ww_buf_clear(&m->pending);
    if (!m->closed)
        s->events->on_drained(s->owner);
}

void ww_memory_poll(struct ww_stream *s)
{
    deliver(of_stream(s));
}

ww_str ww_memory_written(const struct ww_stream *s)
{
    return ww_buf_str(&((const struct memory *)s)->written);
}

bool ww_memory_is_closed(const struct ww_stream *s, bool *out_reset)
{
    const struct memory *m = (const struct memory *)s;

    if (m->closed && out_reset != NULL)
        *out_reset = m->was_reset;
    return m->closed;
}

bool ww_memory_is_finished(const struct ww_stream *s)
{
    return ((const struct memory *)s)->finished;
}

bool ww_memory_is_reading(const struct ww_stream *s)
{
    return ((const struct memory *)s)->reading;
}

void ww_memory_free(struct ww_stream *s)
{
    struct memory *m = of_stream(s);

    ww_buf_release(&m->written);
    ww_buf_release(&m->pending);
    ww_buf_release(&m->fed);
    free(m);
}
