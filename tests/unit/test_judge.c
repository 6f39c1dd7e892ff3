/* The judge over synthetic traces: the founding story, and properties over random ones. */
#include <whichworker/judge.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

#define CLIENTS  4
#define WORKERS  3
#define OPS      60
#define ITEMS    256
#define TRACES   3000
#define EPOCH_US (1700000000 * (int64_t)1000000)

/* ---- random traces of an app */

enum op {
    OP_ADD,
    OP_LIST,
    OP_DELETE,
    OP_NAME,
    OP_WHO,
    OP_CART,
    OP_CART_READ,
    OP_PAGE,
    OP_RANDOM,
    OP_CREATE,
    OP_FETCH,
    OP_COUNT,
    OPS_KINDS
};

struct event {
    size_t client;
    enum op op;
    size_t worker;
    unsigned value;
    int64_t start, effect, end;
};

/* All that the app remembers; one for all workers, or one for each. */
struct state {
    unsigned item[ITEMS];
    size_t items;
    unsigned name;
    unsigned count;
};

struct client {
    unsigned cart[64];
    size_t carts;
    char cookie[48];
    char payload[600];
    bool flash;
};

struct world {
    struct event event[CLIENTS * OPS];
    size_t events;
    struct ww_exchange *exchange[CLIENTS * OPS];
    struct state state[WORKERS];
    struct client client[CLIENTS];
    bool shared;
    bool bystanders;
    bool calm; /* one client after the other, nobody deletes, nothing is random: a test suite */
    int32_t pid_base;
    uint64_t seed;
};

static unsigned roll(struct world *w, unsigned n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % n;
}

static int by_effect(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    return x->effect < y->effect ? -1 : x->effect > y->effect;
}

static enum op pick_op(struct world *w)
{
    static const enum op calm[] = { OP_ADD,  OP_LIST,      OP_LIST,
                                    OP_CART, OP_CART_READ, OP_CART_READ };

    return w->calm ? calm[roll(w, sizeof calm / sizeof *calm)] : (enum op)roll(w, OPS_KINDS);
}

static void plan(struct world *w)
{
    int64_t latest = EPOCH_US;

    for (size_t c = 0; c < CLIENTS; c++) {
        int64_t t = (w->calm ? latest : EPOCH_US) + roll(w, 5000);
        size_t ops = w->calm ? 30 : 5 + roll(w, OPS - 5);
        for (size_t i = 0; i < ops; i++) {
            struct event *e = &w->event[w->events++];
            int64_t start = t + 1 + roll(w, 3000), took = 2 + roll(w, 2000);
            *e = (struct event){ .client = c,
                                 .op = pick_op(w),
                                 .worker = roll(w, WORKERS),
                                 .value = roll(w, w->calm ? 4000 : 40),
                                 .start = start,
                                 .effect = start + 1 + roll(w, (unsigned)took - 1),
                                 .end = start + took };
            t = latest = e->end;
        }
    }
    qsort(w->event, w->events, sizeof *w->event, by_effect);
}

static struct ww_exchange *begin(struct world *w, const struct event *e, const char *method,
                                 const char *target)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);
    struct client *c = &w->client[e->client];

    x->connection = e->client + 1;
    x->client = WW_STR("127.0.0.1");
    x->method = ww_str_c(method);
    x->target = ww_arena_dup(&x->arena, ww_str_c(target));
    x->started_us = e->start;
    x->ended_us = e->end;
    x->end = WW_END_COMPLETE;
    x->by = WW_BY_KERNEL;
    x->worker =
        (struct ww_worker_id){ .pid = w->pid_base + (int32_t)e->worker, .start_ticks = 9 };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("User-Agent"),
                  ww_arena_printf(&x->arena, "client-%zu", e->client));
    if (c->cookie[0] != '\0') {
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"),
                      ww_arena_printf(&x->arena, "session=%s", c->cookie));
    }
    return x;
}

static void sends(struct ww_exchange *x, ww_str body)
{
    x->request_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Content-Type"),
                  WW_STR("application/json"));
}

static void answers(struct ww_exchange *x, unsigned status, const char *type, ww_str body)
{
    x->status = status;
    x->response_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"), ww_str_c(type));
}

/* A signed cookie: its recorded value follows from its payload and its second, as Flask's does.
 */
static void sign(struct world *w, struct client *c, struct ww_exchange *x)
{
    struct ww_mac_key key = { .byte = { w->shared ? 1 : (unsigned char)x->worker.pid } };
    char mac[WW_MAC_TEXT];
    struct ww_buf b;

    ww_buf_init(&b, sizeof c->payload - 1);
    ww_buf_add_c(&b, "{\"cart\":[");
    for (size_t i = 0; i < c->carts; i++) {
        ww_buf_printf(&b, "%s\"thing%u\"", i > 0 ? "," : "", c->cart[i]);
    }
    ww_buf_printf(&b, "]%s}", c->flash ? ",\"_flashes\":[\"saved\"]" : "");
    snprintf(c->payload, sizeof c->payload, WW_STRF, WW_STRV(ww_buf_str(&b)));
    ww_mac(&key, ww_str_c(c->payload), mac);
    snprintf(c->cookie, sizeof c->cookie, "mac:%s", mac);
    ww_buf_release(&b);
    x->payload = ww_arena_alloc(&x->arena, sizeof *x->payload);
    x->payloads = 1;
    x->payload[0] =
        (struct ww_payload){ .value = ww_arena_dup(&x->arena, ww_str_c(c->cookie)),
                             .form = "itsdangerous",
                             .json = ww_arena_dup(&x->arena, ww_str_c(c->payload)),
                             .content = ww_arena_dup(&x->arena, ww_str_c(c->payload)) };
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                  ww_arena_printf(&x->arena, "session=%s; Path=/", c->cookie));
}

static ww_str list_body(struct ww_exchange *x, const char *name, const unsigned *v, size_t n)
{
    struct ww_buf b;

    ww_buf_init(&b, 1 << 16);
    ww_buf_printf(&b, "{\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        ww_buf_printf(&b, "%s\"thing%u\"", i > 0 ? "," : "", v[i]);
    }
    ww_buf_add_c(&b, "]}");
    ww_str body = ww_arena_dup(&x->arena, ww_buf_str(&b));
    ww_buf_release(&b);
    return body;
}

static size_t find(const struct state *s, unsigned value)
{
    size_t i = 0;

    while (i < s->items && s->item[i] != value) {
        i++;
    }
    return i;
}

static struct ww_exchange *serve_items(struct world *w, const struct event *e, struct state *s)
{
    char path[64];
    struct ww_exchange *x;
    size_t at = find(s, e->value);

    if (e->op == OP_LIST) {
        x = begin(w, e, "GET", "/items");
        answers(x, 200, "application/json", list_body(x, "items", s->item, s->items));
    } else if (e->op == OP_DELETE) {
        snprintf(path, sizeof path, "/items/thing%u", e->value);
        x = begin(w, e, "DELETE", path);
        answers(x, at < s->items ? 200 : 404, "application/json", WW_STR("{}"));
        if (at < s->items)
            s->item[at] = s->item[--s->items];
    } else if (e->op == OP_FETCH) {
        snprintf(path, sizeof path, "/items/thing%u", e->value);
        x = begin(w, e, "GET", path);
        answers(x, at < s->items ? 200 : 404, "application/json",
                at < s->items ? ww_arena_printf(&x->arena, "{\"name\":\"thing%u\"}", e->value)
                              : WW_STR("{\"error\":\"not found\"}"));
    } else {
        x = begin(w, e, "POST", "/items");
        sends(x, ww_arena_printf(&x->arena, "{\"name\":\"thing%u\"}", e->value));
        answers(x, 201, "application/json",
                ww_arena_printf(&x->arena, "{\"id\":\"thing%u\"}", e->value));
        if (e->op == OP_CREATE) {
            ww_fields_add(&x->response_fields, &x->arena, WW_STR("Location"),
                          ww_arena_printf(&x->arena, "/items/thing%u", e->value));
        }
        if (at == s->items && s->items < ITEMS)
            s->item[s->items++] = e->value;
    }
    return x;
}

static struct ww_exchange *serve_session(struct world *w, const struct event *e)
{
    struct client *c = &w->client[e->client];
    struct ww_exchange *x;

    if (e->op == OP_CART) {
        x = begin(w, e, "POST", "/cart");
        sends(x, ww_arena_printf(&x->arena, "{\"thing\":\"thing%u\"}", e->value));
        if (c->carts < 20)
            c->cart[c->carts++] = e->value;
        c->flash = true;
        answers(x, 200, "application/json", WW_STR("{\"ok\":true}"));
        sign(w, c, x);
    } else if (e->op == OP_CART_READ) {
        x = begin(w, e, "GET", "/cart");
        answers(x, 200, "application/json", list_body(x, "cart", c->cart, c->carts));
    } else {
        /* A page: a message that is shown once, a clock, the number of things. */
        x = begin(w, e, "GET", "/page");
        answers(x, 200, "text/html",
                ww_arena_printf(&x->arena, "<p>%s</p><p>at 10:%02u:%02u</p>",
                                c->flash ? "saved thing" : "hello", roll(w, 60), roll(w, 60)));
        if (c->flash) {
            c->flash = false;
            sign(w, c, x);
        }
    }
    return x;
}

static struct ww_exchange *serve(struct world *w, const struct event *e)
{
    struct state *s = &w->state[w->shared ? 0 : e->worker];
    struct ww_exchange *x = NULL;

    switch (e->op) {
    case OP_ADD:
    case OP_LIST:
    case OP_DELETE:
    case OP_CREATE:
    case OP_FETCH:
        return serve_items(w, e, s);
    case OP_CART:
    case OP_CART_READ:
    case OP_PAGE:
        return serve_session(w, e);
    case OP_NAME:
        x = begin(w, e, "PUT", "/name");
        sends(x, ww_arena_printf(&x->arena, "{\"name\":\"name%u\"}", e->value));
        s->name = e->value;
        answers(x, 200, "application/json", WW_STR("{\"ok\":true}"));
        return x;
    case OP_WHO:
        x = begin(w, e, "GET", "/name");
        answers(x, 200, "application/json",
                ww_arena_printf(&x->arena, "{\"name\":\"name%u\"}", s->name));
        return x;
    case OP_RANDOM:
        x = begin(w, e, "GET", "/random");
        answers(x, 200, "application/json",
                ww_arena_printf(&x->arena, "{\"pick\":\"thing%u\",\"n\":%u}", roll(w, 40),
                                roll(w, 1000)));
        return x;
    case OP_COUNT:
    case OPS_KINDS:
        x = begin(w, e, "GET", "/hits");
        answers(x, 200, "application/json",
                ww_arena_printf(&x->arena, "{\"hits\":%u}", ++s->count));
        return x;
    }
    return x;
}

static int by_start(const void *a, const void *b)
{
    const struct ww_exchange *x = *(struct ww_exchange *const *)a,
                             *y = *(struct ww_exchange *const *)b;

    return x->started_us < y->started_us ? -1 : x->started_us > y->started_us;
}

/* Somebody else's reads of something else, by the worker whose turn it is. */
static void feed_bystander(struct ww_judge *j, const struct world *w,
                           const struct ww_exchange *at, size_t i)
{
    struct ww_exchange *x = ww_exchange_new(1 << 12);

    x->client = WW_STR("127.0.0.1");
    x->method = WW_STR("GET");
    x->target = WW_STR("/news");
    x->started_us = at->started_us;
    x->ended_us = at->started_us + 1;
    x->end = WW_END_COMPLETE;
    x->by = WW_BY_KERNEL;
    x->worker =
        (struct ww_worker_id){ .pid = w->pid_base + (int32_t)(i % WORKERS), .start_ticks = 9 };
    answers(x, 200, "application/json", WW_STR("{\"news\":[\"none\"]}"));
    ww_judge_exchange(j, x);
    ww_exchange_free(x);
}

static struct ww_judge *judge_of(struct world *w, const struct ww_verdict **out)
{
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY };
    struct ww_judge *j = ww_judge_new(&cfg);

    for (size_t i = 0; i < WORKERS; i++) {
        struct ww_worker k = { .id = { .pid = w->pid_base + (int32_t)i, .start_ticks = 9 },
                               .slot = (uint32_t)i,
                               .started_us = EPOCH_US - 1 };
        ww_judge_worker(j, &k);
    }
    for (size_t i = 0; i < w->events; i++) {
        w->exchange[i]->id = i + 1;
        if (w->bystanders)
            feed_bystander(j, w, w->exchange[i], i);
        ww_judge_exchange(j, w->exchange[i]);
    }
    *out = ww_judge_finish(j);
    return j;
}

static struct world *world_new(uint64_t seed, bool shared, bool calm, int32_t pid_base)
{
    struct world *w = ww_xcalloc(1, sizeof *w);

    w->seed = seed * 7919 + 1;
    w->shared = shared;
    w->calm = calm;
    w->pid_base = pid_base;
    plan(w);
    for (size_t i = 0; i < w->events; i++) {
        w->exchange[i] = serve(w, &w->event[i]);
    }
    qsort(w->exchange, w->events, sizeof w->exchange[0], by_start);
    return w;
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < w->events; i++) {
        ww_exchange_free(w->exchange[i]);
    }
    free(w);
}

static void print_findings(uint64_t seed, const struct ww_verdict *v)
{
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];
        print_message("seed %u: %s %s " WW_STRF " (%u/%u/%u/%u)\n", (unsigned)seed,
                      ww_guarantee_token(f->guarantee), ww_grade_token(f->grade),
                      WW_STRV(f->message), (unsigned)f->table.changed_kept,
                      (unsigned)f->table.changed_lost, (unsigned)f->table.same_kept,
                      (unsigned)f->table.same_lost);
    }
}

/* Where every instruction costs fifty (valgrind), a fiftieth of the traces shows as much. */
static uint64_t share_of(uint64_t traces)
{
    const char *fewer = getenv("WHICHWORKER_TEST_FEWER");
    uint64_t by = 1;

    if (fewer == NULL || !ww_str_u64(ww_str_c(fewer), &by) || by == 0)
        by = 1;
    return traces / by;
}

static void workers_that_share_their_state_are_never_blamed(void **unused)
{
    size_t splits = 0, possible = 0, blamed = 0;
    uint64_t traces = share_of(TRACES);

    for (uint64_t seed = 1; seed <= traces; seed++) {
        const struct ww_verdict *v;
        struct world *w = world_new(seed, true, seed % 4 == 0, 100);
        struct ww_judge *j = judge_of(w, &v);
        bool bad = false;
        splits += v->splits;
        for (size_t i = 0; i < v->findings; i++) {
            possible += v->finding[i].grade == WW_POSSIBLE;
            bad = bad || v->finding[i].grade >= WW_LIKELY;
        }
        if (bad)
            print_findings(seed, v);
        blamed += bad;
        assert_int_not_equal(v->value, WW_INCONCLUSIVE);
        ww_judge_free(j);
        world_free(w);
    }
    print_message("%zu splits, %zu possible\n", splits, possible);
    assert_int_equal(blamed, 0);
    assert_true(splits > traces);
}

static void workers_that_keep_their_own_state_are_found_out(void **unused)
{
    size_t failed = 0;
    uint64_t traces = share_of(300);

    for (uint64_t seed = 1; seed <= traces; seed++) {
        const struct ww_verdict *v;
        struct world *w = world_new(seed, false, true, 100);
        struct ww_judge *j = judge_of(w, &v);
        failed += v->value == WW_FAIL;
        ww_judge_free(j);
        world_free(w);
    }
    print_message("%zu of %zu traces fail\n", failed, (size_t)traces);
    assert_true(failed * 20 >= traces * 19);
}

static void assert_equal_findings(const struct ww_verdict *v, const struct ww_verdict *u)
{
    assert_int_equal(v->findings, u->findings);
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i], *g = &u->finding[i];
        assert_int_equal(f->guarantee, g->guarantee);
        assert_int_equal(f->grade, g->grade);
        assert_int_equal(f->cause, g->cause);
        assert_true(ww_str_eq(f->resource, g->resource));
        assert_memory_equal(&f->table, &g->table, sizeof f->table);
    }
}

static void judge_twice(uint64_t seed, int32_t pid_base, bool bystanders)
{
    const struct ww_verdict *v, *u;
    struct world *w = world_new(seed, false, true, 100);
    struct world *x = world_new(seed, false, true, pid_base);

    x->bystanders = bystanders;
    struct ww_judge *j = judge_of(w, &v), *k = judge_of(x, &u);
    assert_equal_findings(v, u);
    ww_judge_free(j);
    ww_judge_free(k);
    world_free(w);
    world_free(x);
}

static void renaming_the_pids_changes_nothing(void **unused)
{
    for (uint64_t seed = 1; seed <= share_of(200); seed++) {
        judge_twice(seed, 128 + 7000, false);
    }
}

static void what_others_do_elsewhere_changes_nothing(void **unused)
{
    for (uint64_t seed = 1; seed <= share_of(200); seed++) {
        judge_twice(seed, 100, true);
    }
}

/* ---- the founding story, with cookies as the recorder hands them over */

struct story {
    struct ww_judge *judge;
    int64_t now;
    uint64_t id;
    struct ww_mac_key key;
};

/* set: a cookie value as Flask writes it, or NULL. */
static void tell(struct story *s, int32_t pid, const char *method, const char *target,
                 const char *request, const char *response, const char *cookie, const char *set)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);

    x->id = ++s->id;
    x->connection = 1;
    x->client = WW_STR("127.0.0.1");
    x->method = ww_str_c(method);
    x->target = ww_str_c(target);
    x->started_us = s->now += 1000;
    x->ended_us = s->now += 1000;
    x->end = WW_END_COMPLETE;
    x->status = 200;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = pid, .start_ticks = 1 };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Authorization"),
                  WW_STR("Basic cXhmMjpxeGYy"));
    if (cookie != NULL) {
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"),
                      ww_arena_printf(&x->arena, "session=%s", cookie));
    }
    if (request != NULL)
        sends(x, ww_str_c(request));
    answers(x, 200, "application/json", ww_str_c(response));
    if (set != NULL) {
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                      ww_arena_printf(&x->arena, "session=%s; HttpOnly; Path=/", set));
    }
    ww_exchange_redact(x, &s->key);
    ww_judge_exchange(s->judge, x);
    ww_exchange_free(x);
}

/* {"cars":["swift"]} and {"cars":["swift","figo"]}, by two keys, as itsdangerous writes them.
 */
#define EARLY_A "eyJjYXJzIjpbInN3aWZ0Il19.ZVPxAA.aaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LATE_A  "eyJjYXJzIjpbInN3aWZ0IiwiZmlnbyJdfQ.ZVPxAQ.bbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define EARLY_B "eyJjYXJzIjpbInN3aWZ0Il19.ZVPxAg.ccccccccccccccccccccccccccc"

#define OLD_CARS "{\"cars_list\":[{\"name\":\"swift\"}],\"successful\":true}"
#define NEW_CARS                                                                               \
    "{\"cars_list\":[{\"name\":\"swift\"},{\"name\":\"figo\"}],\"successful\":true}"
#define FIGO "{\"name\":\"figo\",\"brand\":\"Ford\"}"

static void story_begin(struct story *s)
{
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY, .min_attributed = 0.9 };

    *s = (struct story){ .judge = ww_judge_new(&cfg), .now = EPOCH_US };
}

static void register_cars(struct story *s, int32_t other, const char *elsewhere)
{
    tell(s, 51463, "GET", "/register/", NULL, "{\"registered\":[]}", LATE_A, NULL);
    tell(s, 51463, "POST", "/register/car", "{\"customer\":\"Rohan\"}", "{\"ok\":true}", LATE_A,
         NULL);
    tell(s, 51463, "GET", "/register/", NULL, "{\"registered\":[\"Rohan\"]}", LATE_A, NULL);
    tell(s, other, "GET", "/register/", NULL, elsewhere, LATE_A, NULL);
    tell(s, 51463, "GET", "/register/", NULL, "{\"registered\":[\"Rohan\"]}", LATE_A, NULL);
}

static void the_founding_story_is_told(void **unused)
{
    struct story s;

    story_begin(&s);
    tell(&s, 51463, "GET", "/cars", NULL, OLD_CARS, NULL, EARLY_A);
    tell(&s, 51463, "POST", "/cars/add", FIGO, "{\"successful\":true}", EARLY_A, LATE_A);
    tell(&s, 51463, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    tell(&s, 51463, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    register_cars(&s, 51466, "{\"registered\":[]}");
    tell(&s, 51465, "GET", "/cars", NULL, OLD_CARS, LATE_A, EARLY_B);

    const struct ww_verdict *v = ww_judge_finish(s.judge);
    bool seen[WW_GUARANTEES][WW_CAUSES] = { 0 };
    assert_int_equal(v->value, WW_FAIL);
    assert_int_equal(v->sessions, 1);
    assert_int_equal(v->splits, 3);
    assert_int_equal(v->pairs, v->steps - 1);
    assert_int_equal(v->routes, 4); /* two lists, two ways to add to them */
    assert_int_equal(v->findings, 3);
    assert_null(v->doubt.ptr);
    for (size_t i = 0; i < v->findings; i++) {
        assert_true(v->finding[i].fails);
        assert_int_equal(v->finding[i].grade, WW_CONFIRMED);
        assert_in_range(v->finding[i].evidences, 2, 3);
        seen[v->finding[i].guarantee][v->finding[i].cause] = true;
    }
    assert_true(seen[WW_SESSION_RESET][WW_CAUSE_PER_WORKER_SECRET]);
    assert_true(seen[WW_READ_YOUR_WRITES][WW_CAUSE_PER_WORKER_SECRET]);
    assert_true(seen[WW_READ_YOUR_WRITES][WW_CAUSE_WORKER_MEMORY]);
    assert_int_equal(v->guarantee[WW_READ_YOUR_WRITES], WW_FAIL);
    assert_int_equal(v->guarantee[WW_STATUS_FLIP], WW_PASS);
    ww_judge_free(s.judge);
}

static void tell_the_mended_story(struct story *s, int32_t other)
{
    story_begin(s);
    tell(s, 51463, "GET", "/cars", NULL, OLD_CARS, NULL, EARLY_A);
    tell(s, other, "POST", "/cars/add", FIGO, "{\"successful\":true}", EARLY_A, LATE_A);
    tell(s, 51463, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    tell(s, other, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    register_cars(s, other, "{\"registered\":[\"Rohan\"]}");
    tell(s, other, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
}

static void one_worker_passes(void **unused)
{
    struct story s;

    tell_the_mended_story(&s, 51463);
    const struct ww_verdict *v = ww_judge_finish(s.judge);
    assert_int_equal(v->value, WW_PASS);
    assert_int_equal(v->findings, 0);
    assert_int_equal(v->splits, 0);
    ww_judge_free(s.judge);
}

static void shared_key_and_list_pass_with_splits_counted(void **unused)
{
    struct story s;

    tell_the_mended_story(&s, 51465);
    const struct ww_verdict *v = ww_judge_finish(s.judge);
    assert_int_equal(v->value, WW_PASS);
    assert_int_equal(v->findings, 0);
    assert_int_equal(v->splits, 7);
    ww_judge_free(s.judge);
}

static void an_empty_trace_is_inconclusive(void **unused)
{
    struct story s;

    story_begin(&s);
    const struct ww_verdict *v = ww_judge_finish(s.judge);
    assert_int_equal(v->value, WW_INCONCLUSIVE);
    assert_true(v->why.len > 0);
    assert_true(v->doubt.len > 0);
    ww_judge_free(s.judge);
}

static void lost_exchanges_are_inconclusive(void **unused)
{
    struct story s;
    struct ww_run run = { .lost = 3 };

    tell_the_mended_story(&s, 51465);
    ww_judge_run(s.judge, &run);
    assert_int_equal(ww_judge_finish(s.judge)->value, WW_INCONCLUSIVE);
    ww_judge_free(s.judge);
}

static void a_recording_that_lost_all_blames_the_recording(void **unused)
{
    struct ww_run run = { .lost = 3 };
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY, .min_attributed = 0.9 };
    struct ww_judge *j = ww_judge_new(&cfg);

    ww_judge_run(j, &run);
    const struct ww_verdict *v = ww_judge_finish(j);
    assert_int_equal(v->value, WW_INCONCLUSIVE);
    assert_non_null(strstr(v->why.ptr, "3 exchanges could not be recorded"));
    ww_judge_free(j);
}

static void tokens_and_values_agree(void **unused)
{
    enum ww_fail_on f;

    for (int i = WW_FAIL_ON_NONE; i <= WW_FAIL_ON_SPLIT; i++) {
        assert_true(ww_fail_on_find(ww_str_c(ww_fail_on_token((enum ww_fail_on)i)), &f));
        assert_int_equal(f, i);
    }
    assert_false(ww_fail_on_find(WW_STR("sometimes"), &f));
    assert_string_equal(ww_guarantee_token(WW_STATUS_FLIP), "status-flip");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_founding_story_is_told),
        cmocka_unit_test(one_worker_passes),
        cmocka_unit_test(shared_key_and_list_pass_with_splits_counted),
        cmocka_unit_test(an_empty_trace_is_inconclusive),
        cmocka_unit_test(lost_exchanges_are_inconclusive),
        cmocka_unit_test(a_recording_that_lost_all_blames_the_recording),
        cmocka_unit_test(tokens_and_values_agree),
        cmocka_unit_test(workers_that_share_their_state_are_never_blamed),
        cmocka_unit_test(workers_that_keep_their_own_state_are_found_out),
        cmocka_unit_test(renaming_the_pids_changes_nothing),
        cmocka_unit_test(what_others_do_elsewhere_changes_nothing),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
