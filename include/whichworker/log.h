/* base: log lines on standard error; one event a line, key=value, what peers sent escaped. */
#ifndef WHICHWORKER_LOG_H
#define WHICHWORKER_LOG_H

#include <whichworker/str.h>

enum ww_level { WW_LOG_ERROR, WW_LOG_WARN, WW_LOG_INFO, WW_LOG_DEBUG };

/* The process's only mutable global. Set once, before threads start. */
void ww_log_set_level(enum ww_level level);
bool ww_log_on(enum ww_level level);

/* "12:01:07.482 warn EVENT key=value …"; fmt and what follows may be NULL for the event alone. One
 * write(2) a line, so lines of several threads do not mix. */
void ww_log_line(enum ww_level level, const char *event, const char *fmt, ...) WW_FMT(3, 4);

#define ww_log(level, event, ...)                                                                  \
    do {                                                                                           \
        if (ww_log_on(level))                                                                      \
            ww_log_line((level), (event), __VA_ARGS__);                                            \
    } while (0)

#endif
