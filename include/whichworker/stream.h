/* net: byte streams: over sockets, or over memory where tests play the peer. */
#ifndef WHICHWORKER_STREAM_H
#define WHICHWORKER_STREAM_H

#include <whichworker/addr.h>
#include <whichworker/loop.h>
#include <whichworker/str.h>

struct ww_stream;

/* What happens to a stream. Never called from inside a function below, nor after close. */
struct ww_stream_events {
    void (*on_connected)(void *owner);          /* a dialled stream may be written to */
    void (*on_read)(void *owner, ww_str bytes); /* borrowed until it returns */
    void (*on_end)(void *owner);                /* the peer will send nothing more */
    void (*on_drained)(void *owner);            /* all that was pending has been written */
    void (*on_error)(void *owner, int error); /* errno: connecting, reading or writing failed */
};

enum ww_written {
    WW_WRITTEN,   /* the kernel has all of it */
    WW_PENDING,   /* a copy of the rest is kept: write nothing large before on_drained */
    WW_UNWRITABLE /* the peer is gone; on_error need not be waited for */
};

/* What a kind of stream can do: the two kinds are src/net/socket.c and src/net/memory.c. */
struct ww_stream_ops {
    void (*read)(struct ww_stream *s, bool on);
    enum ww_written (*write)(struct ww_stream *s, const ww_str *piece, size_t n);
    void (*finish)(struct ww_stream *s);
    void (*close)(struct ww_stream *s, bool reset);
    int (*fd)(const struct ww_stream *s);
};

struct ww_stream {
    const struct ww_stream_ops *ops;
    const struct ww_stream_events *events;
    void *owner;
    bool connected;
};

/* Whose events these are from now on. A fresh stream is silent until it is owned. */
void ww_stream_own(struct ww_stream *s, const struct ww_stream_events *events, void *owner);

/* Whether to read. Off to begin with; off is how back-pressure is made. */
void ww_stream_read(struct ww_stream *s, bool on);

/* Writes the pieces in order, with one call to the kernel where it takes them. The pieces are
 * borrowed for the call only. */
enum ww_written ww_stream_write(struct ww_stream *s, const ww_str *piece, size_t n);

/* Says to the peer that nothing more will come, once what is pending is out (shutdown). */
void ww_stream_finish(struct ww_stream *s);

/* Gives the stream back: no event comes any more, what is pending may be lost. NULL is fine. */
void ww_stream_close(struct ww_stream *s);

/* The same, and the peer sees a reset rather than a proper end. */
void ww_stream_reset(struct ww_stream *s);

/* The socket's descriptor, borrowed; -1 for memory. */
int ww_stream_fd(const struct ww_stream *s);

/* Whether a stream is connected. One that is when dial returns it gets no on_connected. */
bool ww_stream_is_connected(const struct ww_stream *s);

/* Makes connections to one place. Own the stream at once. It may be connected already, as one
 * to this machine usually is: the kernel makes those without anybody having to wait. */
struct ww_dialer {
    struct ww_stream *(*dial)(struct ww_dialer *d);
};

/* Over TCP or a Unix socket. A Unix listener whose backlog is full is tried again until the
 * stream is closed. */
struct ww_dialer *ww_dialer_new(struct ww_loop *l, const struct ww_addr *addr);

/* Gives each later socket of a Unix dialer an abstract name of its own, prefix and a number, so
 * that whoever accepts can tell them apart. At most WW_DIALER_PREFIX bytes; copied. */
#define WW_DIALER_PREFIX 16
void ww_dialer_name(struct ww_dialer *d, const char *prefix);

void ww_dialer_free(struct ww_dialer *d);

/* Listens. Each accepted stream goes to on_accept, to be owned there at once. */
struct ww_listener;
typedef void ww_accept_cb(void *ctx, struct ww_stream *s, const struct ww_addr *peer);

struct ww_listener *ww_listener_new(struct ww_loop *l, const struct ww_addr *addr,
                                    ww_accept_cb *on_accept, void *ctx, struct ww_err *err);

/* While it is paused, connections stay in the kernel's queue (and one in libuv's hands). Going
 * on may call on_accept at once. */
void ww_listener_pause(struct ww_listener *l, bool paused);

const struct ww_addr *ww_listener_addr(const struct ww_listener *l); /* with the port it got */
void ww_listener_free(struct ww_listener *l); /* NULL is fine; what was accepted lives on */

/* A stream whose peer is the test: what it writes is kept, what it reads is fed. */
struct ww_stream *ww_memory_new(void);
void ww_memory_connect(struct ww_stream *s);             /* on_connected */
void ww_memory_feed(struct ww_stream *s, ww_str bytes);  /* on_read, when it reads */
void ww_memory_end(struct ww_stream *s);                 /* on_end, behind what was fed */
void ww_memory_fail(struct ww_stream *s, int error);     /* on_error */
void ww_memory_block(struct ww_stream *s, bool blocked); /* writes pend while blocked */
void ww_memory_poll(
    struct ww_stream *s); /* on_read or on_end for what waits, if it reads now */
ww_str ww_memory_written(const struct ww_stream *s);
bool ww_memory_is_closed(const struct ww_stream *s, bool *out_reset);
bool ww_memory_is_finished(const struct ww_stream *s);
bool ww_memory_is_reading(const struct ww_stream *s);
void ww_memory_free(struct ww_stream *s); /* after close; it is the test's until then */

#endif
