/* The sessions of a trace in a line each, and one of them in full. */
#include "show.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

#define KEY_MIN     16
#define MAX_WORKERS 6 /* named in a session's line */
#define MAX_MARKS   4 /* findings named there */

void ww_show_worker(struct ww_paper *p, const struct ww_verdict *v, size_t worker)
{
    ww_paper_worker_ink(p, worker);
    ww_paper_printf(p, "w%" PRIu32 " %" PRId32, v->worker[worker].worker.slot,
                    v->worker[worker].worker.id.pid);
    ww_paper_ink(p, WW_INK_PLAIN);
}

static void put_workers(struct ww_paper *p, const struct ww_verdict *v,
                        const struct ww_verdict_session *s)
{
    for (size_t i = 0; i < s->workers && i < MAX_WORKERS; i++) {
        ww_paper_worker_ink(p, s->worker[i]);
        ww_paper_printf(p, " w%" PRIu32, v->worker[s->worker[i]].worker.slot);
        ww_paper_ink(p, WW_INK_PLAIN);
    }
    if (s->workers > MAX_WORKERS)
        ww_paper_printf(p, " +%zu", s->workers - MAX_WORKERS);
}

static void put_findings(struct ww_paper *p, const struct ww_verdict *v, size_t session)
{
    size_t n = 0;

    for (size_t i = 0; i < v->findings; i++) {
        if (v->finding[i].session != session)
            continue;
        if (n++ < MAX_MARKS)
            ww_paper_printf(p, "%s%s", n == 1 ? "  " : " ", v->finding[i].id);
    }
    if (n > MAX_MARKS)
        ww_paper_printf(p, " +%zu", n - MAX_MARKS);
}

static void put_session(struct ww_paper *p, const struct ww_verdict *v, size_t session)
{
    const struct ww_verdict_session *s = &v->session[session];

    ww_paper_printf(p, "%-7s", s->id);
    ww_paper_clock(p, s->steps == 0 ? 0 : v->step[s->step[0]].started_us);
    ww_paper_printf(p, "  ");
    ww_text_key(p, s, p->width > 80 ? p->width / 3 : KEY_MIN, true);
    ww_paper_printf(p, " %6zu %6" PRIu64 " ", s->steps, s->splits);
    put_workers(p, v, s);
    ww_paper_ink(p, WW_INK_BOLD);
    put_findings(p, v, session);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
}

void ww_show_sessions(const struct ww_verdict *v, const struct ww_report_style *style,
                      struct ww_buf *out)
{
    struct ww_paper p;

    ww_paper_init(&p, out, style->colour, style->width);
    for (size_t i = 0; i < v->workers; i++) {
        ww_show_worker(&p, v, i);
        ww_paper_printf(&p, "  ");
        ww_paper_count(&p, v->worker[i].exchanges, "exchange", "exchanges");
        ww_paper_printf(&p, "%s\n", v->worker[i].worker.ended_us != 0 ? ", ended" : "");
    }
    if (v->sessions == 0) {
        ww_paper_printf(&p, "no session\n");
        return;
    }

    size_t key = p.width > 80 ? p.width / 3 : KEY_MIN;

    ww_paper_ink(&p, WW_INK_BOLD);
    ww_paper_printf(&p, "\n%-7s%-*s  %-*s %6s %6s  %s\n", "", WW_PAPER_CLOCK, "first", (int)key,
                    "known by", "exch.", "splits", "workers, findings");
    ww_paper_ink(&p, WW_INK_PLAIN);
    for (size_t i = 0; i < v->sessions; i++)
        put_session(&p, v, i);
}

void ww_show_session(const struct ww_verdict *v, size_t session,
                     const struct ww_report_style *style, struct ww_buf *out)
{
    const struct ww_verdict_session *s = &v->session[session];
    struct ww_paper p;

    ww_paper_init(&p, out, style->colour, style->width);
    ww_text_timeline(&p, v, session, true);
    for (size_t i = 0; i < s->workers; i++) {
        ww_paper_printf(&p, i == 0 ? "  workers: " : ", ");
        ww_show_worker(&p, v, s->worker[i]);
    }
    ww_paper_printf(&p, s->workers > 0 ? "\n" : "");
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];

        if (f->session != session)
            continue;
        ww_paper_printf(&p, "  %-4s %s %s: ", f->id, ww_grade_token(f->grade),
                        ww_guarantee_token(f->guarantee));
        ww_paper_wrap(&p,
                      9 + strlen(ww_grade_token(f->grade)) +
                          strlen(ww_guarantee_token(f->guarantee)) + 1,
                      7, f->message);
    }
}
