/* report: a verdict as text, for the person whose car is gone. */
#include "text.h"

#include "formats.h"
#include "policy.h"
#include "rules.h"

#include <whichworker/units.h>

#include <inttypes.h>
#include <stdio.h>

#define MAX_FINDINGS  10 /* in full; the others in a line each */
#define MAX_LINES     40
#define MAX_TIMELINES 3
#define MAX_WORKERS   32
#define MAX_SESSIONS  10
#define MAX_RAW       512 /* bytes of a method, target or key: more would be cut from any line */
#define REQUEST_RAW   ((size_t)2 * MAX_RAW + 1)
#define KEY_RAW       ((size_t)2 * MAX_RAW)
#define LABEL         14

void ww_text_request(struct ww_buf *b, const struct ww_step *s)
{
    ww_buf_init(b, REQUEST_RAW);
    ww_buf_add(b, ww_str_upto(s->method, MAX_RAW));
    ww_buf_add_char(b, ' ');
    ww_buf_add(b, ww_str_upto(s->target, MAX_RAW));
}

void ww_text_status(struct ww_paper *p, unsigned status)
{
    if (status == 0) {
        ww_paper_printf(p, "  -");
    } else {
        ww_paper_printf(p, "%3u", status);
    }
}

void ww_text_key(struct ww_paper *p, const struct ww_verdict_session *s, size_t columns,
                 bool pad)
{
    static const char *const word[] = {
        [WW_KEY_COOKIE] = "cookie ", [WW_KEY_HEADER] = "",          [WW_KEY_QUERY] = "query ",
        [WW_KEY_PATH] = "path ;",    [WW_KEY_PATTERN] = "pattern ", [WW_KEY_AUTHORIZATION] = "",
        [WW_KEY_CLIENT] = "client ",
    };
    struct ww_buf b;

    ww_buf_init(&b, KEY_RAW);
    ww_buf_add_c(&b, word[s->kind]);
    ww_buf_add(&b, ww_str_upto(s->kind == WW_KEY_CLIENT ? s->key_value : s->key_name, MAX_RAW));
    ww_paper_cell(p, ww_buf_str(&b), columns, pad);
    ww_buf_release(&b);
}

static void put_more(struct ww_paper *p, size_t n, const char *one, const char *many)
{
    if (n == 0)
        return;
    ww_paper_printf(p, "  ... and ");
    ww_paper_count(p, n, one, many);
    ww_paper_printf(p, "\n");
}

/* ---- the headline */

static void put_value(struct ww_paper *p, enum ww_verdict_value value, size_t *out_columns)
{
    static const struct {
        const char *word;
        enum ww_ink ink;
    } words[] = {
        [WW_PASS] = { "PASS", WW_INK_GREEN },
        [WW_FAIL] = { "FAIL", WW_INK_RED },
        [WW_INCONCLUSIVE] = { "INCONCLUSIVE", WW_INK_YELLOW },
    };

    ww_paper_ink(p, words[value].ink);
    ww_paper_printf(p, "%s", words[value].word);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "  ");
    *out_columns = strlen(words[value].word) + 2;
}

/* Plainly, where there is nothing to show: is that good news? */
static void put_no_finding(struct ww_paper *p, const struct ww_verdict *v)
{
    ww_paper_printf(p, "\nNo finding.\n");
    if (v->splits == 0) {
        ww_paper_printf(p, "No session ever moved from one worker to another.\n");
    } else if (v->value == WW_INCONCLUSIVE) {
        ww_paper_count(p, v->splits, "split was seen, and cannot be judged.\n",
                       "splits were seen, and cannot be judged.\n");
    } else {
        ww_paper_count(
            p, v->splits, "split, harmless as far as it shows: no state was lost over it.\n",
            "splits, all harmless as far as they show: no state was lost over them.\n");
    }
}

/* "3 findings: 2 confirmed, 1 possible". */
static void put_grades(struct ww_paper *p, const struct ww_verdict *v, size_t indent)
{
    uint64_t n[WW_GRADES] = { 0 };
    const char *between = ": ";

    for (size_t i = 0; i < v->findings; i++)
        n[v->finding[i].grade]++;
    ww_paper_printf(p, "%*s", (int)indent, "");
    ww_paper_count(p, v->findings, "finding", "findings");
    for (int grade = WW_GRADES - 1; grade >= 0; grade--) {
        if (n[grade] == 0)
            continue;
        ww_paper_printf(p, "%s%" PRIu64 " %s", between, n[grade],
                        ww_grade_token((enum ww_grade)grade));
        between = ", ";
    }
    ww_paper_printf(p, "\n");
}

/* What is not shown was judged all the same. */
static void put_filter(struct ww_paper *p, const struct ww_verdict *v,
                       const struct ww_report_style *style)
{
    const struct ww_verdict *all = style->whole;

    ww_paper_printf(p, "\nShown is what matches ");
    ww_paper_cell(p, style->filter, p->width / 2, false);
    ww_paper_printf(p, ":\n%zu of ", v->findings);
    ww_paper_count(p, all->findings, "finding", "findings");
    ww_paper_printf(p, ", %zu of ", v->sessions);
    ww_paper_count(p, all->sessions, "session", "sessions");
    ww_paper_printf(p, ", %zu of ", v->steps);
    ww_paper_count(p, all->steps, "exchange", "exchanges");
    ww_paper_printf(p, ". The verdict is of all of them.\n");
}

static void put_headline(struct ww_paper *p, const struct ww_verdict *v,
                         const struct ww_report_style *style)
{
    size_t at;

    if (style->trace.ptr != NULL) {
        ww_paper_printf(p, "whichworker report of ");
        ww_paper_cell(p, style->trace, p->width - 22, false);
        ww_paper_printf(p, "\n\n");
    }
    put_value(p, v->value, &at);
    ww_paper_wrap(p, at, at, v->why.len > 0 ? v->why : WW_STR("(no reason given)"));
    if (style->filter.ptr != NULL) {
        put_filter(p, v, style);
    } else if (v->findings == 0) {
        put_no_finding(p, v);
    } else {
        put_grades(p, v, at);
    }
}

/* ---- findings and their timelines */

static void put_finding_line(struct ww_paper *p, const struct ww_finding *f)
{
    ww_paper_printf(p, "%-4s %-10s %-17s ", f->id, ww_grade_token(f->grade),
                    ww_guarantee_token(f->guarantee));
    ww_paper_wrap(p, 34, 34, f->message);
}

static void put_findings(struct ww_paper *p, const struct ww_verdict *v)
{
    for (size_t i = 0; i < v->findings && i < MAX_FINDINGS; i++) {
        ww_paper_printf(p, "\n");
        ww_text_finding(p, v, &v->finding[i]);
    }
    if (v->findings > MAX_FINDINGS)
        ww_paper_section(p, "More findings");
    for (size_t i = MAX_FINDINGS; i < v->findings && i < MAX_FINDINGS + MAX_LINES; i++)
        put_finding_line(p, &v->finding[i]);
    if (v->findings > MAX_FINDINGS + MAX_LINES)
        put_more(p, v->findings - MAX_FINDINGS - MAX_LINES, "more finding", "more findings");
}

static bool is_witness(const struct ww_verdict *v, size_t session, size_t findings)
{
    for (size_t i = 0; i < findings; i++) {
        if (v->finding[i].session == session)
            return true;
    }
    return false;
}

static void put_timelines(struct ww_paper *p, const struct ww_verdict *v)
{
    size_t shown = 0, left = 0;

    for (size_t i = 0; i < v->findings; i++) {
        size_t session = v->finding[i].session;
        if (is_witness(v, session, i))
            continue;
        if (shown == MAX_TIMELINES) {
            left++;
            continue;
        }
        ww_paper_printf(p, "\n");
        ww_text_timeline(p, v, session, false);
        shown++;
    }
    put_more(p, left, "more session with a finding", "more sessions with findings");
}

/* ---- sessions that were split and are not shown above */

static void put_session_line(struct ww_paper *p, const struct ww_verdict_session *s)
{
    ww_paper_printf(p, "  %-5s ", s->id);
    ww_text_key(p, s, p->width / 3, true);
    ww_paper_printf(p, "  ");
    ww_paper_count(p, s->steps, "exchange", "exchanges");
    ww_paper_printf(p, ", ");
    ww_paper_count(p, s->workers, "worker", "workers");
    ww_paper_printf(p, ", ");
    ww_paper_count(p, s->splits, "split", "splits");
    ww_paper_printf(p, "%s\n", s->weak ? " (weak key)" : "");
}

static void put_other_sessions(struct ww_paper *p, const struct ww_verdict *v)
{
    size_t shown = 0, left = 0;

    for (size_t i = 0; i < v->sessions; i++) {
        if (v->session[i].splits == 0 || is_witness(v, i, v->findings))
            continue;
        if (shown == MAX_SESSIONS) {
            left++;
            continue;
        }
        if (shown == 0) {
            ww_paper_section(p, v->findings == 0 ? "Sessions that changed workers"
                                                 : "Other sessions that changed workers");
        }
        put_session_line(p, &v->session[i]);
        shown++;
    }
    put_more(p, left, "more session", "more sessions");
}

/* ---- workers */

static void put_worker(struct ww_paper *p, const struct ww_verdict *v, size_t worker,
                       uint64_t attributed)
{
    const struct ww_verdict_worker *w = &v->worker[worker];
    double share = attributed == 0 ? 0 : 100.0 * (double)w->exchanges / (double)attributed;

    ww_paper_printf(p, "  %4" PRIu32 "  ", w->worker.slot);
    ww_paper_worker_ink(p, worker);
    ww_paper_printf(p, "%-8" PRId32, w->worker.id.pid);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, " %9" PRIu64 " %6.1f%% %8.2f %8.2f  ", w->exchanges, share,
                    w->queue_wait_p50_ms, w->queue_wait_p99_ms);
    if (w->worker.ended_us != 0) {
        ww_paper_printf(p, "ended ");
        ww_paper_clock(p, w->worker.ended_us);
        ww_paper_printf(p, "  ");
    }
    size_t used = 54 + (w->worker.ended_us != 0 ? 20 : 0);
    ww_paper_cell(p, ww_str_c(w->worker.command), p->width > used ? p->width - used : 0, false);
    ww_paper_printf(p, "\n");
}

static void put_workers(struct ww_paper *p, const struct ww_verdict *v)
{
    uint64_t attributed = 0;

    if (v->workers == 0)
        return;
    ww_paper_section(p, "Workers");
    ww_paper_ink(p, WW_INK_DIM);
    ww_paper_printf(p, "  slot  PID      exchanges   share   wait ms, p50/p99");
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
    for (size_t i = 0; i < v->workers; i++)
        attributed += v->worker[i].exchanges;
    for (size_t i = 0; i < v->workers && i < MAX_WORKERS; i++)
        put_worker(p, v, i, attributed);
    if (v->workers > MAX_WORKERS)
        put_more(p, v->workers - MAX_WORKERS, "more worker", "more workers");
}

/* ---- the recording */

static void put_label(struct ww_paper *p, const char *label)
{
    ww_paper_printf(p, "  %-*s", LABEL, label);
}

static void put_when(struct ww_paper *p, const struct ww_run *run)
{
    char text[WW_TIME_TEXT];

    put_label(p, "recorded");
    ww_time_text(run->started_us, text);
    ww_paper_printf(p, "%.10s ", text);
    ww_paper_clock(p, run->started_us);
    if (run->ended_us == 0) {
        ww_paper_printf(p,
                        " UTC; its end was not recorded: the last exchanges may be missing\n");
        return;
    }
    ww_paper_printf(p, " to ");
    ww_paper_clock(p, run->ended_us);
    ww_paper_printf(p, " UTC\n");
}

static void put_traffic(struct ww_paper *p, const struct ww_verdict *v)
{
    put_label(p, "traffic");
    ww_paper_count(p, v->steps, "exchange", "exchanges");
    ww_paper_printf(p, " in ");
    ww_paper_count(p, v->sessions, "session", "sessions");
    ww_paper_printf(p, ", ");
    ww_paper_count(p, v->splits, "split", "splits");
    ww_paper_printf(p, "\n");
}

static void put_attribution(struct ww_paper *p, const struct ww_verdict *v)
{
    bool any = false;

    put_label(p, "attribution");
    /* Cut, not rounded: 100% is all of them. */
    ww_paper_printf(p, "%.4g%% of what reached a worker is known",
                    (double)(uint64_t)(10000.0 * v->coverage) / 100.0);
    for (enum ww_source s = WW_BY_KERNEL; s < WW_SOURCES; s++) {
        if (v->by[s] == 0)
            continue;
        ww_paper_printf(p, "%s%s %" PRIu64, any ? ", " : " (", ww_source_token(s), v->by[s]);
        any = true;
    }
    ww_paper_printf(p, "%s\n", any ? ")" : "");
}

/* Two sources that speak of one exchange and name two workers: one of them is wrong. */
static void put_disagreements(struct ww_paper *p, const struct ww_verdict *v)
{
    for (enum ww_source s = WW_BY_NOBODY; s < WW_SOURCES; s++) {
        const struct ww_disagreement *d = &v->disagreement[s];

        if (d->exchanges == 0)
            continue;
        put_label(p, "warning");
        ww_paper_printf(p, "%s and %s name different workers for ", ww_source_token(d->by),
                        ww_source_token(d->also_by));
        ww_paper_count(p, d->exchanges, "exchange", "exchanges");
        ww_paper_printf(p, ":\n");
        put_label(p, "");
        ww_paper_printf(
            p, "#%" PRIu64 " was served by %" PRId32 " (%s), not %" PRId32 " (%s)\n", d->first,
            d->pid, ww_source_token(d->by), d->also_pid, ww_source_token(d->also_by));
        if (s != WW_BY_HEADER)
            continue;
        put_label(p, "");
        ww_paper_printf(p, "an id that is made before the fork is the same in every worker: "
                           "ask for it\n");
        put_label(p, "");
        ww_paper_printf(p, "in the request, as examples/worker_header/ does\n");
    }
}

static void put_upstream(struct ww_paper *p, const struct ww_run *run)
{
    put_label(p, "upstream");
    ww_paper_cell(p, ww_str_c(run->upstream), 60, false);
    ww_paper_printf(p, "\n");
    put_label(p, "connections");
    ww_paper_cell(p, ww_str_c(run->upstream_connections), 16, false);
    ww_paper_printf(p, ", schedule ");
    ww_paper_cell(p, ww_str_c(run->schedule), 16, false);
    ww_paper_printf(p, "\n");
}

static void put_recorder(struct ww_paper *p, const struct ww_run *run)
{
    if (run->stalls > 0) {
        put_label(p, "recorder");
        ww_paper_printf(p, "fell behind ");
        ww_paper_count(p, run->stalls, "time", "times");
        ww_paper_printf(p, "; new requests waited for it\n");
    }
    if (run->lost > 0) {
        put_label(p, "lost");
        ww_paper_count(p, run->lost, "exchange that could not be written",
                       "exchanges that could not be written");
        ww_paper_printf(p, "\n");
    }
}

static void put_recording(struct ww_paper *p, const struct ww_verdict *v)
{
    ww_paper_section(p, "Recording");
    put_when(p, &v->run);
    put_traffic(p, v);
    put_attribution(p, v);
    put_disagreements(p, v);
    put_upstream(p, &v->run);
    put_recorder(p, &v->run);
}

static void put_context(struct ww_paper *p, const struct ww_verdict *v)
{
    put_timelines(p, v);
    put_other_sessions(p, v);
}

void ww_report_text(const struct ww_verdict *v, const struct ww_report_style *style,
                    struct ww_buf *out)
{
    struct ww_paper p;

    ww_paper_init(&p, out, style->colour, style->width);
    if (!style->brief || v->value != WW_PASS) {
        put_headline(&p, v, style);
        put_findings(&p, v);
        if (!style->brief)
            put_context(&p, v);
        ww_text_policy(&p, v, &style->policy);
    }
    if (!style->brief) {
        ww_text_rules(&p, v);
        put_workers(&p, v);
        put_recording(&p, v);
    }
    if (!style->brief || v->value != WW_PASS)
        ww_paper_printf(&p, "\n");
    ww_report_count(v, &style->policy, out);
}
