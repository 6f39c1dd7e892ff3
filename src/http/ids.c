/* http: session ids and tokens outside of cookies: fields, URLs, JSON members. */
#include <whichworker/http.h>

#define NAME_MAX_BYTES 24 /* longer than every name below */
#define ID_MIN         16 /* shorter ones can be guessed, or count something */
#define ID_MAX         16384
#define MASK_BYTES     28 /* "mac:" and 24 hex digits */
#define TOKEN_MIN      8

enum need {
    NEED_SHAPE, /* the name is used for other things as well: the value decides */
    NEED_LENGTH /* the name says it */
};

/* Without case, hyphens and underscores: access_token, accessToken, access-token. */
static const struct id_name {
    ww_str name;
    enum ww_id_kind kind;
    enum need need;
} id_names[] = {
    { { "sid", 3 }, WW_ID_SESSION, NEED_SHAPE },
    { { "sessionid", 9 }, WW_ID_SESSION, NEED_SHAPE },
    { { "sessionkey", 10 }, WW_ID_SESSION, NEED_SHAPE },
    { { "sessiontoken", 12 }, WW_ID_SESSION, NEED_SHAPE },
    { { "jsessionid", 10 }, WW_ID_SESSION, NEED_SHAPE },
    { { "phpsessid", 9 }, WW_ID_SESSION, NEED_SHAPE },
    { { "token", 5 }, WW_ID_TOKEN, NEED_SHAPE },
    { { "authtoken", 9 }, WW_ID_TOKEN, NEED_SHAPE },
    { { "apitoken", 8 }, WW_ID_TOKEN, NEED_SHAPE },
    { { "apikey", 6 }, WW_ID_TOKEN, NEED_SHAPE },
    { { "bearertoken", 11 }, WW_ID_TOKEN, NEED_LENGTH },
    { { "accesstoken", 11 }, WW_ID_TOKEN, NEED_LENGTH },
    { { "refreshtoken", 12 }, WW_ID_TOKEN, NEED_LENGTH },
    { { "idtoken", 7 }, WW_ID_TOKEN, NEED_LENGTH },
    { { "jwt", 3 }, WW_ID_TOKEN, NEED_LENGTH },
};

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '_' || c == '-';
}

static bool is_value_char(char c)
{
    return c != '\0' && (is_name_char(c) || strchr(".~+/=:%", c) != NULL);
}

/* A body has thousands of names, and none of them is one: the last letter tells most apart. */
static const struct id_name *id_name_find(ww_str name)
{
    char plain[NAME_MAX_BYTES];
    size_t len = 0;

    if (name.len < 3 || name.len > NAME_MAX_BYTES ||
        strchr("dnytDNYT", name.ptr[name.len - 1]) == NULL)
        return NULL;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] != '_' && name.ptr[i] != '-')
            plain[len++] = name.ptr[i];
    }
    for (size_t i = 0; i < sizeof id_names / sizeof *id_names; i++) {
        if (id_names[i].name.len == len &&
            ww_str_eq_nocase(ww_str_n(plain, len), id_names[i].name))
            return &id_names[i];
    }
    return NULL;
}

bool ww_is_masked(ww_str value)
{
    if (value.len != MASK_BYTES || !ww_str_starts(value, WW_STR("mac:")))
        return false;
    for (size_t i = 4; i < value.len; i++) {
        if (!is_digit(value.ptr[i]) && !(value.ptr[i] >= 'a' && value.ptr[i] <= 'f'))
            return false;
    }
    return true;
}

bool ww_is_unguessable(ww_str value)
{
    bool lower = false, upper = false, digit = false;

    if (ww_is_masked(value))
        return true;
    if (value.len < ID_MIN || value.len > ID_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_value_char(value.ptr[i]) && value.ptr[i] != '\\') /* JSON's "\/" */
            return false;
        lower = lower || is_lower(value.ptr[i]);
        upper = upper || is_upper(value.ptr[i]);
        digit = digit || is_digit(value.ptr[i]);
    }
    return lower + upper + digit >= 2;
}

static bool is_id(const struct id_name *n, ww_str value)
{
    return n->need == NEED_LENGTH ? value.len >= TOKEN_MIN : ww_is_unguessable(value);
}

bool ww_field_is_session(ww_str name)
{
    static const char *const kind[] = { "id",  "ident", "identifier", "token",
                                        "key", "uuid",  "guid" };
    ptrdiff_t at = ww_str_find_nocase(name, WW_STR("session"));

    /* "Session-Id", "X-Session", "X-SessionID", "Mcp-Session-Id", "X-Shop-Session-Token" */
    if (at < 0 || (at > 0 && name.ptr[at - 1] != '-'))
        return false;
    ww_str rest = ww_str_from(name, (size_t)at + 7);
    if (rest.len == 0)
        return ww_str_eq_nocase(name, WW_STR("X-Session"));
    if (rest.ptr[0] == '-')
        rest = ww_str_from(rest, 1);
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++) {
        if (ww_str_eq_nocase(rest, ww_str_c(kind[i])))
            return true;
    }
    return false;
}

bool ww_url_id_next(ww_str *rest, struct ww_id *out)
{
    const char *from = rest->ptr, *end = from + rest->len, *at = from;

    while (at < end && (at = memchr(at, '=', (size_t)(end - at))) != NULL) {
        const char *name = at, *value = at + 1, *stop = value;
        while (name > from && at - name <= NAME_MAX_BYTES && is_name_char(name[-1]))
            name--;
        at++;
        if (name > from && strchr("?&;", name[-1]) == NULL)
            continue;
        const struct id_name *n = id_name_find(ww_str_n(name, (size_t)(value - 1 - name)));
        if (n == NULL)
            continue;
        while (stop < end && is_value_char(*stop))
            stop++;
        *out = (struct ww_id){ .name = ww_str_n(name, (size_t)(value - 1 - name)),
                               .value = ww_str_n(value, (size_t)(stop - value)),
                               .kind = n->kind };
        at = stop;
        if (!is_id(n, out->value))
            continue;
        *rest = ww_str_n(stop, (size_t)(end - stop));
        return true;
    }
    *rest = (ww_str){ 0 };
    return false;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* The member's name in front of the colon at `colon`, or NULL. */
static const struct id_name *member_before(const char *from, const char *colon,
                                           ww_str *out_name)
{
    const char *quote = colon, *name;

    while (quote > from && strchr(" \t\r\n", quote[-1]) != NULL)
        quote--;
    if (quote == from || *--quote != '"')
        return NULL;
    name = quote;
    while (name > from && quote - name <= NAME_MAX_BYTES && is_name_char(name[-1]))
        name--;
    if (name == from || name[-1] != '"')
        return NULL;
    *out_name = ww_str_n(name, (size_t)(quote - name));
    return id_name_find(*out_name);
}

/* Where the string that begins at `at` ends: its quote, or the end of what was captured. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    return at;
}

bool ww_json_id_next(ww_str *rest, struct ww_id *out)
{
    const char *from = rest->ptr, *end = from + rest->len, *at = from;

    while (at < end && (at = memchr(at, ':', (size_t)(end - at))) != NULL) {
        ww_str name;
        const struct id_name *n = member_before(from, at++, &name);
        const char *value = n == NULL ? end : skip_blanks(at, end);
        if (value >= end || *value++ != '"')
            continue;
        const char *stop = string_end(value, end);
        *out = (struct ww_id){ .name = name,
                               .value = ww_str_n(value, (size_t)(stop - value)),
                               .kind = n->kind };
        at = stop;
        if (!is_id(n, out->value))
            continue;
        *rest = ww_str_n(stop, (size_t)(end - stop));
        return true;
    }
    *rest = (ww_str){ 0 };
    return false;
}
