/* Holds a verdict against a policy: failed beats inconclusive, inconclusive beats passed. */
#include "policy.h"

#include <whichworker/arena.h>

#include <stdlib.h>

#define NOTES_MAX_BYTES (1u << 20)
#define WHY_MAX_BYTES   2048

/* ---- findings */

static void name_entry(struct ww_buf *out, const struct baseline_entry *e)
{
    ww_buf_printf(out, "%s at ", ww_guarantee_token(e->guarantee));
    ww_buf_add_printable(out, ww_str_upto(ww_str_c(e->method), 40));
    ww_buf_add_char(out, ' ');
    ww_buf_add_printable(out, ww_str_upto(ww_str_c(e->route), 200));
    if (e->place != NULL && e->place[0] != '\0') {
        ww_buf_add_c(out, ", ");
        ww_buf_add_printable(out, ww_str_upto(ww_str_c(e->place), 200));
    }
}

static void judge_finding(const struct policy_input *in, struct policy *p, size_t i, bool *seen)
{
    const struct ww_finding *f = &p->verdict.finding[i];
    struct ww_report_standing *s = &p->standing[i];
    size_t known = in->baseline == NULL ? SIZE_MAX : baseline_find(in->baseline, f);

    *s = (struct ww_report_standing){ .is = f->fails ? WW_COUNTS : WW_BELOW };
    if (f->allowed)
        *s = (struct ww_report_standing){ .is = WW_ACCEPTED, .why = f->policy };
    if (known == SIZE_MAX)
        return;
    seen[known] = true;

    const struct baseline_entry *e = baseline_at(in->baseline, known);

    if (baseline_holds(e, in->now_us))
        *s = (struct ww_report_standing){ .is = WW_ACCEPTED, .why = ww_str_c(e->reason) };
}

static void note_entry(const struct policy_input *in, struct policy *p, size_t i, bool seen)
{
    const struct baseline_entry *e = baseline_at(in->baseline, i);

    if (seen && !baseline_holds(e, in->now_us)) {
        ww_buf_printf(&p->notes,
                      "the baseline's entry expired on %s, and counts again: ", e->expires);
    } else if (!seen && p->verdict.doubt.ptr == NULL && in->trouble.ptr == NULL &&
               baseline_was_tried(e, &p->verdict)) {
        ww_buf_add_c(&p->notes, "the baseline's entry is stale, nothing of it was seen: ");
    } else {
        return;
    }
    name_entry(&p->notes, e);
    ww_buf_add_char(&p->notes, '\n');
}

static void judge_findings(const struct policy_input *in, struct policy *p)
{
    size_t entries = in->baseline == NULL ? 0 : baseline_count(in->baseline);
    bool *seen = ww_xcalloc(entries + 1, sizeof(*seen));

    p->standing = ww_xcalloc(p->verdict.findings + 1, sizeof(*p->standing));
    for (size_t i = 0; i < p->verdict.findings; i++)
        judge_finding(in, p, i, seen);
    for (size_t i = 0; i < entries; i++)
        note_entry(in, p, i, seen[i]);
    free(seen);
}

/* ---- the value */

static void settle(struct policy *p, enum ww_verdict_value value, ww_str why)
{
    p->verdict.value = value;
    p->verdict.why = why;
}

/* What is left of the judge's word when what is known does not count. */
static void settle_without_known(const struct policy_input *in, struct policy *p, size_t known)
{
    struct ww_verdict *v = &p->verdict;

    if (in->config->judge.fail_on == WW_FAIL_ON_SPLIT && v->splits > 0) {
        ww_buf_printf(&p->why, "%zu split%s: a session changed its worker", v->splits,
                      v->splits == 1 ? "" : "s");
        settle(p, WW_FAIL, ww_buf_str(&p->why));
    } else if (v->doubt.ptr != NULL) {
        settle(p, WW_INCONCLUSIVE, v->doubt);
    } else {
        ww_buf_printf(&p->why, "%zu finding%s known to the baseline, and nothing else", known,
                      known == 1 ? "" : "s");
        settle(p, WW_PASS, ww_buf_str(&p->why));
    }
}

static void settle_findings(const struct policy_input *in, struct policy *p)
{
    struct ww_verdict *v = &p->verdict;
    const struct ww_finding *first = NULL;
    size_t known = 0;

    for (size_t g = 0; g < WW_GUARANTEES; g++)
        v->guarantee[g] = v->doubt.ptr == NULL ? WW_PASS : WW_INCONCLUSIVE;
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];

        known += p->standing[i].is == WW_ACCEPTED && f->fails;
        if (p->standing[i].is != WW_COUNTS)
            continue;
        v->guarantee[f->guarantee] = WW_FAIL;
        first = first == NULL ? f : first;
    }
    if (first != NULL)
        settle(p, WW_FAIL, first->message);
    else if (known > 0)
        settle_without_known(in, p, known);
}

static void become_inconclusive(struct policy *p, ww_str why)
{
    for (size_t g = 0; g < WW_GUARANTEES; g++)
        if (p->verdict.guarantee[g] == WW_PASS)
            p->verdict.guarantee[g] = WW_INCONCLUSIVE;
    if (p->verdict.value == WW_PASS)
        settle(p, WW_INCONCLUSIVE, why);
}

/* Several workers were ready, and luck has kept every session with one of them: that is no
 * pass. */
static void settle_untried(const struct policy_input *in, struct policy *p)
{
    if (in->ready < 2 || p->verdict.splits > 0 || p->verdict.value != WW_PASS)
        return;
    ww_buf_clear(&p->why);
    ww_buf_printf(
        &p->why,
        "%zu workers were ready, and no session went from one to another: nothing was "
        "put to the test",
        in->ready);
    become_inconclusive(p, ww_buf_str(&p->why));
}

static void settle_trouble(const struct policy_input *in, struct policy *p)
{
    if (in->trouble.ptr == NULL)
        return;
    become_inconclusive(p, in->trouble);
    if (p->verdict.value == WW_INCONCLUSIVE)
        settle(p, WW_INCONCLUSIVE, in->trouble);
}

/* An unmet one speaks, unless something worse has spoken. */
static void settle_requirement(struct policy *p, enum requirement_result result, ww_str text,
                               const char *actual)
{
    enum ww_verdict_value value = result == REQUIREMENT_PASSED ? WW_FAIL : WW_INCONCLUSIVE;

    if (result == REQUIREMENT_MET || p->verdict.value == WW_FAIL ||
        (p->verdict.value == WW_INCONCLUSIVE && value == WW_INCONCLUSIVE))
        return;
    ww_buf_clear(&p->why);
    ww_buf_printf(&p->why, WW_STRF " is required, and it is %s", WW_STRV(text), actual);
    settle(p, value, ww_buf_str(&p->why));
}

static void judge_requirements(const struct policy_input *in, struct policy *p)
{
    const struct requirements *r = &in->config->requirements;

    p->requirement = ww_xcalloc(r->n + 1, sizeof(*p->requirement));
    p->actual = ww_xcalloc(r->n + 1, sizeof(*p->actual));
    for (size_t i = 0; i < r->n; i++) {
        enum requirement_result result =
            requirement_judge(&r->one[i], &p->verdict, p->actual[i]);

        p->requirement[i] =
            (struct ww_report_requirement){ .text = r->one[i].text,
                                            .actual = ww_str_c(p->actual[i]),
                                            .met = result == REQUIREMENT_MET,
                                            .too_little = result == REQUIREMENT_SHORT };
        settle_requirement(p, result, r->one[i].text, p->actual[i]);
    }
}

void policy_apply(const struct policy_input *in, const struct ww_verdict *v, struct policy *out)
{
    *out = (struct policy){ .verdict = *v };
    ww_buf_init(&out->notes, NOTES_MAX_BYTES);
    ww_buf_init(&out->why, WHY_MAX_BYTES);
    judge_findings(in, out);

    settle_findings(in, out);
    settle_untried(in, out);
    settle_trouble(in, out);
    judge_requirements(in, out);
    out->report = (struct ww_report_policy){ .fail_on = in->config->judge.fail_on,
                                             .standing = out->standing,
                                             .requirement = out->requirement,
                                             .requirements = in->config->requirements.n,
                                             .trouble = in->trouble };
}

void policy_release(struct policy *p)
{
    free(p->standing);
    free(p->requirement);
    free(p->actual);
    ww_buf_release(&p->notes);
    ww_buf_release(&p->why);
    *p = (struct policy){ 0 };
}
