/* tests: the simulated application's lists, values and numbers. */
#include "shop.h"

/* ---- a list */

static bool shows(const struct shop_call *k, const struct shop_item *i)
{
    return i->shows_us <= k->e->effect_us &&
           (!k->s->traits.private || i->owner == k->e->client);
}

static struct shop_item *item_find(struct shop_call *k, unsigned id)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_LIST);

    for (size_t i = 0; i < s->items; i++) {
        if (s->item[i].id == id && shows(k, &s->item[i]))
            return &s->item[i];
    }
    return NULL;
}

static void ask_add(struct shop_call *k)
{
    k->arg = shop_draw_name(k);
    shop_ask(k, "POST", "/items");
    shop_send_name(k, "name", k->arg);
}

static bool taken(struct shop_call *k, unsigned name)
{
    const struct shop_state *s = shop_of(k, SHOP_ILL_LIST);

    for (size_t i = 0; i < s->items && k->s->traits.unique; i++) {
        if (s->item[i].name == name && shows(k, &s->item[i]))
            return true;
    }
    return false;
}

static void say_made(struct shop_call *k, const struct shop_item *i)
{
    k->told = i->id;
    if (k->s->traits.location)
        shop_field(k, "Location",
                   ww_arena_printf(&k->x->arena, WW_STRF "/%s", WW_STRV(k->x->target),
                                   shop_id(k, i->id)));
    if (k->s->traits.html) {
        k->type = "text/html";
        k->x->status = k->s->traits.location ? 303 : 200;
        shop_say(k, "<p>Added %s</p>", shop_shown_name(k, i->name));
        return;
    }
    k->x->status = 201;
    shop_say(k, "{\"id\":\"%s\"%s}", shop_id(k, i->id),
             k->s->traits.one_time ? ",\"ok\":true" : "");
}

static void serve_add(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_LIST);

    if (shop_roll(&k->rng, 20) == 0) {
        shop_refuse(k, k->s->traits.sliding ? 200 : 422, "name is not valid");
        return;
    }
    if (taken(k, k->arg) || s->items == SHOP_ITEMS) {
        shop_refuse(k, 409, "taken");
        return;
    }
    struct shop_item *i = &s->item[s->items++];
    *i = (struct shop_item){ .id = (unsigned)(k->e - k->s->event) + 1,
                             .name = k->arg,
                             .owner = (unsigned)k->e->client,
                             .shows_us = k->e->effect_us + k->s->traits.lag_us };
    if (k->s->cfg.apart)
        i->id = (unsigned)(k->e->seed % 1000000);
    k->e->write = true;
    k->e->subject = 1;
    say_made(k, i);
}

static int by_order(const struct shop_call *k, const struct shop_item *a,
                    const struct shop_item *b)
{
    switch (k->s->traits.order) {
    case ORDER_NEWEST:
        return a > b ? -1 : 1;
    case ORDER_BY_NAME:
        return a->name != b->name ? (a->name < b->name ? -1 : 1) : a < b ? -1 : 1;
    case ORDER_OLDEST:
    case ORDER_ANY:
        break;
    }
    return a < b ? -1 : 1;
}

/* Which items a page of the list shows, in its order; the number of them. */
static size_t gather(struct shop_call *k, const struct shop_item **out, unsigned from,
                     unsigned max)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_LIST);
    size_t n = 0, first = 0;

    for (size_t i = 0; i < s->items; i++) {
        if (!shows(k, &s->item[i]))
            continue;
        size_t at = n++;
        for (; at > 0 && by_order(k, &s->item[i], out[at - 1]) < 0; at--) {
            out[at] = out[at - 1];
        }
        out[at] = &s->item[i];
    }
    if (from < n)
        first = from;
    else
        first = n;
    n -= first;
    memmove(out, out + first, n * sizeof *out);
    if (max > 0 && n > max)
        n = max;
    for (size_t i = n; k->s->traits.order == ORDER_ANY && i > 1; i--) {
        size_t with = shop_roll(&k->noise, (unsigned)i);
        const struct shop_item *item = out[with];
        out[with] = out[i - 1];
        out[i - 1] = item;
    }
    return n;
}

static void say_items(struct shop_call *k, const struct shop_item **item, size_t n)
{
    bool html = k->s->traits.html, versions = k->s->traits.versions;

    if (html)
        k->type = "text/html";
    shop_hum(k, html ? "<ul>" : "{\"items\":[");
    for (size_t i = 0; i < n; i++) {
        uint64_t said = k->e->said;
        if (html) {
            shop_say(k, "<li>%s</li>", shop_shown_name(k, item[i]->name));
        } else if (k->s->traits.shuffled_keys && shop_roll(&k->noise, 2) == 0) {
            shop_hum(k, "%s{\"name\":\"%s\",\"id\":\"%s\"}", i > 0 ? "," : "",
                     shop_shown_name(k, item[i]->name), shop_id(k, item[i]->id));
        } else {
            shop_hum(k, "%s{\"id\":\"%s\",\"name\":\"%s\"", i > 0 ? "," : "",
                     shop_id(k, item[i]->id), shop_shown_name(k, item[i]->name));
            if (versions)
                shop_hum(k, ",\"views\":%u,\"likes\":%u", item[i]->views, item[i]->likes);
            shop_hum(k, "}");
        }
        /* in whatever order */
        k->e->said = said + (item[i]->id + 1) * 0x9e3779b97f4a7c15u + item[i]->name;
    }
    shop_hum(k, html ? "</ul>" : "]}");
    k->e->subject = 1;
}

static void ask_list(struct shop_call *k)
{
    shop_ask(k, "GET", "/items");
}

static void serve_list(struct shop_call *k)
{
    const struct shop_item *item[SHOP_ITEMS];
    size_t n = gather(k, item, 0, 0);
    unsigned cap = k->s->traits.cap, page = k->s->traits.page;

    if (cap > 0 && n > cap && k->s->traits.order == ORDER_OLDEST)
        n = gather(k, item, (unsigned)n - cap, cap);
    else if (page > 0 && n > page)
        n = gather(k, item, 0, page);
    say_items(k, item, n);
}

static void ask_page(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 3);
    shop_ask(k, "GET", "/items?page=%u", k->arg);
}

static void serve_page(struct shop_call *k)
{
    const struct shop_item *item[SHOP_ITEMS];
    unsigned size = k->s->traits.page > 0 ? k->s->traits.page : 4;

    say_items(k, item, gather(k, item, k->arg * size, size));
    k->e->subject = SHOP_NONE;
}

static void ask_search(struct shop_call *k)
{
    k->arg = shop_draw_name(k);
    shop_ask(k, "GET", "/search?q=%s",
             k->s->traits.words == 1 ? "chair" : shop_name(k, k->arg));
    for (char *c = (char *)k->x->target.ptr; *c != '\0'; c++) {
        *c = *c == ' ' ? '+' : *c;
    }
}

static void serve_search(struct shop_call *k)
{
    const struct shop_item *item[SHOP_ITEMS];
    size_t all = gather(k, item, 0, 0), n = 0;

    for (size_t i = 0; i < all && n < 5; i++) {
        if (item[i]->name == k->arg || k->s->traits.words == 1)
            item[n++] = item[i];
    }
    say_items(k, item, n);
    k->e->subject = SHOP_NONE;
}

/* One of those that this client was told of, or whatever the number is. */
static unsigned draw_item(struct shop_call *k)
{
    size_t n = k->sent.items < 8 ? k->sent.items : 8;

    if (n == 0 || shop_roll(&k->rng, 5) == 0)
        return 1 + shop_roll(&k->rng, 60);
    return k->sent.item[shop_roll(&k->rng, (unsigned)n)];
}

static void ask_item(struct shop_call *k)
{
    k->arg = draw_item(k);
    shop_ask(k, shop_roll(&k->rng, 6) == 0 ? "HEAD" : "GET", "/items/%s", shop_id(k, k->arg));
}

static void serve_item(struct shop_call *k)
{
    struct shop_item *i = item_find(k, k->arg);
    bool head = ww_str_eq(k->x->method, WW_STR("HEAD"));

    k->e->subject = 1000 + k->arg;
    if (i == NULL) {
        k->x->status = 404;
        shop_say(k, head ? "" : "{\"error\":\"no such item\"}");
        return;
    }
    i->views++;
    if (head)
        return;
    shop_say(k, "{\"name\":\"%s\",\"likes\":%u", shop_shown_name(k, i->name), i->likes);
    if (k->s->traits.versions)
        shop_say(k, ",\"views\":%u,\"version\":%u", i->views, i->version);
    shop_say(k, "}");
}

static void ask_change(struct shop_call *k)
{
    k->arg = draw_item(k);
    k->arg2 = shop_draw_name(k);
    shop_ask(k, shop_roll(&k->rng, 2) == 0 ? "PATCH" : "PUT", "/items/%s", shop_id(k, k->arg));
    shop_send_name(k, "name", k->arg2);
}

static void serve_change(struct shop_call *k)
{
    struct shop_item *i = item_find(k, k->arg);

    if (i == NULL) {
        shop_refuse(k, 404, "no such item");
    } else if (taken(k, k->arg2)) {
        shop_refuse(k, 409, "taken");
    } else {
        i->name = k->arg2;
        i->version++;
        k->e->write = true;
        k->e->subject = 1;
        shop_say(k, "{\"ok\":true,\"version\":%u}", i->version);
    }
}

static void ask_delete(struct shop_call *k)
{
    k->arg = draw_item(k);
    if (k->s->traits.html)
        shop_ask(k, "POST", "/items/%s/delete", shop_id(k, k->arg));
    else
        shop_ask(k, "DELETE", "/items/%s", shop_id(k, k->arg));
}

static void serve_delete(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_LIST);
    struct shop_item *i = item_find(k, k->arg);

    if (i == NULL) {
        shop_refuse(k, 404, "no such item");
        return;
    }
    memmove(i, i + 1, (size_t)(s->item + s->items - i - 1) * sizeof *i);
    s->items--;
    k->e->write = true;
    k->e->subject = 1;
    k->x->status = 204;
}

static void ask_like(struct shop_call *k)
{
    k->arg = draw_item(k);
    shop_ask(k, "POST", "/items/%s/like", shop_id(k, k->arg));
}

static void serve_like(struct shop_call *k)
{
    struct shop_item *i = item_find(k, k->arg);

    if (i == NULL) {
        shop_refuse(k, 404, "no such item");
        return;
    }
    i->likes = k->s->traits.unique ? i->likes ^ 1u : i->likes + 1;
    shop_say(k, "{\"likes\":%u}", i->likes);
}

static void ask_clear(struct shop_call *k)
{
    shop_ask(k, "POST", "/items/clear");
}

static void serve_clear(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_LIST);
    size_t kept = 0;

    for (size_t i = 0; i < s->items; i++) {
        if (!shows(k, &s->item[i]))
            s->item[kept++] = s->item[i];
    }
    s->items = kept;
    k->e->write = true;
    k->e->subject = 1;
    shop_say(k, "{\"ok\":true}");
}

/* ---- values that are replaced */

static void ask_put(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 2);
    k->arg2 = shop_draw_name(k);
    shop_ask(k, "PUT", "/settings/%s", k->arg == 0 ? "title" : "theme");
    shop_send_name(k, "value", k->arg2);
}

static void serve_put(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_VALUES);

    s->old[k->arg] = s->value[k->arg];
    s->value[k->arg] = k->arg2;
    s->value_us[k->arg] = k->e->effect_us + k->s->traits.lag_us;
    s->version[k->arg]++;
    k->e->write = true;
    k->e->subject = 2 + k->arg;
    shop_say(k, "{\"ok\":true%s", k->s->traits.versions ? "" : "}");
    if (k->s->traits.versions)
        shop_say(k, ",\"version\":%u}", s->version[k->arg]);
}

static void ask_get(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 2);
    shop_ask(k, "GET", "/settings/%s", k->arg == 0 ? "title" : "theme");
    if (k->s->traits.one_time && k->sent.has[KEEP_ETAG] != SHOP_NONE) {
        ww_fields_add(&k->x->request_fields, &k->x->arena, WW_STR("If-None-Match"),
                      ww_arena_printf(&k->x->arena, "\"%u\"", k->sent.has[KEEP_ETAG]));
    }
}

static unsigned value_now(const struct shop_call *k, const struct shop_state *s, unsigned at)
{
    return s->value_us[at] > k->e->effect_us ? s->old[at] : s->value[at];
}

static void serve_get(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_VALUES);
    unsigned value = value_now(k, s, k->arg);

    k->e->subject = 2 + k->arg;
    shop_field(k, "ETag", ww_arena_printf(&k->x->arena, "\"%u\"", value));
    k->set[KEEP_ETAG] = value;
    if (k->s->traits.one_time && k->sent.has[KEEP_ETAG] == value) {
        k->x->status = 304;
        return;
    }
    if (k->s->traits.html) {
        k->type = "text/html";
        shop_say(k, "<h1>%s</h1>", shop_shown_name(k, value));
        shop_hum(k, "<p>served at 12:%02u:%02u</p>", shop_roll(&k->noise, 60),
                 shop_roll(&k->noise, 60));
        return;
    }
    shop_say(k, "{\"value\":\"%s\"", shop_shown_name(k, value));
    if (k->s->traits.versions)
        shop_say(k, ",\"version\":%u", s->version[k->arg]);
    shop_say(k, "}");
}

/* The same value from a cache that all share; it may be old, for everybody. */
static void ask_cached(struct shop_call *k)
{
    shop_ask(k, "GET", "/front");
}

static void serve_cached(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_VALUES);

    if (s->cached_us <= k->e->effect_us) {
        for (unsigned i = 0; i < 2; i++) {
            s->cached[i] = value_now(k, s, i);
        }
        s->cached_us = k->e->effect_us + k->s->traits.cache_us;
    }
    shop_say(k, "{\"title\":\"%s\",\"theme\":\"%s\"}", shop_shown_name(k, s->cached[0]),
             shop_shown_name(k, s->cached[1]));
}

/* ---- numbers */

static void ask_hits(struct shop_call *k)
{
    shop_ask(k, "GET", "/hits");
}

static void serve_hits(struct shop_call *k)
{
    unsigned hits = ++shop_of(k, SHOP_ILL_COUNTS)->hits;

    if (k->s->traits.html) {
        k->type = "text/html";
        shop_say(k, "<p>You are visitor number %u.</p>", hits);
    } else {
        shop_say(k, "{\"hits\":%u}", hits);
    }
}

static void ask_buy(struct shop_call *k)
{
    shop_ask(k, "POST", "/orders");
    shop_send_name(k, "what", shop_draw_name(k));
}

static void serve_buy(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_COUNTS);

    if (s->stock == 0) {
        shop_refuse(k, 409, "sold out");
        return;
    }
    s->stock--;
    s->sold++;
    k->x->status = 201;
    k->e->write = true;
    k->e->subject = 8;
    shop_say(k, "{\"order\":%u}", s->sold);
}

static void ask_stock(struct shop_call *k)
{
    shop_ask(k, "GET", "/stock");
}

static void serve_stock(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_COUNTS);

    if (k->s->traits.restarts > 0 && s->stock < 10)
        s->stock += 30; /* the van came */
    k->e->subject = 8;
    shop_say(k, "{\"left\":%u,\"sold\":%u}", s->stock, s->sold);
}

static void ask_score(struct shop_call *k)
{
    k->arg = shop_roll(&k->rng, 1000) + (k->s->cfg.apart ? 1000 * (unsigned)k->e->client : 0);
    shop_ask(k, "POST", "/scores?points=%u", k->arg);
}

static void serve_score(struct shop_call *k)
{
    unsigned *best = &shop_of(k, SHOP_ILL_COUNTS)->score[k->e->client];

    if (k->arg > *best)
        *best = k->arg;
    shop_say(k, "{\"ok\":true}");
}

static void ask_board(struct shop_call *k)
{
    shop_ask(k, "GET", "/scores");
}

static void serve_board(struct shop_call *k)
{
    const struct shop_state *s = shop_of(k, SHOP_ILL_COUNTS);
    unsigned top[2] = { 0, 0 };

    for (size_t i = 0; i < SHOP_CLIENTS; i++) {
        if (s->score[i] > top[0]) {
            top[1] = top[0];
            top[0] = s->score[i];
        } else if (s->score[i] > top[1]) {
            top[1] = s->score[i];
        }
    }
    shop_say(k, "{\"best\":[%u,%u]}", top[0], top[1]);
}

/* So many requests in a window of time. */
static void ask_quota(struct shop_call *k)
{
    shop_ask(k, "GET", "/quote");
}

static void serve_quota(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_COUNTS);

    if (k->e->effect_us - s->window_us > 20000) {
        s->window_us = k->e->effect_us;
        s->asked = 0;
    }
    if (++s->asked > 5) {
        shop_field(k, "Retry-After", WW_STR("1"));
        shop_refuse(k, k->s->traits.redirects ? 429 : 403, "too many requests");
        return;
    }
    shop_field(k, "X-RateLimit-Remaining", ww_arena_printf(&k->x->arena, "%u", 5 - s->asked));
    shop_say(k, "{\"quote\":\"patience\",\"remaining\":%u}", 5 - s->asked);
}

static void ask_online(struct shop_call *k)
{
    shop_ask(k, "GET", "/online");
}

static void serve_online(struct shop_call *k)
{
    struct shop_state *s = shop_of(k, SHOP_ILL_COUNTS);
    unsigned n = 0;

    s->active_us[k->e->client] = k->e->effect_us;
    for (size_t i = 0; i < SHOP_CLIENTS; i++) {
        n += s->active_us[i] > 0 && k->e->effect_us - s->active_us[i] < 8000;
    }
    shop_say(k, "{\"online\":%u}", n);
}

const struct shop_op shop_things[] = {
    { "add", 0, SHOP_ILL_LIST, ask_add, serve_add },
    { "list", 0, SHOP_ILL_LIST, ask_list, serve_list },
    { "page", 1, 0, ask_page, serve_page },
    { "search", 1, 0, ask_search, serve_search },
    { "item", 0, 0, ask_item, serve_item },
    { "change", 2, 0, ask_change, serve_change },
    { "delete", 2, 0, ask_delete, serve_delete },
    { "like", 2, 0, ask_like, serve_like },
    { "clear", 3, 0, ask_clear, serve_clear },
    { "put", 4, SHOP_ILL_VALUES, ask_put, serve_put },
    { "get", 4, SHOP_ILL_VALUES, ask_get, serve_get },
    { "cached", 5, 0, ask_cached, serve_cached },
    { "hits", 6, 0, ask_hits, serve_hits },
    { "buy", 7, SHOP_ILL_COUNTS, ask_buy, serve_buy },
    { "stock", 7, SHOP_ILL_COUNTS, ask_stock, serve_stock },
    { "score", 8, 0, ask_score, serve_score },
    { "board", 8, 0, ask_board, serve_board },
    { "quota", 9, 0, ask_quota, serve_quota },
    { "online", 10, 0, ask_online, serve_online },
};

const size_t shop_things_count = sizeof shop_things / sizeof shop_things[0];
