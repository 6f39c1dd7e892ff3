/* What a trace has put to the test: pairs of routes, each with how often the worker changed. */
#include "trials.h"

#include <whichworker/arena.h>
#include <whichworker/map.h>

#include <stdlib.h>

#define NO_STEP SIZE_MAX

/* What a trial is found by. */
struct key {
    size_t guarantee, from, to;
};

struct builder {
    const struct ww_verdict *v;
    struct ww_map at;      /* by struct key: in trial */
    struct ww_arena arena; /* the keys */
    struct ww_trial *trial;
    size_t n, cap;
    size_t *last;      /* by route: the session's latest exchange there */
    size_t *last_of;   /* by route: which session's, plus one */
    size_t last_write; /* of the session */
};

static struct ww_trial *trial_at(struct builder *b, enum ww_guarantee g, size_t from, size_t to)
{
    struct key key = { (size_t)g, from, to };
    ww_str text = ww_str_n((const char *)&key, sizeof(key));
    size_t *known = ww_map_find(&b->at, text);

    if (known != NULL)
        return &b->trial[*known];
    ww_map_put(&b->at, ww_arena_dup(&b->arena, text), b->n, NULL);
    if (b->n == b->cap)
        b->trial = ww_grow(b->trial, b->n + 1, &b->cap, sizeof(*b->trial));
    b->trial[b->n] =
        (struct ww_trial){ .guarantee = g, .from = from, .to = to, .finding = WW_NO_FINDING };
    return &b->trial[b->n++];
}

/* One exchange after the other, if it was after the other. */
static void note(struct builder *b, enum ww_guarantee g, size_t from_route, size_t a, size_t z)
{
    const struct ww_step *x = &b->v->step[a], *y = &b->v->step[z];
    struct ww_trial *t = trial_at(b, g, from_route, y->route);

    if (x->ended_us > y->started_us || x->worker == WW_NO_WORKER || y->worker == WW_NO_WORKER)
        return;
    if (x->worker == y->worker)
        t->same++;
    else
        t->changed++;
}

static bool is_read(const struct ww_step *s)
{
    return ww_str_eq(s->method, WW_STR("GET")) || ww_str_eq(s->method, WW_STR("HEAD"));
}

static void note_step(struct builder *b, size_t session, size_t before, size_t at)
{
    const struct ww_step *s = &b->v->step[at];
    bool again = b->last_of[s->route] == session + 1;

    if (is_read(s) && b->last_write != NO_STEP)
        note(b, WW_READ_YOUR_WRITES, b->v->step[b->last_write].route, b->last_write, at);
    if (is_read(s) && again)
        note(b, WW_MONOTONIC_READS, WW_NO_ROUTE, b->last[s->route], at);
    if (again)
        note(b, WW_STATUS_FLIP, WW_NO_ROUTE, b->last[s->route], at);
    if (before != NO_STEP)
        note(b, WW_SESSION_RESET, WW_NO_ROUTE, before, at);
    b->last[s->route] = at;
    b->last_of[s->route] = session + 1;
    if (!is_read(s) && s->end == WW_END_COMPLETE && s->status >= 200 && s->status < 400)
        b->last_write = at;
}

static void note_session(struct builder *b, size_t session)
{
    const struct ww_verdict_session *s = &b->v->session[session];
    size_t before = NO_STEP;

    b->last_write = NO_STEP;
    for (size_t i = 0; i < s->steps; i++) {
        const struct ww_step *step = &b->v->step[s->step[i]];

        if (step->skipped || step->by == WW_BY_NOBODY)
            continue;
        note_step(b, session, before, s->step[i]);
        before = s->step[i];
    }
}

/* ---- findings */

/* "GET /cars/{id}", as the finding has it in two. */
static bool is_route_of(ww_str route, const struct ww_finding *f)
{
    return route.len == f->method.len + 1 + f->route.len && ww_str_starts(route, f->method) &&
           route.ptr[f->method.len] == ' ' && ww_str_ends(route, f->route);
}

struct ww_trial ww_trial_of(const struct ww_verdict *v, const struct ww_finding *f)
{
    struct ww_trial t = { .guarantee = f->guarantee, .from = WW_NO_ROUTE, .to = WW_NO_ROUTE };

    for (size_t i = 0; i < f->evidences; i++) {
        size_t route = v->step[f->evidence[i].step].route;

        if (is_route_of(v->route[route], f))
            t.to = route;
        else if (f->guarantee == WW_READ_YOUR_WRITES && t.from == WW_NO_ROUTE &&
                 !is_read(&v->step[f->evidence[i].step]))
            t.from = route;
    }
    for (size_t i = 0; i < v->routes && t.to == WW_NO_ROUTE; i++) {
        if (is_route_of(v->route[i], f))
            t.to = i;
    }
    return t;
}

static void note_finding(struct builder *b, size_t finding)
{
    struct ww_trial of = ww_trial_of(b->v, &b->v->finding[finding]);
    struct ww_trial *t = trial_at(b, of.guarantee, of.from, of.to);

    if (t->finding == WW_NO_FINDING)
        t->finding = finding; /* they come worst first */
}

/* ---- order */

static ww_str text_of(const struct ww_verdict *v, size_t route)
{
    return route == WW_NO_ROUTE ? (ww_str){ 0 } : v->route[route];
}

static int by_text(const void *a, const void *b, void *ctx)
{
    const struct ww_trial *x = a, *y = b;
    const struct ww_verdict *v = ctx;

    if (x->guarantee != y->guarantee)
        return x->guarantee < y->guarantee ? -1 : 1;
    int order = ww_str_cmp(text_of(v, x->from), text_of(v, y->from));
    return order != 0 ? order : ww_str_cmp(text_of(v, x->to), text_of(v, y->to));
}

void ww_trials_init(struct ww_trials *t, const struct ww_verdict *v)
{
    struct builder b = { .v = v };

    ww_map_init(&b.at);
    ww_arena_init(&b.arena, SIZE_MAX);
    b.last = ww_xcalloc(v->routes + 1, sizeof(*b.last));
    b.last_of = ww_xcalloc(v->routes + 1, sizeof(*b.last_of));
    for (size_t i = 0; i < v->sessions; i++)
        note_session(&b, i);
    for (size_t i = 0; i < v->findings; i++)
        note_finding(&b, i);
    if (b.n > 0)
        qsort_r(b.trial, b.n, sizeof(*b.trial), by_text, (void *)(uintptr_t)v);
    free(b.last);
    free(b.last_of);
    ww_map_release(&b.at);
    ww_arena_release(&b.arena);
    *t = (struct ww_trials){ .v = b.trial, .n = b.n };
}

void ww_trials_release(struct ww_trials *t)
{
    free(t->v);
    *t = (struct ww_trials){ 0 };
}
