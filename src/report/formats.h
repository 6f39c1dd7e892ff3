/* report: the renderers that the format table lists. */
#ifndef WW_REPORT_FORMATS_H
#define WW_REPORT_FORMATS_H

#include <whichworker/report.h>

void ww_report_text(const struct ww_verdict *v, const struct ww_report_style *style,
                    struct ww_buf *out);
void ww_report_json(const struct ww_verdict *v, const struct ww_report_style *style,
                    struct ww_buf *out);

void ww_report_markdown(const struct ww_verdict *v, const struct ww_report_style *style,
                        struct ww_buf *out);
void ww_report_github(const struct ww_verdict *v, const struct ww_report_style *style,
                      struct ww_buf *out);
void ww_report_sarif(const struct ww_verdict *v, const struct ww_report_style *style,
                     struct ww_buf *out);
void ww_report_junit(const struct ww_verdict *v, const struct ww_report_style *style,
                     struct ww_buf *out);

int ww_report_har(const struct ww_report *r, const struct ww_report_sink *sink,
                  struct ww_err *err);

#endif
