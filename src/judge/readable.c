/* judge: remembers which cookie values can be read. */
#include "readable.h"

#include "carriers.h"

#define GENERATION 4096 /* values */

static void generation_init(struct generation *g)
{
    ww_arena_init(&g->arena, SIZE_MAX);
    ww_map_init(&g->value);
    ww_map_init(&g->capture);
}

static void generation_release(struct generation *g)
{
    ww_map_release(&g->value);
    ww_map_release(&g->capture);
    ww_arena_release(&g->arena);
}

void ww_readable_init(struct readable *r, const struct ww_sessions_config *cfg)
{
    r->cfg = cfg;
    generation_init(&r->young);
    generation_init(&r->old);
}

void ww_readable_release(struct readable *r)
{
    generation_release(&r->young);
    generation_release(&r->old);
}

static ww_str capture_key(size_t carrier, ww_str value, struct ww_arena *a)
{
    return ww_arena_printf(a, "%zu=" WW_STRF, carrier, WW_STRV(value));
}

static void capture(struct readable *r, const struct ww_payload *p)
{
    struct generation *g = &r->young;

    for (size_t i = 0; i < r->cfg->carriers; i++) {
        const struct ww_carrier *c = &r->cfg->carrier[i];
        if (c->kind != WW_KEY_PATTERN || c->of != WW_OF_COOKIE)
            continue;
        ww_str found = ww_carrier_capture(c, p->json);
        if (found.len == 0)
            continue;
        ww_str *kept = ww_arena_alloc(&g->arena, sizeof *kept);
        *kept = ww_arena_dup(&g->arena, found);
        ww_map_put(&g->capture, capture_key(i, p->value, &g->arena), (size_t)(uintptr_t)kept,
                   NULL);
    }
}

void ww_readable_add(struct readable *r, const struct ww_payload *p)
{
    if (ww_map_find(&r->young.value, p->value) != NULL)
        return;
    if (r->cfg->max_sessions > 0 && r->young.value.len >= GENERATION) {
        generation_release(&r->old);
        r->old = r->young;
        generation_init(&r->young);
    }
    ww_map_put(&r->young.value, ww_arena_dup(&r->young.arena, p->value), 1, NULL);
    capture(r, p);
}

bool ww_readable_has(const struct readable *r, ww_str value)
{
    return ww_map_find(&r->young.value, value) != NULL ||
           ww_map_find(&r->old.value, value) != NULL;
}

ww_str ww_readable_capture(const struct readable *r, size_t carrier, ww_str value)
{
    struct ww_arena a;

    ww_arena_init(&a, SIZE_MAX);
    ww_str key = capture_key(carrier, value, &a);
    size_t *at = ww_map_find(&r->young.capture, key);
    if (at == NULL)
        at = ww_map_find(&r->old.capture, key);
    ww_arena_release(&a);
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return at == NULL ? (ww_str){ 0 } : *(const ww_str *)(uintptr_t)*at;
}
