/* A stream, whatever is behind it. */
#include <whichworker/stream.h>

void ww_stream_own(struct ww_stream *s, const struct ww_stream_events *events, void *owner)
{
    s->events = events;
    s->owner = owner;
}

void ww_stream_read(struct ww_stream *s, bool on)
{
    s->ops->read(s, on);
}

enum ww_written ww_stream_write(struct ww_stream *s, const ww_str *piece, size_t n)
{
    return s->ops->write(s, piece, n);
}

void ww_stream_finish(struct ww_stream *s)
{
    s->ops->finish(s);
}

void ww_stream_close(struct ww_stream *s)
{
    if (s != NULL)
        s->ops->close(s, false);
}

void ww_stream_reset(struct ww_stream *s)
{
    s->ops->close(s, true);
}

int ww_stream_fd(const struct ww_stream *s)
{
    return s->ops->fd(s);
}

bool ww_stream_is_connected(const struct ww_stream *s)
{
    return s->connected;
}
