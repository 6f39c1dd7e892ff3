/* report: what a policy beyond the judge made of a verdict; nothing where there is none. */
#ifndef WW_REPORT_POLICY_H
#define WW_REPORT_POLICY_H

#include <whichworker/json.h>
#include <whichworker/paper.h>
#include <whichworker/report.h>

/* A section: a line for each threshold, and for each finding that is known. */
void ww_text_policy(struct ww_paper *p, const struct ww_verdict *v,
                    const struct ww_report_policy *policy);

/* The member "policy" of the report. */
void ww_json_policy(struct ww_json *j, const struct ww_verdict *v,
                    const struct ww_report_policy *policy);

#endif
