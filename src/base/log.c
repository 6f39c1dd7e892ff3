/* Log lines, one write a line. */
#include <whichworker/buf.h>
#include <whichworker/log.h>
#include <whichworker/units.h>

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX_BYTES 2048

/* Every byte may become \xNN; the line feed must always fit, or lines of two events mix. */
#define LINE_MAX_BYTES (4 * TEXT_MAX_BYTES + 256)

static enum ww_level max_level = WW_LOG_WARN;

void ww_log_set_level(enum ww_level level)
{
    max_level = level;
}

bool ww_log_on(enum ww_level level)
{
    return level <= max_level;
}

void ww_log_line(enum ww_level level, const char *event, const char *fmt, ...)
{
    static const char *const word[] = { "error", "warn", "info", "debug" };
    char when[WW_TIME_TEXT];
    struct ww_buf line;

    ww_buf_init(&line, LINE_MAX_BYTES);
    ww_time_text(ww_clock_wall_us(), when);
    ww_buf_printf(&line, "%.12s %s %s", when + 11, word[level], event);
    if (fmt != NULL) {
        char text[TEXT_MAX_BYTES] = "";
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        ww_buf_add_char(&line, ' ');
        ww_buf_add_printable(&line, ww_str_c(text));
    }
    ww_buf_add_char(&line, '\n');
    /* Nothing can be done about a standard error that is gone. */
    ssize_t ignored = write(STDERR_FILENO, line.ptr, line.len);

    (void)ignored;
    ww_buf_release(&line);
}
