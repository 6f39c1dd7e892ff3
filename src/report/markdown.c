/* Markdown for a pull request or a step summary: short, and cut where GitHub would refuse it.
 */
#include "markdown.h"

#include "formats.h"
#include "words.h"

#include <whichworker/units.h>

#include <inttypes.h>

#define MAX_BYTES    60000 /* a comment on GitHub takes 65536 characters, a step summary 1 MiB */
#define MAX_FINDING  20000 /* of one finding, as a block */
#define MAX_EVIDENCE 8
#define MAX_WORDS    1500 /* bytes of a message */
#define MAX_CELL     200

/* ---- code spans */

static size_t longest_run(ww_str s, char c)
{
    size_t longest = 0, run = 0;

    for (size_t i = 0; i < s.len; i++) {
        run = s.ptr[i] == c ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void put_fence(struct ww_buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ww_buf_add_char(out, '`');
}

static bool is_edge(char c)
{
    return c == '`' || c == ' ';
}

void ww_markdown_code(struct ww_buf *out, ww_str s, size_t max)
{
    struct ww_buf shown;
    ww_str rest, piece;

    if (s.len == 0)
        return;
    ww_buf_init(&shown, SIZE_MAX);
    ww_words_cut(&shown, s, max);
    rest = ww_buf_str(&shown);
    size_t fence = longest_run(rest, '`') + 1;
    /* A blank on either side is taken away again, if there is one on both (CommonMark 6.1). */
    bool pad = is_edge(rest.ptr[0]) || is_edge(rest.ptr[rest.len - 1]);
    put_fence(out, fence);
    ww_buf_add_c(out, pad ? " " : "");
    for (bool first = true; ww_str_cut(&rest, '|', &piece); first = false) {
        if (!first)
            ww_buf_add_c(out, "\\x7c");
        ww_buf_add(out, piece);
    }
    ww_buf_add_c(out, pad ? " " : "");
    put_fence(out, fence);
    ww_buf_release(&shown);
}

/* ---- the head */

static const char *mark_of(enum ww_verdict_value v)
{
    switch (v) {
    case WW_PASS:
        return "\xe2\x9c\x85 passed";
    case WW_FAIL:
        return "\xe2\x9d\x8c failed";
    case WW_INCONCLUSIVE:
        break;
    }
    return "\xe2\x9d\x94 inconclusive";
}

static void put_traffic(struct ww_buf *b, const struct ww_verdict *v)
{
    ww_buf_printf(b,
                  "\n\n%zu exchange%s in %zu session%s on %zu worker%s, %zu split%s; "
                  "%.4g%% of the exchanges attributed; upstream connections: ",
                  v->steps, v->steps == 1 ? "" : "s", v->sessions, v->sessions == 1 ? "" : "s",
                  v->workers, v->workers == 1 ? "" : "s", v->splits, v->splits == 1 ? "" : "s",
                  (double)(uint64_t)(v->coverage * 10000) / 100);
    ww_markdown_code(b, ww_str_c(v->run.upstream_connections), MAX_CELL);
    ww_buf_add_c(b, ", schedule: ");
    ww_markdown_code(b, ww_str_c(v->run.schedule), MAX_CELL);
    ww_buf_add_c(b, ".\n");
}

static void put_head(struct ww_buf *b, const struct ww_verdict *v,
                     const struct ww_report_policy *policy)
{
    if (policy->trouble.ptr != NULL) {
        ww_buf_add_c(b, "## whichworker: \xe2\x9d\x8c the run came to nothing\n\n");
        ww_markdown_code(b, policy->trouble, MAX_WORDS);
        ww_buf_add_c(b, "\n");
    } else {
        ww_buf_printf(b, "## whichworker: %s\n\n", mark_of(v->value));
        ww_markdown_code(b, v->why, MAX_WORDS);
    }
    if (v->steps > 0 || policy->trouble.ptr == NULL)
        put_traffic(b, v);
}

static void put_guarantees(struct ww_buf *b, const struct ww_verdict *v)
{
    size_t n[WW_GUARANTEES] = { 0 };

    for (size_t i = 0; i < v->findings; i++)
        n[v->finding[i].guarantee]++;
    ww_buf_add_c(b, "\n| guarantee | | findings |\n|---|---|---|\n");
    for (int g = 0; g < WW_GUARANTEES; g++)
        ww_buf_printf(b, "| %s: %s | %s | %zu |\n", ww_guarantee_token((enum ww_guarantee)g),
                      ww_guarantee_words((enum ww_guarantee)g), mark_of(v->guarantee[g]), n[g]);
}

static void put_requirements(struct ww_buf *b, const struct ww_report_policy *policy)
{
    if (policy->requirements == 0)
        return;
    ww_buf_add_c(b, "\n| required | | it is |\n|---|---|---|\n");
    for (size_t i = 0; i < policy->requirements; i++) {
        const struct ww_report_requirement *r = &policy->requirement[i];

        ww_buf_add_c(b, "| ");
        ww_markdown_code(b, r->text, MAX_CELL);
        ww_buf_printf(b, " | %s | ",
                      mark_of(r->met          ? WW_PASS
                              : r->too_little ? WW_INCONCLUSIVE
                                              : WW_FAIL));
        ww_markdown_code(b, r->actual, MAX_CELL);
        ww_buf_add_c(b, " |\n");
    }
}

/* ---- a finding */

static void put_evidence(struct ww_buf *b, const struct ww_verdict *v,
                         const struct ww_evidence *e)
{
    const struct ww_step *s = &v->step[e->step];
    char at[WW_TIME_TEXT];
    struct ww_buf request;

    ww_time_text(s->started_us, at);
    ww_buf_printf(b, "| #%" PRIu64 " | %.12s | ", s->exchange, at + 11);
    if (s->worker == WW_NO_WORKER)
        ww_buf_add_c(b, "unknown");
    else
        ww_buf_printf(b, "%" PRId32, v->worker[s->worker].worker.id.pid);
    ww_buf_init(&request, SIZE_MAX);
    ww_buf_add(&request, s->method);
    ww_buf_add_char(&request, ' ');
    ww_buf_add(&request, s->target);
    ww_buf_add_c(b, " | ");
    ww_markdown_code(b, ww_buf_str(&request), MAX_CELL);
    ww_buf_printf(b, " | %u | %s ", s->status, e->role);
    ww_markdown_code(b, e->value, MAX_CELL);
    ww_buf_add_c(b, " |\n");
    ww_buf_release(&request);
}

static void put_table(struct ww_buf *b, const struct ww_table *t)
{
    if (t->changed_kept + t->changed_lost + t->same_kept + t->same_lost == 0)
        return;
    ww_buf_printf(b,
                  "\n| the state was | kept | lost |\n|---|---:|---:|\n"
                  "| worker changed | %" PRIu64 " | %" PRIu64 " |\n"
                  "| same worker | %" PRIu64 " | %" PRIu64 " |\n",
                  t->changed_kept, t->changed_lost, t->same_kept, t->same_lost);
}

static void put_standing(struct ww_buf *b, struct ww_report_standing s)
{
    if (s.is == WW_BELOW)
        ww_buf_add_c(b, " (told, and not counted)");
    if (s.is != WW_ACCEPTED)
        return;
    ww_buf_add_c(b, " (accepted: ");
    ww_markdown_code(b, s.why.len > 0 ? s.why : WW_STR("no reason given"), MAX_CELL);
    ww_buf_add_c(b, ")");
}

static void put_finding(struct ww_buf *b, const struct ww_verdict *v,
                        const struct ww_finding *f, struct ww_report_standing standing)
{
    struct ww_buf route;

    ww_buf_init(&route, SIZE_MAX);
    ww_words_route(&route, f);
    ww_buf_printf(b, "\n### %s %s: %s at ", f->id, ww_grade_token(f->grade),
                  ww_guarantee_token(f->guarantee));
    ww_markdown_code(b, ww_buf_str(&route), MAX_CELL * 3);
    put_standing(b, standing);
    ww_buf_add_c(b, "\n\n");
    ww_markdown_code(b, f->message, MAX_WORDS);
    if (f->evidences > 0) {
        ww_buf_add_c(b, "\n\n| exchange | time (UTC) | worker | request | status | shows |\n"
                        "|---|---|---|---|---|---|\n");
    }
    for (size_t i = 0; i < f->evidences && i < MAX_EVIDENCE; i++)
        put_evidence(b, v, &f->evidence[i]);
    put_table(b, &f->table);
    ww_buf_printf(b, "\n**Cause** (%s): %s.\n\n", ww_cause_token(f->cause),
                  ww_cause_words(f->cause));
    ww_buf_add_c(b, "**What to do**: ");
    ww_words_add(b, f->fix); /* the judge's own words: nothing of the trace is in them */
    ww_buf_add_c(b, "\n");
    ww_buf_release(&route);
}

static void put_more(struct ww_buf *b, size_t n)
{
    if (n > 0)
        ww_buf_printf(b, "\n%zu more finding%s in the full report.\n", n, n == 1 ? "" : "s");
}

/* As many as there is room for, whole ones only. */
static void put_findings(struct ww_buf *b, const struct ww_verdict *v,
                         const struct ww_report_policy *policy)
{
    for (size_t i = 0; i < v->findings; i++) {
        struct ww_buf one;

        ww_buf_init(&one, MAX_FINDING);
        put_finding(&one, v, &v->finding[i], ww_report_standing_of(v, policy, i));
        bool fits = !one.full && b->len + one.len < MAX_BYTES - 100;
        if (fits)
            ww_buf_add(b, ww_buf_str(&one));
        ww_buf_release(&one);
        if (!fits) {
            put_more(b, v->findings - i);
            return;
        }
    }
}

void ww_report_markdown(const struct ww_verdict *v, const struct ww_report_style *style,
                        struct ww_buf *out)
{
    put_head(out, v, &style->policy);
    put_guarantees(out, v);
    put_requirements(out, &style->policy);
    put_findings(out, v, &style->policy);
}
