/* cli: what a run in GitHub Actions tells GitHub: annotations, and the step's summary. */
#ifndef WW_GITHUB_H
#define WW_GITHUB_H

#include <whichworker/report.h>

/*
 * Where GITHUB_ACTIONS is "true": writes annotations to standard error (the runner reads both
 * streams, and standard output is the report's), and appends the report as Markdown to the file
 * that GITHUB_STEP_SUMMARY names. A summary takes 1 MiB a step: where there is no room left, or
 * it cannot be written, standard error says so, and nothing else comes of it. Elsewhere it does
 * nothing.
 */
void github_tell(const struct ww_report *r);

#endif
