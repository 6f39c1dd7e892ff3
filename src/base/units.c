/* Times, sizes and timestamps as text. */
#include <whichworker/units.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit times[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }
};
static const struct unit sizes[] = {
    { "", 1 }, { "k", 1024 }, { "M", 1 << 20 }, { "G", 1 << 30 }
};

#define UNITS 4

/* Splits "300ms" into 300 and the unit; false if it is not of that form or too large for max.
 */
static bool quantity(ww_str s, const struct unit unit[UNITS], uint64_t max, uint64_t *out)
{
    size_t digits = 0;
    uint64_t number = 0;

    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    if (!ww_str_u64(ww_str_upto(s, digits), &number))
        return false;
    for (size_t i = 0; i < UNITS; i++) {
        if (!ww_str_eq(ww_str_from(s, digits), ww_str_c(unit[i].suffix)))
            continue;
        if (number > max / unit[i].factor)
            return false;
        *out = number * unit[i].factor;
        return true;
    }
    return false;
}

int ww_units_msec(ww_str s, uint32_t *out_ms, struct ww_err *err)
{
    uint64_t ms = 0;

    if (!ww_str_eq(s, WW_STR("0")) && !quantity(s, times, UINT32_MAX / 2, &ms))
        return ww_err_set(err, WW_EUSAGE,
                          "'" WW_STRF
                          "' is not a time: write a number with ms, s, m or h, as in 300ms",
                          WW_STRV(s));
    *out_ms = (uint32_t)ms;
    return WW_OK;
}

int ww_units_size(ww_str s, uint64_t *out_bytes, struct ww_err *err)
{
    uint64_t bytes = 0;

    if (!quantity(s, sizes, (uint64_t)1 << 50, &bytes))
        return ww_err_set(err, WW_EUSAGE,
                          "'" WW_STRF
                          "' is not a size: write a number of bytes, or with k, M or G, "
                          "as in 64k",
                          WW_STRV(s));
    *out_bytes = bytes;
    return WW_OK;
}

static void shortest(uint64_t value, const struct unit unit[UNITS], char *out, size_t size)
{
    size_t i = UNITS;

    while (i-- > 1)
        if (value % unit[i].factor == 0)
            break;
    snprintf(out, size, "%" PRIu64 "%s", value / unit[i].factor, unit[i].suffix);
}

void ww_units_msec_text(uint32_t ms, char out[16])
{
    if (ms == 0)
        snprintf(out, 16, "0");
    else
        shortest(ms, times, out, 16);
}

void ww_units_size_text(uint64_t bytes, char out[24])
{
    if (bytes == 0)
        snprintf(out, 24, "0");
    else
        shortest(bytes, sizes, out, 24);
}

static int64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t ww_clock_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t ww_clock_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

void ww_time_text(int64_t wall_us, char out[WW_TIME_TEXT])
{
    int64_t us = wall_us % 1000000;
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;

    if (us < 0) {
        us += 1000000;
        seconds -= 1;
    }
    if (gmtime_r(&seconds, &t) == NULL || t.tm_year < -1900 || t.tm_year > 9999 - 1900) {
        snprintf(out, WW_TIME_TEXT, "0000-00-00T00:00:00.000000Z");
        return;
    }
    /* The fields are in range; the remainders only tell the compiler so. */
    snprintf(out, WW_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
             ((unsigned)t.tm_year + 1900) % 10000, ((unsigned)t.tm_mon + 1) % 100,
             (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100,
             (unsigned)t.tm_sec % 100, (unsigned)us % 1000000);
}

/* strptime takes the 31st in every month. */
static bool is_on_calendar(const struct tm *t)
{
    struct tm day = { .tm_year = t->tm_year, .tm_mon = t->tm_mon, .tm_mday = t->tm_mday };

    timegm(&day);
    return day.tm_mday == t->tm_mday;
}

bool ww_time_http(ww_str s, int64_t *out_seconds)
{
    static const char *const form[] = {
        "%a, %d %b %Y %T GMT", /* IMF-fixdate */
        "%a, %d-%b-%y %T GMT", /* RFC 850; before %Y, which would read 94 as the year 94 */
        "%a, %d-%b-%Y %T GMT", /* Set-Cookie's own */
        "%a %b %d %T %Y",      /* asctime */
    };
    char text[64];

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
        struct tm t = { 0 };
        const char *end = strptime(text, form[i], &t);

        if (end == text + s.len && is_on_calendar(&t)) {
            *out_seconds = (int64_t)timegm(&t);
            return true;
        }
    }
    return false;
}
