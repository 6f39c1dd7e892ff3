/* A byte buffer with a limit. */
#include <whichworker/arena.h>
#include <whichworker/buf.h>

#include <stdio.h>
#include <stdlib.h>

void ww_buf_init(struct ww_buf *b, size_t max_bytes)
{
    *b = (struct ww_buf){ .max = max_bytes };
}

void ww_buf_release(struct ww_buf *b)
{
    free(b->ptr);
    *b = (struct ww_buf){ .max = b->max };
}

void ww_buf_clear(struct ww_buf *b)
{
    b->len = 0;
    b->full = false;
}

static void enlarge(struct ww_buf *b, size_t bytes)
{
    size_t cap = b->cap == 0 ? 256 : b->cap;

    if (bytes > PTRDIFF_MAX / 2)
        abort();
    while (cap < bytes)
        cap *= 2;
    if (cap > b->max)
        cap = b->max;
    /* One more for the NUL that vsnprintf insists on; it is not part of the text. */
    b->ptr = ww_xrealloc(b->ptr, cap + 1);
    b->cap = cap;
}

char *ww_buf_room(struct ww_buf *b, size_t n)
{
    if (b->full || n > b->max - b->len) {
        b->full = true;
        return NULL;
    }
    if (b->ptr == NULL || b->len + n > b->cap)
        enlarge(b, b->len + n);
    return b->ptr + b->len;
}

bool ww_buf_add(struct ww_buf *b, ww_str s)
{
    if (s.len == 0)
        return !b->full;

    char *room = ww_buf_room(b, s.len);

    if (room == NULL)
        return false;
    memcpy(room, s.ptr, s.len);
    b->len += s.len;
    return true;
}

bool ww_buf_add_c(struct ww_buf *b, const char *c)
{
    return ww_buf_add(b, ww_str_c(c));
}

bool ww_buf_add_char(struct ww_buf *b, char c)
{
    return ww_buf_add(b, ww_str_n(&c, 1));
}

bool ww_buf_vprintf(struct ww_buf *b, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);

    char *room = len < 0 ? NULL : ww_buf_room(b, (size_t)len);

    if (room == NULL) {
        b->full = true;
    } else {
        vsnprintf(room, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    }
    va_end(again);
    return room != NULL;
}

bool ww_buf_add_point(struct ww_buf *b, uint32_t point)
{
    char c[4];
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    for (size_t i = n; i > 1; i--) {
        c[i - 1] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    c[0] = (char)(lead[n] | point);
    return ww_buf_add(b, ww_str_n(c, n));
}

bool ww_buf_printf(struct ww_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    bool fits = ww_buf_vprintf(b, fmt, ap);
    va_end(ap);
    return fits;
}

/* How many bytes at the front of s may go out as they are. */
static size_t plain_run(ww_str s)
{
    size_t i = 0;

    while (i < s.len) {
        size_t n = ww_utf8_len(ww_str_from(s, i));

        if (n == 0 || ww_utf8_deceives(ww_utf8_point(s.ptr + i, n)))
            break;
        i += n;
    }
    return i;
}

bool ww_buf_add_printable(struct ww_buf *b, ww_str s)
{
    while (s.len > 0) {
        size_t n = plain_run(s);

        ww_buf_add(b, ww_str_upto(s, n));
        s = ww_str_from(s, n);
        if (s.len > 0)
            ww_buf_printf(b, "\\x%02x", (unsigned)(unsigned char)s.ptr[0]);
        s = ww_str_from(s, 1);
    }
    return !b->full;
}

void ww_buf_consume(struct ww_buf *b, size_t n)
{
    if (n > b->len)
        n = b->len;
    b->len -= n;
    if (b->len > 0 && n > 0)
        memmove(b->ptr, b->ptr + n, b->len);
}

ww_str ww_buf_str(const struct ww_buf *b)
{
    return ww_str_n(b->ptr == NULL ? "" : b->ptr, b->len);
}
