/* trace: the life of an exchange, and what its target says. */
#include <whichworker/exchange.h>

#include <stdlib.h>

struct ww_exchange *ww_exchange_new(size_t arena_limit_bytes)
{
    struct ww_exchange *x = ww_xcalloc(1, sizeof(*x));

    ww_arena_init(&x->arena, arena_limit_bytes);
    return x;
}

void ww_exchange_free(struct ww_exchange *x)
{
    if (x == NULL)
        return;
    ww_arena_release(&x->arena);
    free(x);
}

static bool is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '-' || c == '.';
}

/* Where the path begins in an absolute-form target (RFC 9112 3.2.2); 0 in any other. */
static size_t after_authority(ww_str target)
{
    size_t at = 0;
    while (at < target.len && is_scheme_char(target.ptr[at]))
        at++;
    if (at == 0 || !ww_str_starts(ww_str_from(target, at), WW_STR("://")))
        return 0;
    at += strlen("://");
    while (at < target.len && target.ptr[at] != '/' && target.ptr[at] != '?' &&
           target.ptr[at] != '#')
        at++;
    return at;
}

ww_str ww_exchange_path(const struct ww_exchange *x)
{
    if (x->target.ptr == NULL)
        return x->target;
    size_t from = after_authority(x->target);
    ww_str path = ww_str_from(x->target, from);
    size_t len = 0;
    while (len < path.len && path.ptr[len] != '?' && path.ptr[len] != '#')
        len++;
    /* "http://host" and "http://host?q" mean the root. */
    return from > 0 && len == 0 ? WW_STR("/") : ww_str_upto(path, len);
}

size_t ww_exchange_bytes(const struct ww_exchange *x)
{
    return sizeof(*x) + x->arena.held;
}
