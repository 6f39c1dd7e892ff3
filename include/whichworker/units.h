/* base: times, sizes and timestamps as people write and read them. */
#ifndef WHICHWORKER_UNITS_H
#define WHICHWORKER_UNITS_H

#include <whichworker/err.h>
#include <whichworker/str.h>

/* "300ms", "5s", "2m", "1h", "0"; a bare number other than 0 is refused: its unit is not known. */
int ww_units_msec(ww_str s, uint32_t *out_ms, struct ww_err *err);

/* "64k", "1M", "2G" (powers of 1024), "512" (bytes). */
int ww_units_size(ww_str s, uint64_t *out_bytes, struct ww_err *err);

/* The shortest spelling that the two functions above read back as the same value. */
void ww_units_msec_text(uint32_t ms, char out[16]);
void ww_units_size_text(uint64_t bytes, char out[24]);

/* Microseconds: of a clock that never goes back, and since 1970 (UTC). */
int64_t ww_clock_mono_us(void);
int64_t ww_clock_wall_us(void);

/* "2026-01-31T23:59:59.123456Z" for microseconds since 1970. */
#define WW_TIME_TEXT 28
void ww_time_text(int64_t wall_us, char out[WW_TIME_TEXT]);

/* An HTTP date in any of the three forms of RFC 9110 5.6.7, as seconds since 1970. */
WW_MUST bool ww_time_http(ww_str s, int64_t *out_seconds);

#endif
