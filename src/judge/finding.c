/* judge: claims to findings: the same fault once, its strongest witness, its remedy, worst
 * first. */
#include "finding.h"

#include <stdlib.h>

#define MASKED_MAX 16 /* masked places that a finding lists */
#define TICK_US    20000
#define QUOTED_MAX 60 /* bytes of a value in a message */

static const char *const fix[WW_CAUSES] = {
    [WW_CAUSE_UNKNOWN] =
        "Compare how the workers named in the evidence hold this state: whatever is created "
        "when a "
        "worker starts (a secret, a cache, a list) must be shared by all of them.",
    [WW_CAUSE_PER_WORKER_SECRET] =
        "Give all workers the same signing key: read SECRET_KEY from the environment or a file "
        "instead of making a random one when a worker starts. One worker only hides it.",
    [WW_CAUSE_WORKER_MEMORY] =
        "Move this state out of the process: to a database or a cache such as Redis. Until "
        "then run "
        "one worker with threads, or sticky sessions. --preload does not help: after the fork "
        "each "
        "worker changes its own copy (and uvicorn's workers are spawned, not forked).",
    [WW_CAUSE_WORKER_RESTARTED] = "The state died with its worker. Keep it outside the process "
                                  "(a database, a cache), so that "
                                  "a restart, a reload or max_requests cannot lose it.",
    [WW_CAUSE_STALE_CACHE] = "The other worker caught up later: share the cache between the "
                             "workers, invalidate it on "
                             "writes, or shorten its lifetime.",
};

ww_str ww_step_words(struct model *m, size_t step)
{
    const struct ww_step *s = &m->v.step[step];
    ww_str path = ww_word_text(&m->normal, m->look[step].path);

    return ww_arena_printf(&m->arena, WW_STRF " " WW_STRF " on worker %d", WW_STRV(s->method),
                           WW_STRV(path), (int)ww_step_pid(m, step));
}

ww_str ww_quotable(struct model *m, uint32_t word)
{
    ww_str text = ww_word_text(&m->normal, word);

    if (text.len <= QUOTED_MAX)
        return ww_arena_dup(&m->arena, text);
    size_t cut = QUOTED_MAX;
    while (cut > 0 && ((unsigned char)text.ptr[cut] & 0xc0) == 0x80) {
        cut--;
    }
    return ww_arena_printf(&m->arena, WW_STRF "...", WW_STRV(ww_str_upto(text, cut)));
}

bool ww_restarted_since(const struct model *m, size_t before, size_t step)
{
    const struct ww_worker *old = &m->v.worker[m->v.step[before].worker].worker;
    const struct ww_worker *fresh = &m->v.worker[m->v.step[step].worker].worker;

    /* The request may have waited in the queue while the one ended and the other began; and a
     * process's start is known by the kernel's tick only. */
    return old->ended_us != 0 && old->ended_us <= m->v.step[step].ended_us &&
           fresh->started_us + TICK_US > m->v.step[before].ended_us;
}

bool ww_already_found(const struct model *m, size_t step, enum ww_cause cause,
                      enum ww_grade grade)
{
    for (size_t i = 0; i < m->v.findings; i++) {
        const struct ww_finding *f = &m->v.finding[i];
        if (f->cause != cause || f->grade < grade)
            continue;
        for (size_t k = 0; k < f->evidences; k++) {
            if (m->look[f->evidence[k].step].route == m->look[step].route)
                return true;
        }
    }
    return false;
}

void ww_claim_witness(struct claim *c, const struct model *m, size_t step, const char *role,
                      ww_str value)
{
    size_t at = c->evidences;

    for (size_t i = 0; i < c->evidences; i++) {
        if (c->evidence[i].step == step)
            return;
    }
    if (c->evidences == WW_WITNESS_MAX)
        return;
    while (at > 0 &&
           m->v.step[c->evidence[at - 1].step].started_us > m->v.step[step].started_us) {
        c->evidence[at] = c->evidence[at - 1];
        at--;
    }
    c->evidence[at] = (struct ww_evidence){ .step = step, .role = role, .value = value };
    c->evidences++;
}

static void list_masked(struct ww_finding *f, ww_str text)
{
    for (size_t i = 0; i < f->maskeds; i++) {
        if (ww_str_eq(f->masked[i], text))
            return;
    }
    if (f->maskeds < MASKED_MAX)
        f->masked[f->maskeds++] = text;
}

/* What the user wanted left out, of any answer that is evidence. */
static void list_ruled(struct model *m, struct ww_finding *f)
{
    for (size_t i = 0; i < f->evidences; i++) {
        uint32_t set = m->look[f->evidence[i].step].ruled;
        for (size_t k = 0; set != WW_NO_SET && k < m->rulebook.set[set].rules; k++) {
            list_masked(f, ww_rulebook_words(&m->rulebook, m->rulebook.set[set].rule[k]));
        }
    }
}

/* The places of the view that showed the fault that were not compared, with the reason. */
static void list_masks(struct model *m, struct ww_finding *f, size_t step)
{
    const struct look *l = &m->look[step];
    uint32_t last = WW_NONE;

    f->masked = ww_arena_alloc(&m->arena, MASKED_MAX * sizeof *f->masked);
    f->maskeds = 0;
    list_ruled(m, f);
    if (l->view == WW_NONE)
        return;
    const struct view *v = &m->normal.view[l->view];
    for (uint32_t i = 0; i < v->leaves && f->maskeds < MASKED_MAX; i++) {
        struct leaf leaf = v->leaf[i];
        if (leaf.path == last || !ww_leaf_masked(&m->normal, l->scope, leaf))
            continue;
        last = leaf.path;
        const char *why = ww_mask_learned(&m->normal, l->scope, leaf.path)
                              ? "differs within one worker"
                          : m->normal.word[leaf.path].volatile_key
                              ? "changes by its name"
                              : "a date, a number of seconds or an identifier";
        f->masked[f->maskeds++] =
            ww_arena_printf(&m->arena, WW_STRF ": %s", WW_STRV(ww_quotable(m, leaf.path)), why);
    }
}

/* The look's route has the method before it: "GET /cars/{id}". */
static ww_str template_of(struct model *m, size_t step)
{
    ww_str route = ww_word_text(&m->normal, m->look[step].route), method;

    ww_str_cut(&route, ' ', &method);
    return ww_arena_dup(&m->arena, route);
}

/* What the strongest claim says about itself becomes the finding's. */
static void set_witness(struct model *m, struct ww_finding *f, const struct claim *c)
{
    f->grade = c->grade;
    f->session = m->v.step[c->step].session;
    f->method = m->v.step[c->step].method;
    f->resource = ww_arena_dup(&m->arena, ww_word_text(&m->normal, m->look[c->step].path));
    f->route = template_of(m, c->step);
    f->place = c->place.ptr == NULL ? WW_STR("") : ww_arena_dup(&m->arena, c->place);
    f->message = c->message;
    f->table = c->table;
    f->evidence = ww_arena_alloc(&m->arena, WW_WITNESS_MAX * sizeof *f->evidence);
    memcpy(f->evidence, c->evidence, c->evidences * sizeof *f->evidence);
    f->evidences = c->evidences;
    f->worker = ww_arena_alloc(&m->arena, WW_WITNESS_MAX * sizeof *f->worker);
    f->workers = 0;
    for (size_t i = 0; i < c->evidences; i++) {
        size_t w = m->v.step[c->evidence[i].step].worker, k = 0;
        while (k < f->workers && f->worker[k] != w) {
            k++;
        }
        if (k == f->workers && w != WW_NO_WORKER)
            f->worker[f->workers++] = w;
    }
    list_masks(m, f, c->step);
}

void ww_claim(struct model *m, const struct claim *claim)
{
    struct claim c = *claim;
    bool fresh;

    if (m->v.session[m->v.step[c.step].session].weak && !c.whoever)
        c.grade = WW_POSSIBLE;
    ww_str key = ww_arena_printf(&m->arena, "%s %s " WW_STRF, ww_guarantee_token(c.guarantee),
                                 ww_cause_token(c.cause),
                                 WW_STRV(ww_word_text(&m->normal, m->look[c.step].route)));
    size_t at = *ww_map_put(&m->claim_at, key, m->v.findings, &fresh);
    if (fresh) {
        if (m->v.findings == m->finding_cap) {
            m->v.finding =
                ww_grow(m->v.finding, m->v.findings + 1, &m->finding_cap, sizeof *m->v.finding);
        }
        m->v.finding[m->v.findings++] = (struct ww_finding){ .guarantee = c.guarantee,
                                                             .cause = c.cause,
                                                             .fix = ww_str_c(fix[c.cause]) };
    }
    struct ww_finding *f = &m->v.finding[at];
    if (fresh || c.grade > f->grade || (c.grade == f->grade && c.telling > m->telling[at])) {
        set_witness(m, f, &c);
        m->telling = ww_grow(m->telling, at + 1, &m->telling_cap, sizeof *m->telling);
        m->telling[at] = c.telling;
    }
    if (c.occurrences > f->occurrences)
        f->occurrences = c.occurrences;
}

static int worst_first(const void *a, const void *b)
{
    const struct ww_finding *x = a, *y = b;

    if (x->grade != y->grade)
        return x->grade > y->grade ? -1 : 1;
    if (x->occurrences != y->occurrences)
        return x->occurrences > y->occurrences ? -1 : 1;
    if (x->guarantee != y->guarantee)
        return x->guarantee < y->guarantee ? -1 : 1;
    size_t p = x->evidence[0].step, q = y->evidence[0].step;
    return p < q ? -1 : p > q;
}

void ww_findings_settle(struct model *m)
{
    if (m->v.findings > 0)
        qsort(m->v.finding, m->v.findings, sizeof *m->v.finding, worst_first);
    for (size_t i = 0; i < m->v.findings; i++) {
        snprintf(m->v.finding[i].id, sizeof m->v.finding[i].id, "f%u", (unsigned)i + 1);
    }
}
