/* report: one finding as text: what broke, the proof, whether the worker decides, what to do.
 */
#include "text.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>

#define INDENT    4
#define MAX_MASKS 6
#define MAX_PROOF                                                                              \
    16 /* exchanges; the judge gives the smallest witness, usually two to four                 \
        */
#define REQUEST_AT  (INDENT + 8 + 14 + 8) /* behind id, time and worker */
#define MIN_REQUEST 12
#define MAX_REQUEST 34

static enum ww_ink grade_ink(enum ww_grade g)
{
    return g >= WW_CONFIRMED ? WW_INK_RED : WW_INK_YELLOW;
}

static void put_title(struct ww_paper *p, const struct ww_finding *f)
{
    ww_paper_ink(p, WW_INK_BOLD);
    ww_paper_printf(p, "%s", f->id);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "  ");
    ww_paper_ink(p, grade_ink(f->grade));
    ww_paper_printf(p, "%s", ww_grade_token(f->grade));
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "  ");
    ww_paper_ink(p, WW_INK_BOLD);
    ww_paper_printf(p, "%s", ww_guarantee_token(f->guarantee));
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, ": %s\n", ww_guarantee_words(f->guarantee));
}

/* ---- the proof */

static size_t request_columns(const struct ww_verdict *v, const struct ww_finding *f,
                              size_t shown)
{
    size_t widest = MIN_REQUEST;

    for (size_t i = 0; i < shown; i++) {
        struct ww_buf b;
        ww_text_request(&b, &v->step[f->evidence[i].step]);
        size_t columns = ww_paper_columns(ww_buf_str(&b));
        widest = columns > widest ? columns : widest;
        ww_buf_release(&b);
    }
    return widest < MAX_REQUEST ? widest : MAX_REQUEST;
}

static void put_worker(struct ww_paper *p, const struct ww_verdict *v, size_t worker)
{
    if (worker == WW_NO_WORKER) {
        ww_paper_printf(p, "%-8s", "unknown");
        return;
    }
    ww_paper_worker_ink(p, worker);
    ww_paper_printf(p, "%-8" PRId32, v->worker[worker].worker.id.pid);
    ww_paper_ink(p, WW_INK_PLAIN);
}

/* Behind the role, or on lines of its own where it would be squeezed. */
static void put_shown(struct ww_paper *p, const struct ww_evidence *e, size_t at)
{
    if (e->value.ptr == NULL) {
        ww_paper_printf(p, "\n");
        return;
    }
    ww_paper_printf(p, ":");
    if (at + 2 + ww_paper_columns(e->value) <= p->width) {
        ww_paper_printf(p, " ");
        ww_paper_wrap(p, at + 2, REQUEST_AT, e->value);
        return;
    }
    ww_paper_printf(p, "\n%*s", REQUEST_AT, "");
    ww_paper_wrap(p, REQUEST_AT, REQUEST_AT, e->value);
}

static void put_evidence(struct ww_paper *p, const struct ww_verdict *v,
                         const struct ww_evidence *e, size_t columns)
{
    const struct ww_step *s = &v->step[e->step];
    struct ww_buf request;
    char id[24];

    snprintf(id, sizeof(id), "#%" PRIu64, s->exchange);
    ww_paper_printf(p, "%*s%-6s  ", INDENT, "", id);
    ww_paper_clock(p, s->started_us);
    ww_paper_printf(p, "  ");
    put_worker(p, v, s->worker);
    ww_text_request(&request, s);
    ww_paper_cell(p, ww_buf_str(&request), columns, true);
    ww_buf_release(&request);
    ww_paper_printf(p, "  ");
    ww_text_status(p, s->status);
    ww_paper_printf(p, "  ");
    ww_paper_ink(p, WW_INK_BOLD);
    ww_paper_printf(p, "%s", e->role);
    ww_paper_ink(p, WW_INK_PLAIN);
    put_shown(p, e, REQUEST_AT + columns + 2 + 3 + 2 + strlen(e->role));
}

static void put_proof(struct ww_paper *p, const struct ww_verdict *v,
                      const struct ww_finding *f)
{
    size_t shown = f->evidences < MAX_PROOF ? f->evidences : MAX_PROOF;
    size_t columns = request_columns(v, f, shown);

    if (shown == 0)
        return;
    ww_paper_printf(p, "\n%*s", INDENT, "");
    ww_paper_ink(p, WW_INK_DIM);
    ww_paper_printf(p, "%-6s  %-12s  %-8s%-*s  %s  %s", "proof", "time (UTC)", "worker",
                    (int)columns, "request", "was", "shows");
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
    for (size_t i = 0; i < shown; i++)
        put_evidence(p, v, &f->evidence[i], columns);
    if (f->evidences > shown) {
        ww_paper_printf(p, "%*s... and ", INDENT, "");
        ww_paper_count(p, f->evidences - shown, "more exchange", "more exchanges");
        ww_paper_printf(p, "\n");
    }
}

/* ---- did it depend on the worker? */

/* Cut, not rounded: 100% is all of them, and 0% is none. */
static double percent_of(uint64_t part, uint64_t all)
{
    double tenths = (double)(uint64_t)(1000.0 * (double)part / (double)all);

    return (tenths < 1 && part > 0 ? 1 : tenths) / 10;
}

static void put_table_row(struct ww_paper *p, const char *label, uint64_t kept, uint64_t lost)
{
    ww_paper_printf(p, "%*s%-16s %8" PRIu64 " %8" PRIu64, INDENT, "", label, kept, lost);
    if (kept + lost > 0) {
        ww_paper_printf(p, "   %.3g%% lost\n", percent_of(lost, kept + lost));
    } else {
        ww_paper_printf(p, "   never happened\n");
    }
}

static void put_table(struct ww_paper *p, const struct ww_table *t)
{
    if (t->changed_kept + t->changed_lost + t->same_kept + t->same_lost == 0)
        return;
    ww_paper_printf(p, "\n%*s", INDENT, "");
    ww_paper_ink(p, WW_INK_DIM);
    ww_paper_printf(p, "%-16s %8s %8s", "the state was", "kept", "lost");
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
    put_table_row(p, "worker changed", t->changed_kept, t->changed_lost);
    put_table_row(p, "same worker", t->same_kept, t->same_lost);
}

/* ---- what follows from it */

static void put_label(struct ww_paper *p, const char *label)
{
    ww_paper_printf(p, "%*s", INDENT, "");
    ww_paper_ink(p, WW_INK_BOLD);
    ww_paper_printf(p, "%-14s", label);
    ww_paper_ink(p, WW_INK_PLAIN);
}

#define BODY (INDENT + 14)

static void put_seen(struct ww_paper *p, const struct ww_verdict *v, const struct ww_finding *f)
{
    put_label(p, "seen");
    ww_paper_count(p, f->occurrences, "time", "times");
    ww_paper_printf(p, "; the proof is from session %s\n", v->session[f->session].id);
}

static void put_policy(struct ww_paper *p, const struct ww_finding *f)
{
    if (f->policy.ptr == NULL)
        return;
    put_label(p, "configured");
    ww_paper_wrap(p, BODY, BODY, f->policy);
}

static void put_masks(struct ww_paper *p, const struct ww_finding *f)
{
    size_t shown = f->maskeds < MAX_MASKS ? f->maskeds : MAX_MASKS;

    for (size_t i = 0; i < shown; i++) {
        put_label(p, i == 0 ? "not compared" : "");
        ww_paper_wrap(p, BODY, BODY + 2, f->masked[i]);
    }
    if (f->maskeds > shown) {
        ww_paper_printf(p, "%*s... and ", BODY, "");
        ww_paper_count(p, f->maskeds - shown, "more place", "more places");
        ww_paper_printf(p, "\n");
    }
}

/* An earlier finding that says the same is named instead of repeated. */
static const struct ww_finding *same_fix(const struct ww_verdict *v, const struct ww_finding *f)
{
    for (const struct ww_finding *other = v->finding; other < f; other++) {
        if (other->cause == f->cause && ww_str_eq(other->fix, f->fix))
            return other;
    }
    return NULL;
}

static void put_cause(struct ww_paper *p, const struct ww_verdict *v,
                      const struct ww_finding *f)
{
    const char *token = ww_cause_token(f->cause);

    put_label(p, "cause");
    ww_paper_printf(p, "%s: ", token);
    ww_paper_wrap(p, BODY + strlen(token) + 2, BODY, ww_str_c(ww_cause_words(f->cause)));
    if (f->fix.len == 0)
        return;
    put_label(p, "what to do");
    const struct ww_finding *other = same_fix(v, f);
    if (other != NULL) {
        ww_paper_printf(p, "as for %s\n", other->id);
    } else {
        ww_paper_wrap(p, BODY, BODY, f->fix);
    }
}

void ww_text_finding(struct ww_paper *p, const struct ww_verdict *v, const struct ww_finding *f)
{
    put_title(p, f);
    ww_paper_printf(p, "%*s", INDENT, "");
    ww_paper_wrap(p, INDENT, INDENT, f->message);
    put_proof(p, v, f);
    put_table(p, &f->table);
    ww_paper_printf(p, "\n");
    put_seen(p, v, f);
    put_policy(p, f);
    put_masks(p, f);
    put_cause(p, v, f);
}
