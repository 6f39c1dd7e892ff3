/* A verdict that shows less: indices are moved, judgements are not touched. */
#include <whichworker/filter.h>

/* What is left of the whole, and where it went. */
struct moving {
    const struct ww_verdict *of;
    struct ww_selection *s;
    enum ww_selecting how;
    bool *step, *session;    /* whether it stays */
    size_t *to, *to_session; /* and where it is then */
};

static void *room(struct moving *m, size_t n, size_t bytes)
{
    return ww_arena_alloc(&m->s->arena, (n + 1) * bytes);
}

static bool is_wanted(const struct ww_finding *f, const bool *wanted)
{
    for (size_t i = 0; i < f->evidences; i++)
        if (wanted[f->evidence[i].step])
            return true;
    return false;
}

/* Marks what stays: what is wanted, and what comes along. */
static void mark(struct moving *m, const bool *wanted)
{
    const struct ww_verdict *of = m->of;

    memcpy(m->step, wanted, of->steps * sizeof(*wanted));
    for (size_t i = 0; i < of->findings; i++) {
        const struct ww_finding *f = &of->finding[i];

        if (!is_wanted(f, wanted))
            continue;
        for (size_t k = 0; m->how == WW_SELECT_PROOFS && k < f->evidences; k++)
            m->step[f->evidence[k].step] = true;
        m->session[f->session] = true;
    }
    for (size_t i = 0; m->how == WW_SELECT_PROOFS && i < of->splits; i++)
        if (wanted[of->split[i].to])
            m->step[of->split[i].from] = true;
    for (size_t i = 0; i < of->steps; i++)
        if (m->step[i])
            m->session[of->step[i].session] = true;
}

static void move_sessions(struct moving *m)
{
    struct ww_verdict *v = &m->s->verdict;
    const struct ww_verdict *of = m->of;

    v->session = room(m, of->sessions, sizeof(*v->session));
    v->sessions = 0;
    for (size_t i = 0; i < of->sessions; i++) {
        m->to_session[i] = v->sessions;
        if (m->session[i])
            v->session[v->sessions++] = of->session[i];
    }
}

static void move_steps(struct moving *m)
{
    struct ww_verdict *v = &m->s->verdict;
    const struct ww_verdict *of = m->of;

    v->step = room(m, of->steps, sizeof(*v->step));
    m->s->step = room(m, of->steps, sizeof(*m->s->step));
    v->steps = 0;
    for (size_t i = 0; i < of->steps; i++) {
        m->to[i] = v->steps;
        if (!m->step[i])
            continue;
        m->s->step[v->steps] = i;
        v->step[v->steps] = of->step[i];
        v->step[v->steps++].session = m->to_session[of->step[i].session];
    }
}

static void move_session_steps(struct moving *m)
{
    struct ww_verdict *v = &m->s->verdict;

    for (size_t i = 0; i < v->sessions; i++) {
        struct ww_verdict_session *s = &v->session[i];
        const size_t *all = s->step;
        size_t n = s->steps;

        s->step = room(m, n, sizeof(*s->step));
        s->steps = 0;
        s->splits = 0;
        for (size_t k = 0; k < n; k++)
            if (m->step[all[k]])
                s->step[s->steps++] = m->to[all[k]];
    }
}

static void move_splits(struct moving *m)
{
    struct ww_verdict *v = &m->s->verdict;
    const struct ww_verdict *of = m->of;

    v->split = room(m, of->splits, sizeof(*v->split));
    v->splits = 0;
    for (size_t i = 0; i < of->splits; i++) {
        const struct ww_split *s = &of->split[i];

        if (!m->step[s->to] || !m->step[s->from])
            continue;
        v->split[v->splits++] = (struct ww_split){ .session = m->to_session[s->session],
                                                   .from = m->to[s->from],
                                                   .to = m->to[s->to] };
        v->session[m->to_session[s->session]].splits++;
    }
}

static void move_findings(struct moving *m, const bool *wanted)
{
    struct ww_verdict *v = &m->s->verdict;
    const struct ww_verdict *of = m->of;

    v->finding = room(m, of->findings, sizeof(*v->finding));
    m->s->finding = room(m, of->findings, sizeof(*m->s->finding));
    v->findings = 0;
    for (size_t i = 0; i < of->findings; i++) {
        struct ww_finding f = of->finding[i];
        struct ww_evidence *e = room(m, f.evidences, sizeof(*e));

        if (!is_wanted(&f, wanted))
            continue;
        size_t left = 0;
        for (size_t k = 0; k < f.evidences; k++) {
            if (!m->step[f.evidence[k].step])
                continue;
            e[left] = f.evidence[k];
            e[left++].step = m->to[f.evidence[k].step];
        }
        f.evidence = e;
        f.evidences = left;
        f.session = m->to_session[f.session];
        m->s->finding[v->findings] = i;
        v->finding[v->findings++] = f;
    }
}

void ww_selection_init(struct ww_selection *s, const struct ww_verdict *of, const bool *wanted,
                       enum ww_selecting how)
{
    struct moving m = { .of = of, .s = s, .how = how };

    *s = (struct ww_selection){ .verdict = *of };
    ww_arena_init(&s->arena, SIZE_MAX);
    m.step = room(&m, of->steps, sizeof(*m.step));
    m.session = room(&m, of->sessions, sizeof(*m.session));
    m.to = room(&m, of->steps, sizeof(*m.to));
    m.to_session = room(&m, of->sessions, sizeof(*m.to_session));
    mark(&m, wanted);
    move_sessions(&m);
    move_steps(&m);
    move_session_steps(&m);
    move_splits(&m);
    move_findings(&m, wanted);
}

void ww_selection_release(struct ww_selection *s)
{
    ww_arena_release(&s->arena);
    *s = (struct ww_selection){ 0 };
}
