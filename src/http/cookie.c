/* http: Cookie and Set-Cookie, read as a browser reads them (RFC 6265). */
#include <whichworker/http.h>

#include <time.h>

bool ww_cookie_next(ww_str *rest, ww_str *out_name, ww_str *out_value)
{
    ww_str pair;

    while (ww_str_cut(rest, ';', &pair)) {
        ptrdiff_t equals = ww_str_find(pair, WW_STR("="));
        if (equals < 0)
            continue;
        ww_str name = ww_str_trim(ww_str_upto(pair, (size_t)equals));
        if (name.len == 0)
            continue;
        *out_name = name;
        *out_value = ww_str_trim(ww_str_from(pair, (size_t)equals + 1));
        return true;
    }
    return false;
}

/* ---- cookie-date (RFC 6265 5.1.1): looser than an HTTP date, and servers need it so: they
 * send "Thu, 01-Jan-1970 00:00:00 GMT" */

struct date {
    int day;
    int month; /* 0 to 11 */
    int year;
    int hour;
    int minute;
    int second;
    bool has_day, has_month, has_year, has_time;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes min to max digits from the front; false, and nothing taken, if there are fewer or more.
 */
static bool take_digits(ww_str *s, size_t min, size_t max, int *out_value)
{
    size_t n = 0;
    int value = 0;

    while (n < s->len && n <= max && is_digit(s->ptr[n]))
        n++;
    if (n < min || n > max)
        return false;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (s->ptr[i] - '0');
    *s = ww_str_from(*s, n);
    *out_value = value;
    return true;
}

static bool take_char(ww_str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = ww_str_from(*s, 1);
    return true;
}

static bool read_time(ww_str token, struct date *d)
{
    int h, m, s;

    if (!take_digits(&token, 1, 2, &h) || !take_char(&token, ':') ||
        !take_digits(&token, 1, 2, &m) || !take_char(&token, ':') ||
        !take_digits(&token, 1, 2, &s))
        return false;
    d->hour = h;
    d->minute = m;
    d->second = s;
    return true;
}

static bool read_month(ww_str token, struct date *d)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (int m = 0; m < 12; m++) {
        if (ww_str_starts_nocase(token, ww_str_n(names + (ptrdiff_t)m * 3, 3))) {
            d->month = m;
            return true;
        }
    }
    return false;
}

static bool read_year(ww_str token, struct date *d)
{
    int year;

    if (!take_digits(&token, 2, 4, &year))
        return false;
    if (year < 70) {
        year += 2000;
    } else if (year < 100) {
        year += 1900;
    }
    d->year = year;
    return true;
}

static bool read_day(ww_str token, struct date *d)
{
    return take_digits(&token, 1, 2, &d->day);
}

static void read_token(ww_str token, struct date *d)
{
    if (!d->has_time && read_time(token, d)) {
        d->has_time = true;
    } else if (!d->has_day && read_day(token, d)) {
        d->has_day = true;
    } else if (!d->has_month && read_month(token, d)) {
        d->has_month = true;
    } else if (!d->has_year && read_year(token, d)) {
        d->has_year = true;
    }
}

static bool is_delimiter(char c)
{
    unsigned char u = (unsigned char)c;

    return u == 0x09 || (u >= 0x20 && u <= 0x2f) || (u >= 0x3b && u <= 0x40) ||
           (u >= 0x5b && u <= 0x60) || (u >= 0x7b && u <= 0x7e);
}

bool ww_http_date(ww_str s, int64_t *out_seconds)
{
    struct date d = { 0 };

    for (size_t i = 0; i < s.len;) {
        size_t start = i;
        while (i < s.len && !is_delimiter(s.ptr[i]))
            i++;
        if (i > start) {
            read_token(ww_str_n(s.ptr + start, i - start), &d);
        } else {
            i++;
        }
    }
    if (!d.has_day || !d.has_month || !d.has_year || !d.has_time || d.day < 1 || d.day > 31 ||
        d.year < 1601 || d.hour > 23 || d.minute > 59 || d.second > 59)
        return false;
    struct tm tm = { .tm_mday = d.day,
                     .tm_mon = d.month,
                     .tm_year = d.year - 1900,
                     .tm_hour = d.hour,
                     .tm_min = d.minute,
                     .tm_sec = d.second };
    *out_seconds = (int64_t)timegm(&tm);
    return true;
}

/* ---- Set-Cookie */

/* RFC 6265 5.2.2: an optional minus and digits; anything else is as if it were not there. */
static bool max_age(ww_str s, bool *out_positive)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    bool nonzero = false;

    if (negative)
        s = ww_str_from(s, 1);
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
        nonzero = nonzero || s.ptr[i] != '0';
    }
    *out_positive = nonzero && !negative;
    return true;
}

struct attributes {
    bool http_only;
    bool has_max_age, positive; /* Max-Age decides where both stand (RFC 6265 5.3) */
    bool has_expires;
    int64_t expires;
};

static struct attributes read_attributes(ww_str rest)
{
    struct attributes a = { 0 };
    ww_str piece;

    while (ww_str_cut(&rest, ';', &piece)) {
        ww_str name = piece;
        (void)ww_str_cut(&piece, '=', &name);
        name = ww_str_trim(name);
        ww_str value = ww_str_trim(piece);
        if (ww_str_eq_nocase(name, WW_STR("HttpOnly"))) {
            a.http_only = true;
        } else if (ww_str_eq_nocase(name, WW_STR("Max-Age"))) {
            a.has_max_age = max_age(value, &a.positive) || a.has_max_age;
        } else if (ww_str_eq_nocase(name, WW_STR("Expires"))) {
            a.has_expires = ww_http_date(value, &a.expires) || a.has_expires;
        }
    }
    return a;
}

bool ww_set_cookie_parse(ww_str value, int64_t now_seconds, struct ww_set_cookie *out)
{
    ww_str rest = value, pair;

    if (!ww_str_cut(&rest, ';', &pair))
        return false;
    ptrdiff_t equals = ww_str_find(pair, WW_STR("="));
    if (equals < 0)
        return false;
    ww_str name = ww_str_trim(ww_str_upto(pair, (size_t)equals));
    if (name.len == 0)
        return false;
    struct attributes a = read_attributes(rest);
    ww_str content = ww_str_trim(ww_str_from(pair, (size_t)equals + 1));
    bool expired = a.has_max_age ? !a.positive : a.has_expires && a.expires <= now_seconds;
    *out = (struct ww_set_cookie){ .name = name,
                                   .value = content,
                                   .attributes = rest,
                                   .cleared = expired || content.len == 0 ||
                                              ww_str_eq(content, WW_STR("\"\"")),
                                   .http_only = a.http_only };
    return true;
}
