/* report: what the user's own rules did, as text and as JSON; nothing where there are none. */
#ifndef WW_REPORT_RULES_H
#define WW_REPORT_RULES_H

#include <whichworker/json.h>
#include <whichworker/judge.h>
#include <whichworker/paper.h>

/* A section with a line for each rule. */
void ww_text_rules(struct ww_paper *p, const struct ww_verdict *v);

/* The members "skipped" and "rules" of the report. */
void ww_json_rules(struct ww_json *j, const struct ww_verdict *v);

#endif
