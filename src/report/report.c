/* report: the table of formats, and the exit status that a verdict asks for. */
#include "formats.h"

const struct ww_report_format ww_report_formats[] = {
    { .name = "text",
      .help = "for people: findings, proof, timelines",
      .render = ww_report_text },
    { .name = "json", .help = "for programs: docs/report-format.md", .render = ww_report_json },
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
