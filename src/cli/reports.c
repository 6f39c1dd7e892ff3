/* The reports that are asked for: "junit=FILE,sarif=FILE", each written whole or not at all. */
#include "reports.h"

#include "command.h"
#include "place.h"
#include "suggest.h"

#include <errno.h>
#include <string.h>

static const char *next_format(const void *ctx, size_t i)
{
    (void)ctx;
    return ww_report_formats[i].name;
}

static int no_format(ww_str name, struct ww_err *err)
{
    struct ww_buf known;

    ww_buf_init(&known, 400);
    for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++)
        ww_buf_printf(&known, "%s%s", known.len == 0 ? "" : ", ", f->name);
    const char *meant = closest(name, next_format, NULL);
    ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' is not a format: " WW_STRF "%s%s%s",
               WW_STRV(name), WW_STRV(ww_buf_str(&known)),
               meant == NULL ? "" : "; did you mean ", meant == NULL ? "" : meant,
               meant == NULL ? "" : "?");
    ww_buf_release(&known);
    return WW_EUSAGE;
}

int reports_find_format(ww_str name, const struct ww_report_format **out, struct ww_err *err)
{
    const struct ww_report_format *f = ww_report_format_find(name);

    if (f == NULL)
        return no_format(name, err);
    *out = f;
    return WW_OK;
}

static struct report_file *slot_of(struct reports *r, const struct ww_report_format *format)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->file[i].format == format)
            return &r->file[i];
    }
    /* There is one place for each format. */
    return r->n < REPORTS_MAX ? &r->file[r->n++] : NULL;
}

static int add(struct reports *r, ww_str item, struct ww_err *err)
{
    const struct ww_report_format *format = NULL;
    ww_str rest = item, name;

    ww_str_cut(&rest, '=', &name);
    if (reports_find_format(name, &format, err) < 0)
        return err->code;
    if (rest.len == 0) {
        return ww_err_set(err, WW_EUSAGE, "'" WW_STRF "' names no file: %s=FILE", WW_STRV(item),
                          format->name);
    }
    struct report_file *slot = slot_of(r, format);
    if (slot == NULL)
        return ww_err_set(err, WW_EUSAGE, "more than %d reports", REPORTS_MAX);
    *slot = (struct report_file){ .format = format, .path = rest };
    return WW_OK;
}

int reports_add(struct reports *r, ww_str list, struct ww_err *err)
{
    ww_str item;

    if (list.len == 0)
        return ww_err_set(err, WW_EUSAGE, "the list is empty: FORMAT=FILE,...");
    while (ww_str_cut(&list, ',', &item)) {
        if (add(r, item, err) < 0)
            return err->code;
    }
    return WW_OK;
}

int reports_check(const struct reports *r, struct ww_err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        if (place_check(r->file[i].path, err) < 0)
            return ww_err_wrap(err, "the %s report", r->file[i].format->name);
    }
    return WW_OK;
}

static int write_place(void *ctx, ww_str bytes, struct ww_err *err)
{
    struct place *p = ctx;

    if (write_all(p->fd, bytes))
        return WW_OK;
    if (strcmp(p->path, "-") == 0)
        return ww_err_errno(err, errno, "cannot write to standard output");
    return ww_err_errno(err, errno, "cannot write '%s'", p->path);
}

int report_write(const struct ww_report_format *format, ww_str path,
                 const struct ww_report *report, struct ww_err *err)
{
    struct place p;

    if (place_open(&p, path, format->is_private, err) < 0)
        return ww_err_wrap(err, "the %s report", format->name);
    const struct ww_report_sink sink = { .ctx = &p, .write = write_place };
    int code = ww_report_write(format, report, &sink, err);
    if (code >= 0)
        code = place_put(&p, err);
    place_close(&p);
    return code < 0 ? ww_err_wrap(err, "the %s report", format->name) : WW_OK;
}

int reports_write(const struct reports *r, const struct ww_report *report, struct ww_err *err)
{
    int worst = WW_OK;

    for (size_t i = 0; i < r->n; i++) {
        struct ww_err its = { 0 };

        if (report_write(r->file[i].format, r->file[i].path, report, &its) < 0 &&
            worst == WW_OK) {
            worst = its.code;
            *err = its;
        }
    }
    return worst;
}

static int rewind_trace(void *ctx, struct ww_err *err)
{
    return ww_reader_rewind(ctx, err);
}

static int next_in_trace(void *ctx, const struct ww_exchange **out, struct ww_err *err)
{
    return ww_reader_next_exchange(ctx, out, err);
}

struct ww_exchange_source reports_source(struct ww_reader *r)
{
    return (
        struct ww_exchange_source){ .ctx = r, .rewind = rewind_trace, .next = next_in_trace };
}
