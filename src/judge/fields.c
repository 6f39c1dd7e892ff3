/* judge: response fields that count: versions, times of change, what is left of a quota. */
#include "look.h"

#include <inttypes.h>

/* Seconds since 2000: seconds since 1970 are taken for the time of day wherever they stand. */
#define EPOCH_2000 946684800

/* ETag is opaque (RFC 9110 8.8.3) unless it is plainly a number: "17", W/"17". */
static bool read_version(ww_str tag, int64_t *out)
{
    uint64_t version;

    if (ww_str_starts(tag, WW_STR("W/")))
        tag = ww_str_from(tag, 2);
    if (tag.len < 3 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"' ||
        !ww_str_u64(ww_str_n(tag.ptr + 1, tag.len - 2), &version) || version > INT64_MAX)
        return false;
    *out = (int64_t)version;
    return true;
}

static bool read_time(ww_str date, int64_t *out)
{
    if (!ww_http_date(date, out))
        return false;
    *out -= EPOCH_2000;
    return true;
}

static bool read_count(ww_str count, int64_t *out)
{
    uint64_t n;

    if (!ww_str_u64(count, &n) || n > INT64_MAX)
        return false;
    *out = (int64_t)n;
    return true;
}

static const struct {
    const char *name;
    const char *as; /* not ETag: a member of that name changes by itself */
    bool (*read)(ww_str value, int64_t *out);
} counting[] = {
    { "ETag", "version", read_version },
    { "Last-Modified", "Last-Modified", read_time },
    { "RateLimit-Remaining", "RateLimit-Remaining", read_count },
    { "X-RateLimit-Remaining", "X-RateLimit-Remaining", read_count },
};

uint32_t ww_look_fields(struct model *m, const struct ww_exchange *x)
{
    struct ww_buf *b = NULL;

    for (size_t i = 0; i < sizeof counting / sizeof *counting; i++) {
        ww_str value = ww_fields_get(&x->response_fields, ww_str_c(counting[i].name));
        int64_t number;
        if (value.ptr == NULL || !counting[i].read(ww_str_trim(value), &number))
            continue;
        if (b == NULL)
            b = ww_scratch(m);
        ww_buf_printf(b, "%s\"field %s\":%" PRId64, b->len == 0 ? "{" : ",", counting[i].as,
                      number);
    }
    if (b == NULL)
        return WW_NONE;
    ww_buf_add_char(b, '}');
    return ww_view_json(&m->normal, ww_buf_str(b));
}
