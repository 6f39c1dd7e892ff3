/* Thresholds, and findings that are accepted: what keeps a gate shut or lets it open. */
#include "policy.h"

#define LABEL 14

static size_t count_accepted(const struct ww_verdict *v, const struct ww_report_policy *policy)
{
    size_t n = 0;

    for (size_t i = 0; policy->standing != NULL && i < v->findings; i++)
        n += policy->standing[i].is == WW_ACCEPTED;
    return n;
}

static void put_requirement(struct ww_paper *p, const struct ww_report_requirement *r)
{
    ww_paper_printf(p, "  %-*s", LABEL - 2, "required");
    ww_paper_cell(p, r->text, p->width / 2, false);
    ww_paper_printf(p, ": ");
    ww_paper_ink(p, r->met ? WW_INK_GREEN : r->too_little ? WW_INK_YELLOW : WW_INK_RED);
    ww_paper_printf(p, "%s", r->met ? "met" : r->too_little ? "too little" : "NOT met");
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, ", it is ");
    ww_paper_cell(p, r->actual, 24, false);
    ww_paper_printf(p, "\n");
}

static void put_accepted(struct ww_paper *p, const struct ww_finding *f, ww_str why)
{
    ww_paper_printf(p, "  %-*s%s ", LABEL - 2, "known", f->id);
    ww_paper_wrap(p, (size_t)LABEL + strlen(f->id) + 1, LABEL,
                  why.len > 0 ? why : WW_STR("(no reason given)"));
}

void ww_text_policy(struct ww_paper *p, const struct ww_verdict *v,
                    const struct ww_report_policy *policy)
{
    if (policy->requirements == 0 && count_accepted(v, policy) == 0)
        return;
    ww_paper_section(p, "Policy");
    for (size_t i = 0; i < policy->requirements; i++)
        put_requirement(p, &policy->requirement[i]);
    for (size_t i = 0; policy->standing != NULL && i < v->findings; i++)
        if (policy->standing[i].is == WW_ACCEPTED)
            put_accepted(p, &v->finding[i], policy->standing[i].why);
}

static void put_requirements(struct ww_json *j, const struct ww_report_policy *policy)
{
    ww_json_arr(j, "requirements");
    for (size_t i = 0; i < policy->requirements; i++) {
        const struct ww_report_requirement *r = &policy->requirement[i];
        const char *result = r->met ? "met" : r->too_little ? "too-little" : "not-met";

        ww_json_obj(j, NULL);
        ww_json_str(j, "requirement", r->text);
        ww_json_str(j, "result", ww_str_c(result));
        ww_json_str(j, "actual", r->actual);
        ww_json_end(j);
    }
    ww_json_end(j);
}

void ww_json_policy(struct ww_json *j, const struct ww_verdict *v,
                    const struct ww_report_policy *policy)
{
    if (policy->requirements == 0 && count_accepted(v, policy) == 0)
        return;
    ww_json_obj(j, "policy");
    put_requirements(j, policy);
    ww_json_arr(j, "accepted");
    for (size_t i = 0; policy->standing != NULL && i < v->findings; i++) {
        if (policy->standing[i].is != WW_ACCEPTED)
            continue;
        ww_json_obj(j, NULL);
        ww_json_str(j, "finding", ww_str_c(v->finding[i].id));
        ww_json_str(j, "why", policy->standing[i].why);
        ww_json_end(j);
    }
    ww_json_end(j);
    ww_json_end(j);
}
