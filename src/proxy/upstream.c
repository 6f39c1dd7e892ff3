/* The worker's side of an exchange: dial, send the head but its last byte, send the body,
 * receive. */
#include "proxy_private.h"

#include <whichworker/units.h>

#include <netinet/in.h>
#include <sys/socket.h>

static void on_connected(void *owner);
static void on_read(void *owner, ww_str bytes);
static void on_end(void *owner);
static void on_drained(void *owner);
static void on_error(void *owner, int error);

static const struct ww_stream_events events = {
    .on_connected = on_connected,
    .on_read = on_read,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_error = on_error,
};

static void hold(struct forward *f);

void upstream_dial(struct forward *f)
{
    struct ww_proxy *p = f->client->proxy;

    f->hold.flow = (struct ww_flow){ .fd = -1, .opened_us = ww_clock_mono_us() };
    f->x->upstream = ++p->stats.dials;
    f->upstream = p->parts.dialer->dial(p->parts.dialer);
    ww_stream_own(f->upstream, &events, f);
    if (ww_stream_is_connected(f->upstream))
        hold(f);
}

static void on_connected(void *owner)
{
    hold(owner);
    forward_settle(owner);
}

void upstream_close(struct forward *f)
{
    hold_cancel(&f->client->proxy->holds, &f->hold);
    if (f->upstream != NULL)
        ww_stream_close(f->upstream);
    f->upstream = NULL;
    ww_buf_clear(&f->in);
}

static void fill_flow(struct forward *f)
{
    struct ww_flow *flow = &f->hold.flow;

    flow->fd = ww_stream_fd(f->upstream);
    flow->peer = f->client->proxy->parts.upstream;
    if (flow->fd < 0)
        return;
    flow->local.len = sizeof(flow->local.sa);
    getsockname(flow->fd, (struct sockaddr *)&flow->local.sa, &flow->local.len);
}

static void name_worker(struct forward *f, enum ww_owner owner, const struct ww_worker *worker)
{
    struct ww_exchange *x = f->x;

    x->by = owner == WW_OWNER_AMBIGUOUS ? WW_BY_AMBIGUOUS : WW_BY_UNKNOWN;
    x->worker = (struct ww_worker_id){ 0 };
    if (owner != WW_OWNER_KNOWN)
        return;
    x->by = f->hold.flow.by == WW_BY_NOBODY ? WW_BY_KERNEL : f->hold.flow.by;
    x->worker = worker->id;
    x->also_by = f->hold.flow.also_by;
    x->also_worker = f->hold.flow.also;
    f->worker = *worker;
}

/*
 * A worker cannot answer a head that it has not got. So the head goes out when the worker is
 * known; if nobody accepts at once, all of it but the last byte, a line feed, goes before.
 */
static void begin_head(struct forward *f)
{
    struct ww_proxy *p = f->client->proxy;
    ww_str head;

    tag_request(f, &p->out);
    head = ww_buf_str(&p->out);
    head.len--;
    f->head_begun = true;
    if (ww_stream_write(f->upstream, &head, 1) == WW_UNWRITABLE)
        forward_stop(f, WW_END_UPSTREAM_CLOSED);
}

/* The wait is over: the head, or the rest of it, goes out with what there is of the body. */
static void let_go(struct forward *f, enum ww_owner owner, const struct ww_worker *worker)
{
    struct client *c = f->client;
    struct ww_proxy *p = c->proxy;

    name_worker(f, owner, worker);
    if (owner == WW_OWNER_KNOWN || f->hold.flow.state.accepted_us != 0)
        f->x->accepted_us = proxy_now_us(p);
    f->state = FORWARD_AWAIT;
    batch_reset(&p->batch);
    if (f->head_begun) {
        batch_add(&p->batch, WW_STR("\n"));
    } else {
        tag_request(f, &p->out);
        batch_add(&p->batch, ww_buf_str(&p->out));
    }
    ww_buf_consume(&c->in, upstream_send_body(f, ww_buf_str(&c->in)));
}

static void on_owner(void *ctx, enum ww_owner owner, const struct ww_worker *worker)
{
    if (owner == WW_OWNER_QUEUED)
        begin_head(ctx);
    else
        let_go(ctx, owner, worker);
    forward_settle(ctx);
}

static void hold(struct forward *f)
{
    struct ww_worker worker = { 0 };
    enum ww_owner answer;

    f->x->connected_us = proxy_now_us(f->client->proxy);
    f->state = FORWARD_HOLD;
    fill_flow(f);
    if (hold_begin(&f->client->proxy->holds, &f->hold, on_owner, f, &answer, &worker))
        let_go(f, answer, &worker);
    else
        f->client->proxy->stats.held++;
}

static void flush(struct forward *f)
{
    struct batch *b = &f->client->proxy->batch;

    if (b->n == 0)
        return;
    switch (ww_stream_write(f->upstream, b->piece, b->n)) {
    case WW_WRITTEN:
        break;
    case WW_PENDING:
        f->upstream_blocked = true;
        break;
    case WW_UNWRITABLE:
        /* It may have answered before it closed: the read side tells. The rest of the request
         * has nobody to go to, and the client's connection cannot be used further. */
        f->request_done = true;
        f->close_after = true;
        break;
    }
    batch_reset(b);
}

static void on_request_data(void *ctx, ww_str data)
{
    struct forward *f = ctx;
    struct batch *b = &f->client->proxy->batch;

    capture_add(&f->request_capture, &f->x->arena, f->client->proxy->cfg.capture_body_bytes,
                data);
    f->x->request_body.size += data.len;
    if (batch_is_full(b))
        flush(f);
    if (f->request.framing == WW_BODY_CHUNKED)
        batch_add_chunk(b, data);
    else
        batch_add(b, data);
}

static bool is_over_limit(const struct forward *f)
{
    uint64_t max = f->client->proxy->cfg.max_body_bytes;

    return max > 0 && f->x->request_body.size > max;
}

size_t upstream_send_body(struct forward *f, ww_str bytes)
{
    struct batch *b = &f->client->proxy->batch;
    size_t used = 0;

    if (f->request_done || bytes.len == 0) {
        flush(f);
        return 0;
    }

    enum ww_parse parsed = ww_http_body(f->client->parser, bytes, on_request_data, f, &used);

    if (parsed == WW_PARSE_BAD || is_over_limit(f)) {
        batch_reset(b);
        forward_stop(f, parsed == WW_PARSE_BAD ? WW_END_BAD_REQUEST : WW_END_BODY_TOO_LARGE);
        return bytes.len;
    }
    if (parsed == WW_PARSE_DONE && f->request.framing == WW_BODY_CHUNKED) {
        if (batch_is_full(b))
            flush(f);
        batch_add(b, WW_STR("0\r\n\r\n"));
    }
    flush(f);
    if (parsed == WW_PARSE_DONE)
        f->request_done = true;
    return used;
}

/* A report says when it was accepted; a look only says when that was seen. A worker that is
 * quick accepts before we know that we are connected. */
static void note_acceptance(struct forward *f)
{
    struct ww_exchange *x = f->x;
    int64_t accepted_us = f->hold.flow.state.accepted_us;

    if (x->by != WW_BY_PRELOAD || accepted_us == 0)
        return;
    accepted_us += f->client->proxy->wall_offset_us;
    x->accepted_us = accepted_us > x->connected_us ? accepted_us : x->connected_us;
}

/* The first byte of an answer: now it can be told who answered. */
static void note_answer(struct forward *f)
{
    struct ww_worker worker = f->worker;

    if (f->x->answered_us != 0)
        return;
    f->x->answered_us = proxy_now_us(f->client->proxy);
    name_worker(f, hold_confirm(&f->client->proxy->holds, &f->hold, &worker), &worker);
    note_acceptance(f);
}

/* The PID that the worker itself gives in its response; 0: none, or none that can be read. */
static int32_t claimed_pid(const struct forward *f, const struct ww_head *h)
{
    ww_str name = f->client->proxy->cfg.worker_header;
    uint64_t pid = 0;

    if (name.len == 0 || ww_fields_count(&h->fields, name) != 1 ||
        !ww_str_u64(ww_fields_get(&h->fields, name), &pid) || pid > INT32_MAX)
        return 0;
    return (int32_t)pid;
}

/* What a worker says of itself counts where nobody else knows; where somebody else knows
 * better, that the two differ is remembered: an id that was made before the fork is every
 * worker's. */
static void note_claim(struct forward *f, const struct ww_head *h)
{
    struct ww_exchange *x = f->x;
    struct ww_worker_id claimed = { .pid = claimed_pid(f, h) };

    if (claimed.pid == 0 || claimed.pid == x->worker.pid)
        return;
    if (x->worker.pid != 0) {
        x->also_by = WW_BY_HEADER;
        x->also_worker = claimed;
        return;
    }
    x->by = WW_BY_HEADER;
    x->worker = claimed;
    f->worker = (struct ww_worker){ .id = claimed };
}

/* One head out of f->in; false when there is none yet, or none any more. */
static bool take_head(struct forward *f)
{
    struct ww_proxy *p = f->client->proxy;
    ww_str in = ww_buf_str(&f->in);
    size_t len = ww_http_head_end(in, 0);
    struct ww_head h = { 0 };
    bool no_body = ww_str_eq(f->request.method, WW_STR("HEAD"));

    if (len == 0 && in.len < p->cfg.max_head_bytes)
        return false;

    ww_str head = len == 0 || len > p->cfg.max_head_bytes
                      ? (ww_str){ 0 }
                      : ww_arena_dup(&f->x->arena, ww_str_upto(in, len));
    enum ww_parse parsed = head.ptr == NULL
                               ? WW_PARSE_TOO_MANY
                               : ww_http_head(f->parser, head, no_body, &f->x->arena, &h);

    /* An upgrade that nobody asked for is no answer. */
    if (parsed == WW_PARSE_BAD || parsed == WW_PARSE_TOO_MANY ||
        (h.status == 101 && !tunnel_is_agreed(f, &h))) {
        forward_stop(f, WW_END_UPSTREAM_BAD);
        return false;
    }
    if (h.status < 200 && h.status != 101) {
        ww_buf_consume(&f->in, len);
        relay_interim(f, &h);
        return true;
    }
    note_claim(f, &h);
    if (h.status == 101) {
        tunnel_begin(f, &h, ww_str_from(in, len));
        ww_buf_clear(&f->in);
        return false;
    }
    f->response = h;
    f->x->status = h.status;
    f->x->response_fields = h.fields;
    f->state = FORWARD_RELAY;
    relay_head(f, ww_str_from(ww_buf_str(&f->in), len));
    ww_buf_clear(&f->in);
    return false;
}

static void on_read(void *owner, ww_str bytes)
{
    struct forward *f = owner;
    struct ww_proxy *p = f->client->proxy;

    if (f->state == FORWARD_HOLD) {
        /* It speaks before it was asked (a refusal for want of time, perhaps): the wait is
         * over. */
        hold_cancel(&p->holds, &f->hold);
        let_go(f, WW_OWNER_UNKNOWN, NULL);
    }
    if (f->state == FORWARD_AWAIT) {
        note_answer(f);
        ww_buf_add(&f->in, bytes);
        while (f->state == FORWARD_AWAIT && take_head(f))
            ;
    } else if (f->state == FORWARD_RELAY) {
        batch_reset(&p->batch);
        relay_body(f, bytes);
    } else if (f->state == FORWARD_TUNNEL) {
        tunnel_from_upstream(f, bytes);
    }
    /* Anything behind the response is nobody's. */
    forward_settle(f);
}

static void on_end(void *owner)
{
    struct forward *f = owner;

    if (f->state == FORWARD_RELAY && ww_http_finish(f->parser))
        relay_close(f);
    else if (f->state == FORWARD_RELAY)
        forward_stop(f, WW_END_UPSTREAM_CUT);
    else if (f->state == FORWARD_TUNNEL)
        tunnel_upstream_ended(f);
    else if (f->state == FORWARD_HOLD || f->state == FORWARD_AWAIT)
        forward_stop(f, f->in.len > 0 ? WW_END_UPSTREAM_BAD : WW_END_UPSTREAM_CLOSED);
    forward_settle(f);
}

static void on_drained(void *owner)
{
    struct forward *f = owner;

    f->upstream_blocked = false;
    forward_client_bytes(f, (ww_str){ 0 });
}

static void on_error(void *owner, int error)
{
    struct forward *f = owner;

    (void)error;
    switch (f->state) {
    case FORWARD_CONNECT:
        forward_stop(f, WW_END_UPSTREAM_REFUSED);
        break;
    case FORWARD_HOLD:
    case FORWARD_AWAIT:
        forward_stop(f, WW_END_UPSTREAM_CLOSED);
        break;
    case FORWARD_RELAY:
    case FORWARD_TUNNEL:
        forward_stop(f, WW_END_UPSTREAM_CUT);
        break;
    case FORWARD_DONE:
    case FORWARD_FLUSH:
    case FORWARD_CUT:
        break;
    }
    forward_settle(f);
}
