/* A client's connection: heads in, keep-alive and pipelining, the way it is closed. */
#include "proxy_private.h"

#include <whichworker/arena.h>

#include <stdio.h>
#include <stdlib.h>

#define READ_BYTES 65536

/* After the last answer a client may still be sending. Closing at once would make the kernel
 * send a reset, which can destroy the answer on its way (RFC 9112 9.6). */
#define LINGER_MS 2000

/* Room in an exchange's arena beside heads and captured bodies. */
#define ARENA_SLACK 65536

static void on_read(void *owner, ww_str bytes);
static void on_end(void *owner);
static void on_drained(void *owner);
static void on_error(void *owner, int error);

static void on_connected(void *owner)
{
    (void)owner; /* only a dialled stream connects */
}

static const struct ww_stream_events events = {
    .on_connected = on_connected,
    .on_read = on_read,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_error = on_error,
};

static void on_timer(void *ctx);

/* "127.0.0.1" of "127.0.0.1:4711", "::1" of "[::1]:4711"; all of a Unix socket's. */
static ww_str without_port(ww_str peer)
{
    size_t at = peer.len;

    if (ww_str_starts(peer, WW_STR("unix:")))
        return peer;
    while (at > 0 && peer.ptr[at - 1] != ':')
        at--;
    peer = ww_str_upto(peer, at > 0 ? at - 1 : 0);
    if (ww_str_starts(peer, WW_STR("[")) && peer.len >= 2)
        peer = ww_str_n(peer.ptr + 1, peer.len - 2);
    return peer;
}

void client_new(struct ww_proxy *p, struct ww_stream *s, const struct ww_addr *peer)
{
    struct client *c = ww_xcalloc(1, sizeof(*c));

    c->proxy = p;
    c->stream = s;
    c->parser = ww_http_new(false, p->cfg.max_head_bytes);
    c->timer = ww_timer_new(p->parts.loop, on_timer, c);
    ww_buf_init(&c->in, p->cfg.max_head_bytes + 2 * READ_BYTES);
    c->forward.client = c;
    c->forward.parser = ww_http_new(true, p->cfg.max_head_bytes);
    ww_buf_init(&c->forward.in, p->cfg.max_head_bytes + 2 * READ_BYTES);
    c->info.id = ++p->stats.connections;
    c->info.opened_us = proxy_now_us(p);
    snprintf(c->info.peer, sizeof(c->info.peer), "%s", peer->text);
    c->address = without_port(ww_str_c(c->info.peer));
    c->next = p->clients;
    if (p->clients != NULL)
        p->clients->prev = c;
    p->clients = c;
    p->stats.clients++;
    p->parts.sink->connection(p->parts.sink, &c->info);
    ww_stream_own(s, &events, c);
    ww_stream_read(s, true);
    ww_timer_start(c->timer, p->cfg.idle_timeout_ms);
}

static void destroy(struct client *c)
{
    struct ww_proxy *p = c->proxy;

    forward_release(&c->forward);
    ww_timer_free(c->timer);
    ww_http_free(c->parser);
    ww_buf_release(&c->in);
    c->info.closed_us = proxy_now_us(p);
    p->parts.sink->connection(p->parts.sink, &c->info);
    proxy_forget(c);
    free(c);
}

void client_close(struct client *c)
{
    ww_stream_close(c->stream);
    destroy(c);
}

static void linger(struct client *c)
{
    c->state = CLIENT_LINGER;
    ww_buf_clear(&c->in);
    ww_stream_finish(c->stream);
    ww_stream_read(c->stream, true);
    ww_timer_start(c->timer, LINGER_MS);
}

/* A response that is not whole must not look as if it were: where only the end of the
 * connection tells the client its end, that end has to be a reset. */
static void cut(struct client *c)
{
    if (c->forward.out_body == WW_BODY_UNTIL_CLOSE)
        ww_stream_reset(c->stream);
    else
        ww_stream_close(c->stream);
    destroy(c);
}

void client_done(struct client *c, bool whole)
{
    if (!whole) {
        cut(c);
        return;
    }
    c->ended = c->forward.client_ended;
    if (c->ended && (c->forward.close_after || c->in.len == 0)) {
        client_close(c);
        return;
    }
    if (c->forward.close_after || c->proxy->draining) {
        linger(c);
        return;
    }
    c->state = CLIENT_IDLE;
    ww_stream_read(c->stream, true);
    ww_timer_start(c->timer, c->proxy->cfg.idle_timeout_ms);
    client_step(c);
}

/* A fresh exchange, for the head that begins in c->in. */
static struct ww_exchange *begin(struct client *c)
{
    struct ww_proxy *p = c->proxy;
    struct forward *f = &c->forward;
    struct ww_exchange *x = ww_exchange_new(4 * p->cfg.capture_body_bytes +
                                            16 * p->cfg.max_head_bytes + ARENA_SLACK);
    struct forward fresh = {
        .client = c, .parser = f->parser, .in = f->in, .x = x, .client_ended = c->ended
    };

    *f = fresh;
    x->id = ++p->stats.exchanges;
    x->connection = c->info.id;
    x->client = ww_arena_dup(&x->arena, c->address);
    x->started_us = c->head_us;
    c->state = CLIENT_BUSY;
    c->looked = 0;
    return x;
}

static void refuse(struct client *c, enum ww_end end)
{
    struct forward *f = &c->forward;

    if (f->x == NULL)
        begin(c);
    f->x->request_id = tag_request_id(c->proxy, f->x);
    f->close_after = true;
    f->state = FORWARD_CONNECT;
    forward_stop(f, end);
    forward_settle(f);
}

/* A request that has begun and comes to nothing: there is nobody to be told, but the sink. */
static void abandon(struct client *c, enum ww_end end)
{
    begin(c);
    c->forward.x->request_id = tag_request_id(c->proxy, c->forward.x);
    c->forward.state = FORWARD_CONNECT;
    forward_stop(&c->forward, end);
    forward_settle(&c->forward);
}

/* Nothing more will come to complete what has begun. */
static void give_up(struct client *c)
{
    if (c->state == CLIENT_HEAD)
        abandon(c, WW_END_CLIENT_CUT);
    else
        client_close(c);
}

static void take_head(struct client *c, size_t len)
{
    struct forward *f = &c->forward;
    struct ww_exchange *x = begin(c);
    ww_str bytes = ww_arena_dup(&x->arena, ww_str_upto(ww_buf_str(&c->in), len));
    enum ww_parse parsed = ww_http_head(c->parser, bytes, false, &x->arena, &f->request);

    ww_buf_consume(&c->in, len);
    if (parsed == WW_PARSE_BAD || parsed == WW_PARSE_TOO_MANY) {
        refuse(c, parsed == WW_PARSE_BAD ? WW_END_BAD_REQUEST : WW_END_HEAD_TOO_LARGE);
        return;
    }
    x->method = f->request.method;
    x->target = f->request.target;
    x->request_minor = f->request.minor;
    x->request_fields = f->request.fields;
    x->request_id = tag_request_id(c->proxy, x);
    forward_start(f);
}

/* RFC 9112 2.2: a server should skip an empty line before the request line. */
static void skip_empty_lines(struct client *c)
{
    size_t n = 0;

    while (n + 1 < c->in.len && c->in.ptr[n] == '\r' && c->in.ptr[n + 1] == '\n')
        n += 2;
    if (n > 0)
        ww_buf_consume(&c->in, n);
}

static bool may_begin(const struct ww_proxy *p)
{
    return p->parts.may_begin == NULL || p->parts.may_begin(p->parts.ctx);
}

void client_step(struct client *c)
{
    struct ww_proxy *p = c->proxy;

    if (c->state == CLIENT_IDLE) {
        skip_empty_lines(c);
        if (c->in.len == 0 || (c->in.len == 1 && c->in.ptr[0] == '\r')) {
            if (c->ended)
                give_up(c);
            return; /* nothing, or what may become another empty line */
        }
        c->state = CLIENT_HEAD;
        c->head_us = proxy_now_us(p);
        c->looked = 0;
        ww_timer_start(c->timer, p->cfg.header_timeout_ms);
    }
    if (c->state != CLIENT_HEAD && c->state != CLIENT_WAIT)
        return;

    size_t len = ww_http_head_end(ww_buf_str(&c->in), c->looked);

    c->looked = c->in.len;
    if (len > p->cfg.max_head_bytes || (len == 0 && c->in.len >= p->cfg.max_head_bytes)) {
        refuse(c, WW_END_HEAD_TOO_LARGE);
        return;
    }
    if (len == 0) {
        if (c->ended)
            give_up(c);
        return;
    }
    if (!may_begin(p)) {
        /* The recorder is behind: nothing more is read here until ww_proxy_resume. */
        c->state = CLIENT_WAIT;
        c->looked = 0;
        ww_stream_read(c->stream, false);
        ww_timer_stop(c->timer);
        return;
    }
    take_head(c, len);
}

static void on_read(void *owner, ww_str bytes)
{
    struct client *c = owner;

    switch (c->state) {
    case CLIENT_IDLE:
    case CLIENT_HEAD:
    case CLIENT_WAIT:
        ww_buf_add(&c->in, bytes);
        client_step(c);
        break;
    case CLIENT_BUSY:
        forward_client_bytes(&c->forward, bytes);
        break;
    case CLIENT_LINGER:
        break;
    }
}

static void on_end(void *owner)
{
    struct client *c = owner;

    switch (c->state) {
    case CLIENT_BUSY:
        forward_client_ended(&c->forward);
        break;
    case CLIENT_HEAD:
    case CLIENT_WAIT:
        abandon(c, WW_END_CLIENT_CUT);
        break;
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_close(c);
        break;
    }
}

static void on_drained(void *owner)
{
    struct client *c = owner;

    if (c->state == CLIENT_BUSY)
        forward_client_drained(&c->forward);
}

static void on_error(void *owner, int error)
{
    struct client *c = owner;

    (void)error;
    switch (c->state) {
    case CLIENT_BUSY:
        forward_client_gone(&c->forward);
        break;
    case CLIENT_HEAD:
    case CLIENT_WAIT:
        abandon(c, WW_END_CLIENT_GONE);
        break;
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_close(c);
        break;
    }
}

static void on_timer(void *ctx)
{
    struct client *c = ctx;

    switch (c->state) {
    case CLIENT_BUSY:
        forward_timed_out(&c->forward);
        break;
    case CLIENT_HEAD:
        refuse(c, WW_END_HEADER_TIMEOUT);
        break;
    case CLIENT_IDLE:
    case CLIENT_WAIT:
    case CLIENT_LINGER:
        client_close(c);
        break;
    }
}

void client_drain(struct client *c)
{
    switch (c->state) {
    case CLIENT_BUSY:
        /* A tunnel may go on for ever; what goes through it is no exchange that could end. */
        if (c->forward.state == FORWARD_TUNNEL) {
            forward_stop(&c->forward, WW_END_PROXY_STOPPED);
            forward_settle(&c->forward);
        }
        break;
    case CLIENT_HEAD:
    case CLIENT_WAIT:
        refuse(c, WW_END_PROXY_STOPPED);
        break;
    case CLIENT_IDLE:
    case CLIENT_LINGER:
        client_close(c);
        break;
    }
}
