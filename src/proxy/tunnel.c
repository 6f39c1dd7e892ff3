/* What becomes of an exchange when both sides agree on another protocol (RFC 9110 7.8). */
#include "proxy_private.h"

/* HTTP/2 over a connection that we read as HTTP/1.1 would be requests that nobody sees. */
static const ww_str h2c = { "h2c", 3 };

ww_str tunnel_offered(const struct ww_head *request)
{
    static const ww_str connection = { "Connection", 10 };
    static const ww_str upgrade = { "Upgrade", 7 };

    /* RFC 9110 7.8: HTTP/1.0 knows no upgrade. One field line: nothing to be read in two ways. */
    if (request->minor == 0 || request->framing != WW_BODY_NONE ||
        !ww_fields_has_token(&request->fields, connection, upgrade) ||
        ww_fields_count(&request->fields, upgrade) != 1 ||
        ww_fields_has_token(&request->fields, upgrade, h2c))
        return (ww_str){ 0 };
    return ww_fields_get(&request->fields, upgrade);
}

bool tunnel_is_agreed(const struct forward *f, const struct ww_head *response)
{
    ww_str chosen = ww_fields_get(&response->fields, WW_STR("Upgrade"));

    return f->upgrade.len > 0 && chosen.len > 0 &&
           ww_fields_count(&response->fields, WW_STR("Upgrade")) == 1 &&
           ww_fields_has_token(&response->fields, WW_STR("Connection"), WW_STR("Upgrade")) &&
           ww_fields_has_token(&f->request.fields, WW_STR("Upgrade"), chosen);
}

static void to_client(struct forward *f)
{
    struct batch *b = &f->client->proxy->batch;

    switch (ww_stream_write(f->client->stream, b->piece, b->n)) {
    case WW_WRITTEN:
        break;
    case WW_PENDING:
        f->client_blocked = true;
        break;
    case WW_UNWRITABLE:
        f->client_gone = true;
        f->x->end = WW_END_CLIENT_GONE;
        break;
    }
}

void tunnel_begin(struct forward *f, const struct ww_head *h, ww_str rest)
{
    struct client *c = f->client;
    struct ww_proxy *p = c->proxy;

    f->response = *h;
    f->x->status = h->status;
    f->x->response_fields = h->fields;
    f->x->end = WW_END_COMPLETE;
    f->state = FORWARD_TUNNEL;
    f->out_body = WW_BODY_UNTIL_CLOSE; /* so that a tunnel that breaks is seen to break */
    f->close_after = true;
    tag_switch(f, h, &p->out);
    batch_reset(&p->batch);
    batch_add(&p->batch, ww_buf_str(&p->out));
    batch_add(&p->batch, rest);
    f->x->response_body.size += rest.len;
    to_client(f);
    if (c->in.len > 0) {
        tunnel_from_client(f, ww_buf_str(&c->in));
        ww_buf_clear(&c->in);
    }
    if (f->client_ended)
        ww_stream_finish(f->upstream);
}

void tunnel_from_client(struct forward *f, ww_str bytes)
{
    f->x->request_body.size += bytes.len;
    switch (ww_stream_write(f->upstream, &bytes, 1)) {
    case WW_WRITTEN:
        break;
    case WW_PENDING:
        f->upstream_blocked = true;
        break;
    case WW_UNWRITABLE:
        forward_stop(f, WW_END_UPSTREAM_CUT);
        break;
    }
}

void tunnel_from_upstream(struct forward *f, ww_str bytes)
{
    struct batch *b = &f->client->proxy->batch;

    batch_reset(b);
    batch_add(b, bytes);
    f->x->response_body.size += bytes.len;
    to_client(f);
}

/* Each side may end what it says and go on listening. */
void tunnel_client_ended(struct forward *f)
{
    ww_stream_finish(f->upstream);
}

void tunnel_upstream_ended(struct forward *f)
{
    f->upstream_ended = true;
    ww_stream_finish(f->client->stream);
}

bool tunnel_is_over(const struct forward *f)
{
    return f->client_ended && f->upstream_ended && !f->client_blocked && !f->upstream_blocked;
}

uint32_t tunnel_patience_ms(const struct forward *f)
{
    const struct ww_proxy_config *cfg = &f->client->proxy->cfg;

    return f->client_ended || f->upstream_ended ? cfg->idle_timeout_ms : cfg->tunnel_timeout_ms;
}
