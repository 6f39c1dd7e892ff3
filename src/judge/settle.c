/* judge: what of an exchange only the whole trace can tell: overlaps, changes, masks. */
#include "keys.h"

#include <stdlib.h>

#define CHANGES_SEEN 512 /* changes that are looked at for one interval */

bool ww_before(const struct model *m, size_t a, size_t b)
{
    return m->v.step[a].ended_us <= m->v.step[b].started_us && ww_lineage_follows(m, a, b);
}

bool ww_speaks(const struct model *m, size_t step)
{
    return m->v.step[step].worker != WW_NO_WORKER && m->look[step].complete &&
           !m->look[step].cached;
}

bool ww_readable(const struct model *m, size_t step)
{
    return m->look[step].kind == LOOK_READ && ww_speaks(m, step) && !m->look[step].overlaps &&
           m->look[step].view != WW_NONE && m->v.step[step].status / 100 == 2;
}

bool ww_shows_number(const struct model *m, size_t step, uint32_t path, double *out)
{
    const struct look *l = &m->look[step];

    return ww_view_number(&m->normal, l->view, path, out) ||
           (l->counts != WW_NONE && ww_view_number(&m->normal, l->counts, path, out));
}

int32_t ww_step_pid(const struct model *m, size_t step)
{
    size_t w = m->v.step[step].worker;

    return w == WW_NO_WORKER ? 0 : m->v.worker[w].worker.id.pid;
}

bool ww_changed_between(const struct model *m, int64_t from_us, int64_t to_us,
                        bool (*counts)(const struct model *m, size_t step, void *ctx),
                        void *ctx)
{
    size_t low = 0, high = m->changes, seen = 0;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (m->v.step[m->change[mid]].started_us < to_us) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (size_t i = low; i > 0 && m->change_end[i - 1] > from_us; i--) {
        if (++seen > CHANGES_SEEN)
            return true;
        if (m->v.step[m->change[i - 1]].ended_us > from_us && counts(m, m->change[i - 1], ctx))
            return true;
    }
    return false;
}

static bool every_change(const struct model *m, size_t step, void *ctx)
{
    return true;
}

bool ww_any_change(const struct model *m, int64_t from_us, int64_t to_us)
{
    return ww_changed_between(m, from_us, to_us, every_change, NULL);
}

#define ENCLOSED_SEEN 8 /* later exchanges that are looked at for one that is enclosed */

static bool encloses(const struct model *m, const struct ww_verdict_session *s, size_t i)
{
    const struct ww_step *v = m->v.step;
    int64_t end = v[s->step[i]].ended_us;

    for (size_t k = i + 1; k < s->steps && k <= i + ENCLOSED_SEEN; k++) {
        if (v[s->step[k]].started_us >= end)
            return false;
        if (v[s->step[k]].ended_us <= end)
            return true;
    }
    return false;
}

/* From the front: what each exchange overlaps of those that began before it. */
static void settle_earlier(struct model *m, const struct ww_verdict_session *s)
{
    int64_t latest = INT64_MIN, latest_change = INT64_MIN;

    for (size_t i = 0; i < s->steps; i++) {
        const struct ww_step *step = &m->v.step[s->step[i]];
        struct look *l = &m->look[s->step[i]];
        l->at = i;
        l->stream = !l->changes && (l->stream || encloses(m, s, i));
        l->overlaps = latest_change > step->started_us;
        l->parallel = l->stream || latest > step->started_us;
        if (l->changes && step->ended_us > latest_change)
            latest_change = step->ended_us;
        if (!l->stream && step->ended_us > latest)
            latest = step->ended_us;
    }
}

/* From the back: what it overlaps of those that began after it. */
static void settle_session(struct model *m, const struct ww_verdict_session *s)
{
    int64_t next = INT64_MAX, next_change = INT64_MAX;

    settle_earlier(m, s);
    for (size_t i = s->steps; i > 0; i--) {
        const struct ww_step *step = &m->v.step[s->step[i - 1]];
        struct look *l = &m->look[s->step[i - 1]];
        l->overlaps = l->overlaps || next_change < step->ended_us;
        l->parallel = l->parallel || next < step->ended_us;
        if (l->changes)
            next_change = step->started_us;
        if (!l->stream)
            next = step->started_us;
    }
}

static void settle_changes(struct model *m)
{
    int64_t latest = INT64_MIN;

    m->change = ww_xcalloc(m->v.steps + 1, sizeof *m->change);
    m->change_end = ww_xcalloc(m->v.steps + 1, sizeof *m->change_end);
    for (size_t i = 0; i < m->v.steps; i++) {
        if (!m->look[i].changes)
            continue;
        if (m->v.step[i].ended_us > latest)
            latest = m->v.step[i].ended_us;
        m->change[m->changes] = i;
        m->change_end[m->changes++] = latest;
    }
}

/* Two reads of a resource in one session, by one worker, nothing changed between: the control.
 */
static void learn_masks(struct model *m, const struct ww_verdict_session *s, uint32_t *last)
{
    size_t run = 0, before_it = WW_NO_WORKER; /* where the present run of one worker began */

    for (size_t i = 0; i < s->steps; i++) {
        size_t step = s->step[i];
        uint32_t resource = m->look[step].resource;
        if (!m->look[step].stream) {
            run = m->v.step[step].worker == before_it ? run : i;
            before_it = m->v.step[step].worker;
        }
        if (!ww_readable(m, step))
            continue;
        uint32_t before = last[resource];
        last[resource] = (uint32_t)step;
        if (before == WW_NONE || m->v.step[before].session != m->v.step[step].session ||
            m->look[before].at < run || !ww_before(m, before, step) ||
            m->look[before].view == m->look[step].view ||
            ww_any_change(m, m->v.step[before].started_us, m->v.step[step].ended_us))
            continue;
        ww_mask_learn(&m->normal, m->look[step].scope, m->look[before].view,
                      m->look[step].view);
    }
}

void ww_model_settle(struct model *m)
{
    uint32_t *last = ww_xmalloc((m->normal.words + 1) * sizeof *last);

    memset(last, 0xff, (m->normal.words + 1) * sizeof *last);
    for (size_t i = 0; i < m->v.sessions; i++) {
        settle_session(m, &m->v.session[i]);
    }
    settle_changes(m);
    ww_lineage_settle(m);
    ww_keys_free(m->signers);
    m->signers = ww_keys_new(m);
    for (size_t i = 0; i < m->v.sessions; i++) {
        learn_masks(m, &m->v.session[i], last);
    }
    free(last);
    m->blamed = ww_xcalloc(m->v.steps + 1, sizeof *m->blamed);
    m->reset = ww_xcalloc(m->v.steps + 1, sizeof *m->reset);
}
