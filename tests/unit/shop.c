/* tests: the plan of a simulated trace, and how it is played: clients, jars, workers, faults.
 */
#include "shop.h"

#include <stdlib.h>

unsigned shop_roll(uint64_t *rng, unsigned n)
{
    *rng += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *rng;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) >> 33) % n;
}

size_t shop_ops(void)
{
    return shop_things_count + shop_times_count + shop_people_count;
}

const struct shop_op *shop_op(size_t i)
{
    if (i < shop_things_count)
        return &shop_things[i];
    i -= shop_things_count;
    return i < shop_times_count ? &shop_times[i] : &shop_people[i - shop_times_count];
}

bool shop_is_cached(const struct shop *s)
{
    size_t i = 0;

    while (i < shop_ops() && strcmp(shop_op(i)->name, "cached") != 0) {
        i++;
    }
    return i < shop_ops() && s->traits.weight[i] > 0;
}

static bool often(uint64_t *rng, unsigned percent)
{
    return shop_roll(rng, 100) < percent;
}

/* ---- the plan */

static void draw_ops(struct shop *s)
{
    bool on[SHOP_GROUPS] = { 0 };
    size_t any = 0;

    for (size_t i = 0; i < SHOP_GROUPS; i++) {
        on[i] = often(&s->rng, 25);
    }
    for (size_t i = 0; i < shop_ops(); i++) {
        unsigned weight = 1 + shop_roll(&s->rng, 5);
        bool used = on[shop_op(i)->group] && often(&s->rng, 80);
        used = used || (shop_op(i)->focus & s->cfg.focus);
        s->traits.weight[i] = used ? weight : 0;
        any += used;
    }
    for (size_t i = 0; i < shop_ops() && any == 0; i++) {
        s->traits.weight[i] = 1;
    }
}

static void draw_traits(struct shop *s)
{
    struct shop_traits *t = &s->traits;
    uint64_t *r = &s->rng;
    bool calm = s->cfg.calm;

    t->workers = 2 + shop_roll(r, SHOP_WORKERS - 1);
    t->clients = 1 + shop_roll(r, SHOP_CLIENTS);
    t->schedule = (enum shop_schedule)shop_roll(r, 4);
    t->order = (enum shop_order)shop_roll(r, 4);
    t->cap = often(r, 20) ? 2 + shop_roll(r, 6) : 0;
    t->page = often(r, 15) ? 2 + shop_roll(r, 8) : 0;
    t->names = often(r, 30) ? 2 + shop_roll(r, 8) : 20 + shop_roll(r, 1000);
    t->words = shop_roll(r, 5);
    t->lag_us = !calm && often(r, 10) ? 500 + shop_roll(r, 20000) : 0;
    t->ttl_us = often(r, 50) ? 5000 + shop_roll(r, 100000) : INT64_MAX / 4;
    t->cache_us = 1000 + shop_roll(r, 30000);
    t->faults = !calm && often(r, 30) ? 1 + shop_roll(r, 60) : 0;
    t->restarts = !s->cfg.apart && often(r, 20) ? 1 + shop_roll(r, 80) : 0;
    t->html = often(r, 30);
    t->location = often(r, 50);
    t->unique = often(r, 40);
    t->capitals = often(r, 10);
    t->private = often(r, 30);
    t->hex_ids = often(r, 40);
    t->sliding = often(r, 40);
    t->redirects = often(r, 50);
    t->one_time = often(r, 30);
    t->shuffled_keys = often(r, 30);
    t->lanes = !calm && often(r, 25);
    t->versions = often(r, 30);
    t->behind_one_address = !calm && often(r, 10);
    draw_ops(s);
}

static unsigned pick_op(struct shop *s, uint64_t *rng)
{
    unsigned sum = 0, op = 0;

    for (size_t i = 0; i < shop_ops(); i++) {
        sum += s->traits.weight[i];
    }
    for (unsigned at = shop_roll(rng, sum); at >= s->traits.weight[op]; op++) {
        at -= s->traits.weight[op];
    }
    return op;
}

/* Which worker is next for this client. */
static size_t pick_slot(const struct shop *s, uint64_t *rng, size_t client, size_t last,
                        size_t nth)
{
    size_t n = s->traits.workers;

    switch (s->traits.schedule) {
    case SCHEDULE_NATURAL:
        break;
    case SCHEDULE_SCATTER:
        return (last + 1 + shop_roll(rng, (unsigned)n - 1)) % n;
    case SCHEDULE_ROBIN:
        return (client + nth) % n;
    case SCHEDULE_MOSTLY_ONE:
        if (often(rng, 85))
            return client % n;
        break;
    }
    return shop_roll(rng, (unsigned)n);
}

static int64_t plan_client(struct shop *s, size_t client, uint64_t rng, int64_t t, size_t ops)
{
    size_t slot = client % s->traits.workers;

    for (size_t i = 0; i < ops && s->events < SHOP_EVENTS; i++) {
        int64_t start = t + 1 + shop_roll(&rng, often(&rng, 5) ? 60000 : 3000);
        unsigned took = 2 + shop_roll(&rng, 2000);
        slot = pick_slot(s, &rng, client, slot, i);
        s->event[s->events++] =
            (struct shop_event){ .client = client,
                                 .slot = slot,
                                 .op = pick_op(s, &rng),
                                 .seed = rng,
                                 .start_us = start,
                                 .effect_us = start + 1 + shop_roll(&rng, took - 1),
                                 .end_us = start + took };
        t = start + took;
    }
    return t;
}

static int by_start(const void *a, const void *b)
{
    const struct shop_event *x = a, *y = b;

    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return x->seed < y->seed ? -1 : x->seed > y->seed;
}

static void plan(struct shop *s)
{
    uint64_t seed = s->rng;
    int64_t t = SHOP_EPOCH_US;

    for (size_t i = 0; i < s->traits.clients; i++) {
        size_t client = (i + s->cfg.turn) % s->traits.clients;
        uint64_t rng = seed + client * 1000003;
        size_t ops = s->cfg.calm ? 20 + shop_roll(&rng, 20) : 5 + shop_roll(&rng, 55);
        int64_t from = s->cfg.calm ? t : SHOP_EPOCH_US + shop_roll(&rng, 20000);
        t = plan_client(s, client, rng, from, ops);
        t += SHOP_SECOND_US - t % SHOP_SECOND_US;
        if (s->traits.lanes)
            plan_client(s, client, rng + 17, from, ops / 2);
    }
    qsort(s->event, s->events, sizeof *s->event, by_start);
}

struct shop *shop_new(const struct shop_config *cfg)
{
    struct shop *s = ww_xcalloc(1, sizeof *s);

    s->cfg = *cfg;
    s->rng = cfg->seed * 0x5851f42d4c957f2du;
    draw_traits(s);
    plan(s);
    return s;
}

static void forget(struct shop *s)
{
    for (size_t i = 0; i < s->events; i++) {
        ww_exchange_free(s->exchange[i]);
        s->exchange[i] = NULL;
    }
}

void shop_free(struct shop *s)
{
    forget(s);
    free(s);
}

/* ---- playing it */

static void begin(struct shop *s)
{
    forget(s);
    memset(s->state, 0, sizeof s->state);
    memset(s->client, 0, sizeof s->client);
    s->cookies = s->workers = 0;
    for (size_t c = 0; c < SHOP_CLIENTS; c++) {
        memset(s->client[c].has, 0xff, sizeof s->client[c].has);
        for (size_t w = 0; w < SHOP_WORKERS; w++) {
            struct shop_state *t = &s->state[c][w];
            t->stock = 40;
            t->hits = t->sold = s->cfg.apart ? 1000 * (unsigned)(c + 1) : 0;
        }
    }
    for (size_t w = 0; w < s->traits.workers; w++) {
        s->at_slot[w] = s->workers;
        s->worker[s->workers++] = (struct ww_worker){
            .id = { .pid = s->cfg.pid_base + (int32_t)w, .start_ticks = 7 },
            .slot = (uint32_t)w,
            .started_us = SHOP_EPOCH_US - 1000,
        };
    }
}

/* max_requests: another process takes the slot. */
static void retire(struct shop *s, const struct shop_event *e)
{
    s->at_slot[e->slot] = s->workers;
    s->worker[s->workers] = (struct ww_worker){
        .id = { .pid = s->cfg.pid_base + 100 + (int32_t)s->workers, .start_ticks = 9 },
        .slot = (uint32_t)e->slot,
        .started_us = e->start_us,
    };
    s->workers++;
}

static void add_field(struct ww_exchange *x, struct ww_fields *f, const char *name, ww_str v)
{
    ww_fields_add(f, &x->arena, ww_str_c(name), v);
}

static void add_cookies(struct shop_call *k)
{
    const uint32_t *has = k->sent.has;
    struct ww_exchange *x = k->x;
    struct ww_buf b;

    ww_buf_init(&b, 1024);
    if (has[KEEP_SIGNED] != SHOP_NONE)
        ww_buf_printf(&b, "; session=%s", k->s->cookie[has[KEEP_SIGNED]].text);
    if (has[KEEP_SID] != SHOP_NONE)
        ww_buf_printf(&b, "; sessionid=mac:%024x", has[KEEP_SID] * 2654435761u);
    if (has[KEEP_BUCKET] != SHOP_NONE)
        ww_buf_printf(&b, "; bucket=mac:%024x", has[KEEP_BUCKET] + 77);
    if (b.len > 0)
        add_field(x, &x->request_fields, "Cookie",
                  ww_arena_dup(&x->arena, ww_str_from(ww_buf_str(&b), 2)));
    ww_buf_release(&b);
}

static void add_identity(struct shop_call *k)
{
    struct ww_exchange *x = k->x;
    const struct shop *s = k->s;
    size_t client = k->e->client;
    bool crowd = s->traits.behind_one_address && client < 2;

    x->connection = client + 1;
    x->client = crowd ? WW_STR("10.0.0.7") : WW_STR("127.0.0.1");
    add_field(x, &x->request_fields, "User-Agent",
              crowd ? WW_STR("browser") : ww_arena_printf(&x->arena, "client-%zu", client));
    if (k->sent.has[KEEP_TOKEN] != SHOP_NONE)
        add_field(x, &x->request_fields, "Authorization",
                  ww_arena_printf(&x->arena, "Bearer mac:%024x", k->sent.has[KEEP_TOKEN] + 5));
    else if ((s->cfg.seed + client) % 5 == 0)
        add_field(x, &x->request_fields, "Authorization",
                  ww_arena_printf(&x->arena, "Basic mac:user%zu", client));
    add_cookies(k);
}

static struct shop_call *send_request(struct shop *s, struct shop_event *e)
{
    struct shop_call *k = ww_xcalloc(1, sizeof *k);

    *k = (struct shop_call){ .s = s,
                             .e = e,
                             .c = &s->client[e->client],
                             .x = ww_exchange_new(1 << 20),
                             .rng = e->seed,
                             .noise = e->seed + 5,
                             .sent = s->client[e->client],
                             .type = "application/json" };
    if (s->traits.restarts > 0 && shop_roll(&k->noise, 1000) < s->traits.restarts)
        retire(s, e);
    memset(k->set, 0xff, sizeof k->set);
    k->told = SHOP_NONE;
    ww_buf_init(&k->body, 1 << 18);
    k->x->started_us = e->start_us;
    k->x->ended_us = e->end_us;
    k->x->end = WW_END_COMPLETE;
    k->x->by = s->cfg.unknown && often(&k->noise, 5) ? WW_BY_UNKNOWN : WW_BY_KERNEL;
    k->x->status = 200;
    if (k->x->by == WW_BY_KERNEL)
        k->x->worker = s->worker[s->at_slot[e->slot]].id;
    add_identity(k);
    e->write = e->ok = false;
    e->subject = SHOP_NONE;
    e->said = 1469598103934665603u;
    shop_op(e->op)->ask(k);
    return k;
}

/* What breaks on the way, and whether the application was reached. */
static bool reaches(struct shop_call *k)
{
    if (shop_roll(&k->noise, 1000) >= k->s->traits.faults)
        return true;
    switch (shop_roll(&k->noise, 4)) {
    case 0: /* died before it began */
        k->x->status = 502;
        k->x->end = WW_END_UPSTREAM_CLOSED;
        return false;
    case 1:
        k->x->status = 500;
        return false;
    case 2: /* died after the effect */
        k->x->end = WW_END_UPSTREAM_CUT;
        return true;
    default: /* longer than what is captured */
        k->x->response_body.size = 1 << 20;
        return true;
    }
}

static void serve(struct shop_call *k)
{
    struct ww_exchange *x = k->x;

    if (reaches(k))
        shop_op(k->e->op)->serve(k);
    ww_str body = ww_buf_str(&k->body);
    if (x->end == WW_END_UPSTREAM_CUT || x->response_body.size > 0)
        body = ww_str_upto(body, body.len / 2);
    x->response_body.bytes = ww_arena_dup(&x->arena, body);
    if (x->response_body.size < body.len)
        x->response_body.size = body.len;
    if (body.len > 0)
        add_field(x, &x->response_fields, "Content-Type", ww_str_c(k->type));
    k->e->ok = x->end == WW_END_COMPLETE && x->status / 100 == 2;
    for (const char *p = (const char *)&x->status; p < (const char *)(&x->status + 1); p++) {
        k->e->said = (k->e->said ^ (unsigned char)*p) * 1099511628211u;
    }
}

/* The client keeps what it was given. */
static void end_call(struct shop_call *k)
{
    for (size_t i = 0; i < KEEPS && k->x->end == WW_END_COMPLETE; i++) {
        if (k->set[i] != SHOP_NONE)
            k->c->has[i] = k->set[i] == SHOP_CLEARED ? SHOP_NONE : k->set[i];
    }
    if (k->told != SHOP_NONE && k->x->end == WW_END_COMPLETE)
        k->c->item[k->c->items++ % 8] = k->told;
    k->s->exchange[k->e - k->s->event] = k->x;
    ww_buf_release(&k->body);
    free(k);
}

struct moment {
    int64_t at_us;
    size_t event;
    enum { ENDS, HAS_EFFECT, STARTS } what;
};

static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;

    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    if (x->what != y->what)
        return x->what < y->what ? -1 : 1;
    return x->event < y->event ? -1 : x->event > y->event;
}

void shop_play(struct shop *s)
{
    struct moment *m = ww_xcalloc(s->events * 3 + 1, sizeof *m);
    struct shop_call *call[SHOP_EVENTS] = { 0 };
    size_t n = 0;

    begin(s);
    for (size_t i = 0; i < s->events; i++) {
        if (s->event[i].dropped)
            continue;
        m[n++] = (struct moment){ s->event[i].start_us, i, STARTS };
        m[n++] = (struct moment){ s->event[i].effect_us, i, HAS_EFFECT };
        m[n++] = (struct moment){ s->event[i].end_us, i, ENDS };
    }
    qsort(m, n, sizeof *m, by_time);
    for (size_t i = 0; i < n; i++) {
        if (m[i].what == STARTS)
            call[m[i].event] = send_request(s, &s->event[m[i].event]);
        else if (m[i].what == HAS_EFFECT)
            serve(call[m[i].event]);
        else
            end_call(call[m[i].event]);
    }
    free(m);
}
