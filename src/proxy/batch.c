/* Gathers the pieces of one vectored write, and captures bodies. */
#include "proxy_private.h"

#include <assert.h>
#include <stdio.h>

void batch_reset(struct batch *b)
{
    b->n = 0;
    b->chunks = 0;
}

/* Whether the three pieces of one more chunk would not fit. */
bool batch_is_full(const struct batch *b)
{
    return b->n + 3 > FORWARD_PIECES;
}

void batch_add(struct batch *b, ww_str piece)
{
    assert(b->n < FORWARD_PIECES);
    b->piece[b->n++] = piece;
}

void batch_add_chunk(struct batch *b, ww_str data)
{
    char *head = b->chunk_head[b->chunks++];
    int len = snprintf(head, CHUNK_HEAD, "%zx\r\n", data.len);

    batch_add(b, ww_str_n(head, (size_t)len));
    batch_add(b, data);
    batch_add(b, WW_STR("\r\n"));
}

#define FIRST_CAPTURE 1024

void capture_add(struct capture *c, struct ww_arena *a, size_t limit, ww_str data)
{
    size_t take = data.len < limit - c->len ? data.len : limit - c->len;

    if (take == 0 || c->closed)
        return;
    if (c->len + take > c->cap) {
        size_t cap = c->cap == 0 ? FIRST_CAPTURE : c->cap * 2;

        if (cap < c->len + take)
            cap = c->len + take;
        if (cap > limit)
            cap = limit;

        char *ptr = ww_arena_try(a, cap);

        if (ptr == NULL) {
            c->closed = true;
            return;
        }
        if (c->len > 0)
            memcpy(ptr, c->ptr, c->len);
        c->ptr = ptr;
        c->cap = cap;
    }
    memcpy(c->ptr + c->len, data.ptr, take);
    c->len += take;
}
