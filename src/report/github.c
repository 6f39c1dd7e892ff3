/* Annotations of GitHub Actions: workflow commands, a line each. */
/*
 * GitHub shows at most ten errors, ten warnings and ten notices of a step; the last of ten says
 * how many there are more. In a message '%', CR and LF are escaped, in a property ':' and ','
 * too (actions/toolkit, command.ts); as the text is printable before that, none of them can be
 * there but '%', ':' and ','.
 */
#include "formats.h"
#include "words.h"

#define MAX_PER_KIND 10
#define MAX_MESSAGE  4000 /* bytes; GitHub cuts at 64 KiB */

enum kind { ERROR, WARNING, NOTICE, KINDS };

static const char *const command[KINDS] = { "error", "warning", "notice" };

/* Two passes: one counts, one writes. */
struct github {
    struct ww_buf *out; /* NULL: only count */
    size_t total[KINDS];
    size_t written[KINDS];
};

static void add_data(struct ww_buf *out, ww_str s, bool in_property)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '%' || (in_property && (c == ':' || c == ',')))
            ww_buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        else
            ww_buf_add_char(out, c);
    }
}

static void add_words(struct ww_buf *out, ww_str s, bool in_property)
{
    struct ww_buf shown;

    ww_buf_init(&shown, SIZE_MAX);
    ww_words_cut(&shown, s, MAX_MESSAGE);
    add_data(out, ww_buf_str(&shown), in_property);
    ww_buf_release(&shown);
}

static void annotate(struct github *g, const struct ww_report_policy *policy, enum kind kind,
                     const char *title, ww_str message)
{
    if (g->out == NULL) {
        g->total[kind]++;
        return;
    }
    size_t at = g->written[kind]++;
    size_t left = g->total[kind] - at;
    if (at >= MAX_PER_KIND)
        return;
    ww_buf_printf(g->out, "::%s ", command[kind]);
    if (policy->file.len > 0) {
        ww_buf_add_c(g->out, "file=");
        add_words(g->out, policy->file, true);
        ww_buf_add_char(g->out, ',');
    }
    ww_buf_add_c(g->out, "title=whichworker%3A ");
    if (at + 1 == MAX_PER_KIND && left > 1) {
        ww_buf_printf(g->out, "%zu more::%zu more are in the report and the step summary\n",
                      left, left);
        return;
    }
    add_data(g->out, ww_str_c(title), true);
    ww_buf_add_c(g->out, "::");
    add_words(g->out, message, false);
    ww_buf_add_char(g->out, '\n');
}

static void annotate_finding(struct github *g, const struct ww_verdict *v,
                             const struct ww_report_policy *policy, size_t finding)
{
    const struct ww_finding *f = &v->finding[finding];
    struct ww_report_standing s = ww_report_standing_of(v, policy, finding);
    struct ww_buf title;

    if (s.is == WW_ACCEPTED)
        return;
    ww_buf_init(&title, SIZE_MAX);
    ww_buf_printf(&title, "%s (%s) at ", ww_guarantee_token(f->guarantee),
                  ww_grade_token(f->grade));
    ww_words_cut(&title, f->method, 40);
    ww_buf_add_char(&title, ' ');
    ww_words_cut(&title, f->route, 120);
    ww_buf_add_char(&title, '\0');
    annotate(g, policy,
             s.is == WW_COUNTS       ? ERROR
             : f->grade >= WW_LIKELY ? WARNING
                                     : NOTICE,
             title.ptr, f->message);
    ww_buf_release(&title);
}

static bool counts(const struct ww_verdict *v, const struct ww_report_policy *policy)
{
    for (size_t i = 0; i < v->findings; i++) {
        if (ww_report_standing_of(v, policy, i).is == WW_COUNTS)
            return true;
    }
    return false;
}

static void annotate_requirement(struct github *g, const struct ww_report_policy *policy,
                                 const struct ww_report_requirement *r)
{
    struct ww_buf b;

    if (r->met)
        return;
    ww_buf_init(&b, SIZE_MAX);
    ww_buf_add(&b, r->text);
    ww_buf_add_c(&b, ": it is ");
    ww_buf_add(&b, r->actual);
    annotate(g, policy, r->too_little ? WARNING : ERROR, "requirement", ww_buf_str(&b));
    ww_buf_release(&b);
}

static void annotate_all(struct github *g, const struct ww_verdict *v,
                         const struct ww_report_policy *policy)
{
    if (policy->trouble.ptr != NULL)
        annotate(g, policy, ERROR, "the run came to nothing", policy->trouble);
    if (v->value == WW_FAIL && !counts(v, policy))
        annotate(g, policy, ERROR, "failed", v->why);
    for (size_t i = 0; i < v->findings; i++)
        annotate_finding(g, v, policy, i);
    for (size_t i = 0; i < policy->requirements; i++)
        annotate_requirement(g, policy, &policy->requirement[i]);
    if (v->value == WW_INCONCLUSIVE && policy->trouble.ptr == NULL)
        annotate(g, policy, WARNING, "inconclusive", v->why);
}

void ww_report_github(const struct ww_verdict *v, const struct ww_report_style *style,
                      struct ww_buf *out)
{
    struct github g = { 0 };

    annotate_all(&g, v, &style->policy);
    g.out = out;
    annotate_all(&g, v, &style->policy);
}
