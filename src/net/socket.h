/* net: a stream over a TCP or Unix socket, as listen.c and dial.c make it. */
#ifndef WW_SOCKET_H
#define WW_SOCKET_H

#include "loop_private.h"

#include <whichworker/buf.h>
#include <whichworker/stream.h>

/*
 * Owns both buffers and every handle; frees itself in the last close callback.
 *   write ─▶ kernel; what it does not take ─▶ sending (a uv_write is in flight on it)
 *                    what comes meanwhile  ─▶ waiting (goes out when sending is done)
 */
struct ww_socket {
    struct ww_stream stream; /* first: a stream pointer is a socket pointer */
    union {
        uv_stream_t uv;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    uv_timer_t retry; /* a Unix listener whose backlog is full */
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct ww_buf sending;
    struct ww_buf waiting;
    const struct ww_addr *target; /* borrowed from the dialer while connecting */
    struct ww_naming *naming;     /* the same; NULL: sockets stay unnamed */
    int refusal;                  /* errno: why connecting failed before it began */
    int write_error; /* errno: nothing more can be written, though something may be read */
    int open_handles;
    bool closing;
    bool reading;
    bool ended;     /* nothing more will be read */
    bool finishing; /* shut down once all is written */
};

/* How a dialer names its Unix sockets. */
struct ww_naming {
    char prefix[WW_DIALER_PREFIX + 1];
    uint64_t next;
};

struct ww_socket *ww_socket_new(struct ww_loop *l, int family);

#endif
