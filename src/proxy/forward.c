/* One exchange through all its stages. */
#include "proxy_private.h"

#include <assert.h>

/* Beyond this, bytes of later requests stay in the kernel. */
#define READ_AHEAD 65536

void forward_stop(struct forward *f, enum ww_end end)
{
    if (f->state == FORWARD_CUT)
        return;
    if (f->state == FORWARD_FLUSH && end != WW_END_PROXY_STOPPED)
        return; /* it has its end: all that is left is the client's to take */

    bool answered = f->state == FORWARD_RELAY || f->state == FORWARD_FLUSH ||
                    f->state == FORWARD_TUNNEL;

    f->x->end = end;
    if (answered || ww_end_status(end) == 0) {
        f->state = FORWARD_CUT;
        return;
    }
    f->state = FORWARD_FLUSH;
    relay_refusal(f, end);
}

/* Why it is refused before any worker hears of it; COMPLETE: it is not. */
static enum ww_end refusal(const struct forward *f)
{
    const struct ww_head *h = &f->request;
    ww_str expect = ww_fields_get(&h->fields, WW_STR("Expect"));
    uint64_t max = f->client->proxy->cfg.max_body_bytes;
    bool has_path = ww_str_starts(h->target, WW_STR("/")) ||
                    ww_str_starts_nocase(h->target, WW_STR("http://"));

    if (ww_str_eq(h->method, WW_STR("CONNECT")))
        return WW_END_NOT_PROXIED;
    if (!has_path && !ww_str_eq(h->target, WW_STR("*")))
        return WW_END_BAD_REQUEST;
    if (expect.ptr != NULL && !ww_str_eq_nocase(expect, WW_STR("100-continue")))
        return WW_END_EXPECTATION;
    if (max > 0 && h->framing == WW_BODY_LENGTH && h->content_length > max)
        return WW_END_BODY_TOO_LARGE;
    return WW_END_COMPLETE;
}

void forward_start(struct forward *f)
{
    enum ww_end end = refusal(f);

    f->request_done = f->request.framing == WW_BODY_NONE;
    f->upgrade = tunnel_offered(&f->request);
    f->state = FORWARD_CONNECT;
    if (end != WW_END_COMPLETE) {
        f->close_after = true;
        forward_stop(f, end);
    } else {
        upstream_dial(f);
    }
    forward_settle(f);
}

static void finish(struct forward *f)
{
    struct client *c = f->client;
    struct ww_exchange *x = f->x;
    bool whole = f->state == FORWARD_FLUSH && !f->client_gone;

    /* A client that closed its side may have gone: that it got the answer is not known. */
    if (x->end == WW_END_COMPLETE && x->status != 101 && (f->client_ended || f->client_gone))
        x->end = WW_END_CLIENT_GONE;
    if (f->client_ended && c->in.len == 0)
        f->close_after = true;
    x->ended_us = proxy_now_us(c->proxy);
    x->request_body.bytes = ww_str_n(f->request_capture.ptr, f->request_capture.len);
    x->response_body.bytes = ww_str_n(f->response_capture.ptr, f->response_capture.len);
    if (x->worker.pid != 0)
        roster_see(&c->proxy->roster, &f->worker);
    else if (x->by == WW_BY_UNKNOWN || x->by == WW_BY_AMBIGUOUS)
        proxy_note_obstacle(c->proxy, f->hold.why);
    upstream_close(f);
    f->state = FORWARD_DONE;
    f->x = NULL;
    proxy_emit(c->proxy, x);
    client_done(c, whole);
}

/* What is being waited for bounds the wait. */
static uint32_t patience_ms(const struct forward *f)
{
    const struct ww_proxy_config *cfg = &f->client->proxy->cfg;
    bool wants_client = f->client_blocked ||
                        (f->state == FORWARD_AWAIT && !f->request_done && !f->upstream_blocked);

    switch (f->state) {
    case FORWARD_CONNECT:
        return cfg->connect_timeout_ms;
    case FORWARD_HOLD:
        return 0; /* hold.c bounds it */
    case FORWARD_AWAIT:
    case FORWARD_RELAY:
    case FORWARD_FLUSH:
        return wants_client ? cfg->idle_timeout_ms : cfg->response_timeout_ms;
    case FORWARD_TUNNEL:
        return tunnel_patience_ms(f);
    case FORWARD_DONE:
    case FORWARD_CUT:
        break;
    }
    return 0;
}

/* Back-pressure: a side is read only while what it says can go on to the other. */
static void set_reading(struct forward *f)
{
    struct client *c = f->client;
    bool body_may_flow = f->state == FORWARD_AWAIT || f->state == FORWARD_RELAY;
    bool room = c->in.len < READ_AHEAD;

    if (f->state == FORWARD_TUNNEL || (!f->request_done && body_may_flow))
        room = !f->upstream_blocked;
    ww_stream_read(c->stream, room);
    if (f->upstream != NULL && f->state != FORWARD_CONNECT)
        ww_stream_read(f->upstream, !f->client_blocked);
}

void forward_settle(struct forward *f)
{
    if (f->state == FORWARD_DONE)
        return;
    /* Of a body that is whole nothing is missing, though it may have to wait in `in` yet. */
    if (f->client_ended && !f->request_done && f->client->in.len == 0)
        forward_stop(f, WW_END_CLIENT_CUT);
    if (f->client_gone)
        f->state = FORWARD_CUT;
    if (f->state == FORWARD_TUNNEL && tunnel_is_over(f))
        f->state = FORWARD_FLUSH;
    if (f->state == FORWARD_CUT || (f->state == FORWARD_FLUSH && !f->client_blocked)) {
        finish(f);
        return;
    }
    if (f->state == FORWARD_FLUSH)
        upstream_close(f); /* the worker need not wait for a slow client */
    set_reading(f);

    uint32_t ms = patience_ms(f);

    if (ms > 0)
        ww_timer_start(f->client->timer, ms);
    else
        ww_timer_stop(f->client->timer);
}

void forward_client_bytes(struct forward *f, ww_str bytes)
{
    struct client *c = f->client;
    bool body_may_flow = f->state == FORWARD_AWAIT || f->state == FORWARD_RELAY;

    if (f->state == FORWARD_TUNNEL) {
        if (bytes.len > 0)
            tunnel_from_client(f, bytes);
        forward_settle(f);
        return;
    }
    if (body_may_flow && !f->request_done && !f->upstream_blocked) {
        batch_reset(&c->proxy->batch);
        if (c->in.len > 0)
            ww_buf_consume(&c->in, upstream_send_body(f, ww_buf_str(&c->in)));
        if (c->in.len == 0)
            bytes = ww_str_from(bytes, upstream_send_body(f, bytes));
    }
    /* Reading stops at READ_AHEAD, so this is bounded by that and one more read. */
    ww_buf_add(&c->in, bytes);
    forward_settle(f);
}

void forward_client_drained(struct forward *f)
{
    f->client_blocked = false;
    forward_settle(f);
}

void forward_client_ended(struct forward *f)
{
    f->client_ended = true;
    if (f->state == FORWARD_TUNNEL)
        tunnel_client_ended(f);
    forward_settle(f);
}

void forward_client_gone(struct forward *f)
{
    f->client_gone = true;
    f->x->end = WW_END_CLIENT_GONE;
    forward_settle(f);
}

void forward_timed_out(struct forward *f)
{
    bool body_due = f->state == FORWARD_AWAIT && !f->request_done && !f->upstream_blocked;

    if (f->state == FORWARD_TUNNEL) {
        forward_stop(f, WW_END_TUNNEL_IDLE);
    } else if (f->state == FORWARD_CONNECT) {
        forward_stop(f, WW_END_CONNECT_TIMEOUT);
    } else if (f->client_blocked || body_due) {
        f->x->end = WW_END_CLIENT_STALLED;
        f->state = FORWARD_CUT;
    } else if (f->state == FORWARD_AWAIT) {
        forward_stop(f, WW_END_RESPONSE_TIMEOUT);
    } else if (f->state == FORWARD_RELAY) {
        forward_stop(f, WW_END_RESPONSE_STALLED);
    }
    forward_settle(f);
}

/* With its client. */
void forward_release(struct forward *f)
{
    assert(f->state == FORWARD_DONE);
    ww_http_free(f->parser);
    ww_buf_release(&f->in);
}
