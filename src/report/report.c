/* report: the table of formats, and what is common to all of them. */
#include "formats.h"

#define MAX_BYTES (1U << 30)

const struct ww_report_format ww_report_formats[] = {
    { .name = "text",
      .extension = "txt",
      .mime = "text/plain",
      .help = "for people: findings, proof, timelines",
      .render = ww_report_text },
    { .name = "json",
      .extension = "json",
      .mime = "application/json",
      .help = "for programs: everything, in a shape that stays",
      .render = ww_report_json },
    { .name = "markdown",
      .extension = "md",
      .mime = "text/markdown",
      .help = "for a pull request or a step summary; short enough for one",
      .render = ww_report_markdown },
    { .name = "github",
      .extension = "txt",
      .mime = "text/plain",
      .help = "for GitHub Actions: annotations, ten of a kind at most",
      .render = ww_report_github },
    { .name = "junit",
      .extension = "xml",
      .mime = "application/xml",
      .help = "for CI servers: a suite per guarantee, a case per route",
      .render = ww_report_junit },
    { .name = "sarif",
      .extension = "sarif",
      .mime = "application/sarif+json",
      .help = "for code scanning: SARIF 2.1.0, the same fingerprints in every run",
      .render = ww_report_sarif },
    { .name = "har",
      .extension = "har",
      .mime = "application/json",
      .help = "for any viewer of traffic: every exchange in full, with worker and session",
      .is_private = true,
      .stream = ww_report_har },
    { .name = NULL },
};

const struct ww_report_format *ww_report_format_find(ww_str name)
{
    for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++) {
        if (ww_str_eq(name, ww_str_c(f->name)))
            return f;
    }
    return NULL;
}

int ww_report_write(const struct ww_report_format *f, const struct ww_report *r,
                    const struct ww_report_sink *sink, struct ww_err *err)
{
    struct ww_buf out;
    int code;

    if (f->stream != NULL)
        return f->stream(r, sink, err);
    ww_buf_init(&out, MAX_BYTES);
    f->render(r->verdict, &r->style, &out);
    if (out.full)
        code = ww_err_set(err, WW_ELIMIT, "the report would be larger than 1G");
    else
        code = sink->write(sink->ctx, ww_buf_str(&out), err);
    ww_buf_release(&out);
    return code;
}

struct ww_report_standing ww_report_standing_of(const struct ww_verdict *v,
                                                const struct ww_report_policy *policy,
                                                size_t finding)
{
    const struct ww_finding *f = &v->finding[finding];

    if (policy->standing != NULL)
        return policy->standing[finding];
    if (f->allowed)
        return (struct ww_report_standing){ .is = WW_ACCEPTED, .why = f->policy };
    return (struct ww_report_standing){ .is = f->fails ? WW_COUNTS : WW_BELOW };
}

void ww_report_count(const struct ww_verdict *v, const struct ww_report_policy *policy,
                     struct ww_buf *out)
{
    unsigned n[] = { [WW_PASS] = 0, [WW_FAIL] = 0, [WW_INCONCLUSIVE] = 0 };

    for (size_t i = 0; i < WW_GUARANTEES; i++)
        n[v->guarantee[i]]++;
    for (size_t i = 0; i < policy->requirements; i++) {
        const struct ww_report_requirement *r = &policy->requirement[i];

        n[r->met ? WW_PASS : r->too_little ? WW_INCONCLUSIVE : WW_FAIL]++;
    }
    ww_buf_printf(out, "%u passed, %u failed, %u inconclusive\n", n[WW_PASS], n[WW_FAIL],
                  n[WW_INCONCLUSIVE]);
}

int ww_report_exit_status(const struct ww_verdict *v)
{
    switch (v->value) {
    case WW_PASS:
        return 0;
    case WW_FAIL:
        return 1;
    case WW_INCONCLUSIVE:
        break;
    }
    return 2;
}
