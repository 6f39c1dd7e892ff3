/* Slices: comparison, search, cutting from the front. */
#include <whichworker/str.h>

ww_str ww_str_c(const char *c)
{
    return (ww_str){ .ptr = c, .len = c == NULL ? 0 : strlen(c) };
}

ww_str ww_str_n(const char *ptr, size_t len)
{
    return (ww_str){ .ptr = ptr, .len = len };
}

bool ww_str_eq(ww_str a, ww_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

static bool same_nocase(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool ww_str_eq_nocase(ww_str a, ww_str b)
{
    return a.len == b.len && same_nocase(a.ptr, b.ptr, a.len);
}

int ww_str_cmp(ww_str a, ww_str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.ptr, b.ptr, shared);

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool ww_str_starts(ww_str s, ww_str prefix)
{
    return s.len >= prefix.len && ww_str_eq(ww_str_upto(s, prefix.len), prefix);
}

bool ww_str_starts_nocase(ww_str s, ww_str prefix)
{
    return s.len >= prefix.len && same_nocase(s.ptr, prefix.ptr, prefix.len);
}

bool ww_str_ends(ww_str s, ww_str suffix)
{
    return s.len >= suffix.len && ww_str_eq(ww_str_from(s, s.len - suffix.len), suffix);
}

ptrdiff_t ww_str_find(ww_str s, ww_str needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;

    const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);

    return at == NULL ? -1 : at - s.ptr;
}

ptrdiff_t ww_str_find_nocase(ww_str s, ww_str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++)
        if (same_nocase(s.ptr + i, needle.ptr, needle.len))
            return (ptrdiff_t)i;
    return -1;
}

ww_str ww_str_from(ww_str s, size_t at)
{
    if (s.ptr == NULL)
        return s;
    if (at > s.len)
        at = s.len;
    return ww_str_n(s.ptr + at, s.len - at);
}

ww_str ww_str_upto(ww_str s, size_t at)
{
    return ww_str_n(s.ptr, at < s.len ? at : s.len);
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

ww_str ww_str_trim(ww_str s)
{
    while (s.len > 0 && is_ows(s.ptr[0]))
        s = ww_str_from(s, 1);
    while (s.len > 0 && is_ows(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool ww_str_cut(ww_str *rest, char sep, ww_str *out_piece)
{
    if (rest->ptr == NULL)
        return false;

    const char *at = rest->len == 0 ? NULL : memchr(rest->ptr, sep, rest->len);

    if (at == NULL) {
        *out_piece = *rest;
        *rest = (ww_str){ 0 };
        return true;
    }
    *out_piece = ww_str_n(rest->ptr, (size_t)(at - rest->ptr));
    *rest = ww_str_from(*rest, out_piece->len + 1);
    return true;
}

bool ww_str_u64(ww_str s, uint64_t *out_value)
{
    uint64_t value = 0;

    if (s.len == 0 || s.len > 19)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    *out_value = value;
    return true;
}

static bool continues(ww_str s, size_t n)
{
    if (s.len < n)
        return false;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.ptr[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* What the first two bytes of a well-formed character may be (Unicode 15, table 3-7): neither
 * overlong forms nor surrogates nor anything beyond U+10FFFF. */
static const struct {
    unsigned char first_least, first_most, second_least, second_most, len;
} utf8_form[] = {
    { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
    { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
    { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t ww_utf8_len(ww_str s)
{
    if (s.len == 0)
        return 0;

    unsigned char first = (unsigned char)s.ptr[0];
    unsigned char second = s.len > 1 ? (unsigned char)s.ptr[1] : 0;

    if (first < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(utf8_form) / sizeof(utf8_form[0]); i++)
        if (first >= utf8_form[i].first_least && first <= utf8_form[i].first_most)
            return second >= utf8_form[i].second_least && second <= utf8_form[i].second_most &&
                           continues(s, utf8_form[i].len)
                       ? utf8_form[i].len
                       : 0;
    return 0;
}

uint32_t ww_utf8_point(const char *c, size_t n)
{
    static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t point = (unsigned char)c[0] & first[n];

    for (size_t i = 1; i < n; i++)
        point = point << 6 | ((unsigned char)c[i] & 0x3f);
    return point;
}

static const struct {
    uint32_t least, most;
} deceiving[] = {
    { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },   { 0x180e, 0x180e },
    { 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
    { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

bool ww_utf8_deceives(uint32_t point)
{
    if (point >= 0x20 && point < 0x7f)
        return false;
    for (size_t i = 0; i < sizeof(deceiving) / sizeof(deceiving[0]); i++)
        if (point >= deceiving[i].least && point <= deceiving[i].most)
            return true;
    return false;
}
