/* report: a session's exchanges in order of time, each in the lane of the worker that served
 * it. */
#include "text.h"

#include <whichworker/arena.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INDENT      2
#define MAX_LANES   5  /* more workers than that are named in a column instead */
#define LANE        9  /* columns: a PID has up to seven digits */
#define MAX_ROWS    40 /* a session up to this long is shown whole */
#define CONTEXT     3  /* exchanges shown on either side of one that is a proof */
#define MIN_REQUEST 12
#define MAX_NOTE    40

#define FIXED (INDENT + 2 + 7 + WW_PAPER_CLOCK + 2 + 3 + 2) /* marks, id, time, status */

/* What the rows of one timeline share. */
struct lanes {
    const struct ww_verdict *v;
    const struct ww_verdict_session *s;
    size_t session;
    size_t lanes; /* 0: a column of PIDs */
    bool nobodys; /* the last lane is for exchanges whose worker is unknown */
    bool *drawn;  /* by row: a line leads to it from the row before */
};

static size_t session_index(const struct ww_verdict *v, const struct ww_verdict_session *s)
{
    return (size_t)(s - v->session);
}

static struct lanes make_lanes(const struct ww_verdict *v, const struct ww_verdict_session *s)
{
    struct lanes l = { .v = v, .s = s, .session = session_index(v, s) };

    for (size_t i = 0; i < s->steps; i++)
        l.nobodys = l.nobodys || v->step[s->step[i]].worker == WW_NO_WORKER;
    size_t n = s->workers + (l.nobodys ? 1 : 0);
    l.lanes = n <= MAX_LANES ? n : 0;
    return l;
}

/* The lane of a worker; the last one is nobody's. */
static size_t lane_of(const struct lanes *l, size_t worker)
{
    for (size_t i = 0; i < l->s->workers; i++) {
        if (l->s->worker[i] == worker)
            return i;
    }
    return l->s->workers;
}

static size_t lanes_columns(const struct lanes *l)
{
    return l->lanes == 0 ? LANE : l->lanes * LANE;
}

/* The row of a step, which is one of the session's. */
static size_t row_of(const struct ww_verdict_session *s, size_t step)
{
    size_t low = 0, high = s->steps;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->step[mid] < step)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Where a split's two exchanges are two rows, one below the other: a filter may have taken what
 * was between, or the first. */
static bool *find_drawn(const struct lanes *l)
{
    bool *drawn = ww_xcalloc(l->s->steps + 1, sizeof(*drawn));

    for (size_t i = 0; i < l->v->splits; i++) {
        const struct ww_split *split = &l->v->split[i];
        if (split->session != l->session)
            continue;
        size_t row = row_of(l->s, split->to);
        drawn[row] = row > 0 && row < l->s->steps && l->s->step[row - 1] == split->from;
    }
    return drawn;
}

/* ---- which rows */

static bool proves(const struct lanes *l, const struct ww_finding *f, size_t step)
{
    if (f->session != l->session)
        return false;
    for (size_t i = 0; i < f->evidences; i++) {
        if (f->evidence[i].step == step)
            return true;
    }
    return false;
}

static bool is_proof(const struct lanes *l, size_t step)
{
    for (size_t i = 0; i < l->v->findings; i++) {
        if (proves(l, &l->v->finding[i], step))
            return true;
    }
    return false;
}

/* Marks what stands near a proof, until there are MAX_ROWS of them. */
static void choose_near_proofs(const struct lanes *l, bool *show)
{
    size_t shown = 0;

    for (size_t i = 0; i < l->s->steps && shown < MAX_ROWS; i++) {
        if (!is_proof(l, l->s->step[i]))
            continue;
        size_t from = i > CONTEXT ? i - CONTEXT : 0;
        for (size_t k = from; k <= i + CONTEXT && k < l->s->steps; k++) {
            shown += show[k] ? 0 : 1;
            show[k] = true;
        }
    }
    /* A session without a proof of its own: its beginning. */
    for (size_t i = 0; shown == 0 && i < l->s->steps && i < MAX_ROWS; i++)
        show[i] = true;
}

/* One bool for each step of the session; the caller's to free. */
static bool *choose_rows(const struct lanes *l, bool whole)
{
    bool *show = ww_xcalloc(l->s->steps + 1, sizeof(*show));

    if (whole || l->s->steps <= MAX_ROWS) {
        memset(show, true, l->s->steps * sizeof(*show));
    } else {
        choose_near_proofs(l, show);
    }
    return show;
}

/* ---- one row */

/* "f1 write, f2 read-kept client-gone": why one would look here. */
static void make_note(const struct lanes *l, size_t step, struct ww_buf *note)
{
    const struct ww_verdict *v = l->v;

    ww_buf_init(note, MAX_NOTE);
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];
        for (size_t k = 0; f->session == l->session && k < f->evidences; k++) {
            if (f->evidence[k].step == step) {
                ww_buf_printf(note, "%s%s %s", note->len > 0 ? ", " : "", f->id,
                              f->evidence[k].role);
            }
        }
    }
    if (v->step[step].end != WW_END_COMPLETE)
        ww_buf_printf(note, "%s%s", note->len > 0 ? ", " : "", ww_end_token(v->step[step].end));
}

static void put_pid(struct ww_paper *p, const struct ww_verdict *v, size_t worker, int columns)
{
    ww_paper_worker_ink(p, worker);
    ww_paper_printf(p, "%-*" PRId32, columns, v->worker[worker].worker.id.pid);
    ww_paper_ink(p, WW_INK_PLAIN);
}

/* Draws "  +------->o  ": from the lane before to this one. */
static void draw(char *row, size_t from, size_t to)
{
    size_t a = from * LANE + 2, b = to * LANE + 2;

    if (from != to) {
        size_t low = a < b ? a : b, high = a < b ? b : a;
        memset(row + low, '-', high - low);
        row[a] = '+';
        row[a < b ? b - 1 : b + 1] = a < b ? '>' : '<';
    }
    row[b] = 'o';
}

static void put_lanes(struct ww_paper *p, const struct lanes *l, size_t at)
{
    const struct ww_step *s = &l->v->step[l->s->step[at]];
    char row[(MAX_LANES + 1) * LANE];
    size_t lane = lane_of(l, s->worker), from = lane;

    if (l->drawn[at])
        from = lane_of(l, l->v->step[l->s->step[at - 1]].worker);
    memset(row, ' ', sizeof(row));
    draw(row, from, lane);
    if (s->worker != WW_NO_WORKER)
        ww_paper_worker_ink(p, s->worker);
    ww_buf_add(p->out, ww_str_n(row, lanes_columns(l)));
    ww_paper_ink(p, WW_INK_PLAIN);
}

static void put_where(struct ww_paper *p, const struct lanes *l, size_t at)
{
    size_t worker = l->v->step[l->s->step[at]].worker;

    if (l->lanes > 0) {
        put_lanes(p, l, at);
    } else if (worker == WW_NO_WORKER) {
        ww_paper_printf(p, "%-*s", LANE, "?");
    } else {
        put_pid(p, l->v, worker, LANE);
    }
}

static void put_request(struct ww_paper *p, const struct ww_step *s, size_t columns,
                        ww_str note)
{
    struct ww_buf request;

    if (note.len > 0)
        columns = note.len + 2 + MIN_REQUEST < columns ? columns - note.len - 2 : MIN_REQUEST;
    ww_text_request(&request, s);
    ww_paper_cell(p, ww_buf_str(&request), columns, false);
    ww_buf_release(&request);
    if (note.len == 0)
        return;
    ww_paper_printf(p, "  ");
    ww_paper_ink(p, WW_INK_BOLD);
    ww_buf_add(p->out, note);
    ww_paper_ink(p, WW_INK_PLAIN);
}

static void put_row(struct ww_paper *p, const struct lanes *l, size_t at)
{
    size_t step = l->s->step[at];
    const struct ww_step *s = &l->v->step[step];
    size_t used = FIXED + lanes_columns(l);
    char id[24];
    struct ww_buf note;

    snprintf(id, sizeof(id), "#%" PRIu64, s->exchange);
    ww_paper_printf(p, "%*s%c%c%-7s", INDENT, "", is_proof(l, step) ? '*' : ' ',
                    s->split ? '~' : ' ', id);
    ww_paper_clock(p, s->started_us);
    ww_paper_printf(p, "  ");
    put_where(p, l, at);
    ww_text_status(p, s->status);
    ww_paper_printf(p, "  ");
    make_note(l, step, &note);
    put_request(p, s, p->width > used + MIN_REQUEST ? p->width - used : MIN_REQUEST,
                ww_buf_str(&note));
    ww_buf_release(&note);
    ww_paper_printf(p, "\n");
}

/* ---- all of it */

static void put_lane_names(struct ww_paper *p, const struct lanes *l)
{
    ww_paper_printf(p, "%*s", FIXED - 5, "");
    for (size_t i = 0; l->lanes > 0 && i < l->s->workers; i++)
        put_pid(p, l->v, l->s->worker[i], i + 1 < l->lanes ? LANE : 0);
    if (l->lanes == 0) {
        ww_paper_printf(p, "worker");
    } else if (l->nobodys) {
        ww_paper_printf(p, "?");
    }
    ww_paper_printf(p, "\n");
}

static void put_head(struct ww_paper *p, const struct lanes *l)
{
    const struct ww_verdict_session *s = l->s;

    ww_paper_ink(p, WW_INK_BOLD);
    ww_paper_printf(p, "Timeline of session %s", s->id);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, " (");
    ww_text_key(p, s, p->width / 3, false);
    ww_paper_printf(p, "): ");
    ww_paper_count(p, s->steps, "exchange", "exchanges");
    ww_paper_printf(p, ", ");
    ww_paper_count(p, s->workers, "worker", "workers");
    ww_paper_printf(p, ", ");
    ww_paper_count(p, s->splits, "split", "splits");
    ww_paper_printf(p, "\n");
    put_lane_names(p, l);
}

static void put_gap(struct ww_paper *p, const struct lanes *l, size_t from, size_t to)
{
    uint64_t splits = 0;

    for (size_t i = from; i < to; i++)
        splits += l->v->step[l->s->step[i]].split;
    ww_paper_ink(p, WW_INK_DIM);
    ww_paper_printf(p, "%*s... ", INDENT + 2, "");
    ww_paper_count(p, to - from, "exchange", "exchanges");
    ww_paper_printf(p, " left out, with ");
    ww_paper_count(p, splits, "split", "splits");
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
}

void ww_text_timeline(struct ww_paper *p, const struct ww_verdict *v, size_t session,
                      bool whole)
{
    struct lanes l = make_lanes(v, &v->session[session]);
    bool *show = choose_rows(&l, whole);

    l.drawn = find_drawn(&l);

    put_head(p, &l);
    for (size_t i = 0; i < l.s->steps;) {
        size_t end = i;
        while (end < l.s->steps && !show[end])
            end++;
        if (end > i) {
            put_gap(p, &l, i, end);
        } else {
            put_row(p, &l, end++);
        }
        i = end;
    }
    free(show);
    free(l.drawn);
    ww_paper_ink(p, WW_INK_DIM);
    ww_paper_printf(
        p, "%*s* proof of a finding   ~ another worker than the exchange before: a split\n",
        INDENT, "");
    ww_paper_ink(p, WW_INK_PLAIN);
}
