/* What goes back to the client: the head with its tags, the body framed anew, our own refusals.
 */
#include "proxy_private.h"

#include <stdio.h>

/* Writes what is gathered. A client that does not take it all stops the reading of the
 * upstream. */
static void flush(struct forward *f)
{
    struct batch *b = &f->client->proxy->batch;

    if (b->n == 0)
        return;
    switch (ww_stream_write(f->client->stream, b->piece, b->n)) {
    case WW_WRITTEN:
        break;
    case WW_PENDING:
        f->client_blocked = true;
        break;
    case WW_UNWRITABLE:
        f->client_gone = true;
        break;
    }
    batch_reset(b);
}

static void on_data(void *ctx, ww_str data)
{
    struct forward *f = ctx;
    struct batch *b = &f->client->proxy->batch;

    capture_add(&f->response_capture, &f->x->arena, f->client->proxy->cfg.capture_body_bytes,
                data);
    f->x->response_body.size += data.len;
    if (batch_is_full(b))
        flush(f);
    if (f->out_body == WW_BODY_CHUNKED)
        batch_add_chunk(b, data);
    else
        batch_add(b, data);
}

/* How this client can be told where the body ends (RFC 9112 6.3, 7). */
static enum ww_framing framing_for_client(const struct forward *f)
{
    switch (f->response.framing) {
    case WW_BODY_NONE:
    case WW_BODY_LENGTH:
        return f->response.framing;
    case WW_BODY_CHUNKED:
    case WW_BODY_UNTIL_CLOSE:
        return f->request.minor == 0 ? WW_BODY_UNTIL_CLOSE : WW_BODY_CHUNKED;
    }
    return WW_BODY_NONE;
}

/* It has closed its side, and no further request of its waits. */
static bool is_last_of_client(const struct forward *f)
{
    return f->client_ended && f->client->in.len == 0;
}

void relay_head(struct forward *f, ww_str rest)
{
    struct ww_proxy *p = f->client->proxy;

    f->out_body = framing_for_client(f);
    if (f->out_body == WW_BODY_UNTIL_CLOSE || !f->request.keep_alive || !f->request_done ||
        p->draining || is_last_of_client(f))
        f->close_after = true;
    tag_response(f, &f->response, &p->out);
    batch_reset(&p->batch);
    batch_add(&p->batch, ww_buf_str(&p->out));
    if (f->response.framing == WW_BODY_NONE) {
        flush(f);
        f->state = FORWARD_FLUSH;
        return;
    }
    /* The head waits in the batch for the first bytes of the body: one write for both. */
    relay_body(f, rest);
}

void relay_interim(struct forward *f, const struct ww_head *h)
{
    struct ww_proxy *p = f->client->proxy;

    if (f->request.minor == 0)
        return; /* RFC 9110 15.2: HTTP/1.0 knows no 1xx */
    tag_response(f, h, &p->out);
    batch_reset(&p->batch);
    batch_add(&p->batch, ww_buf_str(&p->out));
    flush(f);
}

static void end_chunks(struct forward *f)
{
    struct batch *b = &f->client->proxy->batch;

    if (f->out_body != WW_BODY_CHUNKED)
        return;
    if (batch_is_full(b))
        flush(f);
    batch_add(b, WW_STR("0\r\n\r\n"));
}

void relay_body(struct forward *f, ww_str bytes)
{
    size_t used = 0;
    enum ww_parse parsed =
        bytes.len == 0 ? WW_PARSE_MORE : ww_http_body(f->parser, bytes, on_data, f, &used);

    if (parsed == WW_PARSE_DONE) {
        end_chunks(f);
        flush(f);
        f->state = FORWARD_FLUSH;
        return;
    }
    flush(f);
    if (parsed == WW_PARSE_BAD)
        forward_stop(f, WW_END_UPSTREAM_CUT);
}

void relay_close(struct forward *f)
{
    batch_reset(&f->client->proxy->batch);
    end_chunks(f);
    flush(f);
    f->state = FORWARD_FLUSH;
}

void relay_refusal(struct forward *f, enum ww_end end)
{
    struct ww_proxy *p = f->client->proxy;
    unsigned status = ww_end_status(end);
    bool is_head = ww_str_eq(f->request.method, WW_STR("HEAD"));
    char body[256];
    int len = snprintf(body, sizeof(body), "whichworker: %s\n", ww_end_sentence(end));

    if (!f->request_done || !f->request.keep_alive || p->draining || is_last_of_client(f))
        f->close_after = true;
    f->x->status = status;
    ww_buf_clear(&p->out);
    ww_buf_printf(&p->out,
                  "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                  "Content-Length: %d\r\n",
                  status, ww_http_reason(status), len);
    tag_common(f, &p->out);
    batch_reset(&p->batch);
    batch_add(&p->batch, ww_buf_str(&p->out));
    if (!is_head)
        batch_add(&p->batch, ww_str_n(body, (size_t)len));
    flush(f);
}
