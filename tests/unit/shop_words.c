/* tests: how the simulated application's requests and answers are written. */
#include "shop.h"

#include <stdlib.h>

/* ---- words */

struct shop_state *shop_of(const struct shop_call *k, unsigned part)
{
    struct shop *s = k->s;

    return &s->state[s->cfg.apart ? k->e->client : 0][s->cfg.ill & part ? k->e->slot : 0];
}

/* Appends to the answer what follows from the state. */
void shop_say(struct shop_call *k, const char *fmt, ...)
{
    size_t from = k->body.len;
    va_list ap;

    va_start(ap, fmt);
    ww_buf_vprintf(&k->body, fmt, ap);
    va_end(ap);
    for (size_t i = from; i < k->body.len; i++) {
        k->e->said = (k->e->said ^ (unsigned char)k->body.ptr[i]) * 1099511628211u;
    }
}

/* Appends what is random, or of the clock. */
void shop_hum(struct shop_call *k, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    ww_buf_vprintf(&k->body, fmt, ap);
    va_end(ap);
}

void shop_ask(struct shop_call *k, const char *method, const char *fmt, ...)
{
    char target[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(target, sizeof target, fmt, ap);
    va_end(ap);
    k->x->method = ww_str_c(method);
    k->x->target = k->s->cfg.apart ? ww_arena_printf(&k->x->arena, "/of-%c%s",
                                                     (char)('a' + k->e->client), target)
                                   : ww_arena_dup(&k->x->arena, ww_str_c(target));
}

void shop_field(struct shop_call *k, const char *name, ww_str value)
{
    ww_fields_add(&k->x->response_fields, &k->x->arena, ww_str_c(name), value);
}

/* A name: one word, two words, a number, a phrase that shares its words, mixed case. */
const char *shop_name(const struct shop_call *k, unsigned n)
{
    static const char *const colour[] = { "red", "green", "blue", "old", "large" };
    struct ww_arena *a = &k->x->arena;
    char whose[8] = "";

    if (k->s->cfg.apart)
        snprintf(whose, sizeof whose, "%c", (char)('a' + k->e->client));
    switch (k->s->traits.words) {
    case 0:
        return ww_arena_printf(a, "thing%u%s", n, whose).ptr;
    case 1:
        return ww_arena_printf(a, "%s chair%u%s", colour[n % 5], n / 5, whose).ptr;
    case 2:
        return ww_arena_printf(a, "%u%u", n * 7 + 100,
                               k->s->cfg.apart ? (unsigned)k->e->client : 0)
            .ptr;
    case 3:
        return ww_arena_printf(a, "item %u of %u%s", n % 10, n / 10, whose).ptr;
    default:
        return ww_arena_printf(a, "%sBuy-%u", whose, n).ptr;
    }
}

const char *shop_shown_name(const struct shop_call *k, unsigned n)
{
    char *name = (char *)ww_arena_dup(&k->x->arena, ww_str_c(shop_name(k, n))).ptr;

    for (char *c = name; k->s->traits.capitals && *c != '\0'; c++) {
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    }
    return name;
}

void shop_send_name(struct shop_call *k, const char *key, unsigned n)
{
    struct ww_exchange *x = k->x;
    bool form = k->s->traits.html;
    ww_str body = form ? ww_arena_printf(&x->arena, "%s=%s&go=1", key, shop_name(k, n))
                       : ww_arena_printf(&x->arena, "{\"%s\":\"%s\"}", key, shop_name(k, n));

    for (char *c = (char *)body.ptr; form && *c != '\0'; c++) {
        *c = *c == ' ' ? '+' : *c;
    }
    x->request_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Content-Type"),
                  form ? WW_STR("application/x-www-form-urlencoded")
                       : WW_STR("application/json"));
}

unsigned shop_draw_name(struct shop_call *k)
{
    return shop_roll(&k->rng, k->s->traits.names);
}

void shop_refuse(struct shop_call *k, unsigned status, const char *why)
{
    k->x->status = status;
    shop_say(k, "{\"error\":\"%s\"}", why);
}

const char *shop_id(const struct shop_call *k, unsigned id)
{
    return k->s->traits.hex_ids
               ? ww_arena_printf(&k->x->arena, "%08x%08x", id * 2654435761u, id * 40503u).ptr
               : ww_arena_printf(&k->x->arena, "%u", id).ptr;
}
