/* What the user's own rules did: so that nobody forgets what a green verdict leaves out. */
#include "rules.h"

#include <inttypes.h>

#define LABEL     14
#define WHERE_MAX 200 /* columns: a long line is better than a place that nobody finds */

/* What a rule of this kind was of use in. */
static void put_used(struct ww_paper *p, const struct ww_verdict_rule *r)
{
    bool of_findings = r->rule->kind == WW_RULE_ALLOW || r->rule->kind == WW_RULE_GRADE;

    if (r->used == 0) {
        ww_paper_printf(p, ": nothing was like it\n");
        return;
    }
    ww_paper_printf(p, ": ");
    if (of_findings) {
        ww_paper_count(p, r->used, "finding\n", "findings\n");
    } else {
        ww_paper_count(p, r->used, "exchange\n", "exchanges\n");
    }
}

void ww_text_rules(struct ww_paper *p, const struct ww_verdict *v)
{
    if (v->rules > 0)
        ww_paper_section(p, "Rules of the configuration");
    for (size_t i = 0; i < v->rules; i++) {
        const struct ww_verdict_rule *r = &v->rule[i];
        ww_paper_printf(p, "  %-*s", LABEL - 2, ww_user_rule_token(r->rule->kind));
        ww_paper_cell(p, r->what, p->width / 2, false);
        ww_paper_printf(p, " (");
        ww_paper_cell(p, r->rule->where, WHERE_MAX, false);
        ww_paper_printf(p, ")");
        put_used(p, r);
    }
}

void ww_json_rules(struct ww_json *j, const struct ww_verdict *v)
{
    if (v->rules == 0)
        return;
    ww_json_int(j, "skipped", (int64_t)v->skipped);
    ww_json_arr(j, "rules");
    for (size_t i = 0; i < v->rules; i++) {
        const struct ww_verdict_rule *r = &v->rule[i];
        ww_json_obj(j, NULL);
        ww_json_str(j, "list", ww_str_c(ww_user_rule_token(r->rule->kind)));
        ww_json_str(j, "what", r->what);
        ww_json_str(j, "where", r->rule->where);
        if (r->rule->reason.ptr != NULL)
            ww_json_str(j, "reason", r->rule->reason);
        ww_json_int(j, "used", (int64_t)r->used);
        ww_json_end(j);
    }
    ww_json_end(j);
}
