/* judge: takes a trace in, runs the rules over it, and says pass, fail or inconclusive. */
#include "keys.h"
#include "rules/rule.h"

#include <assert.h>
#include <stdlib.h>

#define WORKERS_SEEN 256 /* workers that are compared with each other */

struct ww_judge {
    struct ww_judge_config cfg;
    struct model m;
    struct ww_map worker_at; /* by identity */
    struct ww_worker *worker;
    uint64_t *served;
    size_t workers, worker_cap, served_cap;
    uint64_t skipped_known, skipped_reached;
    double *wait_ms; /* by step; negative: it never waited */
    size_t wait_cap;
    bool finished;
};

struct ww_judge *ww_judge_new(const struct ww_judge_config *cfg)
{
    struct ww_judge *j = ww_xcalloc(1, sizeof *j);

    j->cfg = *cfg;
    ww_arena_init(&j->m.arena, SIZE_MAX);
    j->m.keys = ww_sessions_new(&cfg->sessions);
    ww_normal_init(&j->m.normal, ww_sessions_smell(j->m.keys));
    j->m.normal.max_words = cfg->max_words;
    ww_buf_init(&j->m.scratch, WW_SCRATCH_MAX);
    ww_map_init(&j->m.field);
    ww_rulebook_init(&j->m.rulebook, cfg->rule, cfg->rules);
    for (size_t i = 0; i < cfg->rules; i++) {
        j->m.normal.probing |= cfg->rule[i].kind == WW_RULE_PROBE;
    }
    ww_map_init(&j->m.payload);
    ww_map_init(&j->m.login_page);
    ww_map_init(&j->m.content);
    ww_map_init(&j->m.claim_at);
    ww_map_init(&j->worker_at);
    return j;
}

void ww_judge_free(struct ww_judge *j)
{
    if (j == NULL)
        return;
    struct model *m = &j->m;
    ww_buf_release(&m->scratch);
    ww_map_release(&m->field);
    ww_map_release(&m->payload);
    ww_map_release(&m->login_page);
    ww_map_release(&m->content);
    ww_map_release(&m->claim_at);
    ww_map_release(&j->worker_at);
    ww_normal_release(&m->normal);
    ww_rulebook_release(&m->rulebook);
    ww_sessions_free(m->keys);
    ww_arena_release(&m->arena);
    free(m->v.step);
    free(m->v.worker);
    free(m->v.session);
    free(m->v.split);
    free(m->v.finding);
    free(m->look);
    free(m->carried);
    free(m->cookie);
    free(m->issued);
    free(m->use);
    free(m->change);
    free(m->change_end);
    free(m->blamed);
    ww_lineage_release(&m->lineage);
    ww_keys_free(m->signers);
    free(m->reset);
    free(m->telling);
    free(j->worker);
    free(j->served);
    free(j->wait_ms);
    free(j);
}

/* ---- taking in */

void ww_judge_run(struct ww_judge *j, const struct ww_run *run)
{
    j->m.v.run = *run;
}

static size_t worker_of(struct ww_judge *j, struct ww_worker_id id)
{
    uint64_t key[2] = { (uint64_t)(uint32_t)id.pid, id.start_ticks };
    ww_str text = ww_str_n((const char *)key, sizeof key);
    size_t *known = ww_map_find(&j->worker_at, text);

    if (known != NULL)
        return *known;
    if (j->workers == j->worker_cap)
        j->worker = ww_grow(j->worker, j->workers + 1, &j->worker_cap, sizeof *j->worker);
    if (j->workers >= j->served_cap)
        j->served = ww_grow(j->served, j->workers + 1, &j->served_cap, sizeof *j->served);
    j->worker[j->workers] = (struct ww_worker){ .id = id };
    j->served[j->workers] = 0;
    ww_map_put(&j->worker_at, ww_arena_dup(&j->m.arena, text), j->workers, NULL);
    return j->workers++;
}

void ww_judge_worker(struct ww_judge *j, const struct ww_worker *w)
{
    /* Not in one statement: the call may move the array. */
    size_t i = worker_of(j, w->id);

    j->worker[i] = *w;
}

void ww_judge_payload(struct ww_judge *j, const struct ww_payload *p)
{
    struct model *m = &j->m;

    ww_sessions_payload(m->keys, p);
    if (ww_map_find(&m->payload, p->value) != NULL)
        return;
    uint32_t view = ww_view_json(&m->normal, p->json);
    if (view == WW_NONE)
        return;
    ww_str value = ww_arena_dup(&m->arena, p->value);
    ww_map_put(&m->payload, value, view, NULL);
    if (p->content.len > 0)
        ww_map_put(&m->content, value, ww_word(&m->normal, p->content), NULL);
}

static bool names_a_worker(const struct ww_exchange *x)
{
    return (x->by == WW_BY_KERNEL || x->by == WW_BY_PRELOAD || x->by == WW_BY_HEADER) &&
           x->worker.pid != 0;
}

static void note_disagreement(struct ww_verdict *v, const struct ww_exchange *x)
{
    struct ww_disagreement *d = &v->disagreement[x->also_by];

    if (x->also_by == WW_BY_NOBODY)
        return;
    if (d->exchanges == 0)
        *d = (struct ww_disagreement){ .by = x->by,
                                       .also_by = x->also_by,
                                       .first = x->id,
                                       .pid = x->worker.pid,
                                       .also_pid = x->also_worker.pid };
    d->exchanges++;
}

/* As the user's rules leave it. */
static void look(struct ww_judge *j, const struct ww_exchange *x, size_t at)
{
    struct model *m = &j->m;
    struct ww_step *step = &m->v.step[at];
    uint32_t ruled;

    ww_look(m, ww_rulebook_apply(&m->rulebook, x, &ruled, &step->skipped), &m->look[at]);
    m->look[at].ruled = ruled;
    if (!step->skipped)
        return;
    ww_look_skip(&m->look[at]);
    m->v.skipped++;
    j->skipped_known += step->worker != WW_NO_WORKER;
    j->skipped_reached += x->by != WW_BY_NOBODY;
}

/* A tunnel (101) is recorded when it closes; the exchange itself ended with its answer. */
static int64_t end_of(const struct ww_exchange *x)
{
    int64_t end = x->status == 101 && x->answered_us > 0 ? x->answered_us : x->ended_us;

    return end > x->started_us ? end : x->started_us;
}

void ww_judge_exchange(struct ww_judge *j, const struct ww_exchange *x)
{
    struct model *m = &j->m;
    size_t at = m->v.steps;

    assert(!j->finished);
    for (size_t i = 0; i < x->payloads; i++) {
        ww_judge_payload(j, &x->payload[i]);
    }
    if (at == m->step_cap)
        m->v.step = ww_grow(m->v.step, at + 1, &m->step_cap, sizeof *m->v.step);
    if (at == m->look_cap)
        m->look = ww_grow(m->look, at + 1, &m->look_cap, sizeof *m->look);
    if (at == j->wait_cap)
        j->wait_ms = ww_grow(j->wait_ms, at + 1, &j->wait_cap, sizeof *j->wait_ms);
    m->v.step[at] = (struct ww_step){
        .exchange = x->id,
        .session = ww_sessions_assign(m->keys, x),
        .worker = names_a_worker(x) ? worker_of(j, x->worker) : WW_NO_WORKER,
        .by = x->by,
        .status = x->status,
        .end = x->end,
        .started_us = x->started_us,
        .ended_us = end_of(x),
    };
    j->wait_ms[at] = x->connected_us > 0 && x->accepted_us >= x->connected_us
                         ? (double)(x->accepted_us - x->connected_us) / 1000.0
                         : -1;
    if (m->v.step[at].worker != WW_NO_WORKER)
        j->served[m->v.step[at].worker]++;
    look(j, x, at);
    m->v.step[at].method = ww_text_kept(m, x->method, ww_word(&m->normal, x->method));
    m->v.step[at].target = ww_text_kept(m, x->target, m->look[at].path);
    m->v.steps++;
    m->v.by[x->by]++;
    note_disagreement(&m->v, x);
}

/* ---- workers */

struct ranked {
    const struct ww_worker *worker;
    size_t index;
};

static int by_slot(const void *a, const void *b)
{
    const struct ww_worker *x = ((const struct ranked *)a)->worker,
                           *y = ((const struct ranked *)b)->worker;

    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->started_us != y->started_us)
        return x->started_us < y->started_us ? -1 : 1;
    return x < y ? -1 : x > y;
}

struct waited {
    size_t worker;
    double ms;
};

static int by_wait(const void *a, const void *b)
{
    const struct waited *x = a, *y = b;

    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static void settle_waits(struct ww_judge *j)
{
    struct ww_verdict *v = &j->m.v;
    struct waited *w = ww_xcalloc(v->steps + 1, sizeof *w);
    size_t n = 0;

    for (size_t i = 0; i < v->steps; i++) {
        if (v->step[i].worker != WW_NO_WORKER && j->wait_ms[i] >= 0)
            w[n++] = (struct waited){ v->step[i].worker, j->wait_ms[i] };
    }
    qsort(w, n, sizeof *w, by_wait);
    for (size_t i = 0; i < n;) {
        size_t from = i;
        while (i < n && w[i].worker == w[from].worker) {
            i++;
        }
        v->worker[w[from].worker].queue_wait_p50_ms = w[from + (i - from - 1) / 2].ms;
        v->worker[w[from].worker].queue_wait_p99_ms = w[from + (i - from - 1) * 99 / 100].ms;
    }
    free(w);
}

/* Only workers that served something, in their slots' order; steps point at the new places. */
static void settle_workers(struct ww_judge *j)
{
    struct ww_verdict *v = &j->m.v;
    struct ranked *rank = ww_xcalloc(j->workers + 1, sizeof *rank);
    size_t *place = ww_xcalloc(j->workers + 1, sizeof *place), n = 0;

    for (size_t i = 0; i < j->workers; i++) {
        if (j->served[i] > 0)
            rank[n++] = (struct ranked){ &j->worker[i], i };
    }
    qsort(rank, n, sizeof *rank, by_slot);
    v->worker = ww_xcalloc(n + 1, sizeof *v->worker);
    v->workers = n;
    for (size_t i = 0; i < n; i++) {
        place[rank[i].index] = i;
        v->worker[i] = (struct ww_verdict_worker){ .worker = *rank[i].worker,
                                                   .exchanges = j->served[rank[i].index] };
    }
    for (size_t i = 0; i < v->steps; i++) {
        if (v->step[i].worker != WW_NO_WORKER)
            v->step[i].worker = place[v->step[i].worker];
    }
    free(rank);
    free(place);
    settle_waits(j);
}

/* ---- sessions and splits */

static void session_workers(struct model *m, struct ww_verdict_session *s, size_t *seen,
                            size_t mark)
{
    size_t n = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < s->steps; i++) {
            size_t w = m->v.step[s->step[i]].worker;
            if (w == WW_NO_WORKER || seen[w] == mark + (size_t)pass)
                continue;
            seen[w] = mark + (size_t)pass;
            if (pass == 1) {
                s->worker[s->workers++] = w;
            } else {
                n++;
            }
        }
        if (pass == 0)
            s->worker = ww_arena_alloc(&m->arena, (n + 1) * sizeof *s->worker);
    }
}

static void settle_sessions(struct model *m)
{
    struct ww_verdict *v = &m->v;
    size_t *seen = ww_xcalloc(v->workers + 1, sizeof *seen);

    v->sessions = ww_sessions_count(m->keys);
    v->session = ww_xcalloc(v->sessions + 1, sizeof *v->session);
    for (size_t i = 0; i < v->steps; i++) {
        v->session[v->step[i].session].steps++;
    }
    for (size_t i = 0; i < v->sessions; i++) {
        struct ww_verdict_session *s = &v->session[i];
        const struct ww_session_key *key = ww_sessions_key(m->keys, i);
        snprintf(s->id, sizeof s->id, "s%u", (unsigned)i + 1);
        s->kind = key->kind;
        s->key_name = key->name;
        s->key_value = key->value;
        s->weak = key->weak;
        s->step = ww_arena_alloc(&m->arena, (s->steps + 1) * sizeof *s->step);
        s->steps = 0;
    }
    for (size_t i = 0; i < v->steps; i++) {
        struct ww_verdict_session *s = &v->session[v->step[i].session];
        s->step[s->steps++] = i;
    }
    for (size_t i = 0; i < v->sessions; i++) {
        session_workers(m, &v->session[i], seen, 2 * i + 1);
    }
    free(seen);
}

#define NO_STEP SIZE_MAX

static void settle_splits(struct model *m)
{
    struct ww_verdict *v = &m->v;
    size_t cap = 0;

    for (size_t i = 0; i < v->sessions; i++) {
        struct ww_verdict_session *s = &v->session[i];
        size_t a, b = NO_STEP;
        for (size_t k = 0; k < s->steps; k++) {
            if (v->step[s->step[k]].skipped || m->look[s->step[k]].stream)
                continue;
            a = b;
            b = s->step[k];
            if (a == NO_STEP || v->step[a].worker == WW_NO_WORKER ||
                v->step[b].worker == WW_NO_WORKER || m->look[a].parallel || m->look[b].parallel)
                continue;
            v->pairs++;
            if (v->step[a].worker == v->step[b].worker)
                continue;
            if (v->splits == cap)
                v->split = ww_grow(v->split, v->splits + 1, &cap, sizeof *v->split);
            v->split[v->splits++] = (struct ww_split){ .session = i, .from = a, .to = b };
            v->step[b].split = true;
            s->splits++;
        }
    }
}

static void settle_routes(struct model *m)
{
    size_t *place = ww_xcalloc(m->normal.words + 1, sizeof *place); /* by word; 0: none */
    size_t n = 0;

    for (size_t i = 0; i < m->v.steps; i++) {
        size_t *at = &place[m->look[i].route];
        if (*at == 0)
            *at = ++n;
        m->v.step[i].route = *at - 1;
    }
    m->v.route = ww_arena_alloc(&m->arena, (n + 1) * sizeof *m->v.route);
    m->v.routes = n;
    for (size_t i = 0; i < m->normal.words; i++) {
        if (place[i] > 0) {
            m->v.route[place[i] - 1] =
                ww_arena_dup(&m->arena, ww_word_text(&m->normal, (uint32_t)i));
        }
    }
    free(place);
}

/* ---- the verdict */

/* Whether some session had two exchanges at all, and two that did not overlap. */
static void count_pairs(const struct model *m, size_t *out_pairs, size_t *out_ordered)
{
    *out_pairs = *out_ordered = 0;
    for (size_t i = 0; i < m->v.sessions; i++) {
        const struct ww_verdict_session *s = &m->v.session[i];
        size_t a, b = NO_STEP;
        for (size_t k = 0; k < s->steps; k++) {
            if (m->v.step[s->step[k]].skipped || m->look[s->step[k]].stream)
                continue;
            a = b;
            b = s->step[k];
            *out_pairs += a != NO_STEP;
            *out_ordered += a != NO_STEP && !m->look[a].parallel && !m->look[b].parallel;
        }
    }
}

static bool fails(const struct ww_finding *f)
{
    if (f->allowed)
        return false;
    switch (f->fail_on) {
    case WW_FAIL_ON_NONE:
        return false;
    case WW_FAIL_ON_PROVEN:
        return f->grade >= WW_PROVEN;
    case WW_FAIL_ON_CONFIRMED:
        return f->grade >= WW_CONFIRMED;
    case WW_FAIL_ON_LIKELY:
        return f->grade >= WW_LIKELY;
    case WW_FAIL_ON_POSSIBLE:
    case WW_FAIL_ON_SPLIT:
        return true;
    }
    return false;
}

/* Sessions reached several workers, but never in two exchanges of which one was before the
 * other: nothing was put to the test. */
static bool crossed_unseen(const struct model *m)
{
    for (size_t i = 0; i < m->v.sessions && m->v.splits == 0; i++) {
        const struct ww_verdict_session *s = &m->v.session[i];
        size_t worker = WW_NO_WORKER;
        for (size_t k = 0; k < s->steps && s->workers > 1; k++) {
            const struct ww_step *step = &m->v.step[s->step[k]];
            if (step->skipped || step->worker == WW_NO_WORKER)
                continue;
            if (worker != WW_NO_WORKER && worker != step->worker)
                return true;
            worker = step->worker;
        }
    }
    return false;
}

static bool lives(const struct ww_worker *w, int64_t from_us, int64_t to_us)
{
    return w->started_us < to_us && (w->ended_us == 0 || w->ended_us > from_us);
}

/* How many workers of the recording, whether they served or not, lived beside another while
 * exchanges went on. A worker and its successor did not. */
static size_t side_by_side(const struct ww_judge *j)
{
    const struct ww_verdict *v = &j->m.v;
    int64_t from = v->step[0].started_us, to = v->step[v->steps - 1].ended_us;
    size_t n = 0;

    for (size_t i = 0; i < j->workers && i < WORKERS_SEEN; i++) {
        bool beside = false;
        const struct ww_worker *a = &j->worker[i];
        for (size_t k = 0; k < j->workers && k < WORKERS_SEEN && !beside; k++) {
            const struct ww_worker *b = &j->worker[k];
            int64_t since = b->started_us > from ? b->started_us : from;
            int64_t until = b->ended_us != 0 && b->ended_us < to ? b->ended_us : to;
            beside = i != k && since < until && lives(a, since, until);
        }
        n += beside;
    }
    return n;
}

/* There was more than one worker to go to, and nobody went: by luck, or because a connection
 * was kept. Under `sticky` that is what was asked for. */
static size_t untested(const struct ww_judge *j)
{
    const struct ww_verdict *v = &j->m.v;

    if (v->splits > 0 || strcmp(v->run.schedule, "sticky") == 0)
        return 0;
    return side_by_side(j);
}

/* Why nothing can be said, or absent. */
static ww_str why_inconclusive(struct ww_judge *j, uint64_t reached)
{
    struct model *m = &j->m;
    size_t pairs, ordered;

    count_pairs(m, &pairs, &ordered);
    if (m->v.skipped > 0 && m->v.skipped == m->v.steps)
        return WW_STR("every exchange is skipped by the configuration");
    if (reached == 0 && m->v.run.lost == 0)
        return WW_STR("no request reached a worker");
    if (reached > 0 && (m->v.coverage < j->cfg.min_attributed || m->v.workers == 0)) {
        return ww_arena_printf(&m->arena, "the worker of only %.1f%% of the exchanges is known",
                               m->v.coverage * 100);
    }
    if (m->v.run.lost > 0) {
        return ww_arena_printf(&m->arena, "%llu exchanges could not be recorded",
                               (unsigned long long)m->v.run.lost);
    }
    if (pairs == 0)
        return WW_STR("no session has two exchanges");
    if (ordered == 0)
        return WW_STR("the exchanges of every session overlap: none is before another");
    if (crossed_unseen(m))
        return WW_STR(
            "no session was seen to go from one worker to another: the exchanges overlap "
            "or a worker is unknown");
    size_t beside = untested(j);
    if (beside > 1) {
        return ww_arena_printf(
            &m->arena,
            "%zu workers ran and no session went from one to another: nothing "
            "was put to the test; longer sessions, or more of them, would do it",
            beside);
    }
    return (ww_str){ 0 };
}

static ww_str why_pass(struct ww_judge *j)
{
    struct ww_verdict *v = &j->m.v;
    const char *s = v->splits == 1 ? "" : "s";
    size_t allowed = 0;

    for (size_t i = 0; i < v->findings; i++) {
        allowed += v->finding[i].allowed;
    }
    if (v->findings > 0 && allowed == v->findings) {
        return ww_arena_printf(&j->m.arena, "%zu finding%s, allowed by the configuration",
                               v->findings, v->findings == 1 ? "" : "s");
    }
    if (v->findings > 0) {
        return ww_arena_printf(&j->m.arena, "%zu finding%s, none of them at or above \"%s\"%s",
                               v->findings, v->findings == 1 ? "" : "s",
                               ww_fail_on_token(j->cfg.fail_on),
                               allowed > 0 ? " that is not allowed" : "");
    }
    if (v->workers == 1)
        return WW_STR("one worker served everything");
    if (v->splits == 0)
        return WW_STR("no session changed its worker, as the schedule \"sticky\" asks for");
    return ww_arena_printf(&j->m.arena, "%zu split%s, no state lost", v->splits, s);
}

/* The worst of those that count. */
static ww_str why_fail(const struct ww_verdict *v)
{
    size_t i = 0;

    while (i + 1 < v->findings && !v->finding[i].fails) {
        i++;
    }
    return v->finding[i].message;
}

static void settle_verdict(struct ww_judge *j)
{
    struct ww_verdict *v = &j->m.v;
    uint64_t known =
        v->by[WW_BY_KERNEL] + v->by[WW_BY_PRELOAD] + v->by[WW_BY_HEADER] - j->skipped_known;
    uint64_t reached = v->steps - v->by[WW_BY_NOBODY] - j->skipped_reached;
    size_t failing = 0;

    v->coverage = reached == 0 ? 1 : (double)known / (double)reached;
    ww_str why = why_inconclusive(j, reached);
    v->doubt = why;
    v->value = why.ptr == NULL ? WW_PASS : WW_INCONCLUSIVE;
    for (size_t g = 0; g < WW_GUARANTEES; g++) {
        v->guarantee[g] = v->value;
    }
    for (size_t i = 0; i < v->findings; i++) {
        v->finding[i].fails = fails(&v->finding[i]);
        if (v->finding[i].fails) {
            v->guarantee[v->finding[i].guarantee] = WW_FAIL;
            failing++;
        }
    }
    v->why = why.ptr == NULL ? why_pass(j) : why;
    if (failing > 0) {
        v->value = WW_FAIL;
        v->why = why_fail(v);
    } else if (j->cfg.fail_on == WW_FAIL_ON_SPLIT && v->splits > 0) {
        v->value = WW_FAIL;
        v->why = ww_arena_printf(&j->m.arena, "%zu split%s: a session changed its worker",
                                 v->splits, v->splits == 1 ? "" : "s");
    }
}

const struct ww_verdict *ww_judge_finish(struct ww_judge *j)
{
    assert(!j->finished);
    j->finished = true;
    settle_workers(j);
    settle_sessions(&j->m);
    ww_model_settle(&j->m);
    settle_splits(&j->m);
    settle_routes(&j->m);
    if (j->m.v.workers > 1) {
        for (size_t i = 0; i < ww_rules_count; i++) {
            ww_rules[i]->check(&j->m);
        }
    }
    ww_rulebook_findings(&j->m.rulebook, &j->m.v, j->cfg.fail_on);
    ww_findings_settle(&j->m);
    settle_verdict(j);
    ww_rulebook_settle(&j->m.rulebook, &j->m.v);
    return &j->m.v;
}
