/* cli: the reports that are asked for, and their files. */
#ifndef WW_REPORTS_H
#define WW_REPORTS_H

#include <whichworker/report.h>
#include <whichworker/store.h>

#define REPORTS_MAX 16

struct report_file {
    const struct ww_report_format *format;
    ww_str path; /* "-": standard output; borrowed */
};

/* Zeroed: none. */
struct reports {
    struct report_file file[REPORTS_MAX];
    size_t n;
};

/* A format by its name; WW_EUSAGE and the list of all if there is none. */
int reports_find_format(ww_str name, const struct ww_report_format **out, struct ww_err *err);

/* Adds those of a list, "junit=FILE,sarif=FILE". A format that is there already gets the new
 * file: the last word holds. Borrows the list. */
int reports_add(struct reports *r, ww_str list, struct ww_err *err);

/* Before a long run: whether each file could be written, as far as can be told without doing
 * it. WW_EUSAGE if not. */
int reports_check(const struct reports *r, struct ww_err *err);

/*
 * Writes all of them, each whole or not at all (place.h). One that fails does not keep the
 * others from being written; the first error is returned.
 */
int reports_write(const struct reports *r, const struct ww_report *report, struct ww_err *err);

/* One report to one place, in the same way. */
int report_write(const struct ww_report_format *format, ww_str path,
                 const struct ww_report *report, struct ww_err *err);

/* Whole exchanges out of a trace; borrows the reader, and moves its cursor. */
struct ww_exchange_source reports_source(struct ww_reader *r);

#endif
