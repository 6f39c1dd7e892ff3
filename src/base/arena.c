/* Bump allocation in blocks that are freed together. */
#include <whichworker/arena.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES 4096
#define ALIGN       16

struct ww_arena_block {
    struct ww_arena_block *older;
    size_t used;
    size_t size;
    _Alignas(ALIGN) char bytes[];
};

void *ww_xmalloc(size_t bytes)
{
    void *p = malloc(bytes == 0 ? 1 : bytes);

    if (p == NULL)
        abort();
    return p;
}

void *ww_xcalloc(size_t count, size_t bytes)
{
    void *p = calloc(count == 0 ? 1 : count, bytes == 0 ? 1 : bytes);

    if (p == NULL)
        abort();
    return p;
}

void *ww_xrealloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes == 0 ? 1 : bytes);

    if (q == NULL)
        abort();
    return q;
}

char *ww_xstrdup(const char *c)
{
    size_t len = strlen(c) + 1;

    return memcpy(ww_xmalloc(len), c, len);
}

void *ww_grow(void *v, size_t n, size_t *cap, size_t element_bytes)
{
    if (n <= *cap)
        return v;

    size_t fresh = *cap == 0 ? 8 : *cap;

    if (n > SIZE_MAX / 2 / element_bytes)
        abort();
    while (fresh < n)
        fresh *= 2;
    *cap = fresh;
    return ww_xrealloc(v, fresh * element_bytes);
}

void ww_arena_init(struct ww_arena *a, size_t limit_bytes)
{
    *a = (struct ww_arena){ .limit = limit_bytes };
}

static struct ww_arena_block *block_new(struct ww_arena *a, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct ww_arena_block *b = ww_xmalloc(sizeof(*b) + size);

    b->used = 0;
    b->size = size;
    b->older = a->block;
    a->block = b;
    a->held += sizeof(*b) + size;
    return b;
}

void *ww_arena_try(struct ww_arena *a, size_t bytes)
{
    if (bytes > a->limit - a->used)
        return NULL;
    if (bytes > PTRDIFF_MAX - BLOCK_BYTES) /* no such memory; and the sums below would wrap */
        abort();

    size_t padded = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct ww_arena_block *b = a->block;

    if (b == NULL || padded > b->size - b->used)
        b = block_new(a, padded);

    void *p = b->bytes + b->used;

    b->used += padded;
    a->used += bytes;
    /* The padding too: compiled patterns look at whole blocks, and at nothing left to chance. */
    return memset(p, 0, padded);
}

void *ww_arena_alloc(struct ww_arena *a, size_t bytes)
{
    void *p = ww_arena_try(a, bytes);

    if (p == NULL)
        abort();
    return p;
}

ww_str ww_arena_dup(struct ww_arena *a, ww_str s)
{
    if (s.ptr == NULL)
        return s;

    char *copy = ww_arena_try(a, s.len + 1);

    if (copy == NULL)
        return (ww_str){ 0 };
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return ww_str_n(copy, s.len);
}

ww_str ww_arena_printf(struct ww_arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0)
        return (ww_str){ 0 };

    char *text = ww_arena_try(a, (size_t)len + 1);

    if (text == NULL)
        return (ww_str){ 0 };
    va_start(ap, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return ww_str_n(text, (size_t)len);
}

void ww_arena_release(struct ww_arena *a)
{
    for (struct ww_arena_block *b = a->block; b != NULL;) {
        struct ww_arena_block *older = b->older;

        free(b);
        b = older;
    }
    a->block = NULL;
    a->used = 0;
    a->held = 0;
}
