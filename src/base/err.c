/* Cold-path errors. */
#include <whichworker/err.h>

#include <stdarg.h>
#include <stdio.h>

static void set_text(struct ww_err *err, const char *fmt, va_list ap) WW_FMT(2, 0);

static void set_text(struct ww_err *err, const char *fmt, va_list ap)
{
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int ww_err_set(struct ww_err *err, enum ww_code code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;

        va_start(ap, fmt);
        set_text(err, fmt, ap);
        va_end(ap);
        err->code = code;
    }
    return code;
}

static void append(struct ww_err *err, const char *text)
{
    size_t len = strlen(err->text);

    snprintf(err->text + len, sizeof(err->text) - len, "%s", text);
}

int ww_err_errno(struct ww_err *err, int errno_value, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        char words[128];

        va_start(ap, fmt);
        set_text(err, fmt, ap);
        va_end(ap);
        append(err, ": ");
        append(err, strerror_r(errno_value, words, sizeof(words)));
        err->code = WW_ESYSTEM;
    }
    return WW_ESYSTEM;
}

int ww_err_wrap(struct ww_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return WW_ESYSTEM;

    struct ww_err cause = *err;
    va_list ap;

    va_start(ap, fmt);
    set_text(err, fmt, ap);
    va_end(ap);
    append(err, ": ");
    append(err, cause.text);
    return err->code;
}
